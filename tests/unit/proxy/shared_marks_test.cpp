#include "proxy/shared_marks.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::proxy {
namespace {

using routing::at_ms;
using routing::ClusterBuilder;
using routing::Floor;
using routing::Lsn;
using routing::NodeId;
using routing::NodeState;
using routing::TimelineId;
using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr NodeId kReplica{1};

TEST(SharedMarksTest, NamesOfKeysAreTheSameEverywhere) {
  EXPECT_EQ(shared_marks_key("tidemark", 7123, 0xABCU), "tidemark:{7123:0000000000000abc}:marks");
  EXPECT_EQ(shared_epoch_key("tidemark", 7123), "tidemark:{7123}:epoch");
  EXPECT_EQ(shared_write_field("a1", 7), "d:a1:7");
  EXPECT_EQ(shared_node_field("a1", 8, "[::1]:5432"), "s:a1:8:[::1]:5432");
}

TEST(SharedMarksTest, TextOfAPositionIsOrderedByTimelineThenLsn) {
  const auto text = [](std::uint32_t timeline, std::uint64_t lsn) {
    return print_shared_position({timeline}, {lsn});
  };
  EXPECT_EQ(text(1, 0x16'B374'D848U), "0000000100000016b374d848");
  EXPECT_LT(text(1, 0x9U), text(1, 0x10U));
  EXPECT_LT(text(1, UINT64_MAX), text(2, 0));
  EXPECT_LT(text(9, 1), text(10, 0));
}

TEST(SharedMarksTest, APositionIsReadAsItIsPrinted) {
  const std::string text = print_shared_position({3}, {0xFEDC'BA98'7654'3210U});
  const auto hash = read_shared_hash({{"p", text}}, "me");
  ASSERT_TRUE(hash.position);
  EXPECT_EQ(hash.position->timeline, TimelineId{3});
  EXPECT_EQ(hash.position->lsn, Lsn{0xFEDC'BA98'7654'3210U});
  EXPECT_FALSE(hash.is_unbounded);
}

TEST(SharedMarksTest, WhatCannotBeReadIsADoubt) {
  const std::string good = print_shared_position({1}, {100});
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_TRUE(read_shared_hash({{"p", std::string_view(good).substr(0, size)}}, "me").is_unbounded) << size;
  const std::string longer = good + "0";
  const Fields doubtful{{"p", longer},
                        {"p", "000000000000000000000064"},
                        {"p", "0000000100000000000000zz"},
                        {"", ""},
                        {"x", "1"},
                        {"s", "1@2"},
                        {"s:he", "1@2"},
                        {"s:he:1", "1@2"},
                        {"s:he:1:", "1@2"},
                        {"s:he:1:node:5432", ""},
                        {"s:he:1:node:5432", "@5"},
                        {"s:he:1:node:5432", "1x@5"},
                        {"d", ""},
                        {"d:he", ""},
                        {"x:me:1", "0@1"}};
  for (const auto& [name, value] : doubtful) {
    EXPECT_TRUE(read_shared_hash({{name, value}}, "me").is_unbounded) << name << " = " << value;
  }
}

TEST(SharedMarksTest, OwnFieldsAreLeftOutAndOnlyOwnOnes) {
  EXPECT_FALSE(read_shared_hash({{"d:me:1", "0@5"}, {"s:me:2:a:1", "7@5"}}, "me").is_unbounded);
  EXPECT_TRUE(read_shared_hash({{"s:me:2:a:1", "7@5"}}, "me").shown.empty());
  EXPECT_TRUE(read_shared_hash({{"d:mee:1", "0@5"}}, "me").is_unbounded);
  EXPECT_TRUE(read_shared_hash({{"d:m:1", "0@5"}}, "me").is_unbounded);
}

TEST(SharedMarksTest, ANodeIsNamedWithItsColons) {
  const auto hash = read_shared_hash({{"s:he:12:[::1]:5432", "1700000000000000@99"}}, "me");
  ASSERT_EQ(hash.shown.size(), 1);
  EXPECT_EQ(hash.shown[0].node, "[::1]:5432");
  EXPECT_EQ(hash.shown[0].server_start, 1'700'000'000'000'000);
  EXPECT_FALSE(hash.is_unbounded);
}

class MergeTest : public testing::Test {
 protected:
  MergeTest()
      : view_(ClusterBuilder()
                  .primary(300)
                  .with([](NodeState& node) { node.server_start = 50; })
                  .replica(300, 10)
                  .with([](NodeState& node) {
                    node.server_start = 70;
                    node.incarnation = 4;
                  })
                  .build()) {}

  bool merge(const Fields& fields, int ms = 20) {
    return merge_shared_hash(read_shared_hash(fields, "me"), marks_, known_, view_, log_.asked(), at_ms(ms));
  }
  routing::SessionContext context() {
    routing::SessionContext context;
    marks_.describe(context, log_);
    return context;
  }

  std::unique_ptr<pools::PositionLog> owner_ = std::make_unique<pools::PositionLog>();
  pools::PositionLog& log_ = *owner_;
  routing::ClusterView view_;
  UserMarks marks_;
  SharedHash::Position known_;
};

TEST_F(MergeTest, OfWhomNothingIsToldNothingIsRequired) {
  EXPECT_FALSE(merge({}));
  EXPECT_TRUE(marks_.empty());
}

TEST_F(MergeTest, APositionIsRequiredOnceAndOnlyWhenItIsHigher) {
  const std::string position = print_shared_position({1}, {200});
  EXPECT_FALSE(merge({{"p", position}}));
  EXPECT_EQ(context().required.kind, Floor::Kind::known);
  EXPECT_EQ(context().required.position, routing::wal(200));
  const auto answers = marks_.answers();
  EXPECT_FALSE(merge({{"p", position}}));
  EXPECT_FALSE(merge({{"p", print_shared_position({1}, {199})}}));
  EXPECT_EQ(marks_.answers(), answers) << "each new one costs a visibility question at the primary";
  EXPECT_FALSE(merge({{"p", print_shared_position({1}, {201})}}));
  EXPECT_EQ(context().required.position, routing::wal(201));
}

TEST_F(MergeTest, AWriteUnderWayIsBoundedByTheNextQuestion) {
  log_.answer(log_.begin_question(), routing::wal(400));
  EXPECT_TRUE(merge({{"d:he:1", "0@9"}, {"p", print_shared_position({1}, {200})}}));
  EXPECT_EQ(context().required.kind, Floor::Kind::pending);
  EXPECT_TRUE(marks_.is_pending());
  EXPECT_EQ(context().written.kind, Floor::Kind::none) << "own marks tell what of the own writes is lost";
  log_.answer(log_.begin_question(), routing::wal(500));
  EXPECT_EQ(context().required.position, routing::wal(500));
  EXPECT_FALSE(marks_.is_pending());
}

TEST_F(MergeTest, WhatAReplicaShowedMayBeStayedWithFromTheMomentOfTheAnswerOn) {
  EXPECT_FALSE(merge({{"s:he:3:10.0.0.1:5432", "70@9"}}));
  ASSERT_EQ(context().shown.size(), 1);
  EXPECT_EQ(context().shown[0].node, kReplica);
  EXPECT_EQ(context().shown[0].incarnation, 4);
  EXPECT_EQ(context().shown[0].at, at_ms(20));
  EXPECT_EQ(context().shown[0].sent_at, at_ms(10));
  EXPECT_FALSE(merge({{"s:he:3:10.0.0.1:5432", "70@9"}, {"s:she:1:10.0.0.1:5432", "70@9"}}, 30));
  ASSERT_EQ(context().shown.size(), 1);
  EXPECT_EQ(context().shown[0].at, at_ms(30));
}

TEST_F(MergeTest, AnotherLifeAnotherNodeAndAPrimaryAreBoundedByThePrimary) {
  const auto is_unbounded = [&](std::string_view field, std::string_view value) {
    UserMarks marks;
    routing::SessionContext context;
    const bool asks =
        merge_shared_hash(read_shared_hash({{field, value}}, "me"), marks, known_, view_, 0, at_ms(20));
    marks.describe(context, log_);
    return asks && context.shown.empty() && context.required.kind == Floor::Kind::pending;
  };
  EXPECT_TRUE(is_unbounded("s:he:1:10.0.0.1:5432", "71@9"));
  EXPECT_TRUE(is_unbounded("s:he:1:10.0.0.9:5432", "70@9"));
  EXPECT_TRUE(is_unbounded("s:he:1:10.0.0.0:5432", "50@9"));
  EXPECT_FALSE(is_unbounded("s:he:1:10.0.0.1:5432", "70@9"));
  view_.nodes[1].server_start = 0;
  EXPECT_TRUE(is_unbounded("s:he:1:10.0.0.1:5432", "0@9")) << "a start that nobody knows is nobody's";
}

TEST_F(MergeTest, OwnWritesThatAreLostAreStillTold) {
  marks_.wrote(log_.asked(), {1}, at_ms(5));
  EXPECT_TRUE(merge({{"d:he:1", "0@9"}}));
  view_.timeline = {2};
  view_.nodes[0].timeline = {2};
  const auto judgement = marks_.judge(view_, log_, true, false, at_ms(40));
  EXPECT_EQ(judgement.kind, UserMarks::Judgement::Kind::lost);
  EXPECT_TRUE(judgement.loss.written);
}

TEST_F(MergeTest, AWriteOfAnotherProxyOnATimelineThatIsGoneIsToldOnce) {
  view_.timeline = {2};
  view_.nodes[0].timeline = {2};
  view_.history = routing::TimelineHistory({{{1}, {150}, true}});
  const auto judge = [&] { return marks_.judge(view_, log_, true, false, at_ms(40)).kind; };
  EXPECT_EQ(judge(), UserMarks::Judgement::Kind::kept);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(merge({{"p", print_shared_position({1}, {200})}}));
    EXPECT_EQ(judge(), i == 0 ? UserMarks::Judgement::Kind::lost : UserMarks::Judgement::Kind::kept);
  }
}

TEST_F(MergeTest, ADoubtThatWasSettledOnAFormerTimelineIsSettledAnew) {
  EXPECT_TRUE(merge({{"d:he:1", "0@9"}}));
  log_.answer(log_.begin_question(), routing::wal(500));
  EXPECT_EQ(context().required.position, routing::wal(500));
  view_.timeline = {2};
  view_.history = routing::TimelineHistory({{{1}, {400}, true}});
  (void)marks_.judge(view_, log_, true, false, at_ms(40));
  EXPECT_EQ(context().required.kind, Floor::Kind::pending);
}

}  // namespace
}  // namespace tidemark::proxy

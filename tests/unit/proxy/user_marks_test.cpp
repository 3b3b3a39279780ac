#include "proxy/user_marks.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::proxy {
namespace {

using routing::at_ms;
using routing::ClusterBuilder;
using routing::LastReplica;
using routing::NodeId;
using FloorKind = routing::Floor::Kind;
using Verdict = UserMarks::Judgement::Kind;

constexpr NodeId kB{1};
constexpr NodeId kC{2};

class UserMarksTest : public testing::Test {
 protected:
  UserMarksTest() : view_(ClusterBuilder().primary(300).replica(300, 10).replica(300, 10).build()) {}

  routing::SessionContext context() {
    routing::SessionContext context;
    marks_.describe(context, log_);
    return context;
  }
  void read_at(NodeId node, int ms, std::uint64_t accounted, std::uint64_t incarnation = 1) {
    marks_.saw_replica({node, incarnation, at_ms(ms), at_ms(ms - 1), log_.asked()}, accounted,
                       view_.timeline);
  }
  void answer(std::uint64_t lsn, std::uint32_t timeline = 1) {
    log_.answer(log_.begin_question(), routing::wal(lsn, timeline));
  }
  /// The primary is gone; node B is the new one, on timeline 2, which left timeline 1 at `end`.
  void promote_b(std::uint64_t end, bool exact = true) {
    view_.timeline = {2};
    view_.primary = kB;
    view_.nodes[0].fault = routing::NodeFault::unreachable;
    view_.nodes[1].role = routing::NodeRole::primary;
    view_.nodes[1].timeline = {2};
    view_.history = routing::TimelineHistory({{{1}, {end}, exact}});
  }
  UserMarks::Judgement judge(bool monotonic = true, bool patient = false) {
    return marks_.judge(view_, log_, monotonic, patient, at_ms(20));
  }

  std::unique_ptr<pools::PositionLog> owner_ = std::make_unique<pools::PositionLog>();
  pools::PositionLog& log_ = *owner_;
  routing::ClusterView view_;
  UserMarks marks_;
};

TEST_F(UserMarksTest, OneConnectionIsFollowedFromReplicaToReplica) {
  read_at(kB, 5, 0);
  ASSERT_EQ(context().shown.size(), 1);
  EXPECT_EQ(context().shown[0].node, kB);
  read_at(kC, 7, marks_.answers());
  ASSERT_EQ(context().shown.size(), 1) << "C was chosen because it has what B had shown";
  EXPECT_EQ(context().shown[0].node, kC);
}

TEST_F(UserMarksTest, AnswersThatCrossedAreBothRequired) {
  const auto before_both = marks_.answers();
  read_at(kB, 5, before_both);
  read_at(kC, 6, before_both);
  EXPECT_EQ(context().shown.size(), 2) << "C was chosen before B had answered";
  read_at(kB, 8, marks_.answers());
  EXPECT_EQ(context().shown.size(), 1);
}

TEST_F(UserMarksTest, ALaterAnswerOfTheSameReplicaReplacesTheEarlier) {
  read_at(kB, 5, 0);
  read_at(kB, 9, 0);
  ASSERT_EQ(context().shown.size(), 1);
  EXPECT_EQ(context().shown[0].at, at_ms(9));
}

TEST_F(UserMarksTest, AReplicaThatCameBackIsAnotherOne) {
  read_at(kB, 5, 0);
  read_at(kB, 9, 0, 2);
  EXPECT_EQ(context().shown.size(), 2);
}

TEST_F(UserMarksTest, ThePrimarysWordReplacesWhatReplicasHaveShown) {
  read_at(kB, 5, 0);
  marks_.leave_replicas(log_.asked(), {1}, at_ms(6));
  EXPECT_TRUE(context().shown.empty());
  EXPECT_EQ(context().seen.kind, FloorKind::pending);
  EXPECT_TRUE(marks_.may_be_ahead_of_primary()) << "a position is not visibility (rule 11)";
  marks_.replicas_are_settled(marks_.answers());
  EXPECT_FALSE(marks_.may_be_ahead_of_primary());
}

TEST_F(UserMarksTest, WhatWasShownMeanwhileIsNotSettled) {
  read_at(kB, 5, 0);
  const auto asked_for = marks_.answers();
  read_at(kC, 6, asked_for);
  marks_.replicas_are_settled(asked_for);
  EXPECT_EQ(context().shown.size(), 1);
  EXPECT_TRUE(marks_.may_be_ahead_of_primary());
}

TEST_F(UserMarksTest, OneBoundForATokenWhenAllIsKnown) {
  EXPECT_EQ(marks_.bound(log_), routing::WalPosition{});
  marks_.wrote(log_.asked(), {1}, at_ms(1));
  EXPECT_EQ(marks_.bound(log_), std::nullopt);
  answer(200);
  marks_.saw_primary(log_.asked(), {1}, at_ms(2));
  answer(250);
  EXPECT_EQ(marks_.bound(log_), routing::wal(250));
  marks_.require(routing::wal(400), at_ms(3));
  EXPECT_EQ(marks_.bound(log_), routing::wal(400));
  read_at(kB, 5, marks_.answers());
  EXPECT_EQ(marks_.bound(log_), std::nullopt) << "nobody knows yet what B has shown";
}

TEST_F(UserMarksTest, ATokenIsAFloorOfItsOwn) {
  marks_.wrote(log_.asked(), {1}, at_ms(1));
  marks_.require(routing::wal(400), at_ms(3));
  EXPECT_EQ(context().written.kind, FloorKind::pending);
  EXPECT_EQ(context().required.position, routing::wal(400));
  EXPECT_TRUE(marks_.may_be_ahead_of_primary()) << "it may stem from a replica's answer";
}

TEST_F(UserMarksTest, AddingOnesMarksToAnothersKeepsBoth) {
  UserMarks other;
  other.wrote(log_.asked(), {1}, at_ms(1));
  other.saw_replica({kC, 1, at_ms(4), at_ms(3)}, 0, {1});
  other.require(routing::wal(400), at_ms(3));
  read_at(kB, 5, 0);
  marks_.add(other, log_, log_.asked(), at_ms(6));
  EXPECT_EQ(context().required.kind, FloorKind::pending)
      << "what the other wrote is bounded by a later answer";
  answer(420);
  EXPECT_EQ(context().required.position, routing::wal(420));
  EXPECT_EQ(context().shown.size(), 2);
}

TEST_F(UserMarksTest, AnUnknownOutcomeTakesNothingFromWhatWasAcknowledged) {
  marks_.wrote(log_.asked(), {1}, at_ms(1));
  answer(400);
  marks_.may_have_acted(log_.asked(), at_ms(2));
  EXPECT_EQ(context().required.kind, FloorKind::pending);
  EXPECT_EQ(context().written.position, routing::wal(400));
  promote_b(350);
  EXPECT_TRUE(judge().loss.written) << "the write before it is lost all the same";
}

TEST_F(UserMarksTest, WithoutAChangeOfTimelineNothingIsLost) {
  marks_.wrote(log_.asked(), {1}, at_ms(1));
  read_at(kB, 5, 0);
  EXPECT_EQ(judge().kind, Verdict::kept);
}

TEST_F(UserMarksTest, AWriteThatTheNewTimelineLacksIsToldOnce) {
  marks_.wrote(log_.asked(), {1}, at_ms(1));
  answer(400);
  promote_b(350);
  const auto told = judge();
  ASSERT_EQ(told.kind, Verdict::lost);
  EXPECT_TRUE(told.loss.written);
  EXPECT_EQ(told.loss.position, routing::wal(400));
  ASSERT_TRUE(told.loss.branched);
  EXPECT_EQ(told.loss.branched->end, routing::Lsn{350});
  EXPECT_EQ(judge().kind, Verdict::kept);
  EXPECT_EQ(context().written.kind, FloorKind::pending) << "it goes on from the new primary's position";
}

TEST_F(UserMarksTest, AWriteThatTheNewTimelineHasIsNotTold) {
  marks_.wrote(log_.asked(), {1}, at_ms(1));
  answer(350);
  promote_b(350);
  EXPECT_EQ(judge().kind, Verdict::kept);
  EXPECT_EQ(context().written.position, routing::wal(350));
}

TEST_F(UserMarksTest, AWriteWhosePositionWasNotLearnedIsNotToldAfterAShutdownInOrder) {
  marks_.saw_primary(log_.asked(), {1}, at_ms(1), pools::PositionBound::inserted, at_ms(0));
  marks_.wrote(log_.asked(), {1}, at_ms(1), pools::PositionBound::inserted, at_ms(0));
  UserMarks of_a_later_connection = marks_;
  of_a_later_connection.wrote(log_.asked(), {1}, at_ms(2), pools::PositionBound::inserted, at_ms(2));
  promote_b(350);
  UserMarks after_a_crash = marks_;
  EXPECT_EQ(after_a_crash.judge(view_, log_, true, false, at_ms(20)).kind, Verdict::lost);
  view_.hand_overs = {{{1}, {350}, at_ms(1)}};
  EXPECT_EQ(judge().kind, Verdict::kept);
  EXPECT_EQ(context().written.kind, FloorKind::pending) << "the new primary's position will bound it";
  EXPECT_EQ(of_a_later_connection.judge(view_, log_, true, false, at_ms(20)).kind, Verdict::lost);
}

TEST_F(UserMarksTest, WhatWasOnlySeenIsToldToWhoWantsMonotonicReads) {
  marks_.saw_primary(log_.asked(), {1}, at_ms(1));
  answer(400);
  UserMarks indifferent = marks_;
  promote_b(350);
  EXPECT_EQ(indifferent.judge(view_, log_, false, false, at_ms(20)).kind, Verdict::kept);
  const auto told = judge();
  ASSERT_EQ(told.kind, Verdict::lost);
  EXPECT_FALSE(told.loss.written);
}

TEST_F(UserMarksTest, ALostWriteIsToldRatherThanALostSight) {
  marks_.saw_primary(log_.asked(), {1}, at_ms(1));
  marks_.wrote(log_.asked(), {1}, at_ms(1));
  answer(400);
  promote_b(350);
  EXPECT_TRUE(judge().loss.written);
}

TEST_F(UserMarksTest, ThePromotedReplicaHasWhatItHasShown) {
  read_at(kB, 15, 0);
  promote_b(300);
  EXPECT_EQ(judge().kind, Verdict::kept);
}

TEST_F(UserMarksTest, AReplicaThatHasNotReplayedMoreThanTheNewTimelineHasTakesNothingAway) {
  read_at(kC, 9, 0);  // observed at 10, at 300
  promote_b(300);
  EXPECT_EQ(judge().kind, Verdict::kept);
  EXPECT_TRUE(context().shown.empty());
  EXPECT_EQ(context().seen.position, routing::wal(300, 2));
}

TEST_F(UserMarksTest, AReplicaThatWasFurtherThanTheNewTimelineMayHaveShownWhatIsGone) {
  read_at(kC, 9, 0);
  promote_b(299);
  EXPECT_EQ(judge().kind, Verdict::lost);
}

TEST_F(UserMarksTest, WhatThePrimaryHadSoonAfterAnAnswerBoundsIt) {
  read_at(kC, 9, 0);
  answer(200);
  promote_b(250);  // C was observed at 300, later
  EXPECT_EQ(judge().kind, Verdict::kept);
  EXPECT_EQ(context().seen.position, routing::wal(200, 2));
}

TEST_F(UserMarksTest, WhatThePrimaryHadBeforeAnAnswerBoundsNothing) {
  answer(200);
  read_at(kC, 9, 0);
  promote_b(250);
  EXPECT_EQ(judge().kind, Verdict::lost);
}

TEST_F(UserMarksTest, TheNewPrimarysPositionBoundsNothingOfTheOldTimeline) {
  read_at(kC, 9, 0);
  promote_b(250);
  answer(260, 2);
  EXPECT_EQ(judge().kind, Verdict::lost);
}

TEST_F(UserMarksTest, AReplicaIsAskedWhatItCanHaveShown) {
  read_at(kC, 15, 0);  // after its last observation
  promote_b(300);
  const auto unclear = judge(true, true);
  ASSERT_EQ(unclear.kind, Verdict::unclear);
  EXPECT_EQ(unclear.ask, kC);
  view_.nodes[2].observed_at = at_ms(16);
  EXPECT_EQ(judge(true, true).kind, Verdict::kept);
}

TEST_F(UserMarksTest, AReplicaThatDoesNotAnswerAnyMoreIsADoubtAndDoubtIsTold) {
  read_at(kC, 15, 0);
  promote_b(300);
  EXPECT_EQ(judge(true, false).kind, Verdict::lost);
}

TEST_F(UserMarksTest, WhatComesLateFromAnOlderTimelineIsJudgedAgain) {
  promote_b(350);
  EXPECT_EQ(judge().kind, Verdict::kept);
  marks_.require(routing::wal(400), at_ms(21));
  EXPECT_EQ(judge().kind, Verdict::lost) << "a token of something that is gone";
  marks_.wrote(log_.asked(), {1}, at_ms(22));
  EXPECT_EQ(judge().kind, Verdict::lost) << "the old primary's answer came after the new one was known";
}

TEST_F(UserMarksTest, WhatAReplicaHadReplayedBeforeItRestartedIsRemembered) {
  read_at(kC, 9, 0);
  promote_b(300);
  view_.nodes[2].past = {1, routing::kSystem, {1}, {300}, at_ms(10)};
  view_.nodes[2].incarnation = 2;
  view_.nodes[2].timeline = {2};
  EXPECT_EQ(judge().kind, Verdict::kept);
  read_at(kC, 12, 0);  // of incarnation 1, and nobody looked again
  view_.timeline = {3};
  EXPECT_EQ(judge().kind, Verdict::lost);
}

}  // namespace
}  // namespace tidemark::proxy

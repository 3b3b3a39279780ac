#include "proxy/session_mark.hpp"

#include <memory>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using Kind = routing::Floor::Kind;

class SessionMarkTest : public testing::Test {
 protected:
  SessionMarkTest() {
    view_.system_identifier = 7;
    view_.timeline = {3};
  }
  static routing::WalPosition at(std::uint64_t lsn, std::uint32_t timeline = 3, std::uint64_t system = 7) {
    return {system, {timeline}, {lsn}};
  }
  routing::Floor floor() { return mark_.floor(log_, view_); }
  void ask_and_answer(const routing::WalPosition& position) { log_.answer(log_.begin_question(), position); }

  // On the heap: the log is large.
  std::unique_ptr<pools::PositionLog> owner_ = std::make_unique<pools::PositionLog>();
  pools::PositionLog& log_ = *owner_;
  routing::ClusterView view_;
  SessionMark mark_;
};

TEST_F(SessionMarkTest, RequiresNothingAtFirst) {
  EXPECT_EQ(floor().kind, Kind::none);
  ask_and_answer(at(100));
  EXPECT_EQ(floor().kind, Kind::none);
}

TEST_F(SessionMarkTest, IsPendingUntilALaterQuestionIsAnswered) {
  const auto early = log_.begin_question();
  mark_.raise(log_.asked());
  EXPECT_EQ(floor().kind, Kind::pending);
  log_.answer(early, at(100));
  EXPECT_EQ(floor().kind, Kind::pending) << "asked before the write had completed";
  const auto late = log_.begin_question();
  EXPECT_EQ(floor().kind, Kind::pending);
  log_.answer(late, at(200));
  const auto known = floor();
  EXPECT_EQ(known.kind, Kind::known);
  EXPECT_EQ(known.position, at(200));
}

TEST_F(SessionMarkTest, KeepsThePositionOfItsOwnWrite) {
  mark_.raise(log_.asked());
  ask_and_answer(at(200));
  ASSERT_EQ(floor().position, at(200));
  ask_and_answer(at(900));
  EXPECT_EQ(floor().position, at(200)) << "what others write later is not required";
}

TEST_F(SessionMarkTest, ANewWriteMakesItPendingAgain) {
  mark_.raise(log_.asked());
  ask_and_answer(at(200));
  ASSERT_EQ(floor().kind, Kind::known);
  mark_.raise(log_.asked());
  EXPECT_EQ(mark_.kind(), Kind::pending);
  EXPECT_EQ(floor().kind, Kind::pending);
  ask_and_answer(at(300));
  EXPECT_EQ(floor().position, at(300));
}

TEST_F(SessionMarkTest, TheLastOfTwoWritesCounts) {
  mark_.raise(log_.asked());
  const auto between = log_.begin_question();
  mark_.raise(log_.asked());
  log_.answer(between, at(200));
  EXPECT_EQ(floor().kind, Kind::pending);
}

TEST_F(SessionMarkTest, TakesAKnownBound) {
  mark_.raise(at(500));
  EXPECT_EQ(floor().kind, Kind::known);
  EXPECT_EQ(floor().position, at(500));
}

TEST_F(SessionMarkTest, APositionOfAnotherTimelineIsNotLearned) {
  mark_.raise(log_.asked());
  ask_and_answer(at(500, 3));
  ASSERT_EQ(floor().kind, Kind::known);
  view_.timeline = {4};
  EXPECT_EQ(floor().kind, Kind::pending) << "LSNs of two timelines do not compare";
  ask_and_answer(at(400, 4));
  EXPECT_EQ(floor().kind, Kind::known);
  EXPECT_EQ(floor().position, at(400, 4));
}

TEST_F(SessionMarkTest, AnAnswerOfTheOldPrimaryAfterTheFailoverDoesNotCount) {
  mark_.raise(log_.asked());
  view_.timeline = {4};
  ask_and_answer(at(500, 3));
  EXPECT_EQ(floor().kind, Kind::pending);
  ask_and_answer(at(510, 4));
  EXPECT_EQ(floor().position, at(510, 4));
}

TEST_F(SessionMarkTest, AnAnswerAskedBeforeTheDoubtDoesNotCount) {
  mark_.raise(at(500, 3));
  view_.timeline = {4};
  const auto before = log_.begin_question();
  EXPECT_EQ(floor().kind, Kind::pending);
  log_.answer(before, at(300, 4));
  EXPECT_EQ(floor().kind, Kind::pending);
}

TEST_F(SessionMarkTest, APositionOfAnotherClusterIsNotLearned) {
  mark_.raise(at(500, 3, 8));
  EXPECT_EQ(floor().kind, Kind::pending);
}

TEST_F(SessionMarkTest, WithoutAnyPrimaryYetThePositionStays) {
  view_.timeline = {};
  mark_.raise(at(500));
  EXPECT_EQ(floor().kind, Kind::known);
}

}  // namespace
}  // namespace tidemark::proxy

#include "proxy/tide_mark.hpp"

#include <memory>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using Kind = routing::Floor::Kind;

class TideMarkTest : public testing::Test {
 protected:
  TideMarkTest() { turn(3); }
  static routing::WalPosition at(std::uint64_t lsn, std::uint32_t timeline = 3) {
    return {7, {timeline}, {lsn}};
  }
  static routing::TimePoint ms(int value) { return routing::TimePoint{std::chrono::milliseconds(value)}; }
  void turn(std::uint32_t timeline, std::vector<routing::TimelineSwitch> ancestors = {}) {
    view_.system_identifier = 7;
    view_.timeline = {timeline};
    view_.history = routing::TimelineHistory(std::move(ancestors));
  }
  void write(std::uint32_t timeline = 3) { mark_.raise(log_.asked(), {timeline}, ms(1)); }
  routing::Floor floor() { return mark_.floor(log_); }
  bool lost() { return mark_.may_be_lost(log_, view_); }
  bool lossless_lost() { return mark_.may_be_lost(log_, view_, true); }
  void ask_and_answer(const routing::WalPosition& position) { log_.answer(log_.begin_question(), position); }

  // On the heap: the log is large.
  std::unique_ptr<pools::PositionLog> owner_ = std::make_unique<pools::PositionLog>();
  pools::PositionLog& log_ = *owner_;
  routing::ClusterView view_;
  TideMark mark_;
};

TEST_F(TideMarkTest, RequiresNothingAtFirst) {
  EXPECT_EQ(floor().kind, Kind::none);
  ask_and_answer(at(100));
  EXPECT_EQ(floor().kind, Kind::none);
  EXPECT_FALSE(lost());
}

TEST_F(TideMarkTest, IsPendingUntilALaterQuestionIsAnswered) {
  const auto early = log_.begin_question();
  write();
  EXPECT_EQ(floor().kind, Kind::pending);
  log_.answer(early, at(100));
  EXPECT_EQ(floor().kind, Kind::pending) << "asked before the write had completed";
  const auto late = log_.begin_question();
  EXPECT_EQ(floor().kind, Kind::pending);
  log_.answer(late, at(200));
  const auto known = floor();
  EXPECT_EQ(known.kind, Kind::known);
  EXPECT_EQ(known.position, at(200));
  EXPECT_EQ(known.raised_at, ms(1)) << "the primary was there when the write had ended";
}

TEST_F(TideMarkTest, IsBoundedByTheFlushedPositionWhereThatIsEnough) {
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  log_.answer(log_.begin_question(), at(300), {200});
  EXPECT_EQ(floor().position, at(200));
  write();
  log_.answer(log_.begin_question(), at(400), {350});
  EXPECT_EQ(floor().position, at(400));
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  log_.answer(log_.begin_question(), at(500), {0});
  EXPECT_EQ(floor().position, at(500)) << "the answer does not vouch for a flushed position";
}

TEST_F(TideMarkTest, AFlushedCommitBoundsNothingThatIsPendingOrKnownAlready) {
  write();
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  log_.answer(log_.begin_question(), at(300), {200});
  EXPECT_EQ(floor().position, at(300)) << "another connection's write need not have been flushed";
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  log_.answer(log_.begin_question(), at(320), {250});
  EXPECT_EQ(floor().position, at(300)) << "nor may it be forgotten";
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  mark_.raise(at(400), ms(2));
  EXPECT_EQ(floor().kind, Kind::pending);
  log_.answer(log_.begin_question(), at(420), {350});
  EXPECT_EQ(floor().position, at(400)) << "nor a floor from elsewhere";
}

TEST_F(TideMarkTest, AFlushedPositionOfALaterTimelineReplacesWhatWasOnAnEarlierOne) {
  write();
  ask_and_answer(at(900));
  EXPECT_EQ(floor().position, at(900));
  mark_.raise(log_.asked(), {4}, ms(1), pools::PositionBound::flushed);
  log_.answer(log_.begin_question(), at(300, 4), {200});
  EXPECT_EQ(floor().position, at(200, 4));
}

TEST_F(TideMarkTest, KeepsThePositionOfItsOwnWrite) {
  write();
  ask_and_answer(at(200));
  ASSERT_EQ(floor().position, at(200));
  ask_and_answer(at(900));
  EXPECT_EQ(floor().position, at(200)) << "what others write later is not required";
}

TEST_F(TideMarkTest, ANewWriteMakesItPendingAgain) {
  write();
  ask_and_answer(at(200));
  ASSERT_EQ(floor().kind, Kind::known);
  write();
  EXPECT_EQ(mark_.kind(), Kind::pending);
  EXPECT_EQ(floor().kind, Kind::pending);
  ask_and_answer(at(300));
  EXPECT_EQ(floor().position, at(300));
}

TEST_F(TideMarkTest, TheLastOfTwoWritesCounts) {
  write();
  const auto between = log_.begin_question();
  write();
  log_.answer(between, at(200));
  EXPECT_EQ(floor().kind, Kind::pending);
}

TEST_F(TideMarkTest, OfTwoKnownBoundsTheHigherCounts) {
  mark_.raise(at(500), ms(1));
  EXPECT_EQ(floor().position, at(500));
  mark_.raise(at(400), ms(2));
  EXPECT_EQ(floor().position, at(500));
  mark_.raise(at(600), ms(3));
  EXPECT_EQ(floor().position, at(600));
  mark_.raise(at(550, 4), ms(4));
  EXPECT_EQ(floor().position, at(550, 4)) << "a later timeline is further than any LSN of an earlier one";
}

TEST_F(TideMarkTest, AKnownBoundDoesNotAnswerWhatIsPending) {
  write();
  mark_.raise(at(500), ms(2));
  EXPECT_EQ(floor().kind, Kind::pending);
}

TEST_F(TideMarkTest, IsKeptWhereTheNewTimelineHasIt) {
  write();
  ask_and_answer(at(500));
  turn(4, {{{3}, {500}}});
  EXPECT_FALSE(lost());
}

TEST_F(TideMarkTest, IsLostBehindThePointWhereTheNewTimelineBegan) {
  write();
  ask_and_answer(at(501));
  turn(4, {{{3}, {500}}});
  EXPECT_TRUE(lost());
}

TEST_F(TideMarkTest, MayBeLostWhereThatPointIsNotKnown) {
  write();
  ask_and_answer(at(501));
  turn(4);
  EXPECT_TRUE(lost());
  turn(4, {{{3}, {500}, false}});
  EXPECT_TRUE(lost());
}

TEST_F(TideMarkTest, MayBeLostIfItsPositionWasNeverLearned) {
  write();
  turn(4, {{{3}, {500}}});
  EXPECT_TRUE(lost());
}

TEST_F(TideMarkTest, MayBeLostIfOnlyTheNewPrimaryToldAPosition) {
  write();
  ask_and_answer(at(510, 4));
  turn(4, {{{3}, {500}}});
  EXPECT_TRUE(lost()) << "what the new primary has says nothing of what the old one had acknowledged";
}

TEST_F(TideMarkTest, ALateAnswerOfTheOldPrimaryCounts) {
  write();
  turn(4, {{{3}, {500}}});
  ask_and_answer(at(500, 3));
  EXPECT_FALSE(lost());
}

TEST_F(TideMarkTest, WhatMayNotHaveHappenedIsNotLost) {
  mark_.raise(log_.asked(), {}, ms(1));
  turn(4, {{{3}, {500}}});
  EXPECT_FALSE(lost());
  ask_and_answer(at(510, 4));
  EXPECT_FALSE(lost());
}

TEST_F(TideMarkTest, OfTheNewTimelineNothingIsLost) {
  turn(4, {{{3}, {500}}});
  write(4);
  EXPECT_FALSE(lost());
  ask_and_answer(at(510, 4));
  EXPECT_FALSE(lost());
  mark_.raise(at(900, 5), ms(2));
  EXPECT_FALSE(lost()) << "the view has not come to that timeline yet";
}

TEST_F(TideMarkTest, WhereWhoeverIsPromotedHasAllThatWasSynchronousNothingOfThatIsLost) {
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  turn(4, {{{3}, {500}}});
  EXPECT_TRUE(lost());
  EXPECT_FALSE(lossless_lost()) << "its position was never learned, but its commit was synchronous";
  ask_and_answer(at(600));
  EXPECT_FALSE(lossless_lost()) << "the bound is from above: the primary had more, which nobody was told of";
  write(4);
  EXPECT_FALSE(lossless_lost());
  turn(5, {{{3}, {500}}, {{4}, {700}}});
  EXPECT_TRUE(lossless_lost()) << "nobody knows whether this commit was synchronous";
}

TEST_F(TideMarkTest, ThereWhatMayNotHaveBeenSynchronousIsNotForgottenForWhatWas) {
  write();
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  turn(4, {{{3}, {500}}});
  EXPECT_TRUE(lossless_lost()) << "neither has a position";
  ask_and_answer(at(450));
  EXPECT_FALSE(lossless_lost());
}

TEST_F(TideMarkTest, ThereWhatMayNotHaveBeenSynchronousIsJudgedByItsOwnPosition) {
  write();
  ask_and_answer(at(450));
  EXPECT_EQ(floor().kind, Kind::known);
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  turn(4, {{{3}, {500}}});
  EXPECT_FALSE(lossless_lost());
  turn(4, {{{3}, {440}}});
  EXPECT_TRUE(lossless_lost());
  mark_ = {};
  turn(3);
  mark_.raise(log_.asked(), {3}, ms(1), pools::PositionBound::flushed);
  mark_.raise(at(460), ms(1));
  turn(4, {{{3}, {440}}});
  EXPECT_TRUE(lossless_lost()) << "nor does a floor from elsewhere count as synchronous";
}

TEST_F(TideMarkTest, TwoFailoversLater) {
  write();
  ask_and_answer(at(500));
  turn(5, {{{3}, {500}}, {{4}, {600}}});
  EXPECT_FALSE(lost());
  turn(5, {{{3}, {499}}, {{4}, {600}}});
  EXPECT_TRUE(lost());
}

}  // namespace
}  // namespace tidemark::proxy

// What the reducer keeps of a node's life before the present one, and of the timelines before the present
// one.
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/routing/reducer_fixture.hpp"

namespace tidemark::routing {
namespace {

using Place = TimelineHistory::Place;

class ClusterTimelines : public Reducer {
 protected:
  static TimelineHistory one_ended_at(std::uint64_t lsn) { return TimelineHistory({{{1}, {lsn}, true}}); }
  static TimelineHistory one_had(std::uint64_t lsn) { return TimelineHistory({{{1}, {lsn}, false}}); }
};

TEST_F(ClusterTimelines, ThereIsNoPastBeforeTheSecondLife) {
  standby(kB, 0, 100);
  standby(kB, 10, 200);
  EXPECT_EQ(node(kB).past.incarnation, 0U);
}

TEST_F(ClusterTimelines, WhatWasLastObservedOfALifeIsKeptForTheNext) {
  writable(kA, 0, 300);
  standby(kB, 10, 200);
  standby(kB, 20, 250);
  lose(kB, 30);
  standby(kB, 40, 150, {.incarnation = 2});
  EXPECT_EQ(node(kB).past.incarnation, 1U);
  EXPECT_EQ(node(kB).past.system_identifier, kSystem);
  EXPECT_EQ(node(kB).past.timeline, TimelineId{1});
  EXPECT_EQ(node(kB).past.position, Lsn{250});
  EXPECT_EQ(node(kB).past.observed_at, at_ms(20)) << "when it was asked";
  standby(kB, 50, 260, {.incarnation = 2});
  EXPECT_EQ(node(kB).past.position, Lsn{250});
}

TEST_F(ClusterTimelines, OnlyTheLastLifeIsKept) {
  standby(kB, 10, 200, {.incarnation = 3});
  standby(kB, 20, 100, {.incarnation = 5});
  standby(kB, 30, 150, {.incarnation = 9});
  EXPECT_EQ(node(kB).past.incarnation, 5U);
  EXPECT_EQ(node(kB).past.position, Lsn{100});
}

TEST_F(ClusterTimelines, ANodeThatWasRewoundOrRestoredLosesItsPosition) {
  writable(kA, 0, 100);
  standby(kB, 0, 90);
  writable(kA, 10, 500);
  writable(kB, 20, 95, {.timeline = 2});
  standby(kA, 30, 94, {.timeline = 2, .incarnation = 2});
  EXPECT_EQ(node(kA).fault, NodeFault::none);
  EXPECT_EQ(node(kA).position, Lsn{94});
  EXPECT_EQ(node(kA).timeline, TimelineId{2});
  EXPECT_EQ(node(kA).past.position, Lsn{500});
  EXPECT_EQ(node(kA).past.timeline, TimelineId{1});
}

TEST_F(ClusterTimelines, AReplicaOfAnotherLifeOnTheSameTimelineLosesItsFreshness) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  ASSERT_EQ(node(kB).fresh_at, at_ms(0));
  standby(kB, 10, 50, {.incarnation = 2});
  EXPECT_EQ(node(kB).fresh_at, TimePoint{});
}

TEST_F(ClusterTimelines, AReplicaSeenToBePromotedHadWhatItHadReplayed) {
  writable(kA, 0, 120);
  standby(kB, 10, 100);
  writable(kB, 20, 130, {.timeline = 2});
  ASSERT_EQ(view().timeline, TimelineId{2});
  EXPECT_EQ(view().history, one_had(100));
  EXPECT_EQ(view().history.locate({1}, {110}), Place::unknown) << "it may have replayed more before its end";
}

TEST_F(ClusterTimelines, TheHistoryThatComesWithThePromotionIsExact) {
  writable(kA, 0, 120);
  standby(kB, 10, 100);
  writable(kB, 20, 130, {.timeline = 2, .history = one_ended_at(105)});
  EXPECT_EQ(view().history, one_ended_at(105));
  EXPECT_EQ(view().history.locate({1}, {110}), Place::lost);
}

TEST_F(ClusterTimelines, AHistoryThatComesLaterReplacesWhatWasGathered) {
  standby(kB, 10, 100);
  writable(kB, 20, 130, {.timeline = 2});
  const auto topology = view().topology;
  writable(kB, 30, 140, {.timeline = 2, .history = one_ended_at(105)});
  EXPECT_EQ(view().history, one_ended_at(105));
  EXPECT_EQ(view().topology, topology + 1) << "so that it is told";
  writable(kB, 40, 150, {.timeline = 2});
  EXPECT_EQ(view().history, one_ended_at(105)) << "an answer without one takes nothing back";
  EXPECT_EQ(view().topology, topology + 1);
}

TEST_F(ClusterTimelines, AProxyThatStartsLaterKnowsTheHistoryFromTheFirstAnswer) {
  writable(kB, 20, 130, {.timeline = 2, .history = one_ended_at(105)});
  EXPECT_EQ(view().history, one_ended_at(105));
}

TEST_F(ClusterTimelines, WithoutAHistoryAPrimaryThatWasNeverSeenAsAReplicaHasNone) {
  writable(kA, 0, 120);
  standby(kB, 10, 100);
  writable(kB, 20, 130, {.timeline = 2, .incarnation = 2});
  EXPECT_TRUE(view().history.ancestors().empty()) << "another life can be another branch";
  writable(kC, 30, 140, {.timeline = 3});
  EXPECT_TRUE(view().history.ancestors().empty());
}

TEST_F(ClusterTimelines, ASecondPromotionKeepsTheEarlierAncestors) {
  writable(kB, 0, 130, {.timeline = 2, .history = one_ended_at(105)});
  standby(kC, 10, 140, {.timeline = 2});
  writable(kC, 20, 160, {.timeline = 3});
  EXPECT_EQ(view().history, TimelineHistory({{{1}, {105}, true}, {{2}, {140}, false}}));
}

TEST_F(ClusterTimelines, APromotionFromAnOlderTimelineLeavesOutWhatItDidNotFollow) {
  writable(kA, 0, 120);
  standby(kC, 0, 110);
  writable(kB, 10, 130, {.timeline = 2, .history = one_ended_at(105)});
  writable(kC, 20, 150, {.timeline = 3});
  EXPECT_EQ(view().primary, kC);
  EXPECT_EQ(view().history, one_had(110));
}

TEST_F(ClusterTimelines, ANewPrimaryOfUnknownHistoryDoesNotInheritTheOldOnes) {
  writable(kB, 0, 130, {.timeline = 2, .history = one_ended_at(105)});
  writable(kC, 10, 130, {.timeline = 3});
  EXPECT_EQ(view().timeline, TimelineId{3});
  EXPECT_TRUE(view().history.ancestors().empty());
}

TEST_F(ClusterTimelines, AnotherPrimaryOnATimelineOfTheSameNumberHasAHistoryOfItsOwn) {
  writable(kB, 0, 130, {.timeline = 2, .history = one_ended_at(105)});
  writable(kC, 10, 130, {.timeline = 2, .history = one_ended_at(90)});
  EXPECT_EQ(view().primary, std::nullopt);
  standby(kB, 20, 120, {.timeline = 2, .incarnation = 2});
  EXPECT_EQ(view().primary, kC);
  EXPECT_EQ(view().history, one_ended_at(90));
}

TEST_F(ClusterTimelines, TheHistoryStaysWhileThePrimaryIsGoneAndWhenItIsBack) {
  writable(kB, 0, 130, {.timeline = 2, .history = one_ended_at(105)});
  lose(kB, 10);
  EXPECT_EQ(view().history, one_ended_at(105));
  writable(kB, 20, 130, {.timeline = 2, .incarnation = 2});
  EXPECT_EQ(view().history, one_ended_at(105));
}

TEST_F(ClusterTimelines, AHistoryThatCannotBeOfThatTimelineIsIgnored) {
  standby(kB, 10, 100);
  writable(kB, 20, 130, {.timeline = 2, .history = TimelineHistory({{{2}, {105}, true}})});
  EXPECT_EQ(view().history, one_had(100));
  writable(kB, 30, 130, {.timeline = 2, .history = TimelineHistory()});
  EXPECT_EQ(view().history, one_had(100));
}

TEST_F(ClusterTimelines, AFencedNodeTellsNothingOfTheClustersHistory) {
  writable(kB, 0, 130, {.timeline = 3, .history = TimelineHistory({{{2}, {105}, true}})});
  writable(kA, 10, 900, {.timeline = 2, .history = one_ended_at(500)});
  EXPECT_EQ(view().history, TimelineHistory({{{2}, {105}, true}}));
  standby(kC, 20, 100, {.timeline = 3, .history = one_ended_at(500)});
  EXPECT_EQ(view().history, TimelineHistory({{{2}, {105}, true}}));
}

}  // namespace
}  // namespace tidemark::routing

#include "routing/cluster_reducer.hpp"

#include <gtest/gtest.h>

#include "tests/unit/routing/reducer_fixture.hpp"

namespace tidemark::routing {
namespace {

TEST_F(Reducer, StartsKnowingNothing) {
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(view().timeline, TimelineId{});
  for (const NodeState& each : view().nodes) {
    EXPECT_EQ(each.role, NodeRole::unknown);
    EXPECT_EQ(each.fault, NodeFault::unreachable);
  }
  EXPECT_EQ(node(kC).id, kC);
  EXPECT_EQ(node(kC).name, "c:5432");
}

TEST_F(Reducer, DiscoversThePrimaryAndItsReplicas) {
  writable(kB, 0, 100);
  standby(kA, 0, 90);
  EXPECT_EQ(view().primary, kB);
  EXPECT_EQ(view().system_identifier, kSystem);
  EXPECT_EQ(view().timeline, TimelineId{1});
  EXPECT_EQ(node(kA).role, NodeRole::replica);
  EXPECT_EQ(node(kA).fault, NodeFault::none);
  EXPECT_EQ(node(kA).position, Lsn{90});
  EXPECT_EQ(node(kA).observed_at, at_ms(0)) << "when it was asked, not when it answered";
  EXPECT_EQ(node(kC).fault, NodeFault::unreachable);
}

TEST_F(Reducer, ReplicasAreOfUseBeforeAPrimaryIsSeen) {
  standby(kA, 0, 90);
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(node(kA).fault, NodeFault::none);
}

TEST_F(Reducer, ANodeOfAnotherClusterIsNotUsed) {
  writable(kA, 0, 100);
  standby(kB, 0, 90, {.system = kSystem + 1});
  writable(kC, 0, 900, {.timeline = 9, .system = kSystem + 1});
  EXPECT_EQ(view().primary, kA);
  EXPECT_EQ(view().timeline, TimelineId{1});
  EXPECT_EQ(node(kB).fault, NodeFault::other_cluster);
  EXPECT_EQ(node(kC).fault, NodeFault::other_cluster);
}

TEST_F(Reducer, TheFirstPrimaryDecidesWhichClusterThisIs) {
  standby(kA, 0, 90, {.system = kSystem + 1});
  standby(kB, 0, 90);
  EXPECT_EQ(node(kA).fault, NodeFault::none);
  EXPECT_EQ(node(kB).fault, NodeFault::other_cluster);
  writable(kC, 1, 100);
  EXPECT_EQ(view().primary, kC);
  EXPECT_EQ(node(kA).fault, NodeFault::other_cluster);
  EXPECT_EQ(node(kB).fault, NodeFault::none);
}

TEST_F(Reducer, AnAnswerWithoutAnIdentifierIsNobodys) {
  writable(kA, 0, 100, {.system = 0});
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(node(kA).fault, NodeFault::other_cluster);
}

TEST_F(Reducer, ThePrimaryIsOnTheHighestTimeline) {
  writable(kA, 0, 100);
  standby(kC, 1, 100);
  writable(kB, 2, 110, {.timeline = 2});
  EXPECT_EQ(view().primary, kB);
  EXPECT_EQ(view().timeline, TimelineId{2});
  EXPECT_EQ(node(kA).fault, NodeFault::older_timeline);
  EXPECT_EQ(node(kC).fault, NodeFault::not_following);
  standby(kC, 3, 110, {.timeline = 2});
  EXPECT_EQ(node(kC).fault, NodeFault::none);
}

TEST_F(Reducer, AFencedNodeStaysFencedWhenTheNewPrimaryIsLost) {
  writable(kA, 0, 100);
  writable(kB, 1, 110, {.timeline = 2});
  lose(kB, 2);
  writable(kA, 3, 120);
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(node(kA).fault, NodeFault::older_timeline);
  writable(kA, 4, 130, {.timeline = 3});
  EXPECT_EQ(view().primary, kA) << "promoted anew, onto a timeline of its own";
}

TEST_F(Reducer, TwoWritableNodesOnOneTimelineAreBothRefused) {
  writable(kA, 0, 100);
  standby(kC, 0, 100);
  writable(kB, 1, 100);
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(node(kA).fault, NodeFault::duplicate_primary);
  EXPECT_EQ(node(kB).fault, NodeFault::duplicate_primary);
  EXPECT_EQ(node(kC).fault, NodeFault::none) << "reads go on";
  standby(kB, 2, 100);
  EXPECT_EQ(view().primary, kA) << "resolved";
  EXPECT_EQ(node(kA).fault, NodeFault::none);
}

TEST_F(Reducer, DuplicatesOnANewerTimelineKeepTheOldPrimaryFencedEvenWhenBothAreLost) {
  writable(kA, 0, 100);
  writable(kB, 1, 110, {.timeline = 2});
  writable(kC, 1, 110, {.timeline = 2});
  EXPECT_EQ(view().primary, std::nullopt);
  lose(kB, 2);
  lose(kC, 2);
  writable(kA, 3, 120);
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(node(kA).fault, NodeFault::older_timeline);
}

TEST_F(Reducer, ALostPrimaryComesBackIfNobodyElseTookItsPlace) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  lose(kA, 10);
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(view().timeline, TimelineId{1});
  EXPECT_EQ(node(kA).fault, NodeFault::unreachable);
  EXPECT_EQ(node(kB).fault, NodeFault::none);
  writable(kA, 20, 100, {.incarnation = 2});
  EXPECT_EQ(view().primary, kA);
}

TEST_F(Reducer, AnOldPrimaryThatComesBackIsFenced) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  lose(kA, 10);
  writable(kB, 20, 100, {.timeline = 2});
  EXPECT_EQ(view().primary, kB);
  writable(kA, 30, 500, {.incarnation = 2});
  EXPECT_EQ(view().primary, kB);
  EXPECT_EQ(node(kA).fault, NodeFault::older_timeline);
  standby(kA, 40, 130, {.timeline = 2, .incarnation = 3});
  EXPECT_EQ(node(kA).fault, NodeFault::none) << "it has rejoined as a replica";
}

TEST_F(Reducer, ARestartedReplicaIsBackInThePast) {
  writable(kA, 0, 300);
  standby(kB, 0, 300);
  standby(kB, 10, 200, {.incarnation = 2});
  EXPECT_EQ(node(kB).position, Lsn{200});
  EXPECT_EQ(node(kB).incarnation, 2U);
}

TEST_F(Reducer, AnObservationOfAnEarlierLifeIsIgnored) {
  writable(kA, 0, 300);
  standby(kB, 10, 200, {.incarnation = 2});
  standby(kB, 20, 300, {.incarnation = 1});
  EXPECT_EQ(node(kB).position, Lsn{200});
  EXPECT_EQ(node(kB).observed_at, at_ms(10));
}

TEST_F(Reducer, PositionsOfOneLifeNeverGoBack) {
  writable(kA, 0, 300);
  standby(kB, 10, 200);
  standby(kB, 20, 150);
  EXPECT_EQ(node(kB).position, Lsn{200});
  EXPECT_EQ(node(kB).observed_at, at_ms(20));
}

TEST_F(Reducer, AnOvertakenAnswerDoesNotMakeTheObservationOlder) {
  writable(kA, 0, 300);
  standby(kB, 20, 200);
  standby(kB, 10, 250);
  EXPECT_EQ(node(kB).observed_at, at_ms(20));
  EXPECT_EQ(node(kB).position, Lsn{250});
  writable(kB, 10, 900);
  EXPECT_EQ(node(kB).role, NodeRole::replica);
  EXPECT_EQ(node(kB).position, Lsn{250});
}

TEST_F(Reducer, AnAnswerAskedForBeforeTheNodeWasLostDoesNotBringItBack) {
  writable(kA, 0, 300);
  standby(kB, 10, 200);
  lose(kB, 30);
  standby(kB, 20, 210);
  EXPECT_EQ(node(kB).fault, NodeFault::unreachable);
  standby(kB, 25, 190, {.incarnation = 2});
  EXPECT_EQ(node(kB).fault, NodeFault::none) << "a new connection is a new life";
}

TEST_F(Reducer, AnAnswerAskedForAfterTheNodeWasLostBringsItBack) {
  writable(kA, 0, 300);
  standby(kB, 10, 200);
  lose(kB, 30);
  standby(kB, 31, 210);
  EXPECT_EQ(node(kB).fault, NodeFault::none);
}

TEST_F(Reducer, LosingANodeKeepsWhatItHasShown) {
  writable(kA, 0, 300);
  standby(kB, 10, 200);
  lose(kB, 30);
  EXPECT_EQ(node(kB).position, Lsn{200});
  EXPECT_EQ(node(kB).incarnation, 1U);
  EXPECT_EQ(node(kB).observed_at, at_ms(10));
}

TEST_F(Reducer, AnotherAddressIsAnotherServerUntilItHasBeenAsked) {
  writable(kA, 0, 300);
  standby(kB, 10, 200);
  reducer_.apply(NodeResolved{kB, "10.0.0.1", 5432});
  EXPECT_EQ(node(kB).fault, NodeFault::none) << "nothing changed";
  reducer_.apply(NodeResolved{kB, "10.0.0.9", 5432});
  EXPECT_EQ(node(kB).host, "10.0.0.9");
  EXPECT_EQ(node(kB).fault, NodeFault::unreachable);
  standby(kB, 20, 210);
  EXPECT_EQ(node(kB).fault, NodeFault::unreachable) << "still the old server's connection";
  standby(kB, 30, 190, {.incarnation = 2});
  EXPECT_EQ(node(kB).fault, NodeFault::none);
}

TEST_F(Reducer, GenerationCountsEventsAndTopologyCountsChanges) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  const auto generation = view().generation;
  const auto topology = view().topology;
  writable(kA, 10, 200);
  standby(kB, 10, 150);
  EXPECT_EQ(view().generation, generation + 2);
  EXPECT_EQ(view().topology, topology) << "positions are not topology";
  standby(kB, 20, 140, {.incarnation = 2});
  EXPECT_EQ(view().topology, topology + 1);
  reducer_.apply(NodeResolved{kC, "10.0.0.3", 5432});
  EXPECT_EQ(view().topology, topology + 2);
  lose(kA, 30);
  EXPECT_EQ(view().topology, topology + 3);
  lose(kA, 31);
  EXPECT_EQ(view().topology, topology + 3);
}

TEST_F(Reducer, EventsOfUnknownNodesChangeNothing) {
  writable(NodeId{9}, 0, 100);
  lose(NodeId{9}, 1);
  reducer_.apply(NodeResolved{NodeId{9}, "10.0.0.9", 5432});
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(view().nodes.size(), 3U);
}

}  // namespace
}  // namespace tidemark::routing

#include "routing/cluster_reducer.hpp"

#include <random>

#include <gtest/gtest.h>

#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::routing {
namespace {

using std::chrono::milliseconds;

constexpr NodeId kA{0};
constexpr NodeId kB{1};
constexpr NodeId kC{2};

class Reducer : public testing::Test {
 protected:
  Reducer() : reducer_(three_nodes()) {}

  static ClusterView three_nodes() {
    ClusterView view;
    for (const char* name : {"a:5432", "b:5432", "c:5432"}) {
      NodeState node;
      node.name = name;
      node.host = "10.0.0.1";
      node.port = 5432;
      view.nodes.push_back(node);
    }
    return view;
  }

  struct Answer {
    std::uint32_t timeline = 1;
    std::uint64_t incarnation = 1;
    std::uint64_t system = kSystem;
    std::int64_t answered_after = 1;
  };

  void see(NodeId node, bool in_recovery, std::int64_t asked_ms, std::uint64_t lsn, const Answer& answer) {
    reducer_.apply(Observation{node,
                               answer.incarnation,
                               at_ms(asked_ms),
                               at_ms(asked_ms + answer.answered_after),
                               in_recovery,
                               answer.system,
                               {answer.timeline},
                               {lsn}});
  }
  void writable(NodeId node, std::int64_t ms, std::uint64_t lsn) { see(node, false, ms, lsn, Answer{}); }
  void writable(NodeId node, std::int64_t ms, std::uint64_t lsn, const Answer& answer) {
    see(node, false, ms, lsn, answer);
  }
  void standby(NodeId node, std::int64_t ms, std::uint64_t lsn) { see(node, true, ms, lsn, Answer{}); }
  void standby(NodeId node, std::int64_t ms, std::uint64_t lsn, const Answer& answer) {
    see(node, true, ms, lsn, answer);
  }
  void lose(NodeId node, std::int64_t ms) { reducer_.apply(NodeLost{node, at_ms(ms)}); }

  [[nodiscard]] const ClusterView& view() const { return reducer_.view(); }
  [[nodiscard]] const NodeState& node(NodeId id) const { return view().node(id); }

  ClusterReducer reducer_;
};

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

TEST_F(Reducer, LagIsTheBytesAndTimeSinceThePrimaryPassedWhatIsReplayed) {
  writable(kA, 0, 100);
  writable(kA, 1000, 200);
  writable(kA, 2000, 300);
  standby(kB, 2100, 200, {.answered_after = 0});
  EXPECT_EQ(node(kB).lag_bytes, ByteLag{100});
  EXPECT_EQ(node(kB).lag_time, milliseconds(1100));
  EXPECT_EQ(node(kA).lag_time, milliseconds(0));
}

TEST_F(Reducer, AnIdlePrimaryIsNoLag) {
  for (int second = 0; second < 100; ++second) writable(kA, second * 1000, 200);
  standby(kB, 200'000, 200);
  EXPECT_EQ(node(kB).lag_time, milliseconds(0));
  EXPECT_EQ(node(kB).lag_bytes, ByteLag{0});
}

TEST_F(Reducer, TheFirstWriteAfterALongIdleTimeIsNotALongLag) {
  for (int second = 0; second < 100; ++second) writable(kA, second * 1000, 200);
  standby(kB, 99'100, 200);
  writable(kA, 99'200, 300, {.answered_after = 0});
  EXPECT_EQ(node(kB).lag_time, milliseconds(200));
}

TEST_F(Reducer, LagStandsStillWhileThereIsNoPrimary) {
  writable(kA, 0, 100);
  writable(kA, 1000, 200);
  standby(kB, 1000, 150);
  lose(kA, 1100);
  standby(kB, 60'000, 150);
  EXPECT_EQ(node(kB).lag_time, milliseconds(1000));
}

TEST_F(Reducer, ANewTimelineStartsANewTrail) {
  writable(kA, 0, 1000);
  writable(kB, 100, 500, {.timeline = 2});
  standby(kC, 200, 500, {.timeline = 2});
  EXPECT_EQ(node(kC).lag_time, milliseconds(0)) << "positions of timeline 1 do not count";
  EXPECT_EQ(node(kC).lag_bytes, ByteLag{0});
}

TEST_F(Reducer, APrimaryPromotedAnewStartsANewTrailAsWell) {
  writable(kA, 0, 100);
  writable(kA, 1000, 500, {.timeline = 3});
  standby(kB, 1500, 400, {.timeline = 3, .answered_after = 0});
  EXPECT_EQ(node(kB).lag_time, milliseconds(500)) << "timeline 3 was first seen at 1000";
}

TEST(PrimaryTrail, AgeCountsFromTheLastSampleThatIsReplayed) {
  PrimaryTrail trail;
  EXPECT_EQ(trail.age({0}, at_ms(5)), Duration::zero()) << "nothing is known";
  trail.passed(at_ms(0), {100});
  trail.passed(at_ms(1000), {200});
  trail.passed(at_ms(2000), {300});
  EXPECT_EQ(trail.age({300}, at_ms(9000)), Duration::zero());
  EXPECT_EQ(trail.age({999}, at_ms(9000)), Duration::zero());
  EXPECT_EQ(trail.age({299}, at_ms(2500)), milliseconds(1500));
  EXPECT_EQ(trail.age({200}, at_ms(2500)), milliseconds(1500));
  EXPECT_EQ(trail.age({199}, at_ms(2500)), milliseconds(2500));
}

TEST(PrimaryTrail, BeyondTheOldestSampleAgeIsAtLeastThatSamples) {
  PrimaryTrail trail;
  trail.passed(at_ms(0), {100});
  trail.passed(at_ms(1000), {200});
  EXPECT_EQ(trail.age({50}, at_ms(1500)), milliseconds(1500));
}

TEST(PrimaryTrail, IsBoundedAndStillReachesBackAMinute) {
  PrimaryTrail trail;
  for (int ms = 0; ms < 300'000; ++ms) trail.passed(at_ms(ms), {static_cast<std::uint64_t>(ms)});
  EXPECT_LE(trail.size(), PrimaryTrail::kMaxSamples);
  EXPECT_GE(trail.age({0}, at_ms(300'000)), std::chrono::seconds(60));
}

TEST(PrimaryTrail, ThinningMakesLagLongerByOneSpacingAtMost) {
  std::mt19937_64 random(1);
  PrimaryTrail trail;
  for (int ms = 0; ms < 10'000; ++ms) {
    if (random() % 3 == 0) continue;
    trail.passed(at_ms(ms), {static_cast<std::uint64_t>(ms)});
  }
  trail.passed(at_ms(10'000), {10'000});
  for (int replayed = 100; replayed < 10'000; ++replayed) {
    const Duration exact = milliseconds(10'000 - replayed);
    const Duration age = trail.age({static_cast<std::uint64_t>(replayed)}, at_ms(10'000));
    ASSERT_GE(age, exact);
    ASSERT_LE(age, exact + 2 * PrimaryTrail::kSpacing);
  }
}

TEST(PrimaryTrail, APrimaryThatLostWhatItHadNotFlushedTakesTheTrailBack) {
  PrimaryTrail trail;
  trail.passed(at_ms(0), {100});
  trail.passed(at_ms(1000), {300});
  trail.passed(at_ms(2000), {200});
  EXPECT_EQ(trail.newest_position(), Lsn{200});
  EXPECT_EQ(trail.age({200}, at_ms(3000)), Duration::zero());
  EXPECT_EQ(trail.age({150}, at_ms(3000)), milliseconds(3000));
}

}  // namespace
}  // namespace tidemark::routing

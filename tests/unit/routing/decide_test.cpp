#include "routing/decide.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "routing/eligibility.hpp"
#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::routing {
namespace {

using Kind = Decision::Kind;

constexpr StatementContext kRead{.is_read = true};
constexpr NodeId kPrimary{0};
constexpr NodeId kB{1};
constexpr NodeId kC{2};

class Decide : public testing::Test {
 protected:
  Decide() { session_.arrived = at_ms(10); }

  [[nodiscard]] Decision read(const ClusterView& view, std::int64_t now_ms = 10) const {
    return decide(policy_, view, session_, kRead, at_ms(now_ms));
  }
  /// Makes `node` the user's rendezvous winner among the view's replicas.
  void pin_to(const ClusterView& view, NodeId node) {
    SessionContext free = session_;
    free.level = ConsistencyLevel::eventual;
    for (free.user_key = 0;; ++free.user_key) {
      if (decide(policy_, view, free, kRead, at_ms(10)).node == node) break;
    }
    session_.user_key = free.user_key;
  }

  RoutingPolicy policy_;
  SessionContext session_;
};

TEST_F(Decide, VouchingForAPinnedReplicaCountsFromTheLaterOfSendingAndObservation) {
  const ClusterView view = ClusterBuilder().primary(100).replica(100, 5).build();
  session_.shown = {LastReplica{kB, 1, at_ms(8), at_ms(7)}};
  EXPECT_EQ(read(view).reason, Reason::pinned);
  EXPECT_EQ(read(view).vouched_until, at_ms(7));
  session_.shown.front().sent_at = at_ms(2);
  EXPECT_EQ(read(view).vouched_until, at_ms(5));
}

TEST_F(Decide, AnExplicitFloorIsVouchedForByTheObservationOnly) {
  const ClusterView view = ClusterBuilder().primary(100).replica(100, 5).build();
  session_.shown = {LastReplica{kB, 1, at_ms(8), at_ms(7)}};
  session_.written = known(100);
  const Decision decision = read(view);
  EXPECT_EQ(decision.reason, Reason::floor_reached);
  EXPECT_EQ(decision.vouched_until, at_ms(5));
  EXPECT_EQ(decision.deadline, at_ms(15)) << "the wait for another observation ends here";
}

TEST_F(Decide, WithoutAFloorEveryConnectionWillDo) {
  const ClusterView view = ClusterBuilder().primary(100).replica(90).build();
  EXPECT_EQ(read(view).reason, Reason::no_floor);
  EXPECT_EQ(read(view).vouched_until, TimePoint::max());
}

TEST_F(Decide, ARestartedReplicaIsLeftUntilThePrimaryHasBeenAsked) {
  const ClusterView view =
      ClusterBuilder().primary(300).replica(100, 9).with([](NodeState& n) { n.incarnation = 2; }).build();
  session_.shown = {LastReplica{kB, 1, at_ms(8), at_ms(7)}};
  EXPECT_EQ(read(view).kind, Kind::wait_for_position);
  EXPECT_EQ(read(view).deadline, at_ms(15));
  EXPECT_EQ(read(view, 15).reason, Reason::fallback_position);
  session_.shown.clear();
  session_.seen = known(300);
  EXPECT_EQ(read(view).kind, Kind::wait_for_replay) << "back in the past: position 100 of 300";
  session_.seen = known(100);
  EXPECT_EQ(read(view).node, kB);
}

TEST_F(Decide, MovesOnlyToAReplicaThatHasWhatTheOldOneCanHaveShown) {
  ClusterView view = ClusterBuilder().primary(300).replica(200, 9).replica(200, 9).build();
  pin_to(view, kC);
  session_.shown = {LastReplica{kB, 1, at_ms(8), at_ms(7)}};
  EXPECT_EQ(read(view).node, kC) << "its own replica is back and has all";
  EXPECT_EQ(read(view).reason, Reason::moved);
  EXPECT_EQ(read(view).vouched_until, at_ms(9));
  view.nodes[2].position = {199};
  EXPECT_EQ(read(view).node, kB);
  EXPECT_EQ(read(view).reason, Reason::pinned);
  view.nodes[2].position = {200};
  session_.shown.front().at = at_ms(10);
  EXPECT_EQ(read(view).node, kB) << "what it showed at 10 is not bounded by a position asked for at 9";
}

TEST_F(Decide, AReplicaThatDiedIsLeftWithItsLastPositionAsTheFloor) {
  ClusterView view = ClusterBuilder()
                         .primary(300)
                         .replica(200, 9)
                         .with([](NodeState& n) { n.fault = NodeFault::unreachable; })
                         .replica(199, 9)
                         .build();
  session_.shown = {LastReplica{kB, 1, at_ms(8), at_ms(7)}};
  EXPECT_EQ(read(view).kind, Kind::wait_for_replay);
  EXPECT_EQ(read(view).node, kC) << "the one worth asking";
  view.nodes[2].position = {200};
  EXPECT_EQ(read(view).node, kC);
  EXPECT_EQ(read(view).reason, Reason::moved);
  session_.shown.front().at = at_ms(10);
  EXPECT_EQ(read(view).kind, Kind::wait_for_position) << "nobody knows what it showed last";
}

TEST_F(Decide, APromotedReplicasFloorIsItsPositionOnTheNewTimeline) {
  ClusterView view = ClusterBuilder().replica(300, 9).replica(250, 9).build();
  view.timeline = {2};
  view.primary = NodeId{0};
  view.nodes[0].role = NodeRole::primary;
  for (NodeState& node : view.nodes) node.timeline = {2};
  session_.shown = {LastReplica{NodeId{0}, 1, at_ms(8), at_ms(7)}};
  EXPECT_EQ(read(view).kind, Kind::wait_for_replay);
  view.nodes[1].position = {300};
  EXPECT_EQ(read(view).node, kB);
  EXPECT_EQ(read(view).reason, Reason::moved);
}

TEST_F(Decide, AReplicaLeftBehindOnAnOldTimelineBoundsNothing) {
  ClusterView view = ClusterBuilder()
                         .primary(300)
                         .replica(200, 9)
                         .with([](NodeState& n) { n.fault = NodeFault::not_following; })
                         .replica(300, 9)
                         .build();
  view.timeline = {2};
  view.nodes[0].timeline = view.nodes[2].timeline = {2};
  session_.shown = {LastReplica{kB, 1, at_ms(8), at_ms(7)}};
  EXPECT_EQ(read(view).kind, Kind::wait_for_position);
}

TEST_F(Decide, AFloorNotReachedAtTheLastReplicaAsksThatReplica) {
  ClusterView view = ClusterBuilder().primary(300).replica(200, 5).replica(300, 5).build();
  session_.shown = {LastReplica{kB, 1, at_ms(8), at_ms(7)}};
  session_.written = known(250);
  const Decision decision = read(view);
  EXPECT_EQ(decision.kind, Kind::wait_for_replay);
  EXPECT_EQ(decision.node, kB) << "its next answer bounds what it has shown, so that the read may move, too";
  view.nodes[1].observed_at = at_ms(9);
  EXPECT_EQ(read(view).node, kC);
  EXPECT_EQ(read(view).reason, Reason::moved);
}

TEST_F(Decide, StaysRatherThanMovesWhenItsOwnReplicaIsBehind) {
  const ClusterView view =
      ClusterBuilder().primary(300).replica(300, 9).replica(300, 9).replica(100, 9).build();
  pin_to(view, NodeId{3});
  session_.written = known(300);
  const NodeId other = read(view).node == kB ? kC : kB;
  session_.shown = {LastReplica{other, 1, at_ms(8), at_ms(7)}};
  EXPECT_EQ(read(view).node, other) << "although the third has the better bid";
  EXPECT_EQ(read(view).reason, Reason::floor_reached);
}

TEST_F(Decide, ALastReplicaThatIsNotInTheViewIsUnknown) {
  const ClusterView view = ClusterBuilder().primary(300).replica(300).build();
  session_.shown = {LastReplica{NodeId{9}, 1, at_ms(8), at_ms(7)}};
  EXPECT_EQ(read(view).kind, Kind::wait_for_position);
}

TEST_F(Decide, ReadYourWritesAloneDoesNotCareWhereItReadLast) {
  const ClusterView view = ClusterBuilder().primary(300).replica(300).replica(300).build();
  session_.level = ConsistencyLevel::read_your_writes;
  pin_to(view, kC);
  session_.shown = {LastReplica{kB, 9, at_ms(8), at_ms(7)}};
  session_.seen = pending();
  EXPECT_EQ(read(view).node, kC);
  EXPECT_EQ(read(view).reason, Reason::no_floor);
  session_.written = known(300);
  EXPECT_EQ(read(view).reason, Reason::floor_reached);
}

TEST_F(Decide, NoWaitMeansThePrimaryAtOnce) {
  const ClusterView view = ClusterBuilder().primary(300).replica(100).build();
  policy_.replica_wait = std::chrono::milliseconds(0);
  session_.written = pending();
  EXPECT_EQ(read(view).reason, Reason::fallback_position);
  session_.written = known(300);
  EXPECT_EQ(read(view).reason, Reason::fallback_replay);
  policy_.fallback = Fallback::wait;
  EXPECT_EQ(read(view).reason, Reason::fallback_replay);
}

TEST_F(Decide, FallbackWaitIsPatientButNotForEver) {
  const ClusterView view = ClusterBuilder().primary(300).replica(100).build();
  policy_.fallback = Fallback::wait;
  policy_.observation_max_age = std::chrono::hours(1);
  session_.written = known(300);
  EXPECT_EQ(read(view, 20).kind, Kind::wait_for_replay);
  EXPECT_EQ(read(view, 20).deadline, at_ms(510));
  EXPECT_EQ(read(view, 509).kind, Kind::wait_for_replay);
  EXPECT_EQ(read(view, 510).node, kPrimary);
  EXPECT_EQ(read(view, 510).reason, Reason::fallback_replay);
}

TEST_F(Decide, WithNoNodesThereIsOnlyWaiting) {
  for (const Fallback fallback : {Fallback::primary, Fallback::wait, Fallback::error}) {
    policy_.fallback = fallback;
    EXPECT_EQ(read(ClusterView{}).kind, Kind::wait_for_primary);
  }
}

TEST_F(Decide, WaitingForReplayAsksAReplicaThatIsSilentRatherThanThePrimary) {
  ClusterView view = ClusterBuilder().primary(300).replica(300, 0).build();
  policy_.fallback = Fallback::wait;
  session_.arrived = at_ms(5000);
  EXPECT_EQ(read(view, 5000).kind, Kind::wait_for_replay);
  EXPECT_EQ(read(view, 5000).node, kB);
}

TEST_F(Decide, AReplicaKnownToTrailForLongerThanTheWaitIsNotWaitedFor) {
  ClusterView view = ClusterBuilder().primary(300).replica(200, 9).build();
  session_.written = known(300);
  session_.written.raised_at = at_ms(8);
  view.nodes[1].behind_for = std::chrono::milliseconds(7);  // there at 15: in time
  EXPECT_EQ(read(view, 10).kind, Kind::wait_for_replay);
  view.nodes[1].behind_for = std::chrono::milliseconds(8);
  EXPECT_EQ(read(view, 10).node, kPrimary);
  EXPECT_EQ(read(view, 10).reason, Reason::fallback_behind);
  session_.written.raised_at = at_ms(2);
  EXPECT_EQ(read(view, 10).kind, Kind::wait_for_replay) << "it has had most of that time already";
  policy_.fallback = Fallback::error;
  session_.written.raised_at = at_ms(8);
  EXPECT_EQ(read(view, 10).kind, Kind::wait_for_replay) << "the primary is not to be used";
}

TEST_F(Decide, APositionIsNotAskedForThatNoReplicaCanReachInTime) {
  ClusterView view = ClusterBuilder().primary(300).replica(200, 9).build();
  session_.level = ConsistencyLevel::strong;
  session_.strong = pending();
  session_.strong.raised_at = at_ms(10);
  EXPECT_EQ(read(view, 10).kind, Kind::wait_for_position);
  view.nodes[1].behind_for = std::chrono::milliseconds(20);
  EXPECT_EQ(read(view, 10).node, kPrimary);
  EXPECT_EQ(read(view, 10).reason, Reason::fallback_behind);
}

TEST_F(Decide, OneReplicaThatMayGetThereIsWaitedFor) {
  ClusterView view = ClusterBuilder().primary(300).replica(200, 9).replica(200, 9).build();
  session_.written = known(300);
  session_.written.raised_at = at_ms(8);
  view.nodes[1].behind_for = std::chrono::milliseconds(200);
  EXPECT_EQ(read(view, 10).kind, Kind::wait_for_replay);
}

TEST_F(Decide, ReasonsHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (int value = 0; value < static_cast<int>(Reason::count); ++value) {
    EXPECT_TRUE(names.insert(to_string(static_cast<Reason>(value))).second);
  }
  EXPECT_FALSE(names.contains("unknown"));
}

/// Random clusters, sessions and statements, from one seed.
class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  TimePoint time() { return at_ms(static_cast<std::int64_t>(below(20))); }

  ClusterView view() {
    ClusterView view;
    view.system_identifier = kSystem;
    view.timeline = {static_cast<std::uint32_t>(1 + below(2))};
    if (view.timeline.value == 2 && one_in(2))
      view.history = TimelineHistory({{{1}, {below(10)}, one_in(2)}});
    const std::uint64_t size = 1 + below(6);
    for (std::uint64_t i = 0; i < size; ++i) {
      NodeState node;
      node.id = NodeId{static_cast<std::uint16_t>(i)};
      node.host = one_in(10) ? "" : "10.0.0.1";
      node.weight = static_cast<std::uint16_t>(1 + below(3));
      node.role = one_in(8) ? NodeRole::unknown : one_in(5) ? NodeRole::primary : NodeRole::replica;
      node.fault = one_in(3) ? static_cast<NodeFault>(1 + below(5)) : NodeFault::none;
      node.system_identifier = kSystem;
      node.timeline = one_in(5) ? TimelineId{3 - view.timeline.value} : view.timeline;
      node.incarnation = 1 + below(2);
      node.position = {below(10)};
      node.observed_at = time();
      node.lag_time = std::chrono::seconds(below(13));
      node.lag_bytes = {below(4)};
      node.lagging = one_in(10);
      node.fresh_at = time();
      if (one_in(3)) node.behind_for = std::chrono::milliseconds(below(10));
      if (node.incarnation == 2) node.past = {1, kSystem, {1}, {below(10)}, time()};
      if (node.role == NodeRole::primary && node.fault == NodeFault::none && !view.primary)
        view.primary = node.id;
      view.nodes.push_back(node);
    }
    return view;
  }

  Floor floor() {
    if (one_in(3)) return {};
    if (one_in(3)) return pending();
    return known(below(10), static_cast<std::uint32_t>(1 + below(2)));
  }

  SessionContext session() {
    SessionContext session;
    session.level = static_cast<ConsistencyLevel>(below(7));
    session.written = floor();
    session.seen = floor();
    if (one_in(4)) session.required = floor();
    if (session.level == ConsistencyLevel::strong) session.strong = floor();
    session.max_staleness.time = std::chrono::milliseconds(below(20));
    if (one_in(3)) session.max_staleness.bytes = below(4);
    while (one_in(2) && session.shown.size() < 3)
      session.shown.push_back({NodeId{static_cast<std::uint16_t>(below(7))}, 1 + below(2), time(), time()});
    session.user_key = random_();
    session.arrived = time();
    return session;
  }

  RoutingPolicy policy() {
    RoutingPolicy policy;
    policy.fallback = static_cast<Fallback>(below(3));
    policy.replica_wait = std::chrono::milliseconds(below(10));
    return policy;
  }

 private:
  std::mt19937_64 random_;
};

/// Whether `node` has all that stands before `required`, which may be of an ancestor of the view's timeline.
bool has(const ClusterView& view, const NodeState& node, const WalPosition& required) {
  if (node.timeline != view.timeline || node.position < required.lsn) return false;
  if (required.timeline == view.timeline) return true;
  for (const TimelineSwitch& ancestor : view.history.ancestors()) {
    if (ancestor.timeline == required.timeline) return required.lsn <= ancestor.end;
  }
  return false;
}

/// The floors again, from their definitions and not from decide()'s own steps.
void expect_covered(const ClusterView& view, const SessionContext& session, const Decision& decision,
                    TimePoint now) {
  const NodeState& node = view.node(decision.node);
  const auto covered = [&](const Floor& floor) {
    if (floor.kind == Floor::Kind::none) return;
    ASSERT_EQ(floor.kind, Floor::Kind::known);
    ASSERT_TRUE(has(view, node, floor.position));
    ASSERT_LE(decision.vouched_until, node.observed_at);
  };
  if (session.level == ConsistencyLevel::bounded_staleness) {
    ASSERT_LE(now - node.fresh_at, session.max_staleness.time);
    ASSERT_LE(node.lag_bytes.bytes, session.max_staleness.bytes.value_or(UINT64_MAX));
    ASSERT_LE(decision.vouched_until, node.observed_at);
  }
  if (session.level == ConsistencyLevel::strong) covered(session.strong);
  if (requires_own_writes(session.level)) covered(session.written);
  if (requires_own_writes(session.level) || requires_monotonic(session.level)) covered(session.required);
  if (!requires_monotonic(session.level)) return;
  covered(session.seen);
  for (const LastReplica& last : session.shown) {
    ASSERT_LT(index(last.node), view.nodes.size());
    const NodeState& left = view.node(last.node);
    if (decision.node == last.node && left.incarnation == last.incarnation) {
      ASSERT_LE(decision.vouched_until, std::max(last.sent_at, node.observed_at));
      continue;
    }
    const bool same_life = left.incarnation == last.incarnation;
    ASSERT_TRUE(same_life || left.past.incarnation == last.incarnation);
    ASSERT_GE(same_life ? left.observed_at : left.past.observed_at, last.at);
    ASSERT_TRUE(
        has(view, node,
            same_life ? view.position(left) : WalPosition{kSystem, left.past.timeline, left.past.position}));
    ASSERT_LE(decision.vouched_until, node.observed_at);
  }
}

TEST(DecideProperties, HoldInRandomClusters) {
  Chaos chaos(20261120);
  int at_replicas = 0;
  int moved = 0;
  for (int round = 0; round < 300'000; ++round) {
    const ClusterView view = chaos.view();
    const SessionContext session = chaos.session();
    const RoutingPolicy policy = chaos.policy();
    const StatementContext statement{!chaos.one_in(5), chaos.one_in(10)};
    const TimePoint now = chaos.time();
    const Decision decision = decide(policy, view, session, statement, now);
    SCOPED_TRACE(round);
    const bool primary_only =
        !statement.is_read || statement.primary_only || session.level == ConsistencyLevel::primary;
    switch (decision.kind) {
      case Kind::send:
        ASSERT_LT(index(decision.node), view.nodes.size());
        if (decision.node == view.primary) break;
        ASSERT_FALSE(primary_only) << "only the primary may be written to";
        ASSERT_EQ(exclusion(policy, view.node(decision.node), now), Exclusion::none);
        ++at_replicas;
        moved += decision.reason == Reason::moved ? 1 : 0;
        ASSERT_NO_FATAL_FAILURE(expect_covered(view, session, decision, now));
        break;
      case Kind::wait_for_position:
      case Kind::wait_for_replay:
        ASSERT_FALSE(primary_only);
        ASSERT_LT(index(decision.node), view.nodes.size());
        ASSERT_LT(now, decision.deadline) << "a wait that has ended";
        ASSERT_LE(decision.deadline, session.arrived + 100 * policy.replica_wait);
        break;
      case Kind::wait_for_primary:
        ASSERT_TRUE(view.primary == std::nullopt || decision.reason == Reason::newer_timeline);
        break;
      case Kind::reject:
        ASSERT_EQ(policy.fallback, Fallback::error);
        ASSERT_FALSE(primary_only);
        break;
    }
  }
  EXPECT_GT(at_replicas, 10'000) << "a run that tries nothing proves nothing";
  EXPECT_GT(moved, 100);
}

TEST(DecideProperties, ALostReplicaMovesOnlyItsOwnUsers) {
  ClusterView view = ClusterBuilder().primary(1).replica(1).replica(1).replica(1).replica(1).build();
  for (std::size_t lost = 1; lost < view.nodes.size(); ++lost) {
    for (std::uint64_t user = 0; user < 5000; ++user) {
      SessionContext session;
      session.user_key = user;
      session.arrived = at_ms(0);
      view.nodes[lost].fault = NodeFault::none;
      const Decision before = decide(RoutingPolicy{}, view, session, kRead, at_ms(0));
      view.nodes[lost].fault = NodeFault::unreachable;
      const Decision after = decide(RoutingPolicy{}, view, session, kRead, at_ms(0));
      if (index(before.node) != lost) {
        ASSERT_EQ(after.node, before.node);
      }
    }
    view.nodes[lost].fault = NodeFault::none;
  }
}

}  // namespace
}  // namespace tidemark::routing

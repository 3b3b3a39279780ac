#include "routing/eligibility.hpp"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::routing {
namespace {

NodeState healthy() {
  return ClusterBuilder().replica(100).build().nodes.front();
}

TEST(Eligibility, AHealthyReplicaIsEligible) {
  EXPECT_EQ(exclusion(RoutingPolicy{}, healthy(), at_ms(0)), Exclusion::none);
}

TEST(Eligibility, EveryFaultExcludesByItsName) {
  const std::pair<NodeFault, Exclusion> faults[] = {
      {NodeFault::unreachable, Exclusion::unreachable},
      {NodeFault::other_cluster, Exclusion::other_cluster},
      {NodeFault::older_timeline, Exclusion::older_timeline},
      {NodeFault::duplicate_primary, Exclusion::duplicate_primary},
      {NodeFault::not_following, Exclusion::not_following},
      {NodeFault::not_named, Exclusion::not_named},
      {NodeFault::removed, Exclusion::removed}};
  for (const auto& [fault, expected] : faults) {
    NodeState node = healthy();
    node.fault = fault;
    EXPECT_EQ(exclusion(RoutingPolicy{}, node, at_ms(0)), expected);
  }
}

TEST(Eligibility, OnlyAReplicaServesReads) {
  NodeState node = healthy();
  node.role = NodeRole::primary;
  EXPECT_EQ(exclusion(RoutingPolicy{}, node, at_ms(0)), Exclusion::not_a_replica);
  node.role = NodeRole::unknown;
  EXPECT_EQ(exclusion(RoutingPolicy{}, node, at_ms(0)), Exclusion::not_a_replica);
}

TEST(Eligibility, AnUnresolvedNodeIsExcluded) {
  NodeState node = healthy();
  node.host.clear();
  EXPECT_EQ(exclusion(RoutingPolicy{}, node, at_ms(0)), Exclusion::address_unknown);
}

TEST(Eligibility, AnObservationIsGoodUpToItsGreatestAge) {
  RoutingPolicy policy;
  policy.observation_max_age = std::chrono::milliseconds(1000);
  EXPECT_EQ(exclusion(policy, healthy(), at_ms(1000)), Exclusion::none);
  EXPECT_EQ(exclusion(policy, healthy(), at_ms(1001)), Exclusion::observation_too_old);
  EXPECT_EQ(exclusion(policy, healthy(), at_ms(-5)), Exclusion::none)
      << "another thread's clock may be behind";
}

TEST(Eligibility, LagCountsAgainstTheLimit) {
  RoutingPolicy policy;
  policy.max_lag = std::chrono::milliseconds(500);
  NodeState node = healthy();
  node.lag_time = std::chrono::milliseconds(500);
  EXPECT_EQ(exclusion(policy, node, at_ms(0)), Exclusion::none);
  node.lag_time += std::chrono::nanoseconds(1);
  EXPECT_EQ(exclusion(policy, node, at_ms(0)), Exclusion::lag_too_large);
}

TEST(Eligibility, EveryExclusionHasItsOwnPhrase) {
  std::set<std::string_view> phrases;
  for (int value = 0; value <= static_cast<int>(Exclusion::lag_too_large); ++value) {
    EXPECT_TRUE(phrases.insert(to_string(static_cast<Exclusion>(value))).second) << value;
  }
  EXPECT_FALSE(phrases.contains("unknown"));
}

}  // namespace
}  // namespace tidemark::routing

#include "pools/replication_topology.hpp"

#include <vector>

#include <gmock/gmock.h>

#include "tests/unit/pools/replication_fixture.hpp"

namespace tidemark::pools {
namespace {

using routing::NodeId;

std::vector<Upstream> upstreams(const Replication& cluster) {
  std::vector<const NodeFacts*> facts;
  for (const auto& reading : cluster.readings) facts.push_back(&reading.facts);
  return find_upstreams(cluster.view, facts);
}

TEST(ReplicationTopology, ReplicasOfThePrimaryAreOfTierOne) {
  const auto found = upstreams(Replication(2));
  EXPECT_EQ(found[0].tier, 0U);
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_EQ(found[i].node, NodeId{});
    EXPECT_EQ(found[i].tier, 1U);
    EXPECT_EQ(found[i].standby, i - 1);
    EXPECT_EQ(found[i].address, "10.0.0.1:1");
  }
}

TEST(ReplicationTopology, WhoFollowsAReplicaIsATierBelow) {
  Replication cluster(3);
  for (const std::size_t i : {1U, 2U}) {
    cluster.stop_streaming(i, 0);
    cluster.follow(i, i + 1);  // the chain 0 <- 3 <- 2 <- 1, against the order of the ids
  }
  const auto found = upstreams(cluster);
  EXPECT_EQ(found[3].tier, 1U);
  EXPECT_EQ(found[2].tier, 2U);
  EXPECT_EQ(found[1].tier, 3U);
  EXPECT_EQ(found[1].node, NodeId{2});
}

TEST(ReplicationTopology, ACircleHasNoTier) {
  Replication cluster(2);
  cluster.stop_streaming(1, 0);
  cluster.stop_streaming(2, 0);
  cluster.follow(1, 2);
  cluster.follow(2, 1);
  EXPECT_FALSE(upstreams(cluster)[1].tier);
  EXPECT_FALSE(upstreams(cluster)[2].tier);
}

TEST(ReplicationTopology, ASenderThatIsNoneOfOursIsShownAsItIs) {
  Replication cluster(1);
  cluster.facts(1).receiver->sender_host = "2001:db8::1";
  cluster.facts(1).receiver->sender_port = 7;
  const auto found = upstreams(cluster)[1];
  EXPECT_EQ(found.address, "[2001:db8::1]:7");
  EXPECT_FALSE(found.node);
  EXPECT_FALSE(found.tier);
}

TEST(ReplicationTopology, ANameThatOnlyTheReplicaUsesIsFoundFromTheOtherSide) {
  Replication cluster(2);
  cluster.facts(1).receiver->sender_host = "pg-primary.internal";
  const auto found = upstreams(cluster)[1];
  EXPECT_EQ(found.node, NodeId{});
  EXPECT_EQ(found.standby, 0U);
}

TEST(ReplicationTopology, TheNameAsConfiguredIsKnown) {
  Replication cluster(1);
  cluster.view.nodes[0].name = "db1.internal:1";
  cluster.facts(1).receiver->sender_host = "DB1.internal";
  EXPECT_EQ(upstreams(cluster)[1].node, NodeId{});
}

TEST(ReplicationTopology, ALoopbackAddressMeansTheReplicasOwnMachine) {
  Replication cluster(1);
  cluster.facts(1).receiver->sender_host = "127.0.0.1";
  cluster.facts(0).standbys.clear();
  EXPECT_FALSE(upstreams(cluster)[1].node);
  cluster.view.nodes[0].host = cluster.view.nodes[1].host;
  EXPECT_EQ(upstreams(cluster)[1].node, NodeId{});
}

TEST(ReplicationTopology, TheSlotTellsStandbysOfOneNameApart) {
  Replication cluster(2);
  for (const std::size_t i : {1U, 2U}) {
    cluster.facts(i).receiver->application_name = "walreceiver";
    cluster.row(0, i - 1).application_name = "walreceiver";
    cluster.row(0, i - 1).client_address = "10.0.0.9";  // a gateway's
  }
  EXPECT_FALSE(upstreams(cluster)[2].standby) << "not certain";
  cluster.facts(2).receiver->slot_name = "second";
  cluster.row(0, 1).slot_name = "second";
  EXPECT_EQ(upstreams(cluster)[2].standby, 1U);
}

}  // namespace
}  // namespace tidemark::pools

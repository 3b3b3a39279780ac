#include "pools/replication_facts.hpp"

#include <gmock/gmock.h>

namespace tidemark::pools {
namespace {

using routing::Lsn;

const ReplicationRow kNode{"node", "true", "0/2000", "0/1000",    "not paused", "streaming", "10.0.0.1",
                           "5432", "s",    "a",      "ANY 1 (a)", "true",       "true",      std::nullopt};

TEST(ReplicationFacts, ANodesRow) {
  NodeFacts facts;
  ASSERT_TRUE(add_row(facts, kNode));
  EXPECT_TRUE(facts.in_recovery);
  EXPECT_EQ(facts.position, Lsn{0x2000});
  EXPECT_EQ(facts.replay, Lsn{0x1000});
  ASSERT_TRUE(facts.receiver);
  EXPECT_EQ(facts.receiver->sender_port, 5432);
  EXPECT_EQ(facts.receiver->application_name, "a");
  EXPECT_TRUE(facts.may_read_all);
}

TEST(ReplicationFacts, AReplicaWithoutReceiver) {
  NodeFacts facts;
  ReplicationRow row = kNode;
  for (const std::size_t column : {2U, 5U, 6U, 7U, 8U, 9U}) row[column].reset();
  ASSERT_TRUE(add_row(facts, row));
  EXPECT_FALSE(facts.receiver);
  row[1] = "false";
  EXPECT_FALSE(add_row(facts, row)) << "a primary has a position";
}

TEST(ReplicationFacts, AStandbysRow) {
  NodeFacts facts;
  const ReplicationRow row{"standby", "a",    "10.0.0.2", "streaming", "async", "0/40", "0/30",
                           "0/20",    "0/10", "0.000150", "-0.000001", "1.5",   "s",    "physical"};
  ASSERT_TRUE(add_row(facts, row));
  const auto& standby = facts.standbys.at(0);
  EXPECT_EQ(standby.replay, Lsn{0x10});
  EXPECT_EQ(standby.write_lag, std::chrono::microseconds(150));
  EXPECT_EQ(standby.flush_lag, std::chrono::microseconds(0));
  EXPECT_EQ(standby.replay_lag, std::chrono::milliseconds(1500));
  EXPECT_TRUE(standby.is_replica());
}

TEST(ReplicationFacts, AStandbyOfWhichAllIsHidden) {
  NodeFacts facts;
  ReplicationRow row;
  row[0] = "standby";
  ASSERT_TRUE(add_row(facts, row));
  EXPECT_FALSE(facts.standbys.at(0).is_replica());
}

TEST(ReplicationFacts, SlotsAndConflicts) {
  NodeFacts facts;
  ReplicationRow slot{"slot", "s", "logical", "false", "0/10", "unreserved", "-5"};
  ASSERT_TRUE(add_row(facts, slot));
  EXPECT_EQ(facts.slots.at(0).safe_wal_size, -5);
  EXPECT_FALSE(facts.slots.at(0).active);
  slot[3].reset();
  EXPECT_FALSE(add_row(facts, slot));
  EXPECT_TRUE(add_row(facts, {"conflicts", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(facts.conflicts.total(), 15U);
  EXPECT_FALSE(add_row(facts, {"conflicts", "1", "2", "3", "4"}));
  EXPECT_FALSE(add_row(facts, {"conflicts", "1", "2", "3", "4", "x"}));
}

TEST(ReplicationFacts, OtherRowsMakeNoSense) {
  NodeFacts facts;
  EXPECT_FALSE(add_row(facts, {}));
  EXPECT_FALSE(add_row(facts, {"nod"}));
}

}  // namespace
}  // namespace tidemark::pools

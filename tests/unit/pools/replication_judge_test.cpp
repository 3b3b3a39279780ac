#include "pools/replication_judge.hpp"

#include <gmock/gmock.h>

#include "tests/unit/pools/replication_fixture.hpp"

namespace tidemark::pools {
namespace {

using namespace std::chrono_literals;
using routing::Lsn;
using routing::NodeFault;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(ReplicationJudge, FindsNothingWrongWithAHealthyCluster) {
  Replication cluster(2);
  for (int i = 0; i < 10; ++i) EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  const auto health = cluster.after(5s);
  ASSERT_TRUE(health.loss);
  EXPECT_EQ(health.loss->bytes, 0U);
  EXPECT_FALSE(health.loss->synchronous);
}

TEST(ReplicationJudge, FindsThatNoReplicaStreamsFromThePrimary) {
  Replication cluster(1);
  cluster.stop_streaming(1, 0);
  EXPECT_THAT(cluster.alerts_after(5s), ElementsAre("too_few_replicas p:1"));
  cluster.follow(1, 0);
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  cluster.row(0).state = "catchup";
  EXPECT_THAT(cluster.alerts_after(5s), ElementsAre("too_few_replicas p:1"));
}

TEST(ReplicationJudge, ABaseBackupIsNoReplica) {
  Replication cluster(1);
  cluster.row(0).replay.reset();  // pg_basebackup and pg_receivewal apply nothing
  EXPECT_THAT(cluster.alerts_after(5s), Contains("too_few_replicas p:1"));
}

TEST(ReplicationJudge, AClusterOfOneNodeLacksNoReplica) {
  Replication cluster(0);
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  EXPECT_FALSE(cluster.after(5s).loss);
}

TEST(ReplicationJudge, TellsAReplicaThatDoesNotStreamAfterTheLimitOnly) {
  Replication cluster(2);
  cluster.stop_streaming(1, 0);
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  EXPECT_THAT(cluster.alerts_after(9s), IsEmpty());
  EXPECT_THAT(cluster.alerts_after(1s), ElementsAre("not_streaming a:1"));
  EXPECT_THAT(cluster.after(1s).findings[0].numbers, HasSubstr("no WAL receiver"));
  cluster.follow(1, 0);
  EXPECT_THAT(cluster.alerts_after(1s), IsEmpty());
  cluster.stop_streaming(1, 0);
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty()) << "the time begins anew";
}

TEST(ReplicationJudge, ANodeThatDoesNotAnswerDoesNotStreamEither) {
  Replication cluster(2);
  cluster.view.nodes[2].fault = NodeFault::unreachable;
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  EXPECT_THAT(cluster.alerts_after(10s), ElementsAre("not_streaming b:1"));
  cluster.settings.not_streaming = 0s;
  cluster.judge.change(cluster.settings);
  EXPECT_THAT(cluster.alerts_after(10s), IsEmpty());
}

TEST(ReplicationJudge, ANodeThatIsBackGoesOnNotToStreamUntilItTells) {
  Replication cluster(2);
  cluster.view.nodes[2].fault = NodeFault::unreachable;
  (void)cluster.after(5s);
  EXPECT_THAT(cluster.alerts_after(50s), ElementsAre("not_streaming b:1"));
  cluster.view.nodes[2].fault = NodeFault::none;
  cluster.now += 5s;
  cluster.readings[0].at = cluster.readings[1].at = cluster.now;
  const auto health = cluster.judge.judge(cluster.view, cluster.readings, cluster.now);
  ASSERT_FALSE(health.nodes[2].known) << "its last answer is old";
  EXPECT_EQ(health.findings.size(), 1U);
  EXPECT_THAT(cluster.alerts_after(1s), IsEmpty());
}

TEST(ReplicationJudge, WhatOnlyTheSenderKnowsCountsToo) {
  Replication cluster(2);
  cluster.row(0).state = "catchup";
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  EXPECT_THAT(cluster.after(10s).findings.at(0).numbers, HasSubstr("sender's state is catchup"));
}

TEST(ReplicationJudge, LagIsOverOnlyBelowFourFifthsOfTheLimit) {
  Replication cluster(2);
  cluster.row(0, 1).replay_lag = 59s;
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  cluster.row(0, 1).replay_lag = 61s;
  EXPECT_THAT(cluster.alerts_after(5s), ElementsAre("replay_lag b:1"));
  cluster.row(0, 1).replay_lag = 50s;
  EXPECT_THAT(cluster.alerts_after(5s), ElementsAre("replay_lag b:1"));
  cluster.row(0, 1).replay_lag = 47s;
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
}

TEST(ReplicationJudge, LagInBytesIsEnough) {
  Replication cluster(1);
  cluster.facts(0).position = Lsn{1000 + (std::uint64_t{2} << 30U)};
  cluster.row(0).flush = cluster.facts(0).position;
  EXPECT_THAT(cluster.alerts_after(5s), ElementsAre("replay_lag a:1"));
  cluster.settings.replay_lag_bytes = 0;
  cluster.judge.change(cluster.settings);
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
}

TEST(ReplicationJudge, LagByOurOwnClockIsEnough) {
  Replication cluster(1);
  cluster.view.nodes[1].lag_time = 2min;
  EXPECT_THAT(cluster.alerts_after(5s), ElementsAre("replay_lag a:1"));
}

TEST(ReplicationJudge, TheLagOfAStandbyThatIsNoneOfOursIsItsSenders) {
  Replication cluster(1);
  cluster.facts(0).standbys.push_back(cluster.row(0));
  cluster.row(0, 1).application_name = "elsewhere";
  cluster.row(0, 1).replay_lag = 2min;
  EXPECT_THAT(cluster.alerts_after(5s), ElementsAre("replay_lag p:1 elsewhere"));
}

TEST(ReplicationJudge, TellsMissingSynchronousStandbys) {
  Replication cluster(2);
  const auto with = [&](const char* names) {
    cluster.facts(0).synchronous_standby_names = names;
    return cluster.alerts_after(5s);
  };
  EXPECT_THAT(with("node1"), IsEmpty());
  EXPECT_THAT(with("*"), IsEmpty());
  EXPECT_THAT(with("ANY 2 (NODE1, node2)"), IsEmpty());
  EXPECT_THAT(with("gone"), ElementsAre("synchronous_standbys_short p:1"));
  EXPECT_THAT(with("FIRST 3 (*)"), ElementsAre("synchronous_standbys_short p:1"));
  EXPECT_THAT(with("FIRST 1 (node1, gone)"), ElementsAre("synchronous_standby_missing p:1"));
  EXPECT_THAT(cluster.after(1s).findings.at(0).numbers, HasSubstr("missing=\"gone\""));
  cluster.row(0, 0).state = "catchup";
  EXPECT_THAT(with("ANY 2 (node1, node2)"), Contains("synchronous_standbys_short p:1"));
  cluster.settings.synchronous_standbys = false;
  cluster.judge.change(cluster.settings);
  EXPECT_THAT(with("gone"), IsEmpty());
}

TEST(ReplicationJudge, ASlotIsInactiveSinceWeSawIt) {
  Replication cluster(1);
  cluster.facts(0).slots.push_back({"s", false, true, Lsn{900}, "reserved", std::nullopt});
  EXPECT_THAT(cluster.alerts_after(1h), IsEmpty());
  cluster.facts(0).slots[0].active = false;
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  EXPECT_THAT(cluster.alerts_after(9min), IsEmpty());
  EXPECT_THAT(cluster.alerts_after(1min), ElementsAre("slot_inactive p:1 s"));
  cluster.facts(0).slots[0].active = true;
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  cluster.facts(0).slots[0].active = false;
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty()) << "the time begins anew";
  const auto slot = cluster.facts(0).slots[0];
  cluster.facts(0).slots.clear();
  EXPECT_THAT(cluster.alerts_after(9min), IsEmpty());
  cluster.facts(0).slots.push_back(slot);
  EXPECT_THAT(cluster.alerts_after(5min), IsEmpty()) << "another slot of that name";
}

TEST(ReplicationJudge, TheTimeOfASlotGoesOnWhileItsNodeIsSilent) {
  Replication cluster(1);
  cluster.facts(0).slots.push_back({"s", true, false, Lsn{900}, "reserved", std::nullopt});
  (void)cluster.after(5s);
  cluster.view.nodes[0].fault = NodeFault::unreachable;
  cluster.view.primary.reset();
  EXPECT_THAT(cluster.alerts_after(9min), Not(Contains("slot_inactive p:1 s")));
  cluster.view.nodes[0].fault = NodeFault::none;
  cluster.view.primary = routing::NodeId{};
  EXPECT_THAT(cluster.alerts_after(1min), ElementsAre("slot_inactive p:1 s"));
}

TEST(ReplicationJudge, TellsSlotsThatKeepMuchOrLoseWal) {
  Replication cluster(1);
  for (auto* facts : {&cluster.facts(0), &cluster.facts(1)}) facts->position = Lsn{std::uint64_t{11} << 30U};
  cluster.row(0).replay = cluster.row(0).flush = cluster.facts(0).position;
  cluster.facts(0).slots.push_back({"big", false, true, Lsn{1}, "extended", std::nullopt});
  cluster.facts(0).slots.push_back({"never used", false, true, std::nullopt, "", std::nullopt});
  cluster.facts(0).slots.push_back({"small", false, true, cluster.facts(0).position, "reserved", 1 << 20U});
  cluster.facts(1).slots.push_back({"late", true, true, std::nullopt, "lost", std::nullopt});
  EXPECT_THAT(cluster.alerts_after(5s),
              ElementsAre("slot_retains_wal p:1 big", "slot_near_limit p:1 small", "slot_wal_lost a:1 late"));
  cluster.settings.slot_retained_wal = cluster.settings.slot_safe_wal_size = 0;
  cluster.settings.slot_wal_lost = false;
  cluster.judge.change(cluster.settings);
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
}

TEST(ReplicationJudge, TellsPausedReplayAfterTheLimit) {
  Replication cluster(1);
  cluster.facts(1).pause_state = "pause requested";
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  cluster.facts(1).pause_state = "paused";
  EXPECT_THAT(cluster.alerts_after(1min), ElementsAre("replay_paused a:1"));
  cluster.facts(1).pause_state = "not paused";
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
}

TEST(ReplicationJudge, ConflictsCountByTheLastMinute) {
  Replication cluster(1);
  auto& total = cluster.facts(1).conflicts.by_cause[2];
  total = 1000;  // before we looked
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  total += 9;
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  total += 1;
  EXPECT_THAT(cluster.alerts_after(5s), ElementsAre("recovery_conflicts a:1"));
  for (int i = 0; i < 12; ++i) (void)cluster.after(5s);
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
  total = 3;  // the statistics were reset
  EXPECT_THAT(cluster.alerts_after(5s), IsEmpty());
}

TEST(ReplicationJudge, TheLossWindowIsWhatTheBestReplicaHasNotFlushed) {
  Replication cluster(2);
  (void)cluster.after(5s);
  cluster.facts(0).position = Lsn{1000 + 10'000};
  cluster.row(0, 0).flush = Lsn{1000 + 4'000};
  auto health = cluster.after(10s);
  EXPECT_EQ(health.loss->write_rate, 1000);
  EXPECT_EQ(health.loss->bytes, 6'000U);
  cluster.row(0, 0).flush_lag = 7s;
  health = cluster.after(0s);
  EXPECT_EQ(health.loss->time, 7s);
  EXPECT_EQ(health.loss->bytes, 7'000U) << "write rate x lag is more";
}

TEST(ReplicationJudge, TheLossWindowGrowsWhileNoReplicaIsThere) {
  Replication cluster(1);
  (void)cluster.after(5s);
  cluster.stop_streaming(1, 0);
  cluster.facts(0).position = Lsn{6'000};
  auto health = cluster.after(20s);
  EXPECT_EQ(health.loss->bytes, 5'000U);
  EXPECT_EQ(health.loss->time, 20s);
  EXPECT_THAT(cluster.alerts_after(11s), Contains("loss_window p:1"));
}

TEST(ReplicationJudge, AnIdlePrimaryLosesNothing) {
  Replication cluster(1);
  (void)cluster.after(5s);
  cluster.stop_streaming(1, 0);
  EXPECT_THAT(cluster.alerts_after(1h), Not(Contains("loss_window p:1")));
}

TEST(ReplicationJudge, ASynchronousClusterHasNoLossWindow) {
  Replication cluster(1);
  cluster.facts(0).synchronous_standby_names = "*";
  (void)cluster.after(5s);
  cluster.facts(0).position = Lsn{std::uint64_t{1} << 40U};
  EXPECT_THAT(cluster.alerts_after(5s), Not(Contains("loss_window p:1")));
  cluster.facts(0).commits_wait = false;
  EXPECT_THAT(cluster.alerts_after(5s), Contains("loss_window p:1"));
}

TEST(ReplicationJudge, AnOldAnswerCountsForNothing) {
  Replication cluster(1);
  cluster.stop_streaming(1, 0);
  EXPECT_THAT(cluster.alerts_after(5s), Contains("too_few_replicas p:1"));
  cluster.now += cluster.judge.longest_age() + 1s;
  const auto health = cluster.judge.judge(cluster.view, cluster.readings, cluster.now);
  EXPECT_FALSE(health.nodes[0].known);
  for (const Finding& finding : health.findings) EXPECT_NE(finding.alert, Alert::too_few_replicas);
}

TEST(ReplicationJudge, TellsSinceWhen) {
  Replication cluster(1);
  cluster.stop_streaming(1, 0);
  const auto since = cluster.after(5s).findings.at(0).since;
  EXPECT_EQ(since, cluster.now);
  EXPECT_EQ(cluster.after(5s).findings.at(0).since, since);
}

TEST(ReplicationJudge, GivesEveryAlertANameAndAdvice) {
  for (std::size_t i = 0; i < kAlerts; ++i) {
    EXPECT_THAT(std::string(to_string(static_cast<Alert>(i))), Not(IsEmpty()));
    EXPECT_THAT(std::string(advice(static_cast<Alert>(i))), Not(HasSubstr("\"")));
  }
}

}  // namespace
}  // namespace tidemark::pools

#include "proxy/admin_replication_tables.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/unit/pools/replication_fixture.hpp"

namespace tidemark::proxy {
namespace {

using pools::Replication;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using std::chrono_literals::operator""s;

std::string cell(const AdminRows& rows, std::size_t row, std::span<const std::string_view> columns,
                 std::string_view column) {
  const auto place = std::ranges::find(columns, column);
  EXPECT_NE(place, columns.end()) << column;
  return rows.at(row).at(static_cast<std::size_t>(std::distance(columns.begin(), place)));
}

TEST(AdminReplicationTables, ShowEachStandbyWithItsLagAndTier) {
  Replication play(2);
  play.row(0, 0).sync_state = "sync";
  play.row(0, 1).flush = routing::Lsn{900};
  play.row(0, 1).flush_lag = std::chrono::milliseconds(250);
  const auto rows = replication_rows(play.after(1s));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(cell(rows, 0, kStandbyColumns, "node"), "p:1");
  EXPECT_EQ(cell(rows, 0, kStandbyColumns, "replica"), "a:1");
  EXPECT_EQ(cell(rows, 0, kStandbyColumns, "tier"), "1");
  EXPECT_EQ(cell(rows, 0, kStandbyColumns, "sync_state"), "sync");
  EXPECT_EQ(cell(rows, 0, kStandbyColumns, "flush_lag_seconds"), "");
  EXPECT_EQ(cell(rows, 0, kStandbyColumns, "replay"), "not paused");
  EXPECT_EQ(cell(rows, 1, kStandbyColumns, "flush_lag_bytes"), "100");
  EXPECT_EQ(cell(rows, 1, kStandbyColumns, "flush_lag_seconds"), "0.250");
}

TEST(AdminReplicationTables, ShowWhoFollowsNobodyAndWhoDoesNotAnswer) {
  Replication play(2);
  play.stop_streaming(1, 0);
  play.stop_streaming(2, 0);
  play.view.nodes[2].fault = routing::NodeFault::unreachable;
  const auto rows = replication_rows(play.after(1s));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(cell(rows, 0, kStandbyColumns, "replica"), "a:1");
  EXPECT_EQ(cell(rows, 0, kStandbyColumns, "state"), "follows nobody");
  EXPECT_EQ(cell(rows, 1, kStandbyColumns, "replica"), "b:1");
  EXPECT_EQ(cell(rows, 1, kStandbyColumns, "state"), "no answer");
}

TEST(AdminReplicationTables, ShowAlertsTheOldestFirstWithTheirAdvice) {
  Replication play(2);
  EXPECT_THAT(alert_rows(play.after(1s), play.now), IsEmpty());
  play.facts(2).pause_state = "paused";
  play.after(1s);
  play.after(3600s);
  play.stop_streaming(1, 0);
  play.after(1s);
  const auto health = play.after(3600s);
  const auto rows = alert_rows(health, play.now);
  ASSERT_EQ(rows.size(), health.findings.size());
  ASSERT_GE(rows.size(), 2U);
  EXPECT_EQ(cell(rows, 0, kAlertColumns, "alert"), "replay_paused");
  EXPECT_EQ(cell(rows, 0, kAlertColumns, "node"), "b:1");
  EXPECT_EQ(cell(rows, 0, kAlertColumns, "advice"), advice(pools::Alert::replay_paused));
  EXPECT_GT(std::stod(cell(rows, 0, kAlertColumns, "since_seconds")),
            std::stod(cell(rows, rows.size() - 1, kAlertColumns, "since_seconds")));
}

TEST(AdminReplicationTables, ShowSlotsAndForHowLongNobodyHasUsedThem) {
  Replication play(1);
  play.facts(0).slots.push_back({.name = "kept",
                                 .logical = false,
                                 .active = false,
                                 .restart = routing::Lsn{400},
                                 .wal_status = "reserved",
                                 .safe_wal_size = 5000});
  play.after(1s);
  const auto rows = slot_rows(play.after(5s), play.now);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(rows[0], ElementsAre("p:1", "kept", "physical", "no", "5.000", "600", "5000", "reserved"));
}

}  // namespace
}  // namespace tidemark::proxy

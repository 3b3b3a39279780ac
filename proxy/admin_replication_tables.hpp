#pragma once

#include <span>
#include <string_view>

#include "pools/replication_health.hpp"
#include "proxy/admin_tables.hpp"

namespace tidemark::proxy {

// What the admin console shows of the health of replication (pools/replication_health.hpp). Pure.

inline constexpr std::string_view kAlertColumns[] = {"alert",   "node",          "subject",
                                                     "numbers", "since_seconds", "advice"};
inline constexpr std::string_view kStandbyColumns[] = {"node",
                                                       "tier",
                                                       "standby",
                                                       "replica",
                                                       "state",
                                                       "sync_state",
                                                       "write_lag_bytes",
                                                       "flush_lag_bytes",
                                                       "replay_lag_bytes",
                                                       "write_lag_seconds",
                                                       "flush_lag_seconds",
                                                       "replay_lag_seconds",
                                                       "replay"};
inline constexpr std::string_view kSlotColumns[] = {
    "node",      "slot", "type", "active", "inactive_seconds", "retained_bytes", "safe_wal_size_bytes",
    "wal_status"};

/// What is raised now, the oldest first.
[[nodiscard]] AdminRows alert_rows(const pools::ReplicationHealth& health, routing::TimePoint now);

/// Who follows whom: a row for each standby of each node that answers, and one for each node that follows
/// nobody of those. `tier` is the standby's: 1 follows the primary, 2 follows one of tier 1. Lags are absent
/// where the standby lacks nothing, or where they are not known.
[[nodiscard]] AdminRows replication_rows(const pools::ReplicationHealth& health);

[[nodiscard]] AdminRows slot_rows(const pools::ReplicationHealth& health, routing::TimePoint now);

}  // namespace tidemark::proxy

#pragma once

#include <chrono>
#include <cstdint>

namespace tidemark::pools {

/// [alerts] of the configuration: from where on the state of replication is told as an alert. A limit of 0,
/// or false, means that its alert is never raised.
struct AlertSettings {
  std::chrono::nanoseconds interval = std::chrono::seconds(5);  ///< between two questions; 0: nobody is asked
  std::uint32_t min_replicas = 1;  ///< that stream from the primary, in a cluster of several nodes
  std::chrono::nanoseconds not_streaming = std::chrono::seconds(10);
  std::chrono::nanoseconds replay_lag = std::chrono::minutes(1);
  std::int64_t replay_lag_bytes = std::int64_t{1} << 30U;
  bool synchronous_standbys = true;
  std::chrono::nanoseconds slot_inactive = std::chrono::minutes(10);
  std::int64_t slot_retained_wal = std::int64_t{10} << 30U;  ///< bytes
  std::int64_t slot_safe_wal_size = std::int64_t{1} << 30U;  ///< bytes; the alert is about less than that
  bool slot_wal_lost = true;
  std::chrono::nanoseconds replay_paused = std::chrono::minutes(1);
  std::uint32_t recovery_conflicts = 10;  ///< in a minute
  std::chrono::nanoseconds loss_window = std::chrono::seconds(30);
  std::int64_t loss_window_bytes = std::int64_t{256} << 20U;
};

}  // namespace tidemark::pools

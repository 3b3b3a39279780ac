#pragma once

#include <chrono>
#include <cstdint>

#include "routing/consistency.hpp"

namespace tidemark::routing {

/// What to do with a read that no replica may serve in time.
enum class Fallback : std::uint8_t { primary, wait, error };

/// How to choose among replicas that may serve a read.
enum class LoadBalance : std::uint8_t { pinned, least_connections, round_robin, random };

/// Settings of this room; [routing] of the configuration.
struct RoutingPolicy {
  ConsistencyLevel consistency = ConsistencyLevel::session;
  std::chrono::nanoseconds max_lag = std::chrono::seconds(10);
  /// How long a read may wait for a position or for replay; zero: the primary at once.
  std::chrono::nanoseconds replica_wait = std::chrono::milliseconds(5);
  /// Least distance between two position questions to one node.
  std::chrono::nanoseconds position_interval = std::chrono::milliseconds(1);
  Fallback fallback = Fallback::primary;
  LoadBalance load_balance = LoadBalance::pinned;
  /// A node whose last observation is older than this is not eligible; set from cluster.probe_interval.
  std::chrono::nanoseconds observation_max_age = std::chrono::seconds(1);
};

}  // namespace tidemark::routing

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "routing/consistency.hpp"

namespace tidemark::routing {

/// What to do with a read that no replica may serve in time.
enum class Fallback : std::uint8_t { primary, wait, error };

/// How to choose among replicas that may serve a read.
enum class LoadBalance : std::uint8_t { pinned, least_connections, round_robin, random };

/// What bounded_staleness allows. Both bounds hold at once.
struct StalenessBound {
  std::chrono::nanoseconds time = std::chrono::seconds(1);
  std::optional<std::uint64_t> bytes;  ///< none: any number
  friend bool operator==(const StalenessBound&, const StalenessBound&) = default;
};

/// One [[routing.rule]]: what it asks for where all of its patterns match. In a pattern `*` stands for any
/// text; an empty one matches everything.
struct RoutingRule {
  std::string name;  ///< for explain; never empty ("1" for the first where the operator gave none)
  std::string database;
  std::string user;
  std::string application_name;
  std::string relation;   ///< "payments" in any schema, or "accounting.payments"; without regard to case
  std::string statement;  ///< of the text, without regard to case, runs of white space being one blank
  ConsistencyLevel consistency = ConsistencyLevel::session;
  std::optional<StalenessBound> max_staleness;  ///< none: as in [routing]
  std::optional<bool> replay;                   ///< none: as RoutingPolicy::replay
};

/// Settings of this room; [routing] of the configuration.
struct RoutingPolicy {
  ConsistencyLevel consistency = ConsistencyLevel::session;
  StalenessBound max_staleness;    ///< of bounded_staleness, where nothing else is asked for
  std::vector<RoutingRule> rules;  ///< the first that matches counts
  bool replay = false;             ///< a transaction that lost its server is executed again on another one
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

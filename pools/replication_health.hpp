#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pools/replication_facts.hpp"
#include "pools/replication_topology.hpp"
#include "routing/cluster_view.hpp"

namespace tidemark::pools {

/// What can be wrong with replication. The names are those of the metric's label and of the log.
enum class Alert : std::uint8_t {
  too_few_replicas,             ///< of the primary: fewer stream from it than alerts.min_replicas
  not_streaming,                ///< of a node that is not the primary
  replay_lag,                   ///< of a replica; of a node that is none of ours, of its sender
  synchronous_standbys_short,   ///< of the primary: commits wait
  synchronous_standby_missing,  ///< of the primary: a named one is not there, commits go on
  slot_inactive,                ///< of the node that has the slot, as are the next three
  slot_retains_wal,
  slot_near_limit,
  slot_wal_lost,
  replay_paused,       ///< of a replica
  recovery_conflicts,  ///< of a replica
  loss_window,         ///< of the primary
};
inline constexpr std::size_t kAlerts = 12;

[[nodiscard]] std::string_view to_string(Alert alert);
/// What it means and what to do, in one line without quotation marks.
[[nodiscard]] std::string_view advice(Alert alert);

/// An alert that is raised now. Told apart by alert, node and subject.
struct Finding {
  Alert alert = Alert::not_streaming;
  routing::NodeId node{};
  std::string subject;  ///< the slot, or the standby that is none of our nodes; else empty
  std::string numbers;  ///< as of the last answer: key=value, separated by blanks; no secrets
  routing::TimePoint since{};
};

/// A standby as the node that it follows sees it. Bytes by which it trails that node's position.
struct StandbyHealth {
  StandbyFacts facts;
  std::optional<routing::NodeId> node;  ///< which of ours it is; nullopt: none, or not certain
  std::optional<routing::ByteLag> write_lag, flush_lag, replay_lag;
};

struct SlotHealth {
  SlotFacts facts;
  std::optional<routing::ByteLag> retained;          ///< WAL from its restart_lsn to the node's position
  std::optional<routing::TimePoint> inactive_since;  ///< by our clock, since we look; nullopt: active
};

/// One node, by its own word.
struct ReplicationNode {
  routing::NodeId id{};
  std::string name;
  bool known = false;  ///< it has answered of late; else only id, name and, of the primary, the tier are set
  Upstream upstream;
  NodeFacts facts;  ///< without standbys and slots, which are below
  std::vector<StandbyHealth> standbys;
  std::vector<SlotHealth> slots;
  std::uint64_t conflicts_last_minute = 0;
};

/// synchronous_standby_names of the primary against who is there.
struct SynchronousHealth {
  std::uint32_t required = 0;  ///< 0: replication is asynchronous
  std::size_t connected = 0;
  std::vector<std::string> missing;  ///< named ones that are not connected
};

/// What would be lost if the primary were gone now: an estimate.
struct LossWindow {
  /// Commits wait for synchronous standbys, so that nothing acknowledged is lost; all else is 0 then.
  bool synchronous = false;
  double write_rate = 0;  ///< bytes of WAL per second, exponentially weighted over half a minute
  /// The greater of two: the bytes that the primary has written and its best replica has not flushed, and
  /// write_rate x that replica's flush_lag. Without a replica, what was written since the best one was last
  /// seen.
  std::uint64_t bytes = 0;
  /// The best replica's flush_lag; without a replica, the time since one was last seen.
  std::chrono::microseconds time{};
};

/// The state of replication at one moment. Immutable once published.
struct ReplicationHealth {
  std::vector<ReplicationNode> nodes;      ///< by node id
  std::optional<routing::NodeId> primary;  ///< of which the next two are; only while it answers
  std::optional<SynchronousHealth> synchronous;
  std::optional<LossWindow> loss;  ///< of a cluster that has, or has had, a replica
  std::vector<Finding> findings;   ///< all that are raised, in a fixed order
};

}  // namespace tidemark::pools

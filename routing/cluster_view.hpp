#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/timeline_history.hpp"
#include "routing/wal_position.hpp"

namespace tidemark::routing {

/// The proxy's own monotonic clock; never compared with a node's.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// Index into ClusterView::nodes; a node keeps its id for the life of the process.
enum class NodeId : std::uint16_t {};
[[nodiscard]] constexpr std::size_t index(NodeId id) {
  return static_cast<std::size_t>(id);
}

enum class NodeRole : std::uint8_t { unknown, primary, replica };
/// The word that logs and tables use.
[[nodiscard]] std::string_view to_string(NodeRole role);

/// Why a node is not used although it answers; `none` when it is.
enum class NodeFault : std::uint8_t {
  none,
  unreachable,        ///< no answer, or none recent enough
  other_cluster,      ///< another system identifier
  older_timeline,     ///< writable, but a newer timeline exists: fenced
  duplicate_primary,  ///< one of two writable nodes on one timeline
  not_following,      ///< a replica on another timeline than the primary's
  not_named,          ///< writable, but not the primary that the authority names: fenced
  removed,            ///< the authority does not list it any more: neither probed nor used
};
/// The word that logs and tables use.
[[nodiscard]] std::string_view to_string(NodeFault fault);

/// What was last observed of a node in the life before its present one. A replica that answered then, and was
/// observed afterwards, is known to have shown no more than `position`.
struct PastLife {
  std::uint64_t incarnation = 0;  ///< 0: there was none
  std::uint64_t system_identifier = 0;
  TimelineId timeline;
  Lsn position;
  TimePoint observed_at{};
};

struct NodeState {
  NodeId id{};
  std::string name;       ///< "host:port" as configured or discovered; the label in metrics
  std::string host_name;  ///< the host of `name`: what its certificate must name
  std::string host;  ///< numeric address, or an absolute path for a Unix socket directory; empty: unresolved
  std::uint16_t port = 0;
  std::uint16_t weight = 1;

  NodeRole role = NodeRole::unknown;  ///< what the node says it is; see fault for whether it is believed
  NodeFault fault = NodeFault::unreachable;
  std::uint64_t system_identifier = 0;
  TimelineId timeline;

  /// Number of the probe connection that made the observations below. While it stays, the server has not
  /// restarted, so its replay position only grows (rule 3).
  std::uint64_t incarnation = 0;
  /// When that server was started, by its own clock, in microseconds: what several proxies tell its lives
  /// apart by. Compared for equality only; 0 while unknown.
  std::int64_t server_start = 0;
  /// A replica's replay position, the primary's insert position corrected for page headers.
  Lsn position;
  /// When the question that `position` answers was asked. A position vouches for a server connection only
  /// if it was asked after that connection was established.
  TimePoint observed_at{};
  /// Bytes and time by which the node trails the primary, by the proxy's own clock; zero for the primary.
  ByteLag lag_bytes;
  Duration lag_time{};
  /// The latest moment at which the primary is known to have been no further than `position`: all that was
  /// committed by then is shown here. TimePoint{} while nothing is known. Staleness is counted from here, so
  /// the age of the primary's sample counts.
  TimePoint fresh_at{};
  /// For how long, at least, the primary had been ahead of `position` when that was asked for: the delay that
  /// this replica is known to have. Zero when it lacked nothing that was known.
  Duration behind_for{};
  /// A primary's: it has synchronous standbys, so a commit may be shown by replicas long before it shows it.
  bool awaits_standbys = false;
  /// It was more than max_lag behind, and has not come back to max_lag's lower mark since.
  bool lagging = false;
  /// It was lost too often of late, and has not been calm since (FlapGuard): nothing is read there.
  bool flapping = false;
  /// Nothing new is sent to it until the operator says otherwise (DRAIN), whatever becomes of the server.
  bool drained = false;
  PastLife past;
};

/// A timeline whose primary was shut down in order, so that nothing which it acknowledged stands behind
/// `end`.
struct HandOver {
  TimelineId timeline;
  Lsn end;
  /// Server connections that were established by then were to that very life of the primary, or one before
  /// it.
  TimePoint connected_by{};
};

/// What was last heard of an authority: a Patroni or pg_auto_failover, which says who belongs to the cluster
/// and which node is its primary.
struct AuthorityState {
  bool reachable = false;       ///< the latest question was answered
  TimePoint asked_at{};         ///< when the question of the latest answer was asked; TimePoint{}: none yet
  std::optional<NodeId> named;  ///< the primary by that answer
  std::uint32_t left_out = 0;   ///< members of it that were more than ClusterView::kMostNodes
};

/// What is known of the cluster at one moment. Immutable: made by the reducer, published by the cluster
/// monitor, read by everyone through one pointer.
struct ClusterView {
  static constexpr std::size_t kHandOvers = 8;
  /// Ids are never used again, so this bounds the addresses of a process's life.
  static constexpr std::size_t kMostNodes = 256;
  std::uint64_t generation = 0;  ///< grows with every publication
  /// Grows when a role, fault, address, incarnation, timeline, `lagging`, `flapping`, `drained`, `paused` or
  /// the history changes.
  std::uint64_t topology = 0;
  std::uint64_t system_identifier = 0;
  TimelineId timeline;               ///< highest timeline of an accepted primary so far
  TimelineHistory history;           ///< where the timelines before it ended, as far as that is known
  std::vector<HandOver> hand_overs;  ///< of timelines before it; the latest kHandOvers
  std::optional<NodeId> primary;     ///< the one node that may be written to, if there is one
  bool paused = false;               ///< no transaction begins anywhere until the operator says so (PAUSE)
  std::vector<NodeState> nodes;      ///< those that have left stay, with NodeFault::removed
  /// Nothing: the nodes alone say which of them is the primary.
  std::optional<AuthorityState> authority;

  [[nodiscard]] const NodeState& node(NodeId id) const { return nodes[index(id)]; }
  /// Whether a transaction that was decided to begin on this node may still begin there.
  [[nodiscard]] bool is_open(NodeId id) const {
    return !paused && !node(id).drained && node(id).fault == NodeFault::none;
  }
  /// There is a primary, and transactions may begin on it as far as the operator is concerned.
  [[nodiscard]] bool has_open_primary() const { return primary && !node(*primary).drained; }
  [[nodiscard]] WalPosition position(const NodeState& node) const {
    return {node.system_identifier, node.timeline, node.position};
  }
  /// The present timeline has all that was acknowledged, or shown, on `made_on` over a server connection to
  /// its primary that was established at `connected`, whatever its position.
  [[nodiscard]] bool was_handed_over(TimelineId made_on, TimePoint connected) const {
    for (const HandOver& each : hand_overs) {
      if (each.timeline == made_on && connected <= each.connected_by &&
          history.locate(made_on, each.end) == TimelineHistory::Place::contained)
        return true;
    }
    return false;
  }
};

}  // namespace tidemark::routing

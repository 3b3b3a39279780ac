#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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

/// Why a node is not used although it answers; `none` when it is.
enum class NodeFault : std::uint8_t {
  none,
  unreachable,        ///< no answer, or none recent enough
  other_cluster,      ///< another system identifier
  older_timeline,     ///< writable, but a newer timeline exists: fenced
  duplicate_primary,  ///< one of two writable nodes on one timeline
  not_following,      ///< a replica on another timeline than the primary's
};

struct NodeState {
  NodeId id{};
  std::string name;  ///< "host:port" as configured or discovered; the label in metrics
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
  /// A replica's replay position, the primary's insert position corrected for page headers.
  Lsn position;
  /// When the question that `position` answers was asked. A position vouches for a server connection only
  /// if it was asked after that connection was established.
  TimePoint observed_at{};
  /// Bytes and time by which the node trails the primary, by the proxy's own clock; zero for the primary.
  ByteLag lag_bytes;
  Duration lag_time{};
};

/// What is known of the cluster at one moment. Immutable: made by the reducer, published by the cluster
/// monitor, read by everyone through one pointer.
struct ClusterView {
  std::uint64_t generation = 0;  ///< grows with every publication
  std::uint64_t topology = 0;    ///< grows when a role, fault, address, incarnation or timeline changes
  std::uint64_t system_identifier = 0;
  TimelineId timeline;            ///< highest timeline of an accepted primary so far
  std::optional<NodeId> primary;  ///< the one node that may be written to, if there is one
  std::vector<NodeState> nodes;

  [[nodiscard]] const NodeState& node(NodeId id) const { return nodes[index(id)]; }
  [[nodiscard]] WalPosition position(const NodeState& node) const {
    return {node.system_identifier, node.timeline, node.position};
  }
};

}  // namespace tidemark::routing

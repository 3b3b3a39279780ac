#pragma once

#include <cstdint>
#include <string_view>

#include "routing/cluster_view.hpp"
#include "routing/routing_policy.hpp"
#include "routing/session_context.hpp"

namespace tidemark::routing {

/// Why a decision was taken: the label of tidemark_statements_routed_total, and what explain prints.
enum class Reason : std::uint8_t {
  write,               ///< not proven to be a read
  level_primary,       ///< the consistency level is primary
  read_refused,        ///< a replica refused this statement before
  of_node,             ///< a read of what each node has of its own
  no_floor,            ///< a read without a required position, at its pinned replica
  pinned,              ///< at the replica that answered last
  floor_reached,       ///< at a replica known to have replayed the required position
  moved,               ///< at another replica than last time, which has replayed all that was seen
  within_bound,        ///< at a replica known to be no staler than is allowed
  position_pending,    ///< waiting for the primary's position
  replay_pending,      ///< waiting for a replica to replay the required position
  staleness_pending,   ///< waiting for an observation that proves a replica fresh enough
  no_primary,          ///< waiting for a primary
  newer_timeline,      ///< waiting for the primary of a timeline that the user has seen, and the view has not
  paused,              ///< waiting for the operator, who lets no transaction begin
  primary_drained,     ///< waiting for another primary: the operator lets nothing new go to this one
  fallback_position,   ///< primary: the required position was not learned in time
  fallback_replay,     ///< primary: no replica replayed the required position in time
  fallback_behind,     ///< primary at once: every replica is known to be too far behind to get there in time
  fallback_staleness,  ///< primary: no replica was proven fresh enough in time
  fallback_no_replica,  ///< primary: no replica is eligible
  rejected_no_replica,  ///< fallback = "error" and no replica is eligible in time
  count,
};
[[nodiscard]] std::string_view to_string(Reason reason);

struct Decision {
  enum class Kind : std::uint8_t {
    send,               ///< to `node`
    wait_for_position,  ///< until the primary's position is learned, then decide again
    wait_for_replay,    ///< until an observation of a replica changes, then decide again; ask `node` now, and
                        ///< with staleness_pending the primary, too
    wait_for_primary,   ///< until the view has a primary that may be used, then decide again; the caller
                        ///< bounds it (failover_hold)
    reject,
  };
  Kind kind = Kind::reject;
  NodeId node{};
  Reason reason = Reason::write;
  /// send: a server connection established later than this must not be used; the caller asks the node for a
  /// new observation and decides again, waiting no longer than `deadline`.
  TimePoint vouched_until = TimePoint::max();
  /// End of the wait (also of the wait that vouched_until may cause): from then on decide() falls back.
  TimePoint deadline{};
};

/// The one place that chooses a node. Pure.
[[nodiscard]] Decision decide(const RoutingPolicy& policy, const ClusterView& view,
                              const SessionContext& session, const StatementContext& statement,
                              TimePoint now);

}  // namespace tidemark::routing

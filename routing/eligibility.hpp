#pragma once

#include <cstdint>
#include <string_view>

#include "routing/cluster_view.hpp"
#include "routing/routing_policy.hpp"

namespace tidemark::routing {

/// Why a node may not serve a read, whatever position the read requires; `none` when it may.
enum class Exclusion : std::uint8_t {
  none,
  unreachable,
  other_cluster,
  older_timeline,
  duplicate_primary,
  not_following,
  not_named,
  removed,
  drained,              ///< by the operator (DRAIN)
  not_a_replica,        ///< the primary, or a role that is not known
  flapping,             ///< lost too often of late
  address_unknown,      ///< its name is not resolved yet
  observation_too_old,  ///< no answer within RoutingPolicy::observation_max_age
  lag_too_large,        ///< more than RoutingPolicy::max_lag behind the primary
};

/// The first filter that `node` does not pass at `now`. Pure; no text, no allocation.
[[nodiscard]] Exclusion exclusion(const RoutingPolicy& policy, const NodeState& node, TimePoint now);

/// A phrase for people: "other cluster", "observation too old"; "eligible" for none.
[[nodiscard]] std::string_view to_string(Exclusion exclusion);

}  // namespace tidemark::routing

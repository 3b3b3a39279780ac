#include "routing/eligibility.hpp"

namespace tidemark::routing {
namespace {

Exclusion of_fault(NodeFault fault) {
  switch (fault) {
    case NodeFault::none:
      return Exclusion::none;
    case NodeFault::unreachable:
      return Exclusion::unreachable;
    case NodeFault::other_cluster:
      return Exclusion::other_cluster;
    case NodeFault::older_timeline:
      return Exclusion::older_timeline;
    case NodeFault::duplicate_primary:
      return Exclusion::duplicate_primary;
    case NodeFault::not_following:
      return Exclusion::not_following;
    case NodeFault::not_named:
      return Exclusion::not_named;
    case NodeFault::removed:
      return Exclusion::removed;
  }
  return Exclusion::unreachable;
}

}  // namespace

Exclusion exclusion(const RoutingPolicy& policy, const NodeState& node, TimePoint now) {
  if (node.fault != NodeFault::none) return of_fault(node.fault);
  if (node.drained) return Exclusion::drained;
  if (node.role != NodeRole::replica) return Exclusion::not_a_replica;
  if (node.host.empty()) return Exclusion::address_unknown;
  if (node.flapping) return Exclusion::flapping;
  if (now - node.observed_at > policy.observation_max_age) return Exclusion::observation_too_old;
  if (node.lagging || node.lag_time > policy.max_lag) return Exclusion::lag_too_large;
  return Exclusion::none;
}

std::string_view to_string(Exclusion exclusion) {
  switch (exclusion) {
    case Exclusion::none:
      return "eligible";
    case Exclusion::unreachable:
      return "unreachable";
    case Exclusion::other_cluster:
      return "other cluster";
    case Exclusion::older_timeline:
      return "older timeline, fenced";
    case Exclusion::duplicate_primary:
      return "duplicate primary";
    case Exclusion::not_following:
      return "not following the primary's timeline";
    case Exclusion::not_named:
      return "not named by the authority, fenced";
    case Exclusion::removed:
      return "not a member of the cluster any more";
    case Exclusion::drained:
      return "drained";
    case Exclusion::not_a_replica:
      return "not a replica";
    case Exclusion::flapping:
      return "comes and goes";
    case Exclusion::address_unknown:
      return "address unknown";
    case Exclusion::observation_too_old:
      return "observation too old";
    case Exclusion::lag_too_large:
      return "lag too large";
  }
  return "unknown";
}

}  // namespace tidemark::routing

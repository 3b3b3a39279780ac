#include "routing/cluster_view.hpp"

namespace tidemark::routing {

std::string_view to_string(NodeRole role) {
  switch (role) {
    case NodeRole::unknown:
      return "unknown";
    case NodeRole::primary:
      return "primary";
    case NodeRole::replica:
      return "replica";
  }
  return "unknown";
}

std::string_view to_string(NodeFault fault) {
  switch (fault) {
    case NodeFault::none:
      return "none";
    case NodeFault::unreachable:
      return "unreachable";
    case NodeFault::other_cluster:
      return "other_cluster";
    case NodeFault::older_timeline:
      return "older_timeline";
    case NodeFault::duplicate_primary:
      return "duplicate_primary";
    case NodeFault::not_following:
      return "not_following";
    case NodeFault::not_named:
      return "not_named";
    case NodeFault::removed:
      return "removed";
  }
  return "unknown";
}

}  // namespace tidemark::routing

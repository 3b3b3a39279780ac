#pragma once

#include <string>

#include "pools/replication_health.hpp"
#include "routing/cluster_view.hpp"

namespace tidemark::proxy {

/// What /metrics says of replication, in Prometheus's exposition format; empty where nobody is asked. Any
/// thread.
[[nodiscard]] std::string render_replication(const pools::ReplicationHealth& health,
                                             const routing::ClusterView& view);

}  // namespace tidemark::proxy

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pools/replication_facts.hpp"
#include "routing/cluster_view.hpp"

namespace tidemark::pools {

/// Whom one node follows.
struct Upstream {
  std::string address;                  ///< "host:port" as its WAL receiver tells; empty: none, or not known
  std::optional<routing::NodeId> node;  ///< which of ours that is; nullopt: none of them
  std::optional<std::size_t> standby;   ///< its row among that node's standbys, where it is certain
  std::optional<unsigned> tier;         ///< 0: the primary; 1: follows it; 2: follows a node of tier 1; …
};

/// Who follows whom, decided from the replicas' side: a WAL receiver knows its sender's address. Pure.
/// `facts` by node id; nullptr where nothing is known, and it may be shorter than the view's nodes.
[[nodiscard]] std::vector<Upstream> find_upstreams(const routing::ClusterView& view,
                                                   std::span<const NodeFacts* const> facts);

}  // namespace tidemark::pools

#pragma once

#include <cstdint>

#include "routing/cluster_view.hpp"

namespace tidemark::routing {

/// One node's bid for one user in weighted rendezvous hashing (highest random weight): every node draws a
/// number from (user, node) alone and the best bid wins, so that a node that is lost or comes back moves only
/// its own users. Pure, and the same in every process that lists the nodes in the same order.
struct Bid {
  NodeId node{};
  std::uint16_t weight =
      1;  ///< share of the users relative to the other nodes; 0 loses to every other weight
  std::uint64_t draw = 0;
};

/// The bid of `node` for `user_key`, which may be of any quality (a counter will do).
[[nodiscard]] Bid bid(std::uint64_t user_key, NodeId node, std::uint16_t weight);

/// Whether `a` wins over `b`. Bids of equal weight compare without arithmetic on doubles, the usual case.
[[nodiscard]] bool beats(const Bid& a, const Bid& b);

}  // namespace tidemark::routing

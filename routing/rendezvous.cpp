#include "routing/rendezvous.hpp"

#include <cmath>

#include "routing/bit_mix.hpp"

namespace tidemark::routing {
namespace {

/// -weight / ln(u) with u uniform in (0, 1): the node with the greatest value is the winner with probability
/// weight / sum of weights (Schindelhauer, Schomaker: "Weighted distributed hash tables", 2005).
double score(const Bid& bid) {
  constexpr double kUnit = 0x1p-53;
  const double uniform = (static_cast<double>(bid.draw >> 11U) + 0.5) * kUnit;
  return -static_cast<double>(bid.weight) / std::log(uniform);
}

}  // namespace

Bid bid(std::uint64_t user_key, NodeId node, std::uint16_t weight) {
  constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15U;
  const std::uint64_t of_node = mix_bits((index(node) + 1) * kGoldenRatio);
  return {node, weight, mix_bits(mix_bits(user_key + kGoldenRatio) ^ of_node)};
}

bool beats(const Bid& a, const Bid& b) {
  if (a.weight == b.weight) return a.draw != b.draw ? a.draw > b.draw : a.node < b.node;
  const double score_a = score(a);
  const double score_b = score(b);
  return score_a > score_b || (score_a == score_b && a.node < b.node);
}

}  // namespace tidemark::routing

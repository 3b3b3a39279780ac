#pragma once

#include <string_view>
#include <vector>

#include "config/document.hpp"
#include "config/problem.hpp"
#include "routing/routing_policy.hpp"

namespace tidemark::config {

/// The tables [[routing.rule]] of a file, in its order. Rules in which something is wrong are left out and
/// reported; a file with such errors is never used.
struct RoutingRulesReading {
  std::vector<routing::RoutingRule> rules;
  std::vector<Problem> problems;
};

/// `policy` holds what [routing] itself says; of its rules nothing is asked. The problems include those of
/// the bounds of [routing].
[[nodiscard]] RoutingRulesReading read_routing_rules(const Document& document,
                                                     const routing::RoutingPolicy& policy,
                                                     std::string_view file_name);

}  // namespace tidemark::config

#pragma once

#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/problem.hpp"

namespace tidemark::config {

/// The tables [[auth.rule]] and [[auth.user_map]] of a file, in its order. Rules and lines in which something
/// is wrong are left out and reported; a file with such errors is never used.
struct AuthRulesReading {
  std::vector<AuthRule> rules;
  std::vector<UserMapEntry> user_maps;
  std::vector<Problem> problems;
};

[[nodiscard]] AuthRulesReading read_auth_rules(const Document& document, std::string_view file_name);

}  // namespace tidemark::config

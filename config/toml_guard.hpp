#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/problem.hpp"

namespace tidemark::config {

struct GuardFault {
  Position where;
  std::string reason;
};

/// What must not reach the TOML parser (toml++ 3.3), the first of it:
/// - a dotted key of more than 64 parts: each part nests a table, and tables are taken down by recursion;
/// - characters beyond ASCII anywhere but in comments and strings of one line: for some of them the parser's
/// test
///   for white space has undefined behaviour (no bare key may hold one in TOML 1.0 anyway).
/// Knows of TOML only where strings and comments begin and end; everything else is left to the parser.
[[nodiscard]] std::optional<GuardFault> guard(std::string_view text);

}  // namespace tidemark::config

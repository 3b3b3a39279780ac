#pragma once

#include <string>
#include <vector>

#include "tests/consistency/driver_options.hpp"

namespace tidemark::consistency {

// What one connection tells the proxy of itself, and by which way.
struct Introduction {
  std::string startup;                  // value of libpq's `options`; empty: none
  std::vector<std::string> statements;  // to be run when the connection is there
  std::string hint;  // goes before every other statement, with a space after it; empty: none
};

// `user`: the key that the connection identifies itself by; empty: it does not. `turn`: its place among the
// connections, by which `mixed` is decided.
Introduction introduce(const DriverOptions& options, const std::string& user, std::uint32_t turn);

// A string as an SQL literal.
std::string sql_literal(const std::string& text);

}  // namespace tidemark::consistency

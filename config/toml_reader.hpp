#pragma once

#include <string_view>
#include <vector>

#include "config/document.hpp"
#include "config/problem.hpp"
#include "config/schema.hpp"

namespace tidemark::config {

/// What one file says, and everything that is wrong with it as far as one key at a time can tell.
struct Reading {
  Document document;  ///< empty when the file is not TOML
  bool parsed = false;
  std::vector<Problem> problems;
};

/// Reads TOML against `schema`. One problem for text that is not TOML; otherwise one for every unknown key,
/// wrong type, bad unit, value out of range or unknown choice. Never throws for any text.
[[nodiscard]] Reading read_toml(std::string_view text, std::string_view file_name, const Schema& schema);

}  // namespace tidemark::config

#pragma once

#include <string>
#include <vector>

#include "config/document.hpp"

namespace tidemark::config {

/// What a changed file means for a process that runs. Paths of keys, in the order of the schema; a list of
/// tables is named as a whole.
struct ReloadPlan {
  std::vector<std::string> applied;
  std::vector<std::string> needs_restart;
};

/// Compares what the process was started with, what it goes by now, and what the file says now. Where a value
/// stands does not matter, nor whether a default is written down.
[[nodiscard]] ReloadPlan plan_reload(const Document& started, const Document& current, const Document& next);

}  // namespace tidemark::config

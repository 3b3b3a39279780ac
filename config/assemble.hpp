#pragma once

#include "config/config.hpp"
#include "config/document.hpp"

namespace tidemark::config {

/// Fills the settings from what the file says; what it does not say, or says wrongly, keeps its default.
/// Takes nodes whose address is in order; relative paths stay as written; users and the monitor's password
/// are not its business (they are read from other files).
[[nodiscard]] Config assemble(const Document& document);

}  // namespace tidemark::config

#pragma once

#include <filesystem>
#include <iosfwd>
#include <string_view>

namespace tidemark::proxy {

/// `tidemark explain`: probes the configured nodes once and tells the class of `sql`, the node it would go to
/// in a new session, and why. Returns the exit code: 0, or 2 for a bad configuration.
[[nodiscard]] int run_explain(const std::filesystem::path& path, std::string_view sql, std::ostream& out,
                              std::ostream& err);

}  // namespace tidemark::proxy

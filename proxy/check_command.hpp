#pragma once

#include <filesystem>
#include <iosfwd>

namespace tidemark::proxy {

/// `tidemark check`: prints every problem of the configuration to `err`, one per line, sorted by position.
/// Returns the exit code: 2 when there is an error, else 0 with "<path>: OK" on `out`.
[[nodiscard]] int run_check(const std::filesystem::path& path, std::ostream& out, std::ostream& err);

}  // namespace tidemark::proxy

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::pools {

/// What synchronous_standby_names asks for (manual: "synchronous_standby_names").
struct SynchronousNames {
  enum class Method : std::uint8_t { first, any };
  Method method = Method::first;
  std::uint32_t required = 0;      ///< standbys that a commit waits for; 0: the setting is empty
  std::vector<std::string> names;  ///< "*" is every name
};

/// nullopt: the text is not one that PostgreSQL would have accepted.
[[nodiscard]] std::optional<SynchronousNames> parse_synchronous_names(std::string_view text);

/// How many of the connected standbys, given by application_name, may be synchronous. PostgreSQL compares
/// without regard to case and lets several standbys have one name.
[[nodiscard]] std::size_t count_synchronous(const SynchronousNames& wanted,
                                            std::span<const std::string_view> connected);
/// Names of the list that no connected standby has, in the list's order; "*" is never missing.
[[nodiscard]] std::vector<std::string> missing_names(const SynchronousNames& wanted,
                                                     std::span<const std::string_view> connected);

}  // namespace tidemark::pools

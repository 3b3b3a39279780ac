#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "routing/consistency.hpp"
#include "routing/sql_bytes.hpp"

namespace tidemark::routing {

/// What a comment such as /* tidemark: consistency=strong, user=42 */ asks for. Views into the text.
struct Hint {
  std::optional<ConsistencyLevel> consistency;
  std::optional<std::uint64_t> user_key;  ///< user_key() of `user`
  std::string_view user;                  ///< at most kLongestHintUser bytes; not empty if it was given
  std::optional<std::chrono::nanoseconds> max_staleness;
  std::optional<std::uint64_t> max_staleness_bytes;
  std::optional<std::string_view> token;  ///< as it stands there; position_token.hpp reads it
  bool primary = false;                   ///< node=primary
};

inline constexpr std::size_t kLongestHintUser = 256;

enum class HintFault : std::uint8_t {
  unterminated_comment,
  nested_comment,
  missing_key,
  unknown_key,
  duplicate_key,
  missing_value,
  unterminated_value,
  missing_comma,
  unknown_level,
  unknown_node,
  bad_duration,
  bad_size,
  user_too_long,
  bound_without_level,  ///< a max_staleness with another level than bounded_staleness
};

/// Why a hint is refused.
struct HintError {
  HintFault fault{};
  std::string_view at;  ///< the text at fault, cut at 64 bytes; into the text that was read
};

/// For the client, one line: what is wrong, with the text at fault and what would be right.
[[nodiscard]] std::string to_string(const HintError& error);

/// monostate: the text has no hint.
using HintReading = std::variant<std::monostate, Hint, HintError>;

/// Whether the text begins with a comment, white space aside: only such a text may have a hint. A few
/// instructions for all others.
[[nodiscard]] inline bool begins_with_comment(std::string_view sql) {
  const char* at = sql.data();
  const char* const end = at + sql.size();
  while (at != end && is_space_byte(*at)) ++at;
  return end - at >= 2 && at[0] == '/' && at[1] == '*';
}

/// Reads the hint of a text: README.md, "Hints". Pure, without allocation, in time linear in the comment's
/// length.
[[nodiscard]] HintReading read_hint(std::string_view sql);

}  // namespace tidemark::routing

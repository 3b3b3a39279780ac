#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace tidemark::config {

/// Why a text is no duration or size; `reason` continues a sentence ("… : the unit is missing").
struct BadUnit {
  std::string reason;
};

/// "250ms": a whole number without sign, and one of us, ms, s, min, h; blanks between them are allowed. "0"
/// alone is zero. Everything is integer arithmetic; what does not fit in 64 bits of nanoseconds is refused.
[[nodiscard]] std::variant<std::chrono::nanoseconds, BadUnit> parse_duration(std::string_view text);

/// "64kB": a whole number and one of B, kB, MB, GB, in bytes; as in PostgreSQL's settings a kB is 1024 bytes
/// and case matters (manual, "Parameter Names and Values").
[[nodiscard]] std::variant<std::int64_t, BadUnit> parse_size(std::string_view text);

/// "0770" or "770": permissions of a file, three octal digits.
[[nodiscard]] std::optional<std::uint32_t> parse_permissions(std::string_view text);

/// In the largest unit that leaves a whole number: "1500ms", "10min", "0s"; "7ns" below a microsecond.
[[nodiscard]] std::string print_duration(std::chrono::nanoseconds value);

/// In the largest unit that leaves a whole number: "64kB", "1000B".
[[nodiscard]] std::string print_size(std::int64_t bytes);

}  // namespace tidemark::config

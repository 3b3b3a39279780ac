#pragma once

#include <string_view>

namespace tidemark::routing {

// Patterns in which `*` stands for any text, also for none, and every other byte for itself. Pure, without
// allocation; one pass where each piece between two stars occurs but once, |pattern| x |text| steps at worst.

/// Whether the whole of `text` is what `pattern` says. An empty pattern matches the empty text only.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

/// The same without regard to the case of ASCII letters.
[[nodiscard]] bool matches_in_any_case(std::string_view pattern, std::string_view text);

/// The same for texts of statements: without regard to case; a run of white space, in either, is one blank;
/// white space at both ends and semicolons at the end count for nothing. What stands in quotes and comments
/// is text like any other.
[[nodiscard]] bool matches_statement(std::string_view pattern, std::string_view text);

}  // namespace tidemark::routing

#pragma once

#include <string>
#include <string_view>

namespace tidemark::config {

/// `text` in double quotes, fit for one line of a terminal: control characters as \n, \t or \x1b, cut with
/// "…" past 80 bytes, never inside a UTF-8 sequence.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// `text` as it is, but with control characters as in_quotes shows them, and cut past 240 bytes: for somebody
/// else's words in a message of ours.
[[nodiscard]] std::string on_one_line(std::string_view text);

/// Whether `text` holds a control character (0x00 to 0x1f, 0x7f).
[[nodiscard]] bool has_control_characters(std::string_view text);

/// ASCII only, whatever the locale.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace tidemark::config

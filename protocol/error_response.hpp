#pragma once

#include <string>
#include <string_view>

#include "protocol/errc.hpp"
#include "protocol/sqlstate.hpp"

namespace tidemark::protocol {

/// The fields of an ErrorResponse or NoticeResponse that we read or write (manual, "Error and Notice Message
/// Fields"). Views into the parsed body, or into whatever the builder's caller keeps alive.
struct ErrorFields {
  std::string_view severity = "ERROR";  ///< never localized: field V, or S from a server that sends no V
  Sqlstate code = {};
  std::string_view message = {};
  std::string_view detail = {};   ///< empty: absent
  std::string_view hint = {};     ///< empty: absent
  std::string_view routine = {};  ///< of PostgreSQL's source, where the error was raised; empty: absent
};

/// Parses the body (what follows the length) of an ErrorResponse or NoticeResponse. Unknown fields are
/// skipped, as the manual asks; the code must be there and well formed, and the list must end with its zero
/// byte and nothing after it. On error `fields` is unspecified.
[[nodiscard]] Errc parse_error_fields(std::string_view body, ErrorFields& fields);

/// Appends a whole message: S and V (both the given severity), C, M, and D, H and R when not empty.
void append_error_response(std::string& out, const ErrorFields& fields);
void append_notice_response(std::string& out, const ErrorFields& fields);

}  // namespace tidemark::protocol

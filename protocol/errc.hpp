#pragma once

#include <string_view>

namespace tidemark::protocol {

/// Why bytes from a peer were not accepted. `ok` is zero, so that `if (failed(e))` reads well.
enum class Errc : unsigned char {
  ok = 0,
  truncated,            ///< the message ends inside a field
  trailing_bytes,       ///< the message goes on after its last field
  unterminated_string,  ///< a string without its terminating zero byte
  invalid_length,       ///< a length field that cannot be right (smaller than itself, negative)
  too_long,             ///< longer than the limit for this kind of message
  invalid_value,        ///< a field whose value the protocol does not define
  missing_field,        ///< a field that has to be there is not
  unexpected_message,   ///< a message that may not come at this point of the conversation
  unsupported_version,  ///< a frontend protocol other than 3.x
};

[[nodiscard]] constexpr bool failed(Errc error) {
  return error != Errc::ok;
}

/// A fixed English phrase, fit for logs and for the message text of an ErrorResponse. Never allocates.
[[nodiscard]] std::string_view describe(Errc error);

}  // namespace tidemark::protocol

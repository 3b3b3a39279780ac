#include "protocol/errc.hpp"

namespace tidemark::protocol {

std::string_view describe(Errc error) {
  switch (error) {
    case Errc::ok:
      return "no error";
    case Errc::truncated:
      return "message ends inside a field";
    case Errc::trailing_bytes:
      return "message has bytes after its last field";
    case Errc::unterminated_string:
      return "string without terminating zero byte";
    case Errc::invalid_length:
      return "invalid message length";
    case Errc::too_long:
      return "message longer than allowed";
    case Errc::invalid_value:
      return "field with an undefined value";
    case Errc::missing_field:
      return "required field is missing";
    case Errc::unexpected_message:
      return "message not allowed at this point";
    case Errc::unsupported_version:
      return "unsupported frontend protocol version";
  }
  return "unknown error";
}

}  // namespace tidemark::protocol

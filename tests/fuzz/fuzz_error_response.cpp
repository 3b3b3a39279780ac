// What a server says in an ErrorResponse: parses anything, and what was parsed survives being written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/error_response.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark::protocol;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  ErrorFields fields;
  if (failed(parse_error_fields(body, fields))) return 0;
  std::string out;
  append_error_response(out, fields);
  ErrorFields again;
  if (failed(parse_error_fields(std::string_view(out).substr(5), again))) std::abort();
  if (again.severity != fields.severity || again.code != fields.code || again.message != fields.message ||
      again.detail != fields.detail || again.hint != fields.hint) {
    std::abort();
  }
  return 0;
}

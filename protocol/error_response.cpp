#include "protocol/error_response.hpp"

#include "protocol/bytes.hpp"

namespace tidemark::protocol {

namespace {

void append_fields(char type, std::string& out, const ErrorFields& fields) {
  Writer writer(out);
  writer.open(type);
  writer.byte('S').cstring(fields.severity);
  writer.byte('V').cstring(fields.severity);
  writer.byte('C').cstring(fields.code.text());
  writer.byte('M').cstring(fields.message);
  if (!fields.detail.empty()) writer.byte('D').cstring(fields.detail);
  if (!fields.hint.empty()) writer.byte('H').cstring(fields.hint);
  if (!fields.routine.empty()) writer.byte('R').cstring(fields.routine);
  writer.byte('\0');
  writer.close();
}

}  // namespace

Errc parse_error_fields(std::string_view body, ErrorFields& fields) {
  fields = ErrorFields{};
  Reader reader(body);
  bool has_code = false;
  bool has_plain_severity = false;
  while (const std::uint8_t type = reader.byte()) {
    const std::string_view value = reader.cstring();
    switch (type) {
      case 'S':
        if (!has_plain_severity) fields.severity = value;
        break;
      case 'V':
        fields.severity = value;
        has_plain_severity = true;
        break;
      case 'C':
        if (const auto code = Sqlstate::parse(value)) {
          fields.code = *code;
          has_code = true;
        } else {
          reader.fail(Errc::invalid_value);
        }
        break;
      case 'M':
        fields.message = value;
        break;
      case 'D':
        fields.detail = value;
        break;
      case 'H':
        fields.hint = value;
        break;
      case 'R':
        fields.routine = value;
        break;
      default:
        break;
    }
  }
  if (!has_code) reader.fail(Errc::missing_field);
  return reader.finish();
}

void append_error_response(std::string& out, const ErrorFields& fields) {
  append_fields('E', out, fields);
}

void append_notice_response(std::string& out, const ErrorFields& fields) {
  append_fields('N', out, fields);
}

}  // namespace tidemark::protocol

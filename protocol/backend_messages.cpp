#include "protocol/backend_messages.hpp"

#include <cstddef>
#include <cstdint>

#include "protocol/bytes.hpp"

namespace tidemark::protocol {

void append_ready_for_query(std::string& out, char transaction_status) {
  out.append("Z\0\0\0\5", 5);
  out.push_back(transaction_status);
}

void append_command_complete(std::string& out, std::string_view tag) {
  Writer(out).open('C').cstring(tag).close();
}

void append_parameter_status(std::string& out, std::string_view name, std::string_view value) {
  Writer(out).open('S').cstring(name).cstring(value).close();
}

std::optional<DataRow> parse_data_row(std::string_view body) {
  constexpr std::int16_t kMostColumns = 64;
  Reader reader(body);
  const std::int16_t columns = reader.int16();
  if (columns < 0 || columns > kMostColumns) return std::nullopt;
  DataRow row;
  for (std::int16_t i = 0; i < columns; ++i) {
    const std::int32_t size = reader.int32();
    row.push_back(size < 0 ? std::nullopt : std::optional(reader.bytes(static_cast<std::size_t>(size))));
  }
  if (reader.finish() != Errc::ok) return std::nullopt;
  return row;
}

}  // namespace tidemark::protocol

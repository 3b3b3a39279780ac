#include "tests/soak/messages.hpp"

#include "protocol/bytes.hpp"

namespace tidemark::soak {

using protocol::Writer;

namespace {

void put_empty(std::string& out, char type) {
  Writer(out).open(type).close();
}

void put_target(std::string& out, char type, char kind, std::string_view name) {
  Writer(out).open(type).byte(kind).cstring(name).close();
}

}  // namespace

void put_query(std::string& out, std::string_view sql) {
  Writer(out).open('Q').cstring(sql).close();
}

void put_parse(std::string& out, std::string_view statement, std::string_view sql) {
  Writer(out).open('P').cstring(statement).cstring(sql).int16(0).close();
}

void put_bind(std::string& out, std::string_view portal, std::string_view statement, const Parameters& values,
              bool binary_result) {
  Writer writer(out);
  writer.open('B').cstring(portal).cstring(statement).int16(0).int16(
      static_cast<std::int16_t>(values.size()));
  for (const auto& value : values) {
    if (!value) {
      writer.int32(-1);
      continue;
    }
    writer.int32(static_cast<std::int32_t>(value->size())).bytes(*value);
  }
  if (binary_result)
    writer.int16(1).int16(1);
  else
    writer.int16(0);
  writer.close();
}

void put_describe(std::string& out, char kind, std::string_view name) {
  put_target(out, 'D', kind, name);
}

void put_close(std::string& out, char kind, std::string_view name) {
  put_target(out, 'C', kind, name);
}

void put_execute(std::string& out, std::string_view portal, std::int32_t rows) {
  Writer(out).open('E').cstring(portal).int32(rows).close();
}

void put_sync(std::string& out) {
  put_empty(out, 'S');
}

void put_flush(std::string& out) {
  put_empty(out, 'H');
}

void put_terminate(std::string& out) {
  put_empty(out, 'X');
}

void put_copy_data(std::string& out, std::string_view data) {
  Writer(out).open('d').bytes(data).close();
}

void put_copy_done(std::string& out) {
  put_empty(out, 'c');
}

void put_copy_fail(std::string& out, std::string_view reason) {
  Writer(out).open('f').cstring(reason).close();
}

void put_function_call(std::string& out, std::int32_t function, std::int32_t left, std::int32_t right) {
  Writer writer(out);
  writer.open('F').int32(function).int16(1).int16(1).int16(2);
  writer.int32(4).int32(left).int32(4).int32(right).int16(1).close();
}

}  // namespace tidemark::soak

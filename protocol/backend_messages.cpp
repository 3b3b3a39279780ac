#include "protocol/backend_messages.hpp"

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

}  // namespace tidemark::protocol

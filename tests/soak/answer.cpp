#include "tests/soak/answer.hpp"

#include "protocol/bytes.hpp"
#include "protocol/error_response.hpp"
#include "tests/soak/outcome.hpp"

namespace tidemark::soak {
namespace {

protocol::ErrorFields fields_of(std::string_view body) {
  protocol::ErrorFields fields;
  if (protocol::failed(protocol::parse_error_fields(body, fields))) throw Wrong{"malformed ErrorResponse"};
  return fields;
}

}  // namespace

Row parse_row(std::string_view body) {
  protocol::Reader reader(body);
  Row row;
  const std::int16_t count = reader.int16();
  for (std::int16_t i = 0; i < count; ++i) {
    const std::int32_t length = reader.int32();
    if (length < 0)
      row.emplace_back();
    else
      row.emplace_back(reader.bytes(static_cast<std::size_t>(length)));
  }
  if (protocol::failed(reader.finish())) throw Wrong{"malformed DataRow"};
  return row;
}

std::string error_code(std::string_view body) {
  return std::string(fields_of(body).code.text());
}

std::string error_message(std::string_view body) {
  return std::string(fields_of(body).message);
}

std::string Answer::shape() const {
  std::string text;
  for (const Message& message : messages) {
    const bool data = message.type == 'D' || message.type == 'd';
    if (!data || text.empty() || text.back() != message.type) text += message.type;
  }
  return text;
}

char Answer::status() const {
  if (messages.empty() || messages.back().type != 'Z' || messages.back().body.size() != 1) return '?';
  return messages.back().body.front();
}

std::vector<Row> Answer::rows() const {
  std::vector<Row> all;
  for (const Message& message : messages)
    if (message.type == 'D') all.push_back(parse_row(message.body));
  return all;
}

std::string Answer::tag(std::size_t n) const {
  for (const Message& message : messages) {
    if (message.type != 'C' || n-- > 0) continue;
    return message.body.substr(0, message.body.find('\0'));
  }
  return {};
}

const Message* Answer::find(char type) const {
  for (const Message& message : messages)
    if (message.type == type) return &message;
  return nullptr;
}

std::string Answer::sqlstate() const {
  const Message* error = find('E');
  return error == nullptr ? std::string() : error_code(error->body);
}

std::string Answer::error_text() const {
  const Message* error = find('E');
  return error == nullptr ? std::string() : error_message(error->body);
}

}  // namespace tidemark::soak

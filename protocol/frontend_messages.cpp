#include "protocol/frontend_messages.hpp"

#include <cstdint>

#include "protocol/bytes.hpp"

namespace tidemark::protocol {

namespace {

std::optional<std::string_view> take_cstring(std::string_view& body) {
  const std::size_t end = body.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view text = body.substr(0, end);
  body.remove_prefix(end + 1);
  return text;
}

void append_head(std::string& out, char type, std::size_t body_size) {
  const auto length = static_cast<std::uint32_t>(body_size + 4);
  out.push_back(type);
  out.push_back(static_cast<char>(length >> 24));
  out.push_back(static_cast<char>(length >> 16));
  out.push_back(static_cast<char>(length >> 8));
  out.push_back(static_cast<char>(length));
}

void append_cstring(std::string& out, std::string_view text) {
  out.append(text);
  out.push_back('\0');
}

}  // namespace

std::optional<std::string_view> parse_query(std::string_view body) {
  const auto text = take_cstring(body);
  return text && body.empty() ? text : std::nullopt;
}

std::optional<ParseView> parse_parse(std::string_view body) {
  ParseView view;
  const auto name = take_cstring(body);
  if (!name) return std::nullopt;
  view.statement = *name;
  view.definition = body;
  const auto query = take_cstring(body);
  if (!query || body.size() < 2) return std::nullopt;
  view.query = *query;
  const auto count = static_cast<std::size_t>(static_cast<unsigned char>(body[0])) << 8 |
                     static_cast<std::size_t>(static_cast<unsigned char>(body[1]));
  return body.size() == 2 + 4 * count ? std::optional(view) : std::nullopt;
}

std::optional<BindView> parse_bind(std::string_view body) {
  BindView view;
  const auto portal = take_cstring(body);
  if (!portal) return std::nullopt;
  const auto statement = take_cstring(body);
  if (!statement) return std::nullopt;
  view.portal = *portal;
  view.statement = *statement;
  view.rest = body;
  return view;
}

std::optional<TargetView> parse_target(std::string_view body) {
  if (body.empty() || (body[0] != 'S' && body[0] != 'P')) return std::nullopt;
  TargetView view{.kind = body[0], .name = {}};
  body.remove_prefix(1);
  const auto name = take_cstring(body);
  if (!name || !body.empty()) return std::nullopt;
  view.name = *name;
  return view;
}

std::optional<std::uint32_t> parse_function_oid(std::string_view body) {
  if (body.size() < 4) return std::nullopt;
  Reader reader(body);
  return static_cast<std::uint32_t>(reader.int32());
}

void append_query(std::string& out, std::string_view sql) {
  append_head(out, 'Q', sql.size() + 1);
  append_cstring(out, sql);
}

void append_parse(std::string& out, std::string_view statement, std::string_view definition) {
  append_head(out, 'P', statement.size() + 1 + definition.size());
  append_cstring(out, statement);
  out.append(definition);
}

void append_bind_head(std::string& out, std::string_view portal, std::string_view statement,
                      std::size_t rest_size) {
  append_head(out, 'B', portal.size() + 1 + statement.size() + 1 + rest_size);
  append_cstring(out, portal);
  append_cstring(out, statement);
}

void append_target(std::string& out, char type, char kind, std::string_view name) {
  append_head(out, type, 1 + name.size() + 1);
  out.push_back(kind);
  append_cstring(out, name);
}

}  // namespace tidemark::protocol

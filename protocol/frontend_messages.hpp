#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark::protocol {

/// A prepared statement's name as a server keeps it: names are cut off at NAMEDATALEN - 1 bytes, so that two
/// longer ones may be the same (prepare.c: a hash table with keys of that length).
[[nodiscard]] inline std::string_view statement_name(std::string_view name) {
  return name.substr(0, 63);
}

// Views of the frontend messages whose fields we read or rewrite; `body` is a message without its type and
// length. All give nullopt for bytes that do not follow the manual ("Message Formats").

/// Query: one NUL-terminated text that fills the body.
[[nodiscard]] std::optional<std::string_view> parse_query(std::string_view body);

struct ParseView {
  std::string_view statement;  ///< empty: the unnamed statement
  std::string_view query;
  std::string_view definition;  ///< query, its NUL, and the parameter types: all that follows the name
};
[[nodiscard]] std::optional<ParseView> parse_parse(std::string_view body);

struct BindView {
  std::string_view portal;
  std::string_view statement;
  std::string_view rest;  ///< formats, values and result formats: all that follows the names
};
[[nodiscard]] std::optional<BindView> parse_bind(std::string_view body);

/// Describe and Close name a prepared statement ('S') or a portal ('P').
struct TargetView {
  char kind = 0;
  std::string_view name;
};
[[nodiscard]] std::optional<TargetView> parse_target(std::string_view body);

/// The oid of the function that a FunctionCall names; `body` may be cut off behind it.
[[nodiscard]] std::optional<std::uint32_t> parse_function_oid(std::string_view body);

// Writers; each appends one whole message.
void append_query(std::string& out, std::string_view sql);
void append_parse(std::string& out, std::string_view statement, std::string_view definition);
/// Head of a Bind whose `rest`, of `rest_size` bytes, the caller sends behind it.
void append_bind_head(std::string& out, std::string_view portal, std::string_view statement,
                      std::size_t rest_size);
void append_target(std::string& out, char type, char kind, std::string_view name);
inline constexpr std::string_view kSync{"S\0\0\0\4", 5};
inline constexpr std::string_view kFlush{"H\0\0\0\4", 5};

}  // namespace tidemark::protocol

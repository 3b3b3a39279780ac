#include "proxy/tidemark_command.hpp"

#include <cctype>

#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

namespace {

using Kind = TidemarkCommand::Kind;

constexpr std::string_view kOneStatement =
    "it must be the only statement of its message, without anything behind it";

/// Takes `c`, behind white space and comments.
bool take(std::string_view& sql, char c) {
  skip_blank(sql);
  if (!sql.starts_with(c)) return false;
  sql.remove_prefix(1);
  return true;
}

/// A string constant without backslashes, a number, a word or a quoted identifier.
std::optional<std::string> take_value(std::string_view& sql) {
  skip_blank(sql);
  if (sql.starts_with('"')) return next_word(sql);
  std::string value;
  if (!sql.starts_with('\'')) {
    const auto belongs = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '$';
    };
    while (!sql.empty() && belongs(sql.front())) {
      value += sql.front();
      sql.remove_prefix(1);
    }
    if (value.empty()) return std::nullopt;
    return value;
  }
  for (std::size_t i = 1; i < sql.size(); ++i) {
    if (sql[i] == '\\') return std::nullopt;
    if (sql[i] != '\'') {
      value += sql[i];
    } else if (i + 1 < sql.size() && sql[i + 1] == '\'') {
      value += sql[i++];
    } else {
      sql.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

/// tidemark.name; nullopt for any other parameter.
std::optional<std::string> take_name(std::string_view& sql) {
  std::string first = next_word(sql);
  for (char& c : first) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (first != "tidemark" || !take(sql, '.')) return std::nullopt;
  std::string name = next_word(sql);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::optional<TidemarkCommand> set(std::string_view rest) {
  TidemarkCommand command{Kind::set, {}, {}, {}, {}};
  std::string_view behind = rest;
  const std::string scope = next_word(behind);
  skip_blank(behind);
  if ((scope == "local" || scope == "session") && !behind.starts_with('.')) {
    if (scope == "local") command.kind = Kind::set_local;
    rest = behind;
  }
  auto name = take_name(rest);
  if (!name) return std::nullopt;
  command.name = std::move(*name);
  std::string_view behind_name = rest;
  if (next_word(behind_name) == "to") {
    rest = behind_name;
  } else if (!take(rest, '=')) {
    command.mistake = "TO or = is missing behind the parameter's name";
    return command;
  }
  std::string_view word = rest;
  if (next_word(word) == "default" && at_end(word)) {
    command.kind = command.kind == Kind::set ? Kind::reset : command.kind;
    if (command.kind == Kind::set_local) command.mistake = "SET LOCAL … TO DEFAULT is not supported";
    return command;
  }
  auto value = take_value(rest);
  if (!value) {
    command.mistake = "the value must be one string without backslashes, one number or one word";
    return command;
  }
  command.value = std::move(*value);
  if (!at_end(rest)) command.mistake = kOneStatement;
  return command;
}

}  // namespace

std::optional<TidemarkCommand> tidemark_command(std::string_view sql) {
  std::string_view rest = sql;
  const std::string word = next_word(rest);
  if (word == "set") return set(rest);
  if (word == "explain") {
    if (next_word(rest) != "route") return std::nullopt;
    TidemarkCommand command{Kind::explain_route, {}, {}, rest, {}};
    if (at_end(rest)) command.mistake = "EXPLAIN ROUTE needs a statement behind it";
    return command;
  }
  if (word != "reset" && word != "show") return std::nullopt;
  auto name = take_name(rest);
  if (!name) return std::nullopt;
  TidemarkCommand command{word == "show" ? Kind::show : Kind::reset, std::move(*name), {}, {}, {}};
  if (!at_end(rest)) command.mistake = kOneStatement;
  return command;
}

}  // namespace tidemark::proxy

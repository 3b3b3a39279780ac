#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemark::proxy {

/// A statement that the proxy answers itself: SET, RESET or SHOW of a parameter `tidemark.…`, or EXPLAIN
/// ROUTE.
struct TidemarkCommand {
  enum class Kind : unsigned char { set, set_local, reset, show, explain_route };
  Kind kind = Kind::show;
  std::string name;            ///< behind "tidemark.", in lower case
  std::string value;           ///< of SET; SET … TO DEFAULT is a reset
  std::string_view statement;  ///< that EXPLAIN ROUTE is about; a part of the text
  std::string mistake;         ///< not empty: it cannot be carried out, and why
};

/// Whether `sql` may be one, at the cost of a look at its first bytes: for the path of every statement.
[[nodiscard]] inline bool may_be_tidemark_command(std::string_view sql) {
  std::size_t i = 0;
  while (i < sql.size() && (sql[i] == ' ' || (sql[i] >= '\t' && sql[i] <= '\r'))) ++i;
  if (sql.size() - i < 5) return false;
  const auto lower = [&](std::size_t at) { return static_cast<char>(sql[i + at] | 0x20); };
  switch (lower(0)) {
    case 's':
      return (lower(1) == 'e' && lower(2) == 't') || (lower(1) == 'h' && lower(2) == 'o');
    case 'r':
      return lower(1) == 'e' && lower(2) == 's';
    case 'e':
      return lower(1) == 'x' && lower(2) == 'p' && lower(3) == 'l';
    case '-' | 0x20:
    case '/' | 0x20:
      return true;  // a comment
    default:
      return false;
  }
}

/// Whether `sql` may be one, or begin with a hint: no more than a look at its first letters.
[[nodiscard]] inline bool may_be_particular(std::string_view sql) {
  if (sql.size() < 5) return false;
  switch (sql[0] | 0x20) {
    case 's':
      return (sql[2] | 0x20) != 'l';  // not SELECT
    case 'r':
    case 'e':
      return true;
    default:
      return sql[0] <= '/';  // white space, or a comment
  }
}

/// The command that `sql` is, if it is one; also one with a mistake in it, such as another statement behind
/// it. Pure.
[[nodiscard]] std::optional<TidemarkCommand> tidemark_command(std::string_view sql);

}  // namespace tidemark::proxy

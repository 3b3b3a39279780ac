#include "proxy/sql_words.hpp"

#include <cctype>

#include "routing/statement_class.hpp"

namespace tidemark::proxy {

namespace {

bool is_word_byte(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

/// Length of a nested comment at the front of `sql`; all of it when it does not end.
std::size_t comment_length(std::string_view sql) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i + 1 < sql.size(); ++i) {
    if (sql[i] == '/' && sql[i + 1] == '*') {
      ++depth;
      ++i;
    } else if (sql[i] == '*' && sql[i + 1] == '/') {
      ++i;
      if (--depth == 0) return i + 1;
    }
  }
  return sql.size();
}

}  // namespace

void skip_blank(std::string_view& sql) {
  for (;;) {
    while (!sql.empty() && std::isspace(static_cast<unsigned char>(sql.front())) != 0) sql.remove_prefix(1);
    if (sql.starts_with("--")) {
      sql.remove_prefix(std::min(sql.size(), sql.find_first_of("\r\n")));
    } else if (sql.starts_with("/*")) {
      sql.remove_prefix(comment_length(sql));
    } else {
      return;
    }
  }
}

std::string next_word(std::string_view& sql) {
  skip_blank(sql);
  std::string word;
  if (!sql.empty() && sql.front() == '"') {
    const std::size_t end = sql.find('"', 1);
    if (end == std::string_view::npos) return {};
    word = sql.substr(1, end - 1);
    sql.remove_prefix(end + 1);
    return word;
  }
  while (!sql.empty() && is_word_byte(sql.front())) {
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(sql.front())));
    sql.remove_prefix(1);
  }
  return word;
}

bool at_end(std::string_view sql) {
  for (;;) {
    skip_blank(sql);
    if (!sql.starts_with(';')) return sql.empty();
    sql.remove_prefix(1);
  }
}

std::optional<std::string> deallocated_name(std::string_view sql) {
  if (next_word(sql) != "deallocate") return std::nullopt;
  std::string_view behind = sql;
  if (next_word(behind) == "prepare") sql = behind;
  const bool quoted = sql.find('"') != std::string_view::npos;
  std::string name = next_word(sql);
  if (name.empty() || !at_end(sql) || (name == "all" && !quoted)) return std::nullopt;
  return name;
}

bool ends_all_statements(std::string_view sql) {
  const std::string first = next_word(sql);
  if (first != "deallocate" && first != "discard") return false;
  std::string_view behind = sql;
  if (first == "deallocate" && next_word(behind) == "prepare") sql = behind;
  const bool quoted = sql.find('"') != std::string_view::npos;
  return !quoted && next_word(sql) == "all" && at_end(sql);
}

bool ends_transaction(std::string_view sql) {
  const auto classification = routing::classify(sql, nullptr);
  return classification.statement == routing::StatementClass::end && !classification.several &&
         !classification.may_commit;
}

bool commits_transaction(std::string_view sql) {
  if (!ends_transaction(sql)) return false;
  const std::string first = next_word(sql);
  return first == "commit" || first == "end";
}

bool may_be_parsed_when_failed(std::string_view sql) {
  const auto classification = routing::classify(sql, nullptr);
  if (classification.several) return false;
  switch (classification.statement) {
    case routing::StatementClass::empty:
    case routing::StatementClass::end:
      return true;
    case routing::StatementClass::transaction_local:
      return next_word(sql) == "rollback";
    default:
      return false;
  }
}

}  // namespace tidemark::proxy

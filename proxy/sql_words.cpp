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

}  // namespace

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
  skip_blank(sql);
  return sql.find_first_not_of(" \t\r\n\f;") == std::string_view::npos;
}

bool ends_transaction(std::string_view sql) {
  const auto classification = routing::classify(sql, nullptr);
  return classification.statement == routing::StatementClass::end && !classification.several &&
         !classification.may_commit;
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

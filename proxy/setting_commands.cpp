#include "proxy/setting_commands.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

namespace {

using Kind = SettingCommand::Kind;

struct Piece {
  enum class Type : unsigned char { end, semicolon, word, quoted_word, string, number, opaque_string, mark };
  Type type = Type::end;
  std::string text;  ///< a word in lower case, what a string or quoted word holds, a number's digits, a mark
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool begins_word(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool continues_word(char c) {
  return begins_word(c) || is_digit(c) || c == '$';
}

/// Splits a text by PostgreSQL's lexical rules as far as commands that change settings need it.
class Pieces {
 public:
  explicit Pieces(std::string_view sql) : rest_(sql) { advance(); }

  [[nodiscard]] const Piece& now() const { return now_; }
  void advance() { now_ = next(); }
  [[nodiscard]] bool at(std::string_view word) const {
    return now_.type == Piece::Type::word && now_.text == word;
  }
  [[nodiscard]] bool at_mark(char c) const { return now_.type == Piece::Type::mark && now_.text[0] == c; }
  [[nodiscard]] bool at_end() const {
    return now_.type == Piece::Type::end || now_.type == Piece::Type::semicolon;
  }
  [[nodiscard]] bool take(std::string_view word) {
    const bool there = at(word);
    if (there) advance();
    return there;
  }
  [[nodiscard]] bool take_mark(char c) {
    const bool there = at_mark(c);
    if (there) advance();
    return there;
  }

 private:
  Piece next();
  Piece quoted(char quote, bool backslashes);
  Piece dollar();

  std::string_view rest_;
  Piece now_;
};

/// What stands between two quotes, doubled ones made single; a string with a backslash stays opaque, because
/// its meaning depends on settings.
Piece Pieces::quoted(char quote, bool backslashes) {
  Piece piece{quote == '"' ? Piece::Type::quoted_word : Piece::Type::string, {}};
  std::size_t i = 1;
  for (; i < rest_.size(); ++i) {
    if (rest_[i] == '\\' && quote == '\'') {
      piece.type = Piece::Type::opaque_string;
      if (backslashes) ++i;
      continue;
    }
    if (rest_[i] != quote) {
      piece.text += rest_[i];
    } else if (i + 1 < rest_.size() && rest_[i + 1] == quote) {
      piece.text += rest_[i++];
    } else {
      break;
    }
  }
  rest_.remove_prefix(std::min(rest_.size(), i + 1));
  if (backslashes) piece.type = Piece::Type::opaque_string;
  return piece;
}

Piece Pieces::dollar() {
  std::size_t end = 1;
  while (end < rest_.size() && continues_word(rest_[end]) && rest_[end] != '$') ++end;
  if (end >= rest_.size() || rest_[end] != '$') {
    rest_.remove_prefix(end);
    return {Piece::Type::mark, "$"};
  }
  const std::string_view tag = rest_.substr(0, end + 1);
  const std::size_t close = rest_.find(tag, end + 1);
  Piece piece{Piece::Type::string, std::string(rest_.substr(end + 1, close - end - 1))};
  rest_.remove_prefix(close == std::string_view::npos ? rest_.size() : close + tag.size());
  return piece;
}

Piece Pieces::next() {
  skip_blank(rest_);
  if (rest_.empty()) return {};
  const char first = rest_.front();
  if (first == '\'' || first == '"') return quoted(first, false);
  if (first == '$' && (rest_.size() < 2 || !is_digit(rest_[1]))) return dollar();
  if ((first == 'e' || first == 'E') && rest_.size() > 1 && rest_[1] == '\'') {
    rest_.remove_prefix(1);
    return quoted('\'', true);
  }
  if (begins_word(first)) {
    Piece piece{Piece::Type::word, {}};
    std::size_t end = 0;
    while (end < rest_.size() && continues_word(rest_[end])) {
      piece.text += static_cast<char>(std::tolower(static_cast<unsigned char>(rest_[end++])));
    }
    rest_.remove_prefix(end);
    return piece;
  }
  if (is_digit(first) || (first == '.' && rest_.size() > 1 && is_digit(rest_[1]))) {
    std::size_t end = 0;
    while (end < rest_.size() && (is_digit(rest_[end]) || rest_[end] == '.' || begins_word(rest_[end])))
      ++end;
    Piece piece{Piece::Type::number, std::string(rest_.substr(0, end))};
    rest_.remove_prefix(end);
    return piece;
  }
  rest_.remove_prefix(1);
  return {first == ';' ? Piece::Type::semicolon : Piece::Type::mark, std::string(1, first)};
}

/// PostgreSQL writes quotes into the value of these, element by element (GUC_LIST_QUOTE): what SHOW answers
/// is not what was given.
bool quotes_its_elements(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames{
      "search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries",
      "unix_socket_directories"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

class Reader {
 public:
  explicit Reader(std::string_view sql) : at_(sql) {}

  std::vector<SettingCommand> run() {
    while (at_.now().type != Piece::Type::end) {
      if (at_.take("set")) {
        set();
      } else if (at_.take("reset")) {
        reset();
      } else if (at_.take("discard")) {
        if (at_.at("all")) add(Kind::reset_all, {});
      }
      rest_of_statement();
    }
    return std::move(found_);
  }

 private:
  void add(Kind kind, std::string name, std::optional<std::string> value = std::nullopt) {
    found_.push_back({kind, std::move(name), std::move(value)});
  }

  /// name, or name.name; empty when there is none.
  std::string name() {
    std::string whole;
    for (;;) {
      if (at_.now().type != Piece::Type::word && at_.now().type != Piece::Type::quoted_word) return {};
      for (const char c : at_.now().text)
        whole += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      at_.advance();
      if (!at_.take_mark('.')) return whole;
      whole += '.';
    }
  }

  /// The value, if it is one constant.
  std::optional<std::string> value() {
    const bool negative = at_.take_mark('-');
    const Piece constant = at_.now();
    const bool plain = constant.type == Piece::Type::string || constant.type == Piece::Type::number ||
                       constant.type == Piece::Type::word || constant.type == Piece::Type::quoted_word;
    if (!plain || (negative && constant.type != Piece::Type::number)) return std::nullopt;
    at_.advance();
    if (!at_.at_end()) return std::nullopt;
    return (negative ? "-" : "") + constant.text;
  }

  void set_to(std::string name) {
    if (at_.at("default")) return add(Kind::reset, std::move(name));
    auto constant = quotes_its_elements(name) ? std::nullopt : value();
    // One of its two parts keeps the other as it was.
    if (name == "datestyle" && constant && constant->find(',') == std::string::npos) constant.reset();
    add(Kind::set, std::move(name), std::move(constant));
  }

  void set() {
    if (at_.take("local")) {
      // `local` can also be the class of a parameter's name.
      if (!at_.at_mark('.') && !at_.at_mark('=')) return;
      return add(Kind::unknown, {});
    }
    if (at_.at("constraints") || at_.at("transaction")) return;
    if (at_.take("session")) {
      if (at_.take("characteristics")) {
        for (const char* each : {"isolation", "read_only", "deferrable"})
          add(Kind::set, std::string("default_transaction_") + each);
        return;
      }
      if (at_.at("authorization")) return;
    }
    if (at_.at("role")) return;
    if (at_.take("time")) {
      if (!at_.take("zone")) return add(Kind::unknown, {});
      if (at_.at("local") || at_.at("default")) return add(Kind::reset, "timezone");
      return add(Kind::set, "timezone", value());
    }
    if (at_.take("names")) {
      if (at_.at_end() || at_.at("default")) return add(Kind::reset, "client_encoding");
      return add(Kind::set, "client_encoding", value());
    }
    if (at_.take("schema")) return add(Kind::set, "search_path");
    if (at_.take("xml")) return add(Kind::set, "xmloption");
    std::string which = name();
    if (which.empty() || !(at_.take("to") || at_.take_mark('='))) return add(Kind::unknown, {});
    set_to(std::move(which));
  }

  void reset() {
    if (at_.at("all")) return add(Kind::reset_all, {});
    if (at_.at("role")) return;
    if (at_.take("session")) {
      if (at_.at("authorization")) return;
      return add(Kind::unknown, {});
    }
    if (at_.take("time")) return add(Kind::reset, "timezone");
    if (at_.at("transaction")) return;
    std::string which = name();
    which.empty() ? add(Kind::unknown, {}) : add(Kind::reset, std::move(which));
  }

  /// Looks for calls of set_config, wherever they stand.
  void rest_of_statement() {
    while (at_.now().type != Piece::Type::end && at_.now().type != Piece::Type::semicolon) {
      const bool call = at_.now().type == Piece::Type::word || at_.now().type == Piece::Type::quoted_word
                            ? at_.now().text == "set_config"
                            : false;
      at_.advance();
      if (call && at_.take_mark('(')) set_config();
    }
    if (at_.now().type == Piece::Type::semicolon) at_.advance();
  }

  void set_config() {
    std::string which;
    if (at_.now().type == Piece::Type::string) {
      which = at_.now().text;
      std::transform(which.begin(), which.end(), which.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      at_.advance();
      if (!at_.at_mark(',')) which.clear();
    }
    // Behind the value, which may be any expression, stands is_local.
    int depth = 0;
    while (!at_.at_end()) {
      if (at_.at_mark('(')) ++depth;
      if (at_.at_mark(')') && depth-- == 0) break;
      if (depth == 0 && at_.take_mark(',')) {
        if (at_.at("true")) {
          at_.advance();
          if (at_.at_mark(')')) return;
        }
        continue;
      }
      at_.advance();
    }
    which.empty() ? add(Kind::unknown, {}) : add(Kind::set, std::move(which));
  }

  Pieces at_;
  std::vector<SettingCommand> found_;
};

}  // namespace

std::vector<SettingCommand> setting_commands(std::string_view sql) {
  return Reader(sql).run();
}

}  // namespace tidemark::proxy

#include "pools/synchronous_names.hpp"

#include <algorithm>
#include <charconv>

namespace tidemark::pools {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

struct Token {
  enum class Kind : std::uint8_t { end, wrong, name, number, open, close, comma };
  Kind kind = Kind::end;
  std::string text;
  bool quoted = false;

  [[nodiscard]] bool is_word(std::string_view word) const {
    return kind == Kind::name && !quoted && same_name(text, word);
  }
};

using Kind = Token::Kind;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  Token next() {
    while (!rest_.empty() && std::string_view(" \t\n\r\f\v").find(rest_.front()) != std::string_view::npos)
      rest_.remove_prefix(1);
    if (rest_.empty()) return {};
    const char first = rest_.front();
    if (first == '"') return quoted();
    if (first == '*') return {Kind::name, take(1), false};
    if (first == '(') return {Kind::open, take(1), false};
    if (first == ')') return {Kind::close, take(1), false};
    if (first == ',') return {Kind::comma, take(1), false};
    std::size_t length = 1;
    if (is_digit(first)) {
      while (length < rest_.size() && is_digit(rest_[length])) ++length;
      return {Kind::number, take(length), false};
    }
    if (!begins_name(first)) return {Kind::wrong, take(1), false};
    const auto goes_on = [](char c) { return begins_name(c) || is_digit(c) || c == '$'; };
    while (length < rest_.size() && goes_on(rest_[length])) ++length;
    return {Kind::name, take(length), false};
  }

 private:
  std::string take(std::size_t length) {
    std::string text(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return text;
  }
  Token quoted() {
    Token token{Kind::name, {}, true};
    for (std::size_t at = 1; at < rest_.size(); ++at) {
      if (rest_[at] != '"') {
        token.text += rest_[at];
      } else if (at + 1 < rest_.size() && rest_[at + 1] == '"') {
        token.text += rest_[++at];
      } else {
        rest_.remove_prefix(at + 1);
        return token;
      }
    }
    rest_ = {};
    return {Kind::wrong, {}, true};
  }

  std::string_view rest_;
};

std::optional<std::uint32_t> to_count(const std::string& digits) {
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error != std::errc{} || end != digits.data() + digits.size() || count == 0) return std::nullopt;
  return count;
}

/// The names from `token` on, up to `last`, which must follow them.
std::optional<std::vector<std::string>> read_list(Scanner& scanner, Token token, Kind last) {
  std::vector<std::string> names;
  for (;;) {
    if (token.kind != Kind::name && token.kind != Kind::number) return std::nullopt;
    names.push_back(std::move(token.text));
    token = scanner.next();
    if (token.kind == last) return names;
    if (token.kind != Kind::comma) return std::nullopt;
    token = scanner.next();
  }
}

}  // namespace

std::optional<SynchronousNames> parse_synchronous_names(std::string_view text) {
  SynchronousNames wanted;
  Scanner scanner(text);
  Token token = scanner.next();
  if (token.kind == Kind::end) return wanted;
  const bool any = token.is_word("any");
  const bool worded = any || token.is_word("first");
  if (any) wanted.method = SynchronousNames::Method::any;
  if (worded) token = scanner.next();
  if (worded && token.kind != Kind::number) return std::nullopt;
  if (token.kind == Kind::number) {
    Scanner ahead = scanner;
    // Without a list in parentheses behind it a number is a standby's name.
    if (ahead.next().kind == Kind::open) {
      const auto count = to_count(token.text);
      if (!count) return std::nullopt;
      scanner = ahead;
      auto names = read_list(scanner, scanner.next(), Kind::close);
      if (!names || scanner.next().kind != Kind::end) return std::nullopt;
      wanted.required = *count;
      wanted.names = std::move(*names);
      return wanted;
    }
    if (worded) return std::nullopt;
  }
  auto names = read_list(scanner, std::move(token), Kind::end);
  if (!names) return std::nullopt;
  wanted.required = 1;
  wanted.names = std::move(*names);
  return wanted;
}

std::size_t count_synchronous(const SynchronousNames& wanted, std::span<const std::string_view> connected) {
  return static_cast<std::size_t>(std::ranges::count_if(connected, [&](std::string_view standby) {
    return std::ranges::any_of(wanted.names,
                               [&](const auto& name) { return name == "*" || same_name(name, standby); });
  }));
}

std::vector<std::string> missing_names(const SynchronousNames& wanted,
                                       std::span<const std::string_view> connected) {
  std::vector<std::string> missing;
  for (const std::string& name : wanted.names) {
    const auto is_it = [&](std::string_view standby) { return same_name(name, standby); };
    if (name != "*" && std::ranges::none_of(connected, is_it)) missing.push_back(name);
  }
  return missing;
}

}  // namespace tidemark::pools

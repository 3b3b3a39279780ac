#include "routing/sql_scanner.hpp"

#include <array>

#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

enum Trait : std::uint8_t {
  space_trait = 1,
  identifier_start_trait = 2,
  identifier_trait = 4,  // may follow the first byte
  digit_trait = 8,
  operator_trait = 16,
  high_trait = 32,
};

constexpr std::array<std::uint8_t, 256> make_traits() {
  std::array<std::uint8_t, 256> traits{};
  const auto add = [&traits](std::string_view bytes, std::uint8_t trait) {
    for (const char c : bytes) {
      auto& entry = traits[static_cast<unsigned char>(c)];
      entry = static_cast<std::uint8_t>(entry | trait);
    }
  };
  add(" \t\n\r\f", space_trait);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", identifier_start_trait | identifier_trait);
  add("0123456789", digit_trait | identifier_trait);
  add("$", identifier_trait);
  add("~!@#^&|`?+-*/%<>=", operator_trait);
  for (std::size_t i = 0x80; i < traits.size(); ++i)
    traits[i] = identifier_start_trait | identifier_trait | high_trait;
  return traits;
}
constexpr std::array<std::uint8_t, 256> kTraits = make_traits();

constexpr bool has(char c, int trait) {
  return (kTraits[static_cast<unsigned char>(c)] & trait) != 0;
}

// What can follow a byte >= 0x80 as the second byte of one character in the client encodings that are not
// supersets of ASCII byte by byte, and would be a token of its own here.
constexpr bool may_be_trail_byte(char c) {
  return c == '@' || (c >= '[' && c <= '^') || c == '`' || (c >= '{' && c <= '~');
}

}  // namespace

char SqlScanner::peek(std::size_t distance) const {
  return static_cast<std::size_t>(end_ - at_) > distance ? at_[distance] : '\0';
}

Token SqlScanner::token(TokenKind kind, const char* begin) const {
  return {kind, false, 0, {begin, static_cast<std::size_t>(at_ - begin)}};
}

Token SqlScanner::unterminated(TokenKind kind, const char* begin) {
  doubtful_ = true;
  at_ = end_;
  return token(kind, begin);
}

void SqlScanner::skip_line_comment() {
  while (at_ != end_ && *at_ != '\n' && *at_ != '\r') {
    if (*at_ == '\0') doubtful_ = true;
    ++at_;
  }
}

// At the first byte of a comment; comments nest.
bool SqlScanner::skip_block_comment() {
  std::size_t depth = 0;
  while (end_ - at_ >= 2) {
    if (at_[0] == '/' && at_[1] == '*') {
      ++depth;
      at_ += 2;
    } else if (at_[0] == '*' && at_[1] == '/') {
      at_ += 2;
      if (--depth == 0) return true;
    } else {
      if (*at_ == '\0') doubtful_ = true;
      ++at_;
    }
  }
  at_ = end_;
  return false;
}

// False when a comment is not terminated.
bool SqlScanner::skip_space_and_comments() {
  while (at_ != end_) {
    if (has(*at_, space_trait)) {
      ++at_;
    } else if (*at_ == '-' && peek(1) == '-') {
      skip_line_comment();
    } else if (*at_ == '/' && peek(1) == '*') {
      if (!skip_block_comment()) return false;
    } else {
      break;
    }
  }
  return true;
}

// After the closing quote of a string: if white space (and -- comments) with a line break and then another
// quote follow, moves to that quote.
bool SqlScanner::continues_on_another_line() {
  if (at_ == end_ || !(has(*at_, space_trait) || *at_ == '-')) return false;
  const char* const close = at_;
  bool line_break = false;
  while (at_ != end_) {
    if (has(*at_, space_trait)) {
      line_break = line_break || *at_ == '\n' || *at_ == '\r';
      ++at_;
    } else if (*at_ == '-' && peek(1) == '-') {
      skip_line_comment();
    } else {
      break;
    }
  }
  if (line_break && peek(0) == '\'') return true;
  at_ = close;
  return false;
}

// From after the opening quote to after the closing one; doubled quotes are left to the caller.
bool SqlScanner::string_body(Escapes escapes) {
  for (; at_ != end_; ++at_) {
    const char c = *at_;
    if (c == '\'') {
      ++at_;
      return true;
    }
    if (c == '\0') doubtful_ = true;
    if (c != '\\' || escapes == Escapes::none) continue;
    const char after = peek(1);
    const bool may_move_the_end = after == '\'' || after == '\\';
    // The backslash may be the second byte of a character (at_[-1] is at worst the opening quote).
    if (may_move_the_end && has(at_[-1], high_trait)) doubtful_ = true;
    if (escapes == Escapes::backslash) {
      if (++at_ == end_) return false;
      if (*at_ == '\0') doubtful_ = true;
    } else if (after == '\'') {
      // With standard_conforming_strings off the string would go on.
      doubtful_ = true;
    } else if (after == '\\') {
      ++at_;
    }
  }
  return false;
}

Token SqlScanner::string(const char* begin, std::size_t prefix, Escapes escapes, bool doubled_quotes) {
  at_ += prefix;
  do {
    do {
      ++at_;
      if (!string_body(escapes)) return unterminated(TokenKind::string, begin);
    } while (doubled_quotes && peek(0) == '\'');
  } while (continues_on_another_line());
  return token(TokenKind::string, begin);
}

// A parameter or a dollar-quoted string.
Token SqlScanner::dollar(const char* begin) {
  ++at_;
  if (has(peek(0), digit_trait)) {
    while (has(peek(0), digit_trait)) ++at_;
    if (has(peek(0), identifier_start_trait)) doubtful_ = true;
    return token(TokenKind::parameter, begin);
  }
  const char* tag_end = at_;
  if (tag_end != end_ && has(*tag_end, identifier_start_trait)) {
    while (tag_end != end_ && *tag_end != '$' && has(*tag_end, identifier_trait)) ++tag_end;
  }
  if (tag_end == end_ || *tag_end != '$') {
    doubtful_ = true;
    return token(TokenKind::other, begin);
  }
  const std::string_view tag(begin, static_cast<std::size_t>(tag_end + 1 - begin));
  const std::string_view rest(tag_end + 1, static_cast<std::size_t>(end_ - tag_end - 1));
  const std::size_t found = rest.find(tag);
  if (found == std::string_view::npos) return unterminated(TokenKind::string, begin);
  if (rest.substr(0, found).find('\0') != std::string_view::npos) doubtful_ = true;
  at_ = rest.data() + found + tag.size();
  return token(TokenKind::string, begin);
}

Token SqlScanner::quoted(const char* begin, std::size_t prefix, TokenKind kind) {
  at_ += prefix + 1;
  Token result{kind, false, 0, {}};
  const char* const first = at_;
  while (at_ != end_) {
    const char c = *at_++;
    if (c == '"') {
      if (peek(0) != '"') {
        result.text = {first, static_cast<std::size_t>(at_ - 1 - first)};
        if (result.text.empty()) doubtful_ = true;
        return result;
      }
      result.not_simple = true;
      ++at_;
    } else if (c == '\0') {
      doubtful_ = true;
    } else if (has(c, high_trait)) {
      result.not_simple = true;
    }
  }
  return unterminated(kind, begin);
}

Token SqlScanner::word(const char* begin) {
  WordHash hash;
  std::uint8_t seen = 0;
  while (at_ != end_) {
    const std::uint8_t traits = kTraits[static_cast<unsigned char>(*at_)];
    if ((traits & identifier_trait) == 0) break;
    seen |= traits;
    hash.add(ascii_lower(*at_));
    ++at_;
  }
  Token result = token(TokenKind::word, begin);
  result.hash = hash.value();
  if ((seen & high_trait) != 0) {
    result.not_simple = true;
    if (at_ != end_ && has(at_[-1], high_trait) && may_be_trail_byte(*at_)) doubtful_ = true;
  }
  return result;
}

Token SqlScanner::number(const char* begin) {
  while (has(peek(0), digit_trait)) ++at_;
  if (peek(0) == '.' && peek(1) != '.') {
    ++at_;
    while (has(peek(0), digit_trait)) ++at_;
  }
  if (peek(0) == 'e' || peek(0) == 'E') {
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (has(peek(1 + sign), digit_trait)) {
      at_ += 1 + sign;
      while (has(peek(0), digit_trait)) ++at_;
    }
  }
  // Trailing letters: an error, an alias, or a hexadecimal or grouped number, depending on the version.
  if (has(peek(0), identifier_start_trait)) doubtful_ = true;
  return token(TokenKind::number, begin);
}

// An operator ends where a comment begins. Where a run is really two operators does not matter to us.
Token SqlScanner::operator_run(const char* begin) {
  while (at_ != end_ && has(*at_, operator_trait)) {
    if ((*at_ == '-' && peek(1) == '-') || (*at_ == '/' && peek(1) == '*')) break;
    ++at_;
  }
  return token(TokenKind::op, begin);
}

Token SqlScanner::next() {
  if (!skip_space_and_comments()) return unterminated(TokenKind::end, end_);
  if (at_ == end_) return token(TokenKind::end, at_);
  const char* const begin = at_;
  const char c = *at_;
  const auto single = [this, begin](TokenKind kind) {
    ++at_;
    return token(kind, begin);
  };
  if (has(c, identifier_start_trait)) {
    const char second = peek(1);
    if (second == '\'') {
      if (c == 'e' || c == 'E') return string(begin, 1, Escapes::backslash, true);
      if (c == 'n' || c == 'N') return string(begin, 1, Escapes::either, true);
      if (c == 'b' || c == 'B' || c == 'x' || c == 'X') return string(begin, 1, Escapes::none, false);
    } else if (second == '&' && (c == 'u' || c == 'U')) {
      if (peek(2) == '\'') return string(begin, 2, Escapes::none, true);
      if (peek(2) == '"') return quoted(begin, 2, TokenKind::unicode_word);
    }
    return word(begin);
  }
  if (has(c, digit_trait)) return number(begin);
  switch (c) {
    case '\'':
      return string(begin, 0, Escapes::either, true);
    case '"':
      return quoted(begin, 0, TokenKind::quoted_word);
    case '$':
      return dollar(begin);
    case '(':
      return single(TokenKind::open);
    case ')':
      return single(TokenKind::close);
    case '[':
      return single(TokenKind::open_bracket);
    case ']':
      return single(TokenKind::close_bracket);
    case ',':
      return single(TokenKind::comma);
    case ';':
      return single(TokenKind::semicolon);
    case '.':
      if (has(peek(1), digit_trait)) return number(begin);
      return single(TokenKind::dot);
    case ':':
      if (peek(1) == ':') {
        ++at_;
        return single(TokenKind::cast);
      }
      return single(TokenKind::other);
    default:
      if (has(c, operator_trait)) return operator_run(begin);
      doubtful_ = true;
      return single(TokenKind::other);
  }
}

}  // namespace tidemark::routing

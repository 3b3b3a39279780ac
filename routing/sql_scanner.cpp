#include "routing/sql_scanner.hpp"

#include <algorithm>

namespace tidemark::routing {
namespace {

// What can follow a byte >= 0x80 as the second byte of one character in the client encodings that are not
// supersets of ASCII byte by byte, and would be a token of its own here.
constexpr bool may_be_trail_byte(char c) {
  return c == '@' || (c >= '[' && c <= '^') || c == '`' || (c >= '{' && c <= '~');
}

}  // namespace

Token SqlScanner::next() {
  Token token;
  take(token);
  if (token.kind == TokenKind::word) add_key(token);
  return token;
}

void SqlScanner::unterminated(Token& token, TokenKind kind, const char* begin) {
  refused_ = true;
  finish(token, kind, begin, end_);
}

const char* SqlScanner::skip_line_comment(const char* at) {
  while (at != end_ && *at != '\n' && *at != '\r') {
    if (*at == '\0') doubtful_ = true;
    ++at;
  }
  return at;
}

// At the first byte of a comment; comments nest. Null when it is not terminated.
const char* SqlScanner::skip_block_comment(const char* at) {
  std::size_t depth = 0;
  while (end_ - at >= 2) {
    if (at[0] == '/' && at[1] == '*') {
      ++depth;
      at += 2;
    } else if (at[0] == '*' && at[1] == '/') {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  return nullptr;
}

// Null when a comment is not terminated.
const char* SqlScanner::skip_space_and_comments(const char* at) {
  while (at != end_) {
    if (is_space_byte(*at)) {
      ++at;
    } else if (*at == '-' && peek(at, 1) == '-') {
      at = skip_line_comment(at);
    } else if (*at == '/' && peek(at, 1) == '*') {
      at = skip_block_comment(at);
      if (at == nullptr) return nullptr;
    } else {
      break;
    }
  }
  return at;
}

// After the closing quote of a string: if white space (and -- comments) with a line break and then another
// quote follow, where that quote is; else null.
const char* SqlScanner::continuation(const char* at) {
  if (at == end_ || !(is_space_byte(*at) || *at == '-')) return nullptr;
  bool line_break = false;
  while (at != end_) {
    if (is_space_byte(*at)) {
      line_break = line_break || *at == '\n' || *at == '\r';
      ++at;
    } else if (*at == '-' && peek(at, 1) == '-') {
      at = skip_line_comment(at);
    } else {
      break;
    }
  }
  return line_break && peek(at, 0) == '\'' ? at : nullptr;
}

// From after the opening quote to after the closing one; null when there is none. Where backslashes are
// ordinary, notes the quotes that they would hide if they were not.
const char* SqlScanner::ordinary_body(const char* at, bool may_escape) {
  const char* const quote = find_byte(at, end_, '\'');
  if (quote == end_) return nullptr;
  if (may_escape && quote != at && quote[-1] == '\\') [[unlikely]] {
    const char* first = quote;
    while (first != at && first[-1] == '\\') --first;
    // The first backslash may be the second byte of a character.
    if ((quote - first) % 2 != 0 || is_high_byte(first[-1])) backslash_matters_ = true;
  }
  return quote + 1;
}

// The same where a backslash takes the next byte; `always` in E'…', else by the server's setting.
const char* SqlScanner::escape_body(const char* at, bool always) {
  for (; at != end_; ++at) {
    if (*at == '\'') return at + 1;
    if (*at == '\0') doubtful_ = true;
    if (*at != '\\') continue;
    const char after = peek(at, 1);
    // The backslash may be the second byte of a character (at[-1] is at worst the opening quote).
    if ((after == '\'' || after == '\\') && is_high_byte(at[-1])) doubtful_ = true;
    if (!always && after == '\'') backslash_matters_ = true;
    if (++at == end_) return nullptr;
  }
  return nullptr;
}

void SqlScanner::string(Token& token, const char* at) {
  string_with(token, at, 0, backslashes_ == Backslashes::escape, true);
}

void SqlScanner::string_with(Token& token, const char* begin, std::size_t prefix, bool escapes,
                             bool doubled_quotes) {
  // Only strings that are plain but for an N depend on the setting.
  const char prefix_letter = prefix == 0 ? 'n' : ascii_lower(*begin);
  const bool always = prefix_letter == 'e';
  const bool may_escape = prefix_letter == 'n';
  const char* at = begin + prefix;
  do {
    do {
      at = escapes ? escape_body(at + 1, always) : ordinary_body(at + 1, may_escape);
      if (at == nullptr) return unterminated(token, TokenKind::string, begin);
    } while (doubled_quotes && peek(at, 0) == '\'');
    finish(token, TokenKind::string, begin, at);
    at = continuation(at);
  } while (at != nullptr);
}

// A parameter or a dollar-quoted string.
void SqlScanner::dollar(Token& token, const char* begin) {
  const char* at = begin + 1;
  if (is_digit_byte(peek(at, 0))) {
    while (is_digit_byte(peek(at, 0))) ++at;
    return finish(token, TokenKind::parameter, begin, at);
  }
  if (at != end_ && begins_identifier(*at)) {
    while (at != end_ && *at != '$' && is_identifier_byte(*at)) ++at;
  }
  if (at == end_ || *at != '$') {
    refused_ = true;
    return single(token, begin, TokenKind::other);
  }
  const std::string_view tag(begin, static_cast<std::size_t>(at + 1 - begin));
  const std::string_view rest(at + 1, static_cast<std::size_t>(end_ - at - 1));
  const std::size_t found = rest.find(tag);
  if (found == std::string_view::npos) return unterminated(token, TokenKind::string, begin);
  finish(token, TokenKind::string, begin, rest.data() + found + tag.size());
}

void SqlScanner::quoted(Token& token, const char* begin, std::size_t prefix, TokenKind kind) {
  const char* const first = begin + prefix + 1;
  const char* at = first;
  bool not_simple = false;
  for (;;) {
#if defined(__SSE2__)
    if (end_ - at >= 16) {
      const __m128i bytes = sixteen_bytes::load(at);
      const std::uint32_t quotes = sixteen_bytes::equal(bytes, '"');
      const std::uint32_t before = quotes == 0 ? 0xFFFFU : (quotes & (0U - quotes)) - 1U;
      if ((sixteen_bytes::mask(bytes) & before) != 0) not_simple = true;
      at += quotes == 0 ? 16 : std::countr_zero(quotes);
      if (quotes == 0) continue;
    }
#endif
    while (at != end_ && *at != '"') {
      if (is_high_byte(*at)) not_simple = true;
      ++at;
    }
    if (at == end_) return unterminated(token, kind, begin);
    ++at;
    if (peek(at, 0) != '"') break;
    not_simple = true;
    ++at;
  }
  finish(token, kind, first, at - 1);
  token.not_simple = not_simple;
  at_ = at;
  if (token.text.empty()) refused_ = true;
}

// Of the word at the current place, with masks from there on.
std::size_t SqlScanner::look_at_word() {
  masks_ = byte_masks(begin_, at_, end_);
  masks_.identifier &= ~(std::uint64_t{1} << kMaskBytes);
  masks_at_ = static_cast<std::size_t>(at_ - begin_);
  std::size_t size = word_size();
  if (size == 0) {
    // It is longer than that; a later word has masks of its own.
    for (size = kMaskBytes; at_ + size != end_ && is_identifier_byte(at_[size]);) ++size;
    masks_.any_high = true;  // perhaps: mark_word() looks
  }
  return size;
}

// After a word, while bytes >= 0x80 are around.
void SqlScanner::mark_word(Token& token) {
  token.not_simple = std::any_of(token.text.begin(), token.text.end(), is_high_byte);
  if (at_ != end_ && is_high_byte(at_[-1]) && may_be_trail_byte(*at_)) doubtful_ = true;
}

void SqlScanner::word(Token& token, const char* at) {
  at_ = at;
  take_word(token);
}

void SqlScanner::number(Token& token, const char* at) {
  const char* after = at;
  while (after != end_ && is_digit_byte(*after)) ++after;
  if (after != end_ && (*after == '.' || is_identifier_byte(*after))) after = fraction(after);
  finish(token, TokenKind::number, at, after);
}

// An operator ends where a comment begins. Where a run is really two operators does not matter to us.
void SqlScanner::operator_run(Token& token, const char* at) {
  const char* after = at;
  while (after != end_ && is_operator_byte(*after)) {
    if ((*after == '-' && peek(after, 1) == '-') || (*after == '/' && peek(after, 1) == '*')) break;
    ++after;
  }
  finish(token, TokenKind::op, at, after);
}

// What follows the first digits of a number. Letters behind it are a word to some versions, an error or a
// part of the number (0x1F, 1_000) to others; no key word begins like those that are parts of numbers.
const char* SqlScanner::fraction(const char* at) const {
  if (peek(at, 0) == '.' && peek(at, 1) != '.') {
    ++at;
    while (is_digit_byte(peek(at, 0))) ++at;
  }
  if (peek(at, 0) == 'e' || peek(at, 0) == 'E') {
    const std::size_t sign = peek(at, 1) == '+' || peek(at, 1) == '-' ? 1 : 0;
    if (is_digit_byte(peek(at, 1 + sign))) {
      at += 1 + sign;
      while (is_digit_byte(peek(at, 0))) ++at;
    }
  }
  return at;
}

void SqlScanner::take(Token& token) {
  const char* const at = skip_space_and_comments(at_);
  if (at == nullptr) return unterminated(token, TokenKind::end, end_);
  if (at == end_) return finish(token, TokenKind::end, at, at);
  switch (byte_class(*at)) {
    case ByteClass::letter:
      return word(token, at);
    case ByteClass::digit:
      return number(token, at);
    case ByteClass::quote:
      return string(token, at);
    case ByteClass::double_quote:
      return quoted(token, at, 0, TokenKind::quoted_word);
    case ByteClass::open:
      return single(token, at, TokenKind::open);
    case ByteClass::close:
      return single(token, at, TokenKind::close);
    case ByteClass::comma:
      return single(token, at, TokenKind::comma);
    case ByteClass::semicolon:
      return single(token, at, TokenKind::semicolon);
    case ByteClass::dot:
      if (is_digit_byte(peek(at, 1))) return number(token, at);
      return single(token, at, TokenKind::dot);
    case ByteClass::prefix: {
      const char second = peek(at, 1);
      const char letter = ascii_lower(*at);
      if (second == '\'') {
        if (letter == 'e') return string_with(token, at, 1, true, true);
        if (letter == 'n') return string_with(token, at, 1, backslashes_ == Backslashes::escape, true);
        if (letter != 'u') return string_with(token, at, 1, false, false);
      } else if (second == '&' && letter == 'u') {
        if (peek(at, 2) == '\'') return string_with(token, at, 2, false, true);
        if (peek(at, 2) == '"') return quoted(token, at, 2, TokenKind::unicode_word);
      }
      return word(token, at);
    }
    case ByteClass::dollar:
      return dollar(token, at);
    case ByteClass::open_bracket:
      return single(token, at, TokenKind::open_bracket);
    case ByteClass::close_bracket:
      return single(token, at, TokenKind::close_bracket);
    case ByteClass::colon:
      if (peek(at, 1) == ':') return finish(token, TokenKind::cast, at, at + 2);
      return single(token, at, TokenKind::other);
    case ByteClass::op:
    case ByteClass::minus:
    case ByteClass::slash:
      return operator_run(token, at);
    case ByteClass::other:
      // PostgreSQL 16 made the vertical tab white space.
      if (*at == '\0' || *at == '\v') {
        doubtful_ = true;
      } else {
        refused_ = true;
      }
      return single(token, at, TokenKind::other);
    case ByteClass::space:
    case ByteClass::end:
      break;
  }
}

}  // namespace tidemark::routing

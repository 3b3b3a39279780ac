#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "routing/sql_bytes.hpp"
#include "routing/word_table.hpp"

namespace tidemark::routing {

enum class TokenKind : std::uint8_t {
  end,           ///< end of the text
  word,          ///< unquoted identifier or key word
  quoted_word,   ///< "…"; Token::text is what stands between the quotes
  unicode_word,  ///< U&"…"; what it spells is not worked out
  string,        ///< any string, bit string or dollar-quoted constant, with its continuation lines
  number,
  parameter,      ///< $1
  op,             ///< one or more operator characters that stand together
  cast,           ///< ::
  open,           ///< (
  close,          ///< )
  open_bracket,   ///< [
  close_bracket,  ///< ]
  comma,
  semicolon,
  dot,
  other,  ///< colon, := and whatever PostgreSQL has no token for
};

constexpr bool is_name(TokenKind kind) {
  return kind == TokenKind::word || kind == TokenKind::quoted_word || kind == TokenKind::unicode_word;
}

struct Token {
  TokenKind kind = TokenKind::end;
  /// word: bytes >= 0x80 occur. quoted_word: bytes >= 0x80 or doubled quotes occur.
  bool not_simple = false;
  std::string_view text;  ///< word and quoted_word: into the scanned text
  WordKey key;            ///< word: its WordKey; of others without meaning
};

/// How a plain string is read, which is the server's setting standard_conforming_strings.
enum class Backslashes : std::uint8_t {
  ordinary,  ///< as any other byte ("on", the default since PostgreSQL 9.1)
  escape,    ///< as in E'…' ("off")
};

/// Splits SQL text into tokens by PostgreSQL's lexical rules (manual, "Lexical Structure"; scan.l), in one
/// pass, in linear time, without allocation. Comments and white space are skipped. The text must outlive
/// the scanner. Any bytes may be given; nothing outside of the text is read.
class SqlScanner {
 public:
  explicit SqlScanner(std::string_view sql, Backslashes backslashes = Backslashes::ordinary)
      : at_(sql.data()), begin_(sql.data()), end_(sql.data() + sql.size()), backslashes_(backslashes) {}

  /// After the end it is the end again.
  [[nodiscard]] Token next();

  /// The same in parts, for a caller that treats the commonest tokens by themselves: skips white space that
  /// is a single blank, and says what kind of byte is next; one of the members below must follow.
  [[nodiscard]] ByteClass peek() {
    if (at_ != end_ && *at_ == ' ') ++at_;
    return at_ == end_ ? ByteClass::end : byte_class(*at_);
  }
  /// Whether the letter that is next may begin a string: E'…', U&'…' and so on.
  [[nodiscard]] bool at_prefix() const { return end_ - at_ > 1 && (at_[1] == '\'' || at_[1] == '&'); }
  /// Whether the dot that is next begins a number.
  [[nodiscard]] bool at_fraction() const { return end_ - at_ > 1 && is_digit_byte(at_[1]); }
  /// Whether the operator that is next is that one byte.
  [[nodiscard]] bool at_short_operator() const { return end_ - at_ > 1 && !is_operator_byte(at_[1]); }
  /// Takes the token that is one byte.
  void pass() { ++at_; }
  /// Takes the number that begins with a digit if it has only digits.
  [[nodiscard]] bool take_integer() {
    const char* after = at_ + 1;
    while (after != end_ && is_digit_byte(*after)) ++after;
    if (after != end_ && (*after == '.' || is_identifier_byte(*after))) return false;
    at_ = after;
    return true;
  }
  /// Takes the token, whatever it is.
  void take(Token& token);
  /// Takes the word that begins with a letter; leaves the key out.
  void take_word(Token& token) {
    std::size_t size = word_size();
    if (size == 0) [[unlikely]]
      size = look_at_word();
    finish(token, TokenKind::word, at_, at_ + size);
    if (masks_.any_high) [[unlikely]]
      mark_word(token);
  }
  /// The key of a word of this text.
  void add_key(Token& word) const { word.key = word_key(begin_, word.text.data(), word.text.size(), end_); }

  /// After a comma that follows a number: moves behind the last comma of the numbers, commas and white space
  /// that come next, if there are any. Nothing but such tokens is left out.
  void skip_numbers() {
    const char* last = at_ + number_list_size(at_, end_);
    while (last != at_ && last[-1] != ',') --last;
    at_ = last;
  }

  /// True once something was met that PostgreSQL refuses in every version and with every setting, before it
  /// executes anything of the text: an unterminated constant or comment, a byte that cannot be.
  [[nodiscard]] bool refused() const { return refused_; }

  /// True once something was met that a server may split into other tokens: a multibyte character that may
  /// end in an ASCII byte (SJIS, BIG5, GBK, UHC, GB18030, JOHAB as client_encoding), or a zero byte.
  [[nodiscard]] bool doubtful() const { return doubtful_; }

  /// True once a plain string was met that has another end with the other value of Backslashes. Until there
  /// both see the same tokens.
  [[nodiscard]] bool backslash_matters() const { return backslash_matters_; }

 private:
  [[nodiscard]] char peek(const char* at, std::size_t distance) const {
    return static_cast<std::size_t>(end_ - at) > distance ? at[distance] : '\0';
  }
  void finish(Token& token, TokenKind kind, const char* begin, const char* after) {
    token.kind = kind;
    token.not_simple = false;
    token.text = {begin, static_cast<std::size_t>(after - begin)};
    at_ = after;
  }
  void single(Token& token, const char* at, TokenKind kind) { finish(token, kind, at, at + 1); }
  /// Of the word at the current place, if it ends inside of what is known of the text's bytes; else 0.
  [[nodiscard]] std::size_t word_size() const {
    const std::size_t place = static_cast<std::size_t>(at_ - begin_) - masks_at_;
    if (place >= kMaskBytes) return 0;
    // No run of ones ends at the last bit, which is not used.
    const std::uint64_t rest = masks_.identifier >> place;
    const auto size = static_cast<std::size_t>(__builtin_ctzll(~rest));
    return place + size < kMaskBytes ? size : 0;
  }

  [[nodiscard]] std::size_t look_at_word();
  void mark_word(Token& token);
  void word(Token& token, const char* at);
  void number(Token& token, const char* at);
  void operator_run(Token& token, const char* at);
  [[nodiscard]] const char* fraction(const char* at) const;
  void unterminated(Token& token, TokenKind kind, const char* begin);
  [[nodiscard]] const char* skip_space_and_comments(const char* at);
  [[nodiscard]] const char* skip_block_comment(const char* at);
  [[nodiscard]] const char* skip_line_comment(const char* at);
  [[nodiscard]] const char* continuation(const char* at);
  [[nodiscard]] const char* ordinary_body(const char* at, bool may_escape);
  [[nodiscard]] const char* escape_body(const char* at, bool always);
  void string(Token& token, const char* at);
  void string_with(Token& token, const char* begin, std::size_t prefix, bool escapes, bool doubled_quotes);
  void dollar(Token& token, const char* begin);
  void quoted(Token& token, const char* begin, std::size_t prefix, TokenKind kind);

  static constexpr std::size_t kMaskBytes = 63;

  const char* at_;
  const char* begin_;
  const char* end_;
  Backslashes backslashes_;
  ByteMasks masks_;                                     ///< of the bytes from masks_at_ on
  std::size_t masks_at_ = std::size_t{0} - kMaskBytes;  ///< before the text: nothing is known yet
  bool refused_ = false;
  bool doubtful_ = false;
  bool backslash_matters_ = false;
};

}  // namespace tidemark::routing

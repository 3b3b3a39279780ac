#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>

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

struct Token {
  TokenKind kind = TokenKind::end;
  /// word: bytes >= 0x80 occur. quoted_word: bytes >= 0x80 or doubled quotes occur.
  bool not_simple = false;
  std::uint32_t hash = 0;  ///< word: its WordHash
  std::string_view text;   ///< word and quoted_word: into the scanned text
};

/// Splits SQL text into tokens by PostgreSQL's lexical rules (manual, "Lexical Structure"; scan.l), in one
/// pass, in linear time, without allocation. Comments and white space are skipped. The text must outlive
/// the scanner. Any bytes may be given; nothing outside of the text is read.
class SqlScanner {
 public:
  explicit SqlScanner(std::string_view sql) : at_(sql.data()), end_(sql.data() + sql.size()) {}

  [[nodiscard]] Token next();

  /// The same, written where the caller wants it: a copy of a token just written stalls on its narrow stores.
  void next_into(Token& token) { ::new (&token) Token(next()); }

  /// True once something was met that a server may read in another way than this scanner: an unterminated
  /// constant or comment, a byte that cannot be, a backslash before the quote of a plain string (what it
  /// means depends on standard_conforming_strings), or a multibyte character that may end in an ASCII byte
  /// (SJIS, BIG5, GBK, UHC, GB18030 as client_encoding).
  [[nodiscard]] bool doubtful() const { return doubtful_; }

 private:
  enum class Escapes : std::uint8_t { none, backslash, either };

  [[nodiscard]] Token token(TokenKind kind, const char* begin) const;
  [[nodiscard]] Token unterminated(TokenKind kind, const char* begin);
  [[nodiscard]] char peek(std::size_t distance) const;
  [[nodiscard]] bool skip_space_and_comments();
  [[nodiscard]] bool skip_block_comment();
  void skip_line_comment();
  [[nodiscard]] bool continues_on_another_line();
  [[nodiscard]] bool string_body(Escapes escapes);
  Token string(const char* begin, std::size_t prefix, Escapes escapes, bool doubled_quotes);
  Token dollar(const char* begin);
  Token quoted(const char* begin, std::size_t prefix, TokenKind kind);
  Token word(const char* begin);
  Token number(const char* begin);
  Token operator_run(const char* begin);

  const char* at_;
  const char* end_;
  bool doubtful_ = false;
};

}  // namespace tidemark::routing

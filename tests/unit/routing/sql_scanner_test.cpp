#include "routing/sql_scanner.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

using Kind = TokenKind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Scan {
  std::vector<Kind> kinds;
  std::vector<std::string> texts;
  bool refused = false;
  bool doubtful = false;
  bool backslash_matters = false;
};

Scan scan(std::string_view sql, Backslashes backslashes = Backslashes::ordinary) {
  // A copy of exactly this size lets the address sanitizer see reads outside of it.
  const std::vector<char> copy(sql.begin(), sql.end());
  SqlScanner scanner({copy.data(), copy.size()}, backslashes);
  Scan result;
  for (Token token = scanner.next(); token.kind != Kind::end; token = scanner.next()) {
    result.kinds.push_back(token.kind);
    result.texts.emplace_back(token.text);
  }
  result.refused = scanner.refused();
  result.doubtful = scanner.doubtful();
  result.backslash_matters = scanner.backslash_matters();
  return result;
}

TEST(SqlScanner, TellsTheKindsOfTokensApart) {
  const Scan result = scan("a \"b\" U&\"c\" 'd' 1 $2 <= :: ( ) [ ] , ; . :");
  EXPECT_THAT(result.kinds,
              ElementsAre(Kind::word, Kind::quoted_word, Kind::unicode_word, Kind::string, Kind::number,
                          Kind::parameter, Kind::op, Kind::cast, Kind::open, Kind::close, Kind::open_bracket,
                          Kind::close_bracket, Kind::comma, Kind::semicolon, Kind::dot, Kind::other));
  EXPECT_FALSE(result.doubtful);
}

TEST(SqlScanner, CommentsAndSpaceAreNoTokens) {
  for (const std::string_view sql : {"", " \t\n\r\f", "--", "-- a", "-- a\n-- b\r", "/**/", "/***/",
                                     "/* /* */ */", "/*/ */", "/* -- */", "/* ' \" $$ */"}) {
    const Scan result = scan(sql);
    EXPECT_THAT(result.kinds, IsEmpty()) << sql;
    EXPECT_FALSE(result.doubtful) << sql;
  }
}

TEST(SqlScanner, OperatorsEndWhereCommentsBegin) {
  EXPECT_THAT(scan("+-- a").texts, ElementsAre("+"));
  EXPECT_THAT(scan("*/* a */-").texts, ElementsAre("*", "-"));
  EXPECT_THAT(scan("@#%").texts, ElementsAre("@#%"));
  EXPECT_THAT(scan("a=-1").texts, ElementsAre("a", "=-", "1"));
}

TEST(SqlScanner, StringsOfEveryFormAreOneToken) {
  for (const std::string_view sql : {"''",
                                     "'a'",
                                     "'a''b'",
                                     "''''",
                                     "E'\\''",
                                     "e'\\\\'",
                                     "E'a''\\'b'",
                                     "N'a'",
                                     "n'a''b'",
                                     "B'01'",
                                     "x'1f'",
                                     "U&'\\0061'",
                                     "u&'\\'",
                                     "'a'\n'b'",
                                     "'a' \t\n 'b'",
                                     "'a' -- c '\n'b'",
                                     "'a'\n-- c\n-- d\n'b'",
                                     "E'a'\n'\\''",
                                     "'\\d'",
                                     "'\\\\'",
                                     "$$$$",
                                     "$$a'b$$",
                                     "$a$ $$ $b$ $a$",
                                     "$a$$a$",
                                     "$_9$;$_9$",
                                     "$$a$b$$"}) {
    const Scan result = scan(sql);
    EXPECT_THAT(result.kinds, ElementsAre(Kind::string)) << sql;
    EXPECT_FALSE(result.doubtful) << sql;
  }
}

TEST(SqlScanner, StringsThatDoNotContinueAreSeveralTokens) {
  EXPECT_THAT(scan("'a' 'b'").texts, ElementsAre("'a'", "'b'"));
  EXPECT_THAT(scan("'a' /* \n */ 'b'").texts, ElementsAre("'a'", "'b'"));
  EXPECT_THAT(scan("B'0''1'").texts, ElementsAre("B'0'", "'1'"));
  EXPECT_THAT(scan("'a' -- 'b'").texts, ElementsAre("'a'"));
  EXPECT_THAT(scan("foo'a'").texts, ElementsAre("foo", "'a'"));
}

TEST(SqlScanner, WordsAreIdentifiers) {
  EXPECT_THAT(scan("a_1$b é _x foo$bar$baz").texts, ElementsAre("a_1$b", "é", "_x", "foo$bar$baz"));
  EXPECT_THAT(scan("e x'' u & u&u").texts, ElementsAre("e", "x''", "u", "&", "u", "&", "u"));
  EXPECT_THAT(scan("\"a b\" \"a\"\"b\"").texts, ElementsAre("a b", "a\"\"b"));
}

TEST(SqlScanner, WordsCarryTheKeyOfTheirFoldedForm) {
  for (std::size_t length = 1; length <= 40; ++length) {
    std::string lower;
    std::string upper;
    for (std::size_t i = 0; i < length; ++i) {
      lower += "abc_4z$"[i % 7];
      upper += "ABC_4Z$"[i % 7];
    }
    // The key is read in one way at the end of the text, in another before it, and in a third in short texts.
    for (const std::string_view before : {"", "x + ", "SELECT a, b FROM "}) {
      for (const std::string_view after : {"", ";", "(1, 2, 3, 4, 5, 6)"}) {
        const std::string sql = std::string(before) + upper + std::string(after);
        SqlScanner scanner(sql);
        Token token = scanner.next();
        while (token.text.data() != sql.data() + before.size()) token = scanner.next();
        EXPECT_EQ(token.text, upper);
        EXPECT_TRUE(token.key == WordKey::of(lower)) << sql;
      }
    }
  }
  EXPECT_FALSE(WordKey::of("a_") == WordKey::of("a"));
  EXPECT_FALSE(WordKey::of("pg_temp") == WordKey::of("pg$temp"));
}

TEST(SqlScanner, NumbersOfAListAreSkippedUpToTheLastComma) {
  const auto rest = [](std::string_view sql) {
    SqlScanner scanner(sql);
    scanner.skip_numbers();
    return std::string(scanner.next().text);
  };
  EXPECT_EQ(rest(""), "");
  EXPECT_EQ(rest("1"), "1");
  EXPECT_EQ(rest("1, 2"), "2");
  EXPECT_EQ(rest("1,2,\n3,4,  5,66,777,8888,99999 , 1e5)"), "1e5");
  EXPECT_EQ(rest("1, 2, 3, 4, 5, 6, 7, 8, 9, 'a', 1)"), "'a'");
  EXPECT_EQ(rest("1, 2, 3, 4, 5, 6, 7, 8, 9, f(1)"), "f");
  EXPECT_EQ(rest("1, 2, 3, 4, 5, 6, 7, 8, 9) FOR UPDATE"), "9");
}

TEST(SqlScanner, NamesThatCannotSimplyBeComparedAreMarked) {
  EXPECT_FALSE(SqlScanner("abc").next().not_simple);
  EXPECT_TRUE(SqlScanner("é").next().not_simple);
  EXPECT_FALSE(SqlScanner("\"aBc d\"").next().not_simple);
  EXPECT_TRUE(SqlScanner("\"é\"").next().not_simple);
  EXPECT_TRUE(SqlScanner("\"a\"\"b\"").next().not_simple);
}

TEST(SqlScanner, NumbersAreOneToken) {
  for (const std::string_view sql : {"1", "12.5", ".5", "5.", "1e5", "1E+5", "1.5e-10"}) {
    const Scan result = scan(sql);
    EXPECT_THAT(result.kinds, ElementsAre(Kind::number)) << sql;
    EXPECT_FALSE(result.doubtful) << sql;
  }
  EXPECT_THAT(scan("1..2").kinds, ElementsAre(Kind::number, Kind::dot, Kind::number));
  EXPECT_THAT(scan("$1$$a$$").kinds, ElementsAre(Kind::parameter, Kind::string));
}

TEST(SqlScanner, WhatNoServerAcceptsIsRefused) {
  for (const std::string_view sql :
       {"'",       "'a",       "'a''",  "E'\\'", "E'\\", "U&'a",    "B'0", "\"", "\"a",
        "\"a\"\"", "\"\"",     "U&\"a", "$$",    "$$a$", "$a$b$A$", "$a",  "$",  "$a b$",
        "/*",      "/* /* */", "\\",    "{",     "}",    "\x01",    "\x7f"}) {
    EXPECT_TRUE(scan(sql).refused) << sql;
    EXPECT_FALSE(scan(sql).doubtful) << sql;
  }
  for (const std::string_view sql : {"1a", "1e", "1_000", "0x1f", "$1a", "'\\'", "é[", "'\x01'"})
    EXPECT_FALSE(scan(sql).refused) << sql;
}

TEST(SqlScanner, WhatServersMayReadInAnotherWayIsInDoubt) {
  for (const std::string_view sql : {"\v", "é@", "é[", "é\\", "é|", "E'é\\\\'", "E'é\\''"}) {
    EXPECT_TRUE(scan(sql).doubtful) << sql;
  }
  for (const std::string_view sql : {"é.a", "é,", "é = 'é'", "\"é\"[1]", "'é'", "'é\\n'", "E'é\\n'",
                                     "'é''\\d'", "é1[1]", "$é$ \\ $é$", "'\v'"}) {
    EXPECT_FALSE(scan(sql).doubtful) << sql;
  }
}

TEST(SqlScanner, ABackslashThatMayHideAQuoteIsNoticed) {
  for (const std::string_view sql : {"'\\'", "'a\\'", "'a\\''", "N'\\''", "'\\\\\\''", "'a''b\\' 'c'"}) {
    EXPECT_TRUE(scan(sql).backslash_matters) << sql;
  }
  for (const std::string_view sql :
       {"'\\\\'", "'\\d'", "E'\\''", "U&'\\'", "B'\\'", "$$\\'$$", "\"\\'\"", "'a' -- \\'"}) {
    EXPECT_FALSE(scan(sql).backslash_matters) << sql;
  }
}

TEST(SqlScanner, WithTheOtherSettingABackslashTakesTheNextByte) {
  EXPECT_THAT(scan("'a\\' b'", Backslashes::escape).texts, ElementsAre("'a\\' b'"));
  EXPECT_THAT(scan("N'\\\\' b", Backslashes::escape).texts, ElementsAre("N'\\\\'", "b"));
  EXPECT_THAT(scan("B'\\' b", Backslashes::escape).texts, ElementsAre("B'\\'", "b"));
  EXPECT_TRUE(scan("LIKE 'x' ESCAPE '\\'", Backslashes::escape).refused);
  EXPECT_TRUE(scan("'é\\\\'", Backslashes::escape).doubtful);
}

// PostgreSQL reads up to the first zero byte. In a constant that leaves the constant without an end.
TEST(SqlScanner, AZeroByteOutsideOfConstantsIsInDoubt) {
  using namespace std::string_literals;
  for (const std::string& sql : {"\0"s, "a\0b"s, "--\0"s, "'a' --\0\n'b'"s, "1\0"s}) {
    EXPECT_TRUE(scan(sql).doubtful) << ::testing::PrintToString(sql);
  }
}

TEST(SqlScanner, EveryTruncationEndsInsideTheText) {
  const std::string_view sql =
      "/* a /* b */ */ SELECT E'\\'' , U&\"a\" , $tag$ x $tag$ , 'a' -- c\n 'b' , 1.5e-10 , $1 FROM "
      "\"t\"\"u\" -- end";
  for (std::size_t size = 0; size <= sql.size(); ++size) {
    const std::vector<char> copy(sql.begin(), sql.begin() + static_cast<std::ptrdiff_t>(size));
    SqlScanner scanner({copy.data(), copy.size()});
    std::size_t tokens = 0;
    while (scanner.next().kind != Kind::end) ASSERT_LE(++tokens, size);
    EXPECT_EQ(scanner.next().kind, Kind::end);
  }
}

}  // namespace
}  // namespace tidemark::routing

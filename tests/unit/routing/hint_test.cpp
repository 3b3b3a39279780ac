#include "routing/hint.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

#include <gmock/gmock.h>

#include "routing/user_key.hpp"

namespace tidemark::routing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

/// All that a hint says, in one text; "none", or the error.
std::string read(std::string_view sql) {
  const HintReading reading = read_hint(sql);
  if (std::holds_alternative<std::monostate>(reading)) return "none";
  if (const auto* error = std::get_if<HintError>(&reading)) return to_string(*error);
  const Hint& hint = std::get<Hint>(reading);
  std::string text;
  if (hint.consistency) text += "consistency " + std::string(to_string(*hint.consistency)) + ' ';
  if (hint.user_key) {
    EXPECT_EQ(*hint.user_key, user_key(hint.user));
    text += "user [" + std::string(hint.user) + "] ";
  }
  if (hint.primary) text += "primary ";
  if (hint.max_staleness) text += std::to_string(hint.max_staleness->count()) + " ns ";
  if (hint.max_staleness_bytes) text += std::to_string(*hint.max_staleness_bytes) + " bytes ";
  if (hint.token) text += "token [" + std::string(*hint.token) + "] ";
  if (!text.empty()) text.pop_back();
  return text;
}

struct Case {
  std::string_view sql;
  std::string_view expected;
};

TEST(Hint, IsReadFromTheFirstComment) {
  constexpr Case kCases[] = {
      {"/* tidemark: consistency=strong, user=42, node=primary */ SELECT 1",
       "consistency strong user [42] primary"},
      {"/*tidemark:user=42*/SELECT 1", "user [42]"},
      {" \n\t/*\n  tidemark:\n  consistency = eventual\n*/ SELECT 1", "consistency eventual"},
      {"/* TideMark: Consistency=session, USER=Ann */", "consistency session user [Ann]"},
      {"/* tidemark: user='Ann, of \"York\"' */ SELECT 1", "user [Ann, of \"York\"]"},
      {"/* tidemark: user=\"O'Hara\" , node = 'primary'*/ SELECT 1", "user [O'Hara] primary"},
      {"/* tidemark: user=a=b */ SELECT 1", "user [a=b]"},
      {"/* tidemark: user=a'b */ SELECT 1", "user [a'b]"},
      {"/* tidemark: user=' ' */ SELECT 1", "user [ ]"},
      {"/* tidemark: user=\xC3\xA4 */ SELECT 1", "user [\xC3\xA4]"},
      {"/* tidemark: max_staleness=500ms */ SELECT 1", "500000000 ns"},
      {"/* tidemark: max_staleness=2s, consistency=bounded_staleness */ SELECT 1",
       "consistency bounded_staleness 2000000000 ns"},
      {"/* tidemark: max_staleness='1 min', max_staleness_bytes=16MB */", "60000000000 ns 16777216 bytes"},
      {"/* tidemark: max_staleness=0 */", "0 ns"},
      {"/* tidemark: max_staleness=7us, max_staleness_bytes=0 */", "7000 ns 0 bytes"},
      {"/* tidemark: max_staleness=1h, max_staleness_bytes=3kB */", "3600000000000 ns 3072 bytes"},
      {"/* tidemark: max_staleness_bytes=1GB */", "1073741824 bytes"},
      {"/* tidemark: max_staleness_bytes=5B */", "5 bytes"},
      {"/* tidemark: token=tm1.AAAAAAAAAAAAAAAAAAAAAAAAAAC8xVY- */",
       "token [tm1.AAAAAAAAAAAAAAAAAAAAAAAAAAC8xVY-]"},
      {"/* tidemark: user=7 */ /* tidemark: user=8 */ SELECT 1", "user [7]"},
  };
  for (const Case& one : kCases) EXPECT_EQ(read(one.sql), one.expected) << one.sql;
}

TEST(Hint, IsNothingElse) {
  for (const std::string_view sql :
       {"", " ", "/", "/*", "SELECT 1", "SELECT /* tidemark: user=1 */ 1", "-- tidemark: user=1\nSELECT 1",
        "-- x\n/* tidemark: user=1 */ SELECT 1", "; /* tidemark: user=1 */ SELECT 1",
        "/* x */ /* tidemark: user=1 */ SELECT 1", "/*+ tidemark: user=1 */ SELECT 1",
        "/* tidemarks: user=1 */", "/* tidemark user=1 */", "/* tidemark : user=1 */", "/* tide",
        "/* not for us", "/ * tidemark: user=1 */", "/* our tidemark: user=1 */ SELECT 1",
        "/* controller:users */ SELECT 1"}) {
    EXPECT_EQ(read(sql), "none") << sql;
  }
}

TEST(Hint, OfEveryLevelIsRead) {
  for (int value = 0; value <= static_cast<int>(ConsistencyLevel::primary); ++value) {
    const auto level = static_cast<ConsistencyLevel>(value);
    const std::string sql = "/* tidemark: consistency=" + std::string(to_string(level)) + " */";
    EXPECT_EQ(read(sql), "consistency " + std::string(to_string(level)));
  }
}

TEST(Hint, ThatIsMalformedSaysWhatIsWrong) {
  constexpr std::string_view kKnown =
      "; known are consistency, user, node, max_staleness, max_staleness_bytes, token";
  const std::string known(kKnown);
  const struct {
    std::string_view sql;
    std::string expected;
  } cases[] = {
      {"/* tidemark: consistancy=strong */", "unknown key \"consistancy\"" + known},
      {"/* tidemark: 'user'=1 */", "unknown key \"'user'\"" + known},
      {"/* tidemark: */", "a key is missing before \"\"" + known},
      {"/* tidemark: user=1, */", "a key is missing before \"\"" + known},
      {"/* tidemark: , user=1 */", "a key is missing before \", user=1 \"" + known},
      {"/* tidemark: user=1,, node=primary */", "a key is missing before \", node=primary \"" + known},
      {"/* tidemark: =1 */", "a key is missing before \"=1 \"" + known},
      {"/* tidemark: user=1, User=2 */", "key \"User\" is given twice"},
      {"/* tidemark: user */", "key \"user\" has no value"},
      {"/* tidemark: user, node=primary */", "key \"user\" has no value"},
      {"/* tidemark: user= */", "key \"user\" has no value"},
      {"/* tidemark: user=, node=primary */", "key \"user\" has no value"},
      {"/* tidemark: user='' */", "key \"user\" has no value"},
      {"/* tidemark: token=\"\" */", "key \"token\" has no value"},
      {"/* tidemark: user='Ann */", "the quotation mark that closes is missing: \"'Ann \""},
      {"/* tidemark: user=\"Ann' */", "the quotation mark that closes is missing: \"\"Ann' \""},
      {"/* tidemark: user='a''b' */", "a comma is missing before \"'b' \""},
      {"/* tidemark: user=1 node=primary */", "a comma is missing before \"node=primary \""},
      {"/* tidemark: user='1'2 */", "a comma is missing before \"2 \""},
      {"/* tidemark: consistency=Strong */",
       "unknown consistency level \"Strong\"; known are eventual, bounded_staleness, monotonic_reads, "
       "read_your_writes, session, strong, primary"},
      {"/* tidemark: node=replica */", "unknown node \"replica\"; only \"primary\" can be asked for"},
      {"/* tidemark: max_staleness=500 */",
       "not a duration: \"500\"; it is a whole number and us, ms, s, min or h"},
      {"/* tidemark: max_staleness=1.5s */",
       "not a duration: \"1.5s\"; it is a whole number and us, ms, s, min or h"},
      {"/* tidemark: max_staleness=-1s */",
       "not a duration: \"-1s\"; it is a whole number and us, ms, s, min or h"},
      {"/* tidemark: max_staleness=9223372036855ms */",
       "not a duration: \"9223372036855ms\"; it is a whole number and us, ms, s, min or h"},
      {"/* tidemark: max_staleness_bytes=1mb */",
       "not a size: \"1mb\"; it is a whole number and B, kB, MB or GB"},
      {"/* tidemark: max_staleness_bytes=99999999999999999999B */",
       "not a size: \"99999999999999999999B\"; it is a whole number and B, kB, MB or GB"},
      {"/* tidemark: max_staleness=1s, consistency=strong */",
       "max_staleness is for bounded_staleness, not for \"strong\""},
      {"/* tidemark: consistency=eventual, max_staleness_bytes=1kB */",
       "max_staleness is for bounded_staleness, not for \"eventual\""},
      {"/* tidemark: user=1", "the comment does not end: \" user=1\""},
      {"/* tidemark:", "the comment does not end: \"\""},
      {"/* tidemark: user=1 *", "the comment does not end: \" user=1 *\""},
      {"/* tidemark: user=1 /* x */ */", "there must be no comment in it: \"/* x */ */\""},
      {"/* tidemark: user='/* x */' */", "there must be no comment in it: \"/* x */' */\""},
      {"/* tidemark: user=1/*/ */ SELECT 1", "there must be no comment in it: \"/*/ */ SELECT 1\""},
  };
  for (const auto& one : cases) EXPECT_EQ(read(one.sql), "hint in a comment: " + one.expected) << one.sql;
}

TEST(Hint, LimitsTheUsersText) {
  const std::string longest(kLongestHintUser, 'u');
  EXPECT_EQ(read("/* tidemark: user=" + longest + " */"), "user [" + longest + "]");
  EXPECT_EQ(read("/* tidemark: user='" + longest + "u' */"),
            "hint in a comment: user \"" + longest.substr(0, 64) + "\"… is longer than 256 bytes");
}

TEST(Hint, ShowsOfAFaultOneShortLineOnly) {
  const std::string text = read("/* tidemark: a\x01\x7F" + std::string(10'000, 'x') + "=1 */");
  EXPECT_THAT(text, HasSubstr("\"a??xxx"));
  EXPECT_LT(text.size(), 250U);
  EXPECT_THAT(read("/* tidemark: user='a\nb'\r\n c */"), Not(HasSubstr("\n")));
  // 63 bytes and a character of two: it is not cut in half.
  EXPECT_THAT(read("/* tidemark: " + std::string(63, 'x') + "\xC3\xA4xx=1 */"),
              HasSubstr("\"" + std::string(63, 'x') + "\""));
}

TEST(Hint, CutOffAnywhereIsNoHint) {
  constexpr std::string_view kWhole =
      " /* tidemark: consistency=bounded_staleness, user='42', node=primary, max_staleness=5s, "
      "max_staleness_bytes=1kB, token=\"x\" */";
  ASSERT_TRUE(std::holds_alternative<Hint>(read_hint(kWhole)));
  for (std::size_t size = 0; size < kWhole.size(); ++size) {
    const std::string part(kWhole.substr(0, size));
    EXPECT_FALSE(std::holds_alternative<Hint>(read_hint(part))) << part;
  }
}

TEST(Hint, IsLookedForOnlyInTextThatBeginsWithAComment) {
  for (const std::string_view sql : {"/**/", " \t\r\n\f/* x", "/*"}) EXPECT_TRUE(begins_with_comment(sql));
  for (const std::string_view sql : {"", " ", "/", " /", "/ *", "SELECT 1", "-- x", "\xC2\xA0/*", "\0/*"})
    EXPECT_FALSE(begins_with_comment(sql)) << sql;
}

}  // namespace
}  // namespace tidemark::routing

#include "routing/pattern.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

struct Case {
  std::string_view pattern;
  std::string_view text;
  bool expected;
};

TEST(Pattern, AStarStandsForAnyTextAndNothingElseIsSpecial) {
  constexpr Case kCases[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "anything at all", true},
      {"**", "", true},
      {"a", "a", true},
      {"a", "A", false},
      {"a", "ab", false},
      {"a", "ba", false},
      {"a*", "a", true},
      {"a*", "ab", true},
      {"a*", "ba", false},
      {"*a", "ba", true},
      {"*a", "ab", false},
      {"*a*", "bab", true},
      {"a*b", "ab", true},
      {"a*b", "acb", true},
      {"a*b", "acbd", false},
      {"a*b*c", "abbc", true},
      {"a*b*c", "acb", false},
      {"*ab", "aab", true},
      {"*aba", "ababa", true},
      {"a?c", "abc", false},
      {"a?c", "a?c", true},
      {"[ab]", "a", false},
      {"\\*", "\\x", true},
      {"report_*", "report_daily", true},
      {"*", "*", true},
      {"a*", "*", false},
  };
  for (const Case& one : kCases)
    EXPECT_EQ(matches(one.pattern, one.text), one.expected) << one.pattern << " / " << one.text;
}

/// By the definition, without any thought of speed.
bool matches_by_definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() != '*')
    return !text.empty() && text.front() == pattern.front() &&
           matches_by_definition(pattern.substr(1), text.substr(1));
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (matches_by_definition(pattern.substr(1), text.substr(i))) return true;
  }
  return false;
}

std::vector<std::string> all_texts(std::string_view alphabet, std::size_t longest) {
  std::vector<std::string> all{""};
  std::size_t first = 0;
  for (std::size_t size = 1; size <= longest; ++size) {
    const std::size_t last = all.size();
    for (; first < last; ++first) {
      for (const char c : alphabet) all.push_back(all[first] + c);
    }
  }
  return all;
}

TEST(Pattern, EveryShortPatternMatchesWhatItsDefinitionSays) {
  const auto patterns = all_texts("ab*", 5);
  const auto texts = all_texts("ab", 6);
  std::size_t matched = 0;
  for (const std::string& pattern : patterns) {
    for (const std::string& text : texts) {
      const bool expected = matches_by_definition(pattern, text);
      matched += expected ? 1U : 0U;
      ASSERT_EQ(matches(pattern, text), expected) << pattern << " / " << text;
    }
  }
  EXPECT_GT(matched, 1000U);
}

TEST(Pattern, ManyStarsDoNotMakeItTryEveryDivision) {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "*a";
  const std::string text(20'000, 'a');
  EXPECT_TRUE(matches(pattern, text));
  EXPECT_FALSE(matches(pattern + "b", text));
}

TEST(Pattern, InAnyCaseFoldsAsciiOnly) {
  EXPECT_TRUE(matches_in_any_case("Pay*", "pAYMENTS"));
  EXPECT_FALSE(matches_in_any_case("pay", "payments"));
  EXPECT_TRUE(matches_in_any_case("\xC3\xA4", "\xC3\xA4"));
  EXPECT_FALSE(matches_in_any_case("\xC3\xA4", "\xC3\x84"));
}

TEST(StatementPattern, SeesOneBlankForARunOfWhiteSpaceAndNothingAtTheEnds) {
  constexpr Case kCases[] = {
      {"select 1", "SELECT 1", true},
      {"SELECT 1;", "select\n\t 1", true},
      {"select 1", " select 1 ; ", true},
      {"select 1", "select 1;;", true},
      {"  select   1  ", "select 1", true},
      {"select 1", "select1", false},
      {"select1", "select 1", false},
      {"select 1", "select 1 2", false},
      {"select * from reports*", "SELECT a,\n b\nFROM\treports_daily WHERE x", true},
      {"select * from reports*", "SELECT a FROM payments", false},
      {"*for update", "select 1 for\r\n update;", true},
      {"*report*", "", false},
      {"*", "", true},
      {"", " ; ", true},
      {"a ; b", "a\v;\fb", true},
      {"a; b", "a;b", false},
      {"* x", "a x", true},
      {"* x", "x", false},
      {"a * b", "a  b", false},
      {"a * b", "a c  b", true},
      {"'it s'", "'IT\n\nS'", true},
  };
  for (const Case& one : kCases)
    EXPECT_EQ(matches_statement(one.pattern, one.text), one.expected) << one.pattern << " / " << one.text;
}

/// The text of which matches() would say the same.
std::string plain(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const char folded = c == '\n' ? ' ' : c == 'A' ? 'a' : c;
    if (folded != ' ' || (!result.empty() && result.back() != ' ')) result += folded;
  }
  while (!result.empty() && (result.back() == ' ' || result.back() == ';')) result.pop_back();
  return result;
}

TEST(StatementPattern, MatchesAsThePlainTextsDo) {
  const auto patterns = all_texts("A \n*;", 4);
  const auto texts = all_texts("aA \n;", 4);
  for (const std::string& pattern : patterns) {
    for (const std::string& text : texts) {
      ASSERT_EQ(matches_statement(pattern, text), matches(plain(pattern), plain(text)))
          << pattern << " / " << text;
    }
  }
}

}  // namespace
}  // namespace tidemark::routing

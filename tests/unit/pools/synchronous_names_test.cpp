#include "pools/synchronous_names.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace tidemark::pools {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Method = SynchronousNames::Method;

SynchronousNames parsed(std::string_view text) {
  const auto names = parse_synchronous_names(text);
  EXPECT_TRUE(names) << text;
  return names.value_or(SynchronousNames{});
}

TEST(SynchronousNames, AnEmptySettingAsksForNobody) {
  for (const auto* text : {"", "  \t\n"}) {
    EXPECT_EQ(parsed(text).required, 0U);
    EXPECT_THAT(parsed(text).names, IsEmpty());
  }
}

TEST(SynchronousNames, APlainListAsksForTheFirstOfThem) {
  const auto names = parsed("s1, s2 ,s3");
  EXPECT_EQ(names.method, Method::first);
  EXPECT_EQ(names.required, 1U);
  EXPECT_THAT(names.names, ElementsAre("s1", "s2", "s3"));
}

TEST(SynchronousNames, ANumberBeforeTheListIsTheirNumber) {
  for (const auto* text : {"FIRST 2 (a, b, c)", "first 2(a,b,c)", "2 (a, b, c)"}) {
    EXPECT_EQ(parsed(text).method, Method::first) << text;
    EXPECT_EQ(parsed(text).required, 2U) << text;
    EXPECT_THAT(parsed(text).names, ElementsAre("a", "b", "c")) << text;
  }
  EXPECT_EQ(parsed("Any 3 (a, b, c, d)").method, Method::any);
  EXPECT_EQ(parsed("ANY 3 (a, b, c, d)").required, 3U);
}

TEST(SynchronousNames, ANumberWithoutAListIsAName) {
  EXPECT_THAT(parsed("7").names, ElementsAre("7"));
  EXPECT_THAT(parsed("7, 8").names, ElementsAre("7", "8"));
  EXPECT_THAT(parsed("2 (1, 2)").names, ElementsAre("1", "2"));
}

TEST(SynchronousNames, QuotedNamesKeepWhatIsInThem) {
  EXPECT_THAT(parsed("ANY 1 (\"my, \"\"best\"\" (one)\", \"any\", b$1)").names,
              ElementsAre("my, \"best\" (one)", "any", "b$1"));
  EXPECT_THAT(parsed("\"first\"").names, ElementsAre("first"));
  EXPECT_THAT(parsed("*").names, ElementsAre("*"));
  EXPECT_THAT(parsed("größe").names, ElementsAre("größe"));
}

TEST(SynchronousNames, WhatTheServerRefusesIsRefused) {
  for (const auto* text :
       {",", "a,", "a b", "FIRST", "FIRST 1", "FIRST 1 a", "FIRST 1 (", "FIRST 1 ()", "FIRST 1 (a", "ANY (a)",
        "FIRST 1 (a) b", "0 (a)", "99999999999 (a)", "\"a", "my-standby", "(a)", "any", "first, b", "a;b"}) {
    EXPECT_FALSE(parse_synchronous_names(text)) << text;
  }
}

TEST(SynchronousNames, EveryConnectedStandbyOfANameCounts) {
  const std::vector<std::string_view> connected{"S1", "s1", "other"};
  const auto names = parsed("ANY 2 (s1, s2)");
  EXPECT_EQ(count_synchronous(names, connected), 2U);
  EXPECT_THAT(missing_names(names, connected), ElementsAre("s2"));
  EXPECT_EQ(count_synchronous(parsed("2 (*)"), connected), 3U);
  EXPECT_THAT(missing_names(parsed("2 (*)"), {}), IsEmpty());
  EXPECT_EQ(count_synchronous(parsed(""), connected), 0U);
}

}  // namespace

}  // namespace tidemark::pools

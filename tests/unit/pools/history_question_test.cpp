#include "pools/history_question.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

using routing::TimelineId;

constexpr HistoryRights kFile{HistorySource::file, false};
constexpr std::string_view kOfThree = "1\t0/3000158\tx\n2\t0/50000A0\tx\n";

HistoryQuestion::TimePoint at(int seconds) {
  return HistoryQuestion::TimePoint{} + std::chrono::hours(1) + std::chrono::seconds(seconds);
}

TEST(HistoryQuestion, IsAskedOnceForEachTimeline) {
  HistoryQuestion question;
  EXPECT_EQ(question.next({3}, kFile, at(0)),
            "select pg_catalog.left(pg_catalog.pg_read_file('pg_wal/00000003.history'), 1048577)");
  const auto history = question.answered(kOfThree, std::nullopt);
  ASSERT_TRUE(history);
  EXPECT_EQ(history->history.ancestors().size(), 2U);
  EXPECT_EQ(question.next({3}, kFile, at(3600)), std::nullopt);
  EXPECT_NE(question.next({4}, kFile, at(3600)), std::nullopt);
}

TEST(HistoryQuestion, TheFirstTimelineHasNone) {
  HistoryQuestion question;
  EXPECT_EQ(question.next({1}, kFile, at(0)), std::nullopt);
  EXPECT_EQ(question.next({0}, kFile, at(0)), std::nullopt);
}

TEST(HistoryQuestion, TheFileIsNamedInHexadecimalDigits) {
  HistoryQuestion question;
  EXPECT_NE(question.next({0xABCDEF12}, kFile, at(0))->find("'pg_wal/ABCDEF12.history'"), std::string::npos);
}

TEST(HistoryQuestion, WhoMayNotReadTheFileAsksTheFunction) {
  HistoryQuestion question;
  EXPECT_EQ(question.next({3}, {HistorySource::function, false}, at(0)),
            "select pg_catalog.left(public.tidemark_timeline_history(), 1048577)");
}

TEST(HistoryQuestion, WithoutEitherNothingIsAskedUntilThereIsOne) {
  HistoryQuestion question;
  EXPECT_EQ(question.next({3}, {}, at(0)), std::nullopt);
  EXPECT_NE(question.next({3}, kFile, at(0)), std::nullopt);
}

TEST(HistoryQuestion, WhatFailedIsTriedAgainAfterAWhile) {
  HistoryQuestion question;
  ASSERT_TRUE(question.next({3}, kFile, at(0)));
  EXPECT_EQ(question.next({3}, kFile, at(9)), std::nullopt);
  EXPECT_NE(question.next({3}, kFile, at(10)), std::nullopt);
}

TEST(HistoryQuestion, AQuestionThatCostTheConnectionIsNotAskedAtOnceByTheNext) {
  HistoryQuestion question;
  ASSERT_TRUE(question.next({3}, kFile, at(0)));
  question.begin_life();
  EXPECT_EQ(question.next({3}, kFile, at(1)), std::nullopt);
  EXPECT_NE(question.next({4}, kFile, at(1)), std::nullopt) << "another timeline is another file";
}

TEST(HistoryQuestion, AnotherLifeIsAskedAnewAndAtOnce) {
  HistoryQuestion question;
  ASSERT_TRUE(question.next({3}, kFile, at(0)));
  ASSERT_TRUE(question.answered(kOfThree, std::nullopt));
  question.begin_life();
  EXPECT_NE(question.next({3}, kFile, at(1)), std::nullopt);
}

TEST(HistoryQuestion, WhatCannotBeThatTimelinesHistoryIsNone) {
  HistoryQuestion question;
  ASSERT_TRUE(question.next({3}, kFile, at(0)));
  EXPECT_EQ(question.answered(std::nullopt, std::nullopt), std::nullopt);
  EXPECT_EQ(question.answered("", std::nullopt), std::nullopt) << "only timeline 1 has no ancestor";
  EXPECT_EQ(question.answered("3\t0/3000158\tx\n", std::nullopt), std::nullopt);
  EXPECT_EQ(question.answered("garbage", std::nullopt), std::nullopt);
  EXPECT_EQ(question.next({3}, kFile, at(1)), std::nullopt);
  EXPECT_NE(question.next({3}, kFile, at(10)), std::nullopt);
}

TEST(HistoryQuestion, TheSourceIsWhatTheProbeSays) {
  EXPECT_EQ(HistoryQuestion::parse_source("file"), HistorySource::file);
  EXPECT_EQ(HistoryQuestion::parse_source("function"), HistorySource::function);
  EXPECT_EQ(HistoryQuestion::parse_source(std::nullopt), HistorySource::none);
  EXPECT_EQ(HistoryQuestion::parse_source("else"), HistorySource::none);
}

TEST(HistoryQuestion, TheEndOfTheTimelineBeforeIsAskedForWhereItMayBe) {
  HistoryQuestion question;
  EXPECT_EQ(question.next({3}, {HistorySource::function, true}, at(0)),
            "select pg_catalog.left(public.tidemark_timeline_history(), 1048577), "
            "pg_catalog.encode(pg_catalog.substr(public.tidemark_timeline_end(), 1, 1024), 'hex')");
  const auto answer = question.answered(kOfThree, "00ff41");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->tail, std::string("\0\xFF"
                                      "A",
                                      3));
}

TEST(HistoryQuestion, AnEndThatCannotBeReadDoesNotTakeTheHistoryAlong) {
  HistoryQuestion question;
  ASSERT_TRUE(question.next({3}, {HistorySource::file, true}, at(0)));
  EXPECT_EQ(question.instead(),
            "select pg_catalog.left(pg_catalog.pg_read_file('pg_wal/00000003.history'), 1048577)");
  EXPECT_EQ(question.instead(), std::nullopt) << "once";
  for (const char* const nonsense : {"0", "0g", "zz", "\\x00"}) {
    const auto answer = question.answered(kOfThree, nonsense);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->tail, "") << nonsense;
  }
}

}  // namespace
}  // namespace tidemark::pools

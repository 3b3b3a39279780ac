#include "pools/visibility_log.hpp"

#include <atomic>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

using Xids = VisibilityQuestions::Xids;

TEST(VisibilityLog, SettlesOnlyTicketsBeforeTheQuestion) {
  VisibilityLog log;
  EXPECT_EQ(log.asked(), 0U);
  const auto before = log.asked();
  EXPECT_FALSE(log.settled_after(before));
  const auto number = log.begin_question();
  EXPECT_EQ(number, 1U);
  const auto after = log.asked();
  EXPECT_FALSE(log.settled_after(before));
  log.settle(number);
  EXPECT_TRUE(log.settled_after(before));
  EXPECT_FALSE(log.settled_after(after)) << "the question was begun before this ticket was taken";
}

TEST(VisibilityLog, LaterQuestionSettlesEarlierTickets) {
  VisibilityLog log;
  const auto ticket = log.asked();
  log.begin_question();
  log.settle(log.begin_question());
  EXPECT_TRUE(log.settled_after(ticket));
  EXPECT_TRUE(log.settled_after(ticket + 1));
  EXPECT_FALSE(log.settled_after(ticket + 2));
}

TEST(VisibilityLog, ReaderSeesWhatTheWriterDidBeforeSettling) {
  VisibilityLog log;
  std::atomic<std::uint64_t> ended{0};
  std::atomic<bool> stop{false};
  std::atomic<bool> wrong{false};
  std::thread reader([&] {
    while (!stop.load()) {
      const auto seen = ended.load(std::memory_order_relaxed);
      if (log.settled_after(seen) && ended.load(std::memory_order_relaxed) <= seen) wrong = true;
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    const auto number = log.begin_question();
    ended.store(number, std::memory_order_relaxed);
    log.settle(number);
  }
  stop = true;
  reader.join();
  EXPECT_FALSE(wrong.load());
  EXPECT_TRUE(log.settled_after(19'999));
}

TEST(VisibilityLog, WhatIsNotReadMayAwaitAStandby) {
  VisibilityLog log;
  const auto ticket = log.asked();
  EXPECT_TRUE(log.may_await_standby(ticket));
  log.begin_question();
  EXPECT_TRUE(log.may_await_standby(ticket)) << "begun, and not read";
  log.note_standbys(1, 0);
  EXPECT_FALSE(log.may_await_standby(ticket));
  EXPECT_TRUE(log.may_await_standby(log.asked())) << "a later ticket's question is not begun";
}

TEST(VisibilityLog, OnlyQuestionsFromTheFirstThatAwaitsOnDo) {
  VisibilityLog log;
  log.note_standbys(5, 3);
  EXPECT_FALSE(log.may_await_standby(1)) << "question 2";
  EXPECT_TRUE(log.may_await_standby(2)) << "question 3";
  EXPECT_TRUE(log.may_await_standby(4));
}

TEST(VisibilityQuestions, EmptyReadingSettlesAtOnce) {
  VisibilityQuestions questions;
  EXPECT_EQ(questions.observe({}), 0U) << "nothing was asked";
  EXPECT_EQ(questions.begin(1, {}), 1U);
  EXPECT_FALSE(questions.pending());
}

TEST(VisibilityQuestions, TransactionThatStaysBlocksAndOneThatEndsReleases) {
  VisibilityQuestions questions;
  EXPECT_EQ(questions.begin(1, {10, 20}), 0U);
  EXPECT_EQ(questions.observe({10, 20}), 0U);
  EXPECT_EQ(questions.observe({10}), 0U);
  EXPECT_TRUE(questions.pending());
  EXPECT_EQ(questions.observe({}), 1U);
  EXPECT_FALSE(questions.pending());
}

TEST(VisibilityQuestions, TransactionsThatBeganLaterDoNotMatter) {
  VisibilityQuestions questions;
  questions.begin(1, {10});
  EXPECT_EQ(questions.observe({10, 11, 12}), 0U);
  EXPECT_EQ(questions.observe({11, 12}), 1U);
}

TEST(VisibilityQuestions, TransactionThatWasOnceNotCommittingNeedNotBeWaitedForAgain) {
  VisibilityQuestions questions;
  questions.begin(1, {10, 20});
  EXPECT_EQ(questions.observe({20}), 0U);
  EXPECT_EQ(questions.observe({10}), 1U)
      << "10 goes on after a pause: it had not committed before the question";
}

TEST(VisibilityQuestions, SettlesInOrder) {
  VisibilityQuestions questions;
  EXPECT_EQ(questions.begin(1, {10}), 0U);
  EXPECT_EQ(questions.observe({10, 20}), 0U);
  EXPECT_EQ(questions.begin(2, {10, 20}), 0U);
  EXPECT_EQ(questions.observe({20, 30}), 1U);
  EXPECT_EQ(questions.begin(3, {20, 30}), 1U);
  EXPECT_EQ(questions.observe({30}), 2U);
  EXPECT_EQ(questions.observe({40}), 3U);
}

TEST(VisibilityQuestions, EmptyReadingSettlesAllThatIsPending) {
  VisibilityQuestions questions;
  questions.begin(1, {10});
  questions.begin(2, {10, 20});
  questions.observe({});
  EXPECT_EQ(questions.begin(5, {}), 5U);
}

TEST(VisibilityQuestions, QuestionsBeyondTheLimitSettleTogetherAndNotTooEarly) {
  VisibilityQuestions questions;
  for (std::uint32_t n = 1; n <= 200; ++n) {
    Xids open(n);
    std::iota(open.begin(), open.end(), 1U);  // transaction n begins before question n
    questions.observe(open);
    ASSERT_EQ(questions.begin(n, open), 0U);
  }
  // Transactions end in the order of their numbers: question n may settle when the first n have ended.
  std::uint64_t settled = 0;
  for (std::uint32_t ended = 1; ended <= 200; ++ended) {
    Xids open(200 - ended);
    std::iota(open.begin(), open.end(), ended + 1);
    settled = questions.observe(open);
    ASSERT_LE(settled, ended);
    if (ended < 64) {
      ASSERT_EQ(settled, ended);
    }
  }
  EXPECT_EQ(settled, 200U);
  EXPECT_FALSE(questions.pending());
}

TEST(VisibilityQuestions, TellsWhichAreKeptOpenByTheTransactionsNamed) {
  VisibilityQuestions questions;
  EXPECT_EQ(questions.first_kept_open({10}), 0U);
  questions.begin(1, {10});
  questions.begin(2, {10, 20});
  questions.begin(3, {10, 20, 30});
  EXPECT_EQ(questions.first_kept_open({20}), 2U);
  EXPECT_EQ(questions.first_kept_open({10, 30}), 1U);
  EXPECT_EQ(questions.first_kept_open({40}), 0U);
  questions.observe({20, 30});
  EXPECT_EQ(questions.first_kept_open({10, 30}), 3U) << "the first is settled";
}

TEST(VisibilityQuestions, OneThatStandsForOthersIsKeptOpenForThem) {
  VisibilityQuestions questions;
  for (std::uint64_t n = 1; n <= 64; ++n) questions.begin(n, {10});
  questions.begin(65, {10, 20});
  EXPECT_EQ(questions.first_kept_open({20}), 64U) << "65 has taken the place of 64";
}

TEST(VisibilityQuestions, ForgottenQuestionsAreNotSettledByTheNextServersReadings) {
  VisibilityQuestions questions;
  questions.begin(1, {10});
  questions.forget();
  EXPECT_FALSE(questions.pending());
  EXPECT_EQ(questions.observe({}), 0U);
  EXPECT_EQ(questions.begin(2, {7}), 0U);
  EXPECT_EQ(questions.observe({}), 2U);
}

}  // namespace
}  // namespace tidemark::pools

#include "pools/position_log.hpp"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

routing::WalPosition at(std::uint64_t lsn) {
  return {7, {3}, {lsn}};
}

class PositionLogTest : public testing::Test {
 protected:
  // On the heap: the log is large.
  std::unique_ptr<PositionLog> owner_ = std::make_unique<PositionLog>();
  PositionLog& log_ = *owner_;
};

TEST_F(PositionLogTest, HasNoAnswerBeforeAnythingWasAsked) {
  EXPECT_EQ(log_.asked(), 0U);
  EXPECT_FALSE(log_.after(0));
}

TEST_F(PositionLogTest, AnswersOnlyWithAQuestionAskedAfterTheTicket) {
  const auto first = log_.begin_question();
  const auto ticket = log_.asked();  // a write that completes while the first question is under way
  log_.answer(first, at(100));
  EXPECT_FALSE(log_.after(ticket));
  const auto second = log_.begin_question();
  EXPECT_FALSE(log_.after(ticket));
  log_.answer(second, at(200));
  EXPECT_EQ(log_.after(ticket), at(200));
}

TEST_F(PositionLogTest, KeepsTheFirstAnswerAfterATicket) {
  const auto ticket = log_.asked();
  for (std::uint64_t lsn : {100U, 200U, 300U}) log_.answer(log_.begin_question(), at(lsn));
  EXPECT_EQ(log_.after(ticket), at(100));
  EXPECT_EQ(log_.after(ticket + 1), at(200));
  EXPECT_EQ(log_.after(ticket + 2), at(300));
  EXPECT_FALSE(log_.after(ticket + 3));
}

TEST_F(PositionLogTest, AnAnswerOfLongAgoIsBoundedSoonAfterwards) {
  constexpr std::uint64_t kAll = 1'000'000;
  for (std::uint64_t n = 1; n <= kAll; ++n) log_.answer(log_.begin_question(), at(n));
  const auto distance = [&](std::uint64_t ticket) {
    const auto position = log_.after(ticket);
    EXPECT_TRUE(position);
    EXPECT_GT(position->lsn.value, ticket);
    return position->lsn.value - ticket;
  };
  EXPECT_EQ(distance(kAll - 1), 1U);
  EXPECT_EQ(distance(kAll - 4000), 1U);
  for (const std::uint64_t ticket : {kAll - 4097, kAll - 5000, kAll - 200'000})
    EXPECT_LE(distance(ticket), 64U);
  for (const std::uint64_t ticket :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{123'456}, kAll - 300'000})
    EXPECT_LE(distance(ticket), 4096U) << ticket;
}

TEST_F(PositionLogTest, AnAnswerThatCoversManyQuestionsIsTheirs) {
  const auto ticket = log_.asked();
  for (int i = 0; i < 300'000; ++i) log_.begin_question();
  log_.answer(log_.begin_question(), at(500));
  log_.answer(log_.begin_question(), at(600));
  EXPECT_EQ(log_.after(ticket), at(500));
  EXPECT_EQ(log_.after(ticket + 70), at(500));
  EXPECT_EQ(log_.after(log_.asked() - 1), at(600));
}

TEST_F(PositionLogTest, GivesTheFlushedPositionWhereTheAnswerHasOne) {
  const auto first = log_.asked();
  log_.answer(log_.begin_question(), at(300), {200});
  const auto second = log_.asked();
  log_.answer(log_.begin_question(), at(400));
  EXPECT_EQ(log_.after(first), at(300));
  EXPECT_EQ(log_.after(first, PositionBound::flushed), at(200));
  EXPECT_EQ(log_.after(second, PositionBound::flushed), at(400)) << "not known to be flushed";
}

TEST_F(PositionLogTest, CommitsAreFlushedOnlyOfWhoConnectedAndBeganLater) {
  using namespace std::chrono_literals;
  const routing::TimePoint moment = routing::TimePoint{} + 1h;
  EXPECT_FALSE(log_.are_commits_flushed(moment, moment));
  log_.note_flushing(moment);
  EXPECT_FALSE(log_.are_commits_flushed(moment, moment + 1min)) << "connected no later";
  EXPECT_FALSE(log_.are_commits_flushed(moment + 1ms, moment + 1s)) << "may not have been told of a reload";
  EXPECT_TRUE(log_.are_commits_flushed(moment + 1ms, moment + 1001ms));
  log_.note_flushing(std::nullopt);
  EXPECT_FALSE(log_.are_commits_flushed(moment + 1h, moment + 1h));
}

TEST_F(PositionLogTest, CoversFailedQuestionsByTheNextAnswer) {
  const auto ticket = log_.asked();
  log_.begin_question();
  log_.begin_question();
  EXPECT_FALSE(log_.after(ticket));
  log_.answer(log_.begin_question(), at(500));
  EXPECT_EQ(log_.after(ticket), at(500));
  EXPECT_EQ(log_.after(ticket + 1), at(500));
  EXPECT_EQ(log_.after(ticket + 2), at(500));
}

TEST_F(PositionLogTest, GivesALaterNeverAnEarlierAnswerWhenTheRightOneIsOverwritten) {
  for (std::uint64_t n = 1; n <= 10000; ++n) log_.answer(log_.begin_question(), at(n));
  for (std::uint64_t ticket = 0; ticket < 10000; ++ticket) {
    const auto position = log_.after(ticket);
    ASSERT_TRUE(position) << ticket;
    ASSERT_GE(position->lsn.value, ticket + 1);
    ASSERT_LE(position->lsn.value, 10000U);
  }
  EXPECT_FALSE(log_.after(10000));
}

TEST_F(PositionLogTest, SurvivesMoreFailuresInARowThanItKeeps) {
  log_.answer(log_.begin_question(), at(1));
  for (int i = 0; i < 20000; ++i) log_.begin_question();
  EXPECT_FALSE(log_.after(1));
  log_.answer(log_.begin_question(), at(2));
  EXPECT_EQ(log_.after(0)->lsn.value, 2U);
  EXPECT_EQ(log_.after(1), at(2));
  EXPECT_EQ(log_.after(20000), at(2));
  EXPECT_FALSE(log_.after(20002));
}

TEST_F(PositionLogTest, ReadersSeeWholeAndLateEnoughAnswersWhileTheWriterGoesOn) {
  constexpr std::uint64_t kQuestions = 50000;
  std::atomic<bool> done{false};
  std::atomic<int> ready{0};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, lag = static_cast<std::uint64_t>(i) * 3000] {
      ++ready;
      while (!done.load()) {
        const auto now = log_.asked();
        const auto ticket = now > lag ? now - lag : 0;  // the third reader is always about to be overwritten
        if (const auto position = log_.after(ticket)) {
          // Every part of an answer names its question.
          const auto n = position->lsn.value;
          if (n <= ticket || position->system_identifier != n * 3 || position->timeline.value != n % 1000)
            ++wrong;
        }
      }
    });
  }
  while (ready.load() < 3) std::this_thread::yield();
  for (std::uint64_t i = 0; i < kQuestions; ++i) {
    const auto number = log_.begin_question();
    if (number % 7 == 0) continue;  // this one fails
    log_.answer(number, {number * 3, {static_cast<std::uint32_t>(number % 1000)}, {number}});
  }
  done = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0U);
}

}  // namespace
}  // namespace tidemark::pools

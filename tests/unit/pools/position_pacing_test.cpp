#include "pools/position_pacing.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

using namespace std::chrono_literals;
using TimePoint = PositionPacing::TimePoint;
using Duration = PositionPacing::Duration;

const TimePoint kStart = TimePoint{} + 1h;

/// Writes come every `write_every` and each wants an answer, which takes `answer_after`. Runs for `length`;
/// the counts are of its second half, when the rate is known.
struct Load {
  std::uint64_t writes = 0;
  std::uint64_t questions = 0;
  Duration shortest = Duration::max();
};
Load load(PositionPacing& pacing, Duration write_every, Duration answer_after, Duration length) {
  Load result;
  std::uint64_t writes = 0;
  bool wanted = false;
  TimePoint answer = TimePoint::max();
  TimePoint last = TimePoint::min();
  TimePoint write = kStart;
  for (TimePoint now = kStart; now < kStart + length; now += 10us) {
    const bool counts = now >= kStart + length / 2;
    for (; write <= now; write += write_every) {
      ++writes;
      if (counts) ++result.writes;
      wanted = true;
    }
    if (now >= answer) {
      pacing.finished();
      answer = TimePoint::max();
    }
    const auto next = pacing.next_start();
    if (wanted && next && *next <= now) {
      pacing.started(now, writes);
      wanted = false;
      answer = now + answer_after;
      if (counts) {
        ++result.questions;
        if (last != TimePoint::min()) result.shortest = std::min(result.shortest, now - last);
      }
      last = now;
    }
  }
  return result;
}

TEST(PositionPacing, AsksAtOnceWhenNothingWasAskedBefore) {
  const PositionPacing pacing(1ms);
  ASSERT_TRUE(pacing.next_start());
  EXPECT_LE(*pacing.next_start(), TimePoint{});
}

TEST(PositionPacing, HasOneQuestionUnderWayAtMost) {
  PositionPacing pacing(1ms);
  pacing.started(kStart, 1);
  EXPECT_TRUE(pacing.under_way());
  EXPECT_FALSE(pacing.next_start());
  pacing.finished();
  EXPECT_FALSE(pacing.under_way());
  EXPECT_TRUE(pacing.next_start());
}

TEST(PositionPacing, CountsTheDistanceFromTheStartOfTheLastQuestion) {
  PositionPacing pacing(1ms);
  pacing.started(kStart, 1);
  pacing.finished();
  EXPECT_EQ(*pacing.next_start(), kStart + 1ms);
}

TEST(PositionPacing, LetsALoneWriterWaitForTheLeastDistanceOnly) {
  PositionPacing pacing(1ms);
  TimePoint now = kStart;
  for (std::uint64_t writes = 1; writes < 1000; ++writes) {
    pacing.started(now, writes);
    pacing.finished();
    ASSERT_EQ(pacing.spacing(), 1ms) << writes;
    now += 1100us;
  }
}

TEST(PositionPacing, AsksOnceForManyWrites) {
  for (const Duration write_every :
       {Duration(20us), Duration(50us), Duration(100us), Duration(200us), Duration(500us)}) {
    PositionPacing pacing(1ms);
    const Load counted = load(pacing, write_every, 200us, 2s);
    EXPECT_LE(static_cast<double>(counted.questions), 0.15 * static_cast<double>(counted.writes))
        << write_every.count();
    EXPECT_GE(counted.shortest, 1ms) << write_every.count();
  }
}

TEST(PositionPacing, AsksNoMoreThanOnePerLeastDistanceHoweverMuchIsWritten) {
  PositionPacing pacing(1ms);
  const Load counted = load(pacing, 10us, 10us, 1s);
  EXPECT_LE(counted.questions, 501U);
  EXPECT_GE(counted.questions, 400U);
}

TEST(PositionPacing, AnswersWithinFourMillisecondsUnderAnyLoad) {
  PositionPacing pacing(1ms);
  TimePoint now = kStart;
  std::uint64_t writes = 0;
  for (int i = 0; i < 1000; ++i) {
    writes += 3;
    pacing.started(now, writes);
    pacing.finished();
    ASSERT_LE(pacing.spacing(), 4ms);
    now += 10ms;
  }
  EXPECT_EQ(pacing.spacing(), 4ms);
}

TEST(PositionPacing, MeasuresTheRateOfWrites) {
  PositionPacing pacing(1ms);
  load(pacing, 200us, 100us, 2s);
  EXPECT_NEAR(pacing.write_rate(), 5000, 250);
  EXPECT_NEAR(std::chrono::duration<double>(pacing.spacing()).count(), 8.0 / 5000, 0.0001);
}

TEST(PositionPacing, KeepsAConfiguredDistanceBeyondItsOwnLongest) {
  PositionPacing pacing(50ms);
  const Load counted = load(pacing, 100us, 100us, 2s);
  EXPECT_GE(counted.shortest, 50ms);
}

TEST(PositionPacing, SurvivesAClockThatStandsAndACounterThatDoesNotGrow) {
  PositionPacing pacing(0ns);
  for (int i = 0; i < 10; ++i) {
    pacing.started(kStart, 5);
    pacing.finished();
  }
  pacing.started(kStart + 1s, 3);
  pacing.finished();
  EXPECT_GE(pacing.spacing(), 0ns);
  EXPECT_LE(pacing.spacing(), 4ms);
}

}  // namespace
}  // namespace tidemark::pools

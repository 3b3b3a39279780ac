#include "pools/visibility_watch.hpp"

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

using namespace std::chrono_literals;
using TimePoint = VisibilityWatch::TimePoint;

constexpr auto kLeast = 1ms;
constexpr routing::NodeId kFirst{0};
constexpr routing::NodeId kSecond{1};
const TimePoint kStart = TimePoint{} + 1h;

class VisibilityWatchTest : public testing::Test {
 protected:
  [[nodiscard]] bool settled(std::uint64_t ticket) const { return log_.settled_after(ticket); }

  VisibilityLog log_;
  VisibilityWatch watch_{kLeast, 1s, log_};
};

TEST_F(VisibilityWatchTest, ReadsNothingWhenNobodyWants) {
  EXPECT_FALSE(watch_.next_reading(false, kStart));
  watch_.started(kFirst, true, kStart);
  EXPECT_TRUE(watch_.answered({}));
  EXPECT_FALSE(watch_.next_reading(false, kStart + kLeast));
}

TEST_F(VisibilityWatchTest, NumbersTheQuestionBeforeTheReadingIsSent) {
  ASSERT_TRUE(watch_.next_reading(true, kStart));
  EXPECT_LE(*watch_.next_reading(true, kStart), kStart);
  watch_.started(kFirst, true, kStart);
  EXPECT_EQ(log_.asked(), 1U);
  EXPECT_FALSE(settled(0));
  EXPECT_TRUE(watch_.answered({}));
  EXPECT_TRUE(settled(0));
}

TEST_F(VisibilityWatchTest, ReadingUnderWayDoesNotCountForWhoComesLater) {
  watch_.started(kFirst, true, kStart);
  const auto ticket = log_.asked();
  EXPECT_FALSE(watch_.next_reading(true, kStart + 1h)) << "one at a time";
  watch_.answered({});
  EXPECT_FALSE(settled(ticket));
  EXPECT_EQ(watch_.next_reading(true, kStart), kStart + kLeast);
  watch_.started(kFirst, true, kStart + kLeast);
  watch_.answered({});
  EXPECT_TRUE(settled(ticket));
}

TEST_F(VisibilityWatchTest, ReadsOnUntilTheTransactionsHaveEnded) {
  watch_.started(kFirst, true, kStart);
  EXPECT_FALSE(watch_.answered({20, 10}));
  EXPECT_EQ(watch_.next_reading(false, kStart), kStart + kLeast);
  watch_.started(kFirst, false, kStart + kLeast);
  EXPECT_EQ(log_.asked(), 1U) << "nobody wants a new question";
  EXPECT_FALSE(watch_.answered({30, 10}));
  watch_.started(kFirst, false, kStart + 3 * kLeast);
  EXPECT_TRUE(watch_.answered({30}));
  EXPECT_TRUE(settled(0));
  EXPECT_FALSE(watch_.next_reading(false, kStart + 4 * kLeast));
}

TEST_F(VisibilityWatchTest, SlowsDownWhileNothingSettles) {
  auto now = kStart;
  watch_.started(kFirst, true, now);
  watch_.answered({10});
  for (int i = 0; i < 20; ++i) {
    now = *watch_.next_reading(false, now);
    watch_.started(kFirst, false, now);
    watch_.answered({10});
  }
  EXPECT_EQ(watch_.next_reading(false, now), now + 8 * kLeast);
  watch_.started(kFirst, true, now + 8 * kLeast);
  EXPECT_TRUE(watch_.answered({11}));
  EXPECT_EQ(watch_.next_reading(true, now), now + 9 * kLeast);
}

TEST_F(VisibilityWatchTest, StopsReadingAfterASecondUnlessSomebodyWantsAgain) {
  watch_.started(kFirst, true, kStart);
  watch_.answered({10});
  EXPECT_TRUE(watch_.next_reading(false, kStart + 999ms));
  EXPECT_FALSE(watch_.next_reading(false, kStart + 1s));
  ASSERT_TRUE(watch_.next_reading(true, kStart + 2s));
  watch_.started(kFirst, true, kStart + 2s);
  EXPECT_TRUE(watch_.answered({20})) << "a late reading settles the old question";
  EXPECT_TRUE(settled(0));
  EXPECT_FALSE(settled(1));
  EXPECT_TRUE(watch_.next_reading(false, kStart + 2999ms));
}

TEST_F(VisibilityWatchTest, FailedReadingIsMadeAgainForASecond) {
  watch_.started(kFirst, true, kStart);
  watch_.failed();
  EXPECT_FALSE(settled(0));
  ASSERT_TRUE(watch_.next_reading(false, kStart + 1ms));
  EXPECT_FALSE(watch_.next_reading(false, kStart + 1s))
      << "its failing again and again must not go on for ever";
  watch_.started(kFirst, false, kStart + 1ms);
  EXPECT_EQ(log_.asked(), 2U);
  EXPECT_TRUE(watch_.answered({}));
  EXPECT_TRUE(settled(0));
}

TEST_F(VisibilityWatchTest, FailedLaterReadingLeavesTheQuestionPending) {
  watch_.started(kFirst, true, kStart);
  watch_.answered({10});
  watch_.started(kFirst, false, kStart + 1ms);
  watch_.failed();
  EXPECT_FALSE(settled(0));
  watch_.started(kFirst, false, kStart + 2ms);
  EXPECT_TRUE(watch_.answered({}));
  EXPECT_EQ(log_.asked(), 1U);
}

TEST_F(VisibilityWatchTest, LossOfThePrimaryBeginsAnewAtTheNextOne) {
  watch_.started(kFirst, true, kStart);
  watch_.answered({10});
  watch_.forget(kFirst);
  ASSERT_TRUE(watch_.next_reading(false, kStart + 100ms));
  watch_.started(kSecond, false, kStart + 100ms);
  EXPECT_EQ(log_.asked(), 2U);
  EXPECT_FALSE(watch_.answered({20}));
  EXPECT_FALSE(settled(0)) << "that 10 is not seen at the new primary says nothing";
  watch_.started(kSecond, false, kStart + 101ms);
  EXPECT_TRUE(watch_.answered({}));
  EXPECT_TRUE(settled(1));
}

TEST_F(VisibilityWatchTest, TellsWhoWaitsForAStandbyAndWhenThatEnds) {
  watch_.started(kFirst, true, kStart);
  EXPECT_TRUE(log_.may_await_standby(0)) << "nothing is known yet";
  EXPECT_FALSE(watch_.answered({20, 10}, {}));
  EXPECT_FALSE(log_.may_await_standby(0)) << "10 and 20 run, and do not wait";
  watch_.started(kFirst, false, kStart + 1ms);
  EXPECT_TRUE(watch_.answered({10, 20}, {20})) << "who waits has to look again";
  EXPECT_TRUE(log_.may_await_standby(0));
  watch_.started(kFirst, true, kStart + 2ms);
  EXPECT_FALSE(watch_.answered({20, 10}, {20}));
  EXPECT_TRUE(log_.may_await_standby(1));
  watch_.started(kFirst, false, kStart + 3ms);
  EXPECT_TRUE(watch_.answered({10, 30}, {30})) << "20 has ended, and 30 came later";
  EXPECT_FALSE(log_.may_await_standby(0));
  EXPECT_FALSE(log_.may_await_standby(1));
}

TEST_F(VisibilityWatchTest, OfWhatWasPendingAtALostPrimaryNothingIsKnown) {
  watch_.started(kFirst, true, kStart);
  watch_.answered({10}, {});
  EXPECT_FALSE(log_.may_await_standby(0));
  watch_.forget(kFirst);
  EXPECT_TRUE(log_.may_await_standby(0));
  watch_.started(kSecond, false, kStart + 100ms);
  watch_.answered({20}, {});
  EXPECT_FALSE(log_.may_await_standby(0));
}

TEST_F(VisibilityWatchTest, OldPrimaryIsNotWaitedFor) {
  watch_.started(kFirst, true, kStart);
  watch_.follow(kFirst);
  EXPECT_TRUE(watch_.under_way(kFirst));
  watch_.follow(kSecond);
  EXPECT_FALSE(watch_.under_way(kFirst));
  ASSERT_TRUE(watch_.next_reading(false, kStart + 1ms));
  EXPECT_FALSE(watch_.answered({})) << "the old primary's late answer";
  EXPECT_FALSE(settled(0));
  watch_.started(kSecond, false, kStart + 1ms);
  watch_.forget(kFirst);
  EXPECT_TRUE(watch_.under_way(kSecond)) << "the loss of another node changes nothing";
  EXPECT_TRUE(watch_.answered({}));
  EXPECT_TRUE(settled(1));
}

}  // namespace
}  // namespace tidemark::pools

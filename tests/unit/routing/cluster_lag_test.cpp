// How far replicas are behind the primary, for how long, and how fresh what they show is.
#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>

#include "tests/unit/routing/reducer_fixture.hpp"

namespace tidemark::routing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClusterLag : public Reducer {};

TEST_F(ClusterLag, LagIsTheBytesAndTimeSinceThePrimaryPassedWhatIsReplayed) {
  writable(kA, 0, 100);
  writable(kA, 1000, 200);
  writable(kA, 2000, 300);
  standby(kB, 2100, 200, {.answered_after = 0});
  EXPECT_EQ(node(kB).lag_bytes, ByteLag{100});
  EXPECT_EQ(node(kB).lag_time, milliseconds(1100));
  EXPECT_EQ(node(kA).lag_time, milliseconds(0));
}

TEST_F(ClusterLag, AnIdlePrimaryIsNoLag) {
  for (int second = 0; second < 100; ++second) writable(kA, second * 1000, 200);
  standby(kB, 200'000, 200);
  EXPECT_EQ(node(kB).lag_time, milliseconds(0));
  EXPECT_EQ(node(kB).lag_bytes, ByteLag{0});
}

TEST_F(ClusterLag, TheFirstWriteAfterALongIdleTimeIsNotALongLag) {
  for (int second = 0; second < 100; ++second) writable(kA, second * 1000, 200);
  standby(kB, 99'100, 200);
  writable(kA, 99'200, 300, {.answered_after = 0});
  EXPECT_EQ(node(kB).lag_time, milliseconds(200));
}

TEST_F(ClusterLag, LagStandsStillWhileThereIsNoPrimary) {
  writable(kA, 0, 100);
  writable(kA, 1000, 200);
  standby(kB, 1000, 150);
  lose(kA, 1100);
  standby(kB, 60'000, 150);
  EXPECT_EQ(node(kB).lag_time, milliseconds(1000));
}

TEST_F(ClusterLag, ANewTimelineStartsANewTrail) {
  writable(kA, 0, 1000);
  writable(kB, 100, 500, {.timeline = 2});
  standby(kC, 200, 500, {.timeline = 2});
  EXPECT_EQ(node(kC).lag_time, milliseconds(0)) << "positions of timeline 1 do not count";
  EXPECT_EQ(node(kC).lag_bytes, ByteLag{0});
}

TEST_F(ClusterLag, APrimaryPromotedAnewStartsANewTrailAsWell) {
  writable(kA, 0, 100);
  writable(kA, 1000, 500, {.timeline = 3});
  standby(kB, 1500, 400, {.timeline = 3, .answered_after = 0});
  EXPECT_EQ(node(kB).lag_time, milliseconds(500)) << "timeline 3 was first seen at 1000";
}

TEST_F(ClusterLag, AReplicaIsAsFreshAsThePrimarysLastAnswerThatItHas) {
  writable(kA, 0, 100);
  EXPECT_EQ(node(kA).fresh_at, at_ms(0)) << "the primary shows all that there was when it was asked";
  writable(kA, 1000, 200);
  standby(kB, 1500, 150);
  EXPECT_EQ(node(kB).fresh_at, at_ms(0));
  standby(kB, 1600, 200);
  EXPECT_EQ(node(kB).fresh_at, at_ms(1000));
  writable(kA, 2000, 200);
  EXPECT_EQ(node(kB).fresh_at, at_ms(2000)) << "nothing was written since: what it has is still all";
  writable(kA, 3000, 300);
  EXPECT_EQ(node(kB).fresh_at, at_ms(2000));
}

TEST_F(ClusterLag, FreshnessDoesNotDependOnTheTimeThatPasses) {
  writable(kA, 0, 100);
  standby(kB, 10, 100);
  standby(kC, 5000, 100);
  EXPECT_EQ(node(kB).fresh_at, at_ms(0));
}

TEST_F(ClusterLag, OfAReplicaThatLacksAllKnownPositionsNoFreshnessIsKnown) {
  standby(kB, 0, 50);
  EXPECT_EQ(node(kB).fresh_at, TimePoint{});
  writable(kA, 10, 100);
  EXPECT_EQ(node(kB).fresh_at, TimePoint{});
}

TEST_F(ClusterLag, FreshnessStaysWhenThePrimaryIsLost) {
  writable(kA, 0, 100);
  writable(kA, 1000, 200);
  standby(kB, 1000, 100);
  lose(kA, 1100);
  EXPECT_EQ(node(kB).fresh_at, at_ms(0));
  standby(kB, 2000, 200);
  EXPECT_EQ(node(kB).fresh_at, at_ms(1000)) << "its answers are as true as before";
}

TEST_F(ClusterLag, FreshnessStaysWhenAReplicaFollowsANewPrimary) {
  writable(kA, 0, 100);
  standby(kC, 10, 100);
  writable(kB, 20, 110, {.timeline = 2});
  standby(kC, 30, 105, {.timeline = 2});
  EXPECT_EQ(node(kC).fresh_at, at_ms(0));
  standby(kC, 40, 110, {.timeline = 2});
  EXPECT_EQ(node(kC).fresh_at, at_ms(20));
}

TEST_F(ClusterLag, PositionsOfAnotherTimelineDoNotMakeFresh) {
  writable(kA, 0, 100);
  standby(kC, 5, 50);
  writable(kB, 10, 60, {.timeline = 2});
  standby(kC, 20, 900);
  EXPECT_EQ(node(kC).fresh_at, TimePoint{});
  EXPECT_EQ(node(kC).behind_for, milliseconds(0));
}

TEST_F(ClusterLag, TheDelayCountsFromTheFirstAnswerThatTheReplicaLacks) {
  writable(kA, 0, 100, {.answered_after = 2});
  writable(kA, 10, 200, {.answered_after = 2});
  writable(kA, 20, 300, {.answered_after = 2});
  standby(kB, 30, 150);
  EXPECT_EQ(node(kB).behind_for, milliseconds(18)) << "at 12 the primary had told of 200";
  EXPECT_EQ(node(kA).behind_for, milliseconds(0));
}

TEST_F(ClusterLag, TheDelayIsOfTheObservationAndDoesNotGrowByItself) {
  writable(kA, 0, 100, {.answered_after = 0});
  standby(kB, 5, 50);
  ASSERT_EQ(node(kB).behind_for, milliseconds(5));
  writable(kA, 900, 200);
  EXPECT_EQ(node(kB).behind_for, milliseconds(5));
}

TEST_F(ClusterLag, TheDelayIsOverWhenTheReplicaHasCaughtUp) {
  writable(kA, 0, 100);
  standby(kB, 50, 60);
  ASSERT_GT(node(kB).behind_for, milliseconds(0));
  standby(kB, 60, 100);
  EXPECT_EQ(node(kB).behind_for, milliseconds(0));
}

TEST_F(ClusterLag, WhatThePrimaryToldAfterTheReplicaWasAskedIsNoDelay) {
  writable(kA, 0, 100);
  writable(kA, 10, 200, {.answered_after = 10});
  standby(kB, 15, 100, {.answered_after = 10});
  EXPECT_EQ(node(kB).behind_for, milliseconds(0));
}

TEST_F(ClusterLag, ALongDelayOfAnIdlePrimaryCountsFromItsLastWrite) {
  writable(kA, 0, 100, {.answered_after = 0});
  for (int second = 1; second < 100; ++second) writable(kA, second * 1000, 200, {.answered_after = 0});
  standby(kB, 100'000, 150);
  EXPECT_EQ(node(kB).behind_for, seconds(99));
}

TEST_F(ClusterLag, AReplicaIsOutWhenItLagsTooMuchAndBackWhenItIsWellWithin) {
  reducer_ = ClusterReducer(three_nodes(), {.max_lag = milliseconds(1000)});
  constexpr std::int64_t kStart = 10'000;
  std::int64_t now = 0;
  std::int64_t lag = 0;
  // The primary writes each millisecond, the replica stands still or leaps; its lag is told.
  const auto go_on = [&](std::int64_t steps) {
    for (; steps > 0; --steps, ++lag) {
      ++now;
      standby(kB, now, static_cast<std::uint64_t>(kStart + now - lag - 1), {.answered_after = 0});
      writable(kA, now, static_cast<std::uint64_t>(kStart + now), {.answered_after = 0});
    }
    ASSERT_EQ(node(kB).lag_time, milliseconds(lag));
  };
  const auto leap = [&](std::int64_t to) {
    lag = to - 1;
    go_on(1);
  };
  writable(kA, 0, static_cast<std::uint64_t>(kStart));
  standby(kB, 0, static_cast<std::uint64_t>(kStart));
  const auto topology = view().topology;
  go_on(1000);
  EXPECT_FALSE(node(kB).lagging) << "exactly max_lag is allowed";
  EXPECT_EQ(view().topology, topology);
  go_on(1);
  EXPECT_TRUE(node(kB).lagging);
  EXPECT_EQ(view().topology, topology + 1) << "so that it is told";
  leap(801);
  EXPECT_TRUE(node(kB).lagging) << "not back for a moment";
  EXPECT_EQ(view().topology, topology + 1);
  leap(800);
  EXPECT_FALSE(node(kB).lagging);
  EXPECT_EQ(view().topology, topology + 2);
  go_on(200);
  EXPECT_FALSE(node(kB).lagging);
  EXPECT_EQ(view().topology, topology + 2);
}

TEST_F(ClusterLag, AReplicaFallsBehindAlsoWhileItIsNotHeardOf) {
  reducer_ = ClusterReducer(three_nodes(), {.max_lag = milliseconds(1000)});
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  writable(kA, 500, 200);
  writable(kA, 2000, 300);
  EXPECT_TRUE(node(kB).lagging);
}

TEST_F(ClusterLag, APrimaryDoesNotLag) {
  reducer_ = ClusterReducer(three_nodes(), {.max_lag = milliseconds(1000)});
  writable(kA, 0, 100);
  writable(kA, 5000, 200);
  standby(kB, 5000, 50);
  ASSERT_TRUE(node(kB).lagging);
  writable(kB, 6000, 210, {.timeline = 2});
  EXPECT_FALSE(node(kB).lagging);
}

TEST_F(ClusterLag, AReplicaThatComesAndGoesIsLeftAloneUntilItIsCalm) {
  writable(kA, 0, 100);
  std::int64_t now = 0;
  for (int i = 0; i < 5; ++i) {
    standby(kB, now += 1000, 100);
    EXPECT_FALSE(node(kB).flapping) << i;
    lose(kB, now += 1000);
    lose(kB, now += 10);  // still lost: once is once
  }
  const auto topology = view().topology;
  standby(kB, now += 1000, 100, {.incarnation = 2});
  EXPECT_TRUE(node(kB).flapping);
  EXPECT_EQ(node(kB).fault, NodeFault::none);
  EXPECT_FALSE(node(kA).flapping);
  standby(kB, now += 10'000, 100, {.incarnation = 2});
  EXPECT_FALSE(node(kB).flapping);
  EXPECT_GT(view().topology, topology);
}

}  // namespace
}  // namespace tidemark::routing

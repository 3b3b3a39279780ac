#include "routing/flap_guard.hpp"

#include <gtest/gtest.h>

#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::routing {
namespace {

using namespace std::chrono_literals;

TEST(FlapGuard, LeavesANodeAloneThatWasLostTooOften) {
  const FlapSettings settings{3, 60s, 10s};
  FlapGuard guard;
  guard.lost(at_ms(0), settings);
  guard.lost(at_ms(20'000), settings);
  EXPECT_FALSE(guard.judge(at_ms(20'000), settings));
  guard.lost(at_ms(60'000), settings);
  EXPECT_TRUE(guard.judge(at_ms(60'000), settings));
  EXPECT_TRUE(guard.judge(at_ms(69'999), settings));
  EXPECT_FALSE(guard.judge(at_ms(70'000), settings)) << "calm for ten seconds";
  guard.lost(at_ms(70'001), settings);
  EXPECT_FALSE(guard.judge(at_ms(70'001), settings)) << "what was before is forgiven";
}

TEST(FlapGuard, LossesFarApartAreForgotten) {
  const FlapSettings settings{3, 60s, 10s};
  FlapGuard guard;
  for (int i = 0; i < 100; ++i) {
    guard.lost(at_ms(i * 31'000), settings);
    EXPECT_FALSE(guard.judge(at_ms(i * 31'000), settings)) << i;
  }
}

TEST(FlapGuard, AnotherLossBeginsTheCalmAnew) {
  const FlapSettings settings{2, 60s, 10s};
  FlapGuard guard;
  guard.lost(at_ms(0), settings);
  guard.lost(at_ms(1'000), settings);
  guard.lost(at_ms(9'000), settings);
  EXPECT_TRUE(guard.judge(at_ms(18'999), settings));
  EXPECT_FALSE(guard.judge(at_ms(19'000), settings));
}

TEST(FlapGuard, CanBeSwitchedOff) {
  const FlapSettings settings{0, 60s, 10s};
  FlapGuard guard;
  for (int i = 0; i < 10; ++i) guard.lost(at_ms(i), settings);
  EXPECT_FALSE(guard.judge(at_ms(10), settings));
}

}  // namespace
}  // namespace tidemark::routing

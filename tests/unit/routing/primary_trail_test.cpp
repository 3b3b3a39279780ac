#include "routing/primary_trail.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::routing {
namespace {

using std::chrono::milliseconds;

/// Asked and answered within the same moment.
void passed(PrimaryTrail& trail, std::int64_t ms, std::uint64_t lsn) {
  trail.add(at_ms(ms), at_ms(ms), {lsn});
}

TEST(PrimaryTrail, AgeCountsFromTheLastSampleThatIsReplayed) {
  PrimaryTrail trail;
  EXPECT_EQ(trail.age({0}, at_ms(5)), Duration::zero()) << "nothing is known";
  passed(trail, 0, 100);
  passed(trail, 1000, 200);
  passed(trail, 2000, 300);
  EXPECT_EQ(trail.age({300}, at_ms(9000)), Duration::zero());
  EXPECT_EQ(trail.age({999}, at_ms(9000)), Duration::zero());
  EXPECT_EQ(trail.age({299}, at_ms(2500)), milliseconds(1500));
  EXPECT_EQ(trail.age({200}, at_ms(2500)), milliseconds(1500));
  EXPECT_EQ(trail.age({199}, at_ms(2500)), milliseconds(2500));
}

TEST(PrimaryTrail, BeyondTheOldestSampleAgeIsAtLeastThatSamples) {
  PrimaryTrail trail;
  passed(trail, 0, 100);
  passed(trail, 1000, 200);
  EXPECT_EQ(trail.age({50}, at_ms(1500)), milliseconds(1500));
}

/// What is added to a lag of `age` by the distance of the samples.
Duration error_of(Duration age) {
  return PrimaryTrail::kSpacing + age / (PrimaryTrail::kPrecision - 1);
}

TEST(PrimaryTrail, IsBoundedAndStillReachesBackForHours) {
  PrimaryTrail trail;
  constexpr std::int64_t kEnd = 4 * 3'600'000;
  for (std::int64_t ms = 0; ms <= kEnd; ms += 4) {
    passed(trail, ms, static_cast<std::uint64_t>(ms));
    ASSERT_LE(trail.size(), PrimaryTrail::kMaxSamples);
  }
  for (std::int64_t ms = 1; ms < kEnd; ms = ms * 3 + 1) {
    const Duration exact = milliseconds(ms);
    const Duration age = trail.age({static_cast<std::uint64_t>(kEnd - ms)}, at_ms(kEnd));
    EXPECT_GE(age, exact);
    EXPECT_LE(age, exact + milliseconds(4) + error_of(exact));
  }
}

TEST(PrimaryTrail, ThinningMakesLagLongerByAShareOfItAtMost) {
  std::mt19937_64 random(1);
  PrimaryTrail trail;
  for (int ms = 0; ms < 20'000; ++ms) {
    if (random() % 2 == 0) continue;
    passed(trail, ms, static_cast<std::uint64_t>(ms));
  }
  passed(trail, 20'000, 20'000);
  const Duration longest_pause = milliseconds(20);
  for (int replayed = 100; replayed < 20'000; ++replayed) {
    const Duration exact = milliseconds(20'000 - replayed);
    const Duration age = trail.age({static_cast<std::uint64_t>(replayed)}, at_ms(20'000));
    ASSERT_GE(age, exact);
    ASSERT_LE(age, exact + longest_pause + error_of(exact));
  }
}

TEST(PrimaryTrail, FreshIsTheLastMomentAtWhichThePrimaryWasNotYetPastIt) {
  PrimaryTrail trail;
  EXPECT_EQ(trail.fresh_at({100}), std::nullopt);
  trail.add(at_ms(0), at_ms(9), {100});
  trail.add(at_ms(1000), at_ms(1009), {200});
  EXPECT_EQ(trail.fresh_at({99}), std::nullopt);
  EXPECT_EQ(trail.fresh_at({100}), at_ms(0)) << "when it was asked: it may have moved on before it answered";
  EXPECT_EQ(trail.fresh_at({199}), at_ms(0));
  EXPECT_EQ(trail.fresh_at({200}), at_ms(1000));
  EXPECT_EQ(trail.fresh_at({999}), at_ms(1000));
  trail.add(at_ms(2000), at_ms(2009), {200});
  EXPECT_EQ(trail.fresh_at({200}), at_ms(2000)) << "an idle primary stays where it is";
}

TEST(PrimaryTrail, PassedIsTheFirstMomentAtWhichThePrimaryWasKnownToBePastIt) {
  PrimaryTrail trail;
  EXPECT_EQ(trail.passed_by({0}), std::nullopt);
  trail.add(at_ms(0), at_ms(9), {100});
  trail.add(at_ms(1000), at_ms(1009), {200});
  trail.add(at_ms(2000), at_ms(2009), {200});
  EXPECT_EQ(trail.passed_by({50}), at_ms(9)) << "when it had answered: it may have got there just before";
  EXPECT_EQ(trail.passed_by({100}), at_ms(1009));
  EXPECT_EQ(trail.passed_by({199}), at_ms(1009)) << "an idle primary was there from the beginning";
  EXPECT_EQ(trail.passed_by({200}), std::nullopt);
}

TEST(PrimaryTrail, SamplesHalfAMillisecondApartAreKept) {
  PrimaryTrail trail;
  const auto at = [](int step) { return at_ms(0) + step * PrimaryTrail::kSpacing; };
  for (int step = 0; step < 64; ++step) trail.add(at(step), at(step), {static_cast<std::uint64_t>(step)});
  for (std::uint64_t lsn = 0; lsn + 1 < 64; ++lsn) {
    EXPECT_EQ(trail.fresh_at({lsn}), at(static_cast<int>(lsn)));
    EXPECT_EQ(trail.passed_by({lsn}), at(static_cast<int>(lsn) + 1));
  }
}

TEST(PrimaryTrail, CloserOnesAreMergedButNeverTheLast) {
  PrimaryTrail trail;
  const auto at = [](int step) { return at_ms(0) + step * PrimaryTrail::kSpacing / 100; };
  for (int step = 0; step <= 1000; ++step) {
    trail.add(at(step), at(step), {static_cast<std::uint64_t>(step)});
    ASSERT_EQ(trail.newest_position(), Lsn{static_cast<std::uint64_t>(step)});
  }
  EXPECT_LE(trail.size(), 25U);
  trail.add(at_ms(1000), at_ms(1000), {2000});
  EXPECT_EQ(trail.fresh_at({1000}), at(1000)) << "the last one before a pause stays";
  EXPECT_EQ(trail.passed_by({1000}), at_ms(1000));
}

TEST(PrimaryTrail, WhatIsForgottenMakesNothingFresherAndNoDelayLonger) {
  std::mt19937_64 random(2);
  PrimaryTrail trail;
  std::int64_t ms = 0;
  while (ms < 3'600'000) {  // the primary is at n when the n-th millisecond begins
    const std::int64_t asked = ms;
    const std::int64_t read = asked + static_cast<std::int64_t>(random() % 20);
    const std::int64_t answered = read + static_cast<std::int64_t>(random() % 20);
    trail.add(at_ms(asked), at_ms(answered), {static_cast<std::uint64_t>(read)});
    ms = answered + static_cast<std::int64_t>(random() % 100);
  }
  for (int round = 0; round < 100'000; ++round) {
    const auto replayed = static_cast<std::int64_t>(random() % 3'600'000);
    const Lsn lsn{static_cast<std::uint64_t>(replayed)};
    if (const auto fresh_at = trail.fresh_at(lsn)) {
      ASSERT_LE(*fresh_at, at_ms(replayed));
    }
    if (const auto passed_by = trail.passed_by(lsn)) {
      ASSERT_GT(*passed_by, at_ms(replayed));
    }
  }
}

TEST(PrimaryTrail, APrimaryThatLostWhatItHadNotFlushedTakesTheTrailBack) {
  PrimaryTrail trail;
  passed(trail, 0, 100);
  passed(trail, 1000, 300);
  passed(trail, 2000, 200);
  EXPECT_EQ(trail.newest_position(), Lsn{200});
  EXPECT_EQ(trail.age({200}, at_ms(3000)), Duration::zero());
  EXPECT_EQ(trail.age({150}, at_ms(3000)), milliseconds(3000));
}

}  // namespace
}  // namespace tidemark::routing

#include "tests/consistency/duration_histogram.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::consistency {
namespace {

TEST(DurationHistogram, IsEmptyAtFirst) {
  const DurationHistogram histogram;
  EXPECT_EQ(histogram.at(0.5), 0);
  EXPECT_EQ(histogram.max(), 0);
}

TEST(DurationHistogram, KeepsDurationsOfAllSizesWithinTwoPercent) {
  for (std::int64_t duration = 1; duration < 4'000'000'000'000'000'000; duration += duration / 3 + 1) {
    DurationHistogram histogram;
    histogram.add(duration);
    histogram.add(std::numeric_limits<std::int64_t>::max());
    EXPECT_NEAR(static_cast<double>(histogram.at(0.5)), static_cast<double>(duration),
                0.02 * static_cast<double>(duration));
  }
}

TEST(DurationHistogram, FindsTheShares) {
  DurationHistogram histogram;
  for (std::int64_t i = 1; i <= 1000; ++i) histogram.add(i * 1'000'000);
  EXPECT_NEAR(static_cast<double>(histogram.at(0.5)), 500e6, 10e6);
  EXPECT_NEAR(static_cast<double>(histogram.at(0.99)), 990e6, 20e6);
  EXPECT_EQ(histogram.max(), 1'000'000'000);
  EXPECT_EQ(histogram.at(1), 1'000'000'000);
}

}  // namespace
}  // namespace tidemark::consistency

#include "config/units.hpp"

#include <gmock/gmock.h>

namespace tidemark::config {
namespace {

using std::chrono::nanoseconds;
using ::testing::HasSubstr;

nanoseconds duration(std::string_view text) {
  const auto parsed = parse_duration(text);
  return std::holds_alternative<nanoseconds>(parsed) ? std::get<nanoseconds>(parsed) : nanoseconds(-1);
}

std::string duration_fault(std::string_view text) {
  const auto parsed = parse_duration(text);
  return std::holds_alternative<BadUnit>(parsed) ? std::get<BadUnit>(parsed).reason : "";
}

TEST(Duration, TakesEveryUnitExactly) {
  EXPECT_EQ(duration("7us"), std::chrono::microseconds(7));
  EXPECT_EQ(duration("250ms"), std::chrono::milliseconds(250));
  EXPECT_EQ(duration("10s"), std::chrono::seconds(10));
  EXPECT_EQ(duration("3min"), std::chrono::minutes(3));
  EXPECT_EQ(duration("24h"), std::chrono::hours(24));
}

TEST(Duration, ZeroNeedsNoUnit) {
  EXPECT_EQ(duration("0"), nanoseconds(0));
  EXPECT_EQ(duration("0ms"), nanoseconds(0));
}

TEST(Duration, BlanksMayStandBeforeTheUnit) {
  EXPECT_EQ(duration("5 ms"), std::chrono::milliseconds(5));
}

TEST(Duration, RefusesWhatIsNoDurationAndSaysWhy) {
  EXPECT_THAT(duration_fault(""), HasSubstr("empty"));
  EXPECT_THAT(duration_fault("5"), HasSubstr("unit is missing"));
  EXPECT_THAT(duration_fault("5 "), HasSubstr("unit is missing"));
  EXPECT_THAT(duration_fault("-5ms"), HasSubstr("negative"));
  EXPECT_THAT(duration_fault("+5ms"), HasSubstr("whole number"));
  EXPECT_THAT(duration_fault(" 5ms"), HasSubstr("whole number"));
  EXPECT_THAT(duration_fault("ms"), HasSubstr("whole number"));
  EXPECT_THAT(duration_fault("1.5s"), HasSubstr("fractions"));
  EXPECT_THAT(duration_fault("1,5s"), HasSubstr("fractions"));
  EXPECT_EQ(duration_fault("5mss"), "unknown unit \"mss\", allowed are ms, us, s, min, h");
  EXPECT_THAT(duration_fault("5MS"), HasSubstr("unknown unit"));
  EXPECT_THAT(duration_fault("5ms "), HasSubstr("unknown unit"));
  EXPECT_THAT(duration_fault("1h30min"), HasSubstr("unknown unit"));
}

TEST(Duration, TakesTheLargestThatFitsAndNothingMore) {
  EXPECT_EQ(duration("9223372036s"), nanoseconds(9'223'372'036'000'000'000));
  EXPECT_THAT(duration_fault("9223372037s"), HasSubstr("too large"));
  EXPECT_THAT(duration_fault("9223372036854775807h"), HasSubstr("too large"));
  EXPECT_THAT(duration_fault("9223372036854775808us"), HasSubstr("too large"));
  EXPECT_THAT(duration_fault("99999999999999999999999999999999ms"), HasSubstr("too large"));
}

TEST(Duration, IsPrintedInTheLargestWholeUnit) {
  EXPECT_EQ(print_duration(std::chrono::milliseconds(1500)), "1500ms");
  EXPECT_EQ(print_duration(std::chrono::minutes(120)), "2h");
  EXPECT_EQ(print_duration(std::chrono::seconds(90)), "90s");
  EXPECT_EQ(print_duration(nanoseconds(7)), "7ns");
  EXPECT_EQ(print_duration(nanoseconds(0)), "0s");
}

TEST(Size, TakesEveryUnitAsPostgresDoes) {
  EXPECT_EQ(std::get<std::int64_t>(parse_size("100B")), 100);
  EXPECT_EQ(std::get<std::int64_t>(parse_size("64kB")), 65'536);
  EXPECT_EQ(std::get<std::int64_t>(parse_size("1MB")), 1'048'576);
  EXPECT_EQ(std::get<std::int64_t>(parse_size("2 GB")), 2'147'483'648);
  EXPECT_TRUE(std::holds_alternative<BadUnit>(parse_size("1KB")));
  EXPECT_TRUE(std::holds_alternative<BadUnit>(parse_size("1024")));
  EXPECT_TRUE(std::holds_alternative<BadUnit>(parse_size("8589934592GB")));
}

TEST(Size, IsPrintedInTheLargestWholeUnit) {
  EXPECT_EQ(print_size(65'536), "64kB");
  EXPECT_EQ(print_size(1'000), "1000B");
  EXPECT_EQ(print_size(0), "0B");
}

}  // namespace
}  // namespace tidemark::config

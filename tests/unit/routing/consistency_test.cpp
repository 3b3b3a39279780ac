#include "routing/consistency.hpp"

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

TEST(Consistency, EveryLevelIsReadAsItIsPrinted) {
  for (int value = 0; value <= static_cast<int>(ConsistencyLevel::primary); ++value) {
    const auto level = static_cast<ConsistencyLevel>(value);
    EXPECT_EQ(parse_consistency(to_string(level)), level) << value;
  }
  EXPECT_EQ(to_string(ConsistencyLevel::read_your_writes), "read_your_writes");
}

TEST(Consistency, NoOtherSpellingIsALevel) {
  for (const char* text : {"", "Session", "session ", "read-your-writes", "read_your_write", "unknown"}) {
    EXPECT_EQ(parse_consistency(text), std::nullopt) << text;
  }
}

TEST(Consistency, LevelsRequireWhatTheyPromise) {
  using enum ConsistencyLevel;
  for (const auto level : {read_your_writes, session, strong}) EXPECT_TRUE(requires_own_writes(level));
  for (const auto level : {eventual, bounded_staleness, monotonic_reads})
    EXPECT_FALSE(requires_own_writes(level));
  for (const auto level : {monotonic_reads, session, strong}) EXPECT_TRUE(requires_monotonic(level));
  for (const auto level : {eventual, bounded_staleness, read_your_writes})
    EXPECT_FALSE(requires_monotonic(level));
}

}  // namespace
}  // namespace tidemark::routing

#include "tests/consistency/staleness.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/consistency/history_script.hpp"

namespace tidemark::consistency {
namespace {

using ::testing::HasSubstr;

constexpr auto read = OperationKind::read;
constexpr auto write = OperationKind::write;
constexpr Guarantee bound_100{Level::bounded_staleness, 100};

// Version 1 is acknowledged at 10, version 2 at 200.
Script writes() {
  Script script;
  script.at(0, 10, write, 1, 7, 1).at(190, 200, write, 1, 7, 2);
  return script;
}

std::uint64_t over_bound(Script script, std::int64_t start, std::int64_t version) {
  return script.at(start, start + 5, read, 2, 7, version).verdict(bound_100).count(ViolationKind::over_bound);
}

TEST(Staleness, AReadMayBeAsOldAsTheBoundAndNoOlder) {
  EXPECT_EQ(over_bound(writes(), 110, 0), 0U) << "version 1 was acknowledged 100 before";
  EXPECT_EQ(over_bound(writes(), 111, 0), 1U);
  EXPECT_EQ(over_bound(writes(), 111, 1), 0U);
  EXPECT_EQ(over_bound(writes(), 300, 1), 0U);
  EXPECT_EQ(over_bound(writes(), 301, 1), 1U);
  EXPECT_EQ(over_bound(writes(), 1000, 2), 0U) << "what is newest is never too old";
}

TEST(Staleness, TheStartOfTheReadCountsNotItsEnd) {
  Script script = writes();
  script.at(100, 900, read, 2, 7, 0);
  EXPECT_EQ(script.verdict(bound_100).violations(), 0U);
}

TEST(Staleness, WhatIsNotAcknowledgedMakesNoReadOld) {
  Script script;
  script.at(0, 900, write, 1, 7, 1).at(0, 10, OperationKind::unknown_write, 3, 7, 0);
  script.at(5, 10, read, 3, 7, 1).at(800, 810, read, 2, 7, 0);
  EXPECT_EQ(script.verdict(bound_100).violations(), 0U);
  EXPECT_EQ(script.verdict(bound_100).max_staleness, 0);
}

TEST(Staleness, AcknowledgementsMayComeInAnotherOrderThanTheWrites) {
  // Version 2 is acknowledged at 10: it implies version 1, which is acknowledged at 500 only.
  Script script;
  script.at(0, 500, write, 1, 7, 1).at(0, 10, write, 2, 7, 2);
  EXPECT_EQ(over_bound(script, 110, 0), 0U);
  EXPECT_EQ(over_bound(script, 111, 0), 1U);
  EXPECT_EQ(over_bound(script, 111, 1), 1U);
}

TEST(Staleness, SaysWhatTheReadShouldHaveShown) {
  Script script = writes();
  const Verdict verdict = script.at(500, 510, read, 2, 7, 0).verdict(bound_100);
  ASSERT_EQ(verdict.violations(), 1U);
  EXPECT_EQ(verdict.first.at(0).required, 2);
  EXPECT_THAT(describe(verdict.first.at(0)), HasSubstr("over_bound: session 2, key 7: read 0"));
  EXPECT_THAT(describe(verdict.first.at(0)), HasSubstr("session 1 wrote 2"));
}

TEST(Staleness, MeasuresTheOldestRead) {
  Script script = writes();
  script.at(50, 60, read, 2, 7, 1).at(60, 70, read, 2, 7, 0).at(250, 260, read, 2, 7, 1);
  const Verdict verdict = script.verdict();
  EXPECT_EQ(verdict.max_staleness, 50);
  EXPECT_EQ(verdict.reads_behind, 2U);
  EXPECT_EQ(script.at(300, 310, read, 2, 7, 0).verdict().max_staleness, 290);
}

TEST(Staleness, WhatWasThereInitiallyIsOlderThanTheRun) {
  Script script;
  script.history.initial[7] = 5;
  script.at(0, 10, read, 2, 7, 4).at(100, 110, read, 2, 7, 4);
  EXPECT_EQ(script.verdict(bound_100).violations(), 0U);
  EXPECT_EQ(script.at(101, 110, read, 2, 7, 4).verdict(bound_100).violations(), 1U);
}

TEST(Staleness, TheUsersOwnGuaranteesAreNotAskedFor) {
  Script script;
  script.at(0, 10, write, 1, 7, 1).at(20, 30, read, 1, 7, 0);
  const Verdict verdict = script.verdict(bound_100);
  EXPECT_EQ(verdict.count(ViolationKind::stale_read), 1U);
  EXPECT_EQ(verdict.violations(), 0U);
}

TEST(Staleness, OtherLevelsHaveNoBound) {
  Script script = writes();
  script.at(900, 910, read, 2, 7, 0);
  EXPECT_EQ(script.verdict().count(ViolationKind::over_bound), 0U);
}

}  // namespace
}  // namespace tidemark::consistency

#include "tests/consistency/linearizability.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/consistency/history_script.hpp"
#include "tests/consistency/wing_gong.hpp"

namespace tidemark::consistency {
namespace {

constexpr auto read = OperationKind::read;
constexpr auto write = OperationKind::write;
constexpr auto unknown = OperationKind::unknown_write;
constexpr Guarantee strong{Level::strong, 0};

// Both checks, which must agree.
bool good(const Script& script, std::int64_t initial = 0) {
  const SearchResult searched = search_linearization(script.history.operations, initial);
  EXPECT_NE(searched, SearchResult::undecided);
  const bool fast = linearizable(script.history.operations, initial);
  EXPECT_EQ(fast, searched == SearchResult::linearizable);
  return fast;
}

TEST(Linearizability, OneAfterTheOtherEachSeesTheLast) {
  const Script script = Script().write(1, 7, 1).read(2, 7, 1).write(3, 7, 2).read(1, 7, 2).read(4, 7, 2);
  EXPECT_TRUE(good(script));
  EXPECT_EQ(script.verdict(strong).violations(), 0U);
}

TEST(Linearizability, AReadBehindAnybodysAcknowledgedWriteIsCaught) {
  const Script script = Script().write(1, 7, 1).read(2, 7, 0);
  EXPECT_FALSE(good(script));
  const Verdict verdict = script.verdict(strong);
  EXPECT_EQ(verdict.count(ViolationKind::behind_acknowledged), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
  EXPECT_EQ(verdict.first.at(0).required, 1);
  EXPECT_EQ(script.verdict().violations(), 0U) << "session consistency allows it";
}

TEST(Linearizability, AReadAtTheSameTimeAsTheWriteMayShowEither) {
  for (const std::int64_t version : {0, 1}) {
    Script script;
    script.at(0, 10, write, 1, 7, 1).at(5, 15, read, 2, 7, version);
    EXPECT_TRUE(good(script));
    EXPECT_EQ(script.verdict(strong).violations(), 0U);
  }
}

TEST(Linearizability, ReadsOfDifferentUsersMustNotGoBack) {
  // The write is not acknowledged yet, but one has seen it.
  Script script;
  script.at(0, 100, write, 1, 7, 1).at(5, 15, read, 2, 7, 1);
  EXPECT_TRUE(good(Script(script).at(10, 30, read, 3, 7, 0))) << "at the same time";
  script.at(15, 30, read, 3, 7, 0);
  EXPECT_FALSE(good(script));
  const Verdict verdict = script.verdict(strong);
  EXPECT_EQ(verdict.count(ViolationKind::behind_read), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
}

TEST(Linearizability, AReadMustNotEndBeforeItsWriteStarts) {
  Script script;
  script.at(0, 10, read, 1, 7, 1).at(10, 20, write, 2, 7, 1);
  EXPECT_FALSE(good(script));
  const Verdict verdict = script.verdict(strong);
  EXPECT_EQ(verdict.count(ViolationKind::impossible_version), 1U);
  EXPECT_FALSE(good(Script().at(0, 10, read, 1, 7, 1)));
}

TEST(Linearizability, WritesMustNotGoAgainstTheOrderOfTheirVersions) {
  Script script;
  script.at(0, 30, write, 3, 7, 1).at(5, 10, write, 1, 7, 2);
  EXPECT_TRUE(good(script)) << "they overlap";
  script.at(30, 40, write, 2, 7, 2);
  EXPECT_FALSE(good(script));
  Script late;
  late.at(0, 10, unknown, 3, 7, 0).at(5, 10, write, 1, 7, 2).at(20, 30, write, 2, 7, 1);
  EXPECT_FALSE(good(late));
  EXPECT_EQ(late.verdict(strong).count(ViolationKind::write_out_of_order), 1U);
}

TEST(Linearizability, AWriteMustNotGetAVersionThatHasBeenShown) {
  Script script;
  script.at(0, 10, unknown, 3, 7, 0).at(5, 10, read, 1, 7, 1).at(20, 30, write, 2, 7, 1);
  EXPECT_FALSE(good(script));
  EXPECT_EQ(script.verdict(strong).count(ViolationKind::write_out_of_order), 1U);
}

TEST(Linearizability, OneVersionCannotBeWrittenTwice) {
  Script script;
  script.at(0, 10, write, 1, 7, 1).at(0, 10, write, 2, 7, 1);
  EXPECT_FALSE(good(script));
  EXPECT_EQ(script.verdict(strong).count(ViolationKind::lost_write), 1U);
}

TEST(Linearizability, AnUnknownWriteMayHappenLateOrNever) {
  Script script;
  script.at(0, 10, unknown, 1, 7, 0).at(20, 30, read, 2, 7, 0);
  EXPECT_TRUE(good(script)) << "not yet";
  EXPECT_TRUE(good(Script(script).at(40, 50, read, 2, 7, 1))) << "now";
  EXPECT_TRUE(good(Script(script).at(40, 50, write, 2, 7, 1))) << "never, or later";
  EXPECT_TRUE(good(Script(script).at(40, 50, write, 2, 7, 2))) << "in between";
  EXPECT_FALSE(good(Script(script).at(40, 50, read, 2, 7, 1).at(50, 60, read, 2, 7, 0))) << "no way back";
  EXPECT_FALSE(good(Script(script).at(40, 50, read, 2, 7, 2))) << "not twice";
}

TEST(Linearizability, AnUnknownWriteDoesNotHappenBeforeItStarts) {
  Script script;
  script.at(0, 10, read, 2, 7, 1).at(10, 20, unknown, 1, 7, 0);
  EXPECT_FALSE(good(script));
  EXPECT_EQ(script.verdict(strong).count(ViolationKind::impossible_version), 1U);
}

TEST(Linearizability, EachGapAmongTheVersionsNeedsAnUnknownWriteOfItsOwn) {
  Script script;
  script.at(0, 10, unknown, 1, 7, 0).at(0, 10, write, 2, 7, 2);
  EXPECT_TRUE(good(script));
  script.at(20, 30, write, 2, 7, 4);
  EXPECT_FALSE(good(script));
  EXPECT_EQ(script.verdict(strong).count(ViolationKind::impossible_version), 1U);
  EXPECT_EQ(script.verdict().count(ViolationKind::impossible_version), 1U) << "whatever the level";
}

TEST(Linearizability, FailedOperationsDoNotCount) {
  Script script;
  script.write(1, 7, 1).add(OperationKind::failed_write, 1, 7, 0).add(OperationKind::failed_read, 2, 7, 0);
  EXPECT_TRUE(good(Script(script).read(2, 7, 1)));
  EXPECT_FALSE(good(script.read(2, 7, 2)));
}

TEST(Linearizability, LessThanTheInitialVersionIsCaught) {
  Script script;
  script.history.initial[7] = 5;
  script.read(1, 7, 4);
  EXPECT_FALSE(good(script, 5));
  EXPECT_EQ(script.verdict(strong).count(ViolationKind::behind_acknowledged), 1U);
}

TEST(Linearizability, TellsWhetherTheWriteHadBeenAcknowledged) {
  Script script;
  script.at(0, 100, write, 1, 7, 1, Script::primary).at(5, 15, read, 2, 7, 1, Script::replica);
  script.at(20, 30, read, 3, 7, 0, Script::primary);
  EXPECT_EQ(script.verdict(strong).violations(), 1U);
  EXPECT_EQ(script.verdict(strong).before_acknowledgement, 1U);
  EXPECT_EQ(script.verdict().before_acknowledgement, 0U) << "session consistency does not forbid it";
}

TEST(Linearizability, CountsReadsSoonAfterForeignWrites) {
  Script script;
  script.write(1, 7, 1).read(1, 7, 1).read(2, 7, 1).at(900'000'000, 900'000'001, read, 3, 7, 1);
  EXPECT_EQ(script.verdict(strong).reads_soon_after_foreign_write, 1U);
  EXPECT_TRUE(script.verdict({0, 0, 1, 0, 1}, strong).holds());
  EXPECT_FALSE(script.verdict({0, 0, 1, 0, 2}, strong).holds());
}

// A history of a few operations at once. Half of them come of a register that works, and may then be spoilt.
Script small_history(std::mt19937_64& random, std::int64_t initial) {
  const auto any = [&random](std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random);
  };
  Script script;
  const std::int64_t count = any(2, 11);
  std::vector<std::int64_t> points(static_cast<std::size_t>(count));
  for (std::int64_t& point : points) point = any(1, 60) * 2 + 1;
  std::sort(points.begin(), points.end());
  std::int64_t state = initial;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t point = points[static_cast<std::size_t>(i)];
    const std::int64_t start = point - 2 * any(0, 10) - 1;
    const std::int64_t end = point + 2 * any(0, 10) + 1;
    const auto session = static_cast<std::uint32_t>(i);
    const std::int64_t what = any(0, 9);
    if (what < 5) {
      script.at(start, end, read, session, 7, state);
    } else if (what < 8) {
      script.at(start, end, write, session, 7, ++state);
    } else if (what < 9) {
      if (any(0, 2) > 0) ++state;
      // It may happen long after its client has given up.
      script.at(start, start + 1, unknown, session, 7, 0);
    } else {
      script.at(start, end, OperationKind::failed_write, session, 7, 0);
    }
  }
  for (std::int64_t spoilt = any(0, 5); spoilt > 0; --spoilt) {
    Operation& operation = script.history.operations[static_cast<std::size_t>(any(0, count - 1))];
    switch (any(0, 3)) {
      case 0:
        operation.version += any(-1, 1);
        break;
      case 1:
        operation.start += 2 * any(-10, 10);
        operation.end = std::max(operation.end, operation.start + 2);
        break;
      case 2:
        operation.end = operation.start + 2 * any(1, 20);
        break;
      default:
        operation.kind = any(0, 1) == 0 ? unknown : OperationKind::failed_write;
        break;
    }
  }
  return script;
}

// The same without any register behind it.
Script senseless_history(std::mt19937_64& random, std::int64_t initial) {
  const auto any = [&random](std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random);
  };
  constexpr OperationKind kinds[] = {read, read, write, write, unknown};
  Script script;
  for (std::int64_t count = any(1, 6); count > 0; --count) {
    const std::int64_t start = any(0, 20);
    script.at(start, start + any(1, 20), kinds[any(0, 4)], static_cast<std::uint32_t>(count), 7,
              initial + any(0, 3));
  }
  return script;
}

TEST(Linearizability, TheFastCheckAgreesWithTheSearchOnSmallHistories) {
  std::uint64_t linear = 0;
  constexpr std::uint64_t histories = 60'000;
  for (std::uint64_t seed = 1; seed <= histories; ++seed) {
    std::mt19937_64 random(seed);
    const std::int64_t initial = seed % 3 == 0 ? 40 : 0;
    const Script script = seed % 2 == 0 ? small_history(random, initial) : senseless_history(random, initial);
    const SearchResult searched = search_linearization(script.history.operations, initial);
    ASSERT_NE(searched, SearchResult::undecided);
    ASSERT_EQ(linearizable(script.history.operations, initial), searched == SearchResult::linearizable)
        << "seed " << seed;
    // What the judge calls violations of `strong` must be the same thing.
    Script judged = script;
    judged.history.initial[7] = initial;
    const Verdict verdict = judged.verdict(strong);
    ASSERT_EQ(verdict.violations() == 0, searched == SearchResult::linearizable) << "seed " << seed;
    if (searched == SearchResult::linearizable) ++linear;
  }
  EXPECT_GT(linear, histories / 5);
  EXPECT_LT(linear, histories * 4 / 5);
}

TEST(Linearizability, TheSearchGivesUpInsteadOfLastingForEver) {
  Script script;
  for (std::uint32_t i = 0; i < 40; ++i) script.at(0, 1000, unknown, i, 7, 0);
  script.at(0, 1000, read, 50, 7, 99);
  EXPECT_EQ(search_linearization(script.history.operations, 0, 10'000), SearchResult::undecided);
  for (std::uint32_t i = 0; i < 40; ++i) script.at(0, 1000, read, i, 7, 0);
  EXPECT_EQ(search_linearization(script.history.operations, 0), SearchResult::undecided) << "too many";
}

TEST(Linearizability, PiecesOfALongHistoryAreGivenToBothChecks) {
  std::mt19937_64 random(1);
  Script script;
  std::int64_t version = 0;
  for (std::int64_t i = 0; i < 4000; ++i) {
    const auto session = static_cast<std::uint32_t>(i % 5);
    const std::int64_t start = i * 10;
    if (random() % 3 == 0)
      script.at(start, start + 14, write, session, 7, ++version);
    else
      script.at(start, start + 8, read, session, 7, version - (random() % 2000 == 0 ? 1 : 0));
  }
  const Verdict verdict = script.verdict(strong);
  EXPECT_GT(verdict.comparison.windows, 100U);
  EXPECT_EQ(verdict.comparison.disagreements, 0U);
  EXPECT_EQ(verdict.comparison.not_linearizable > 0, verdict.violations() > 0);
}

}  // namespace
}  // namespace tidemark::consistency

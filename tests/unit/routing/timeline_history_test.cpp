#include "routing/timeline_history.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

using Ancestors = std::vector<TimelineSwitch>;
using Place = TimelineHistory::Place;

// As PostgreSQL 15 writes it, with an empty line before each entry but the first.
constexpr std::string_view kFile =
    "1\t0/3000158\tno recovery target specified\n"
    "\n"
    "2\t0/50000A0\tbefore 2026-11-20 10:00:00.5+00\n"
    "\n"
    "7\t1A/B374D848\tat restore point \"upgrade\"\n";

const Ancestors kOfFile{{{1}, {0x3000158}, true}, {{2}, {0x50000A0}, true}, {{7}, {0x1AB374D848}, true}};

std::optional<Ancestors> parsed(std::string_view text) {
  const auto history = TimelineHistory::parse(text);
  if (!history) return std::nullopt;
  return history->ancestors();
}

TEST(TimelineHistory, ReadsWhatPostgresqlWrites) {
  EXPECT_EQ(parsed(kFile), kOfFile);
  EXPECT_TRUE(TimelineHistory::parse(kFile)->is_exact());
}

TEST(TimelineHistory, CommentsBlankLinesAndReasonsDoNotMatter) {
  EXPECT_EQ(
      parsed("# written by hand\n\n \t\n1\t0/3000158\tx\n  # so\n\t2 0/50000A0 y\r\n7\t1A/B374D848\r\n"),
      kOfFile);
}

TEST(TimelineHistory, EmptyTextIsATimelineWithoutAncestors) {
  EXPECT_EQ(parsed(""), Ancestors{});
  EXPECT_EQ(parsed("\n# nothing\n"), Ancestors{});
}

TEST(TimelineHistory, WhatMakesNoSenseIsRefused) {
  for (const std::string_view text : {
           "one\t0/3000158\tx",
           "1",
           "1\t",
           "1\tx",
           "1\t0\tx",
           "1\t0/\tx",
           "1\t/3000158\tx",
           "1\t0/3000158",
           "1\t0/3000158x\tx",
           "1\t0/123456789\tx",
           "1\t-0/3000158\tx",
           "10/3000158\tx",
           "-1\t0/3000158\tx",
           "0\t0/3000158\tx",
           "4294967296\t0/3000158\tx",
           "99999999999999999999\t0/3000158\tx",
           "2\t0/3000158\tx\n1\t0/4000000\tx",
           "1\t0/3000158\tx\n1\t0/4000000\tx",
           "1\t0/3000158\tx\nand more",
           "<html>",
       }) {
    EXPECT_EQ(parsed(text), std::nullopt) << text;
  }
}

TEST(TimelineHistory, AFileThatIsCutOffIsRefusedOrIsAsLongAsItSays) {
  for (std::size_t size = 0; size < kFile.size(); ++size) {
    const auto cut = parsed(kFile.substr(0, size));
    if (!cut) continue;
    ASSERT_LE(cut->size(), kOfFile.size());
    for (std::size_t i = 0; i + 1 < cut->size(); ++i) EXPECT_EQ((*cut)[i], kOfFile[i]);
  }
}

TEST(TimelineHistory, BytesOfNoKindBreakIt) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(kFile);
    for (std::uint64_t change = random() % 4; change <= 4; ++change)
      text[random() % text.size()] = static_cast<char>(random());
    const auto ancestors = parsed(text);
    if (!ancestors) continue;
    for (std::size_t i = 1; i < ancestors->size(); ++i) {
      ASSERT_LT((*ancestors)[i - 1].timeline, (*ancestors)[i].timeline);
      ASSERT_LE((*ancestors)[i - 1].end, (*ancestors)[i].end);
    }
  }
}

TEST(TimelineHistory, OfVeryManyAncestorsTheLatestAreKept) {
  std::string text;
  for (int timeline = 1; timeline <= 3000; ++timeline)
    text += std::to_string(timeline) + "\t1/" + std::to_string(timeline) + "\tx\n";
  const auto ancestors = parsed(text);
  ASSERT_TRUE(ancestors);
  ASSERT_EQ(ancestors->size(), TimelineHistory::kMaxAncestors);
  EXPECT_EQ(ancestors->back().timeline, TimelineId{3000});
  EXPECT_EQ(TimelineHistory(*ancestors).locate({1}, {1}), Place::unknown);
}

TEST(TimelineHistory, ATextWithoutAnEndIsRefused) {
  EXPECT_NE(parsed(std::string(TimelineHistory::kMaxText, '\n')), std::nullopt);
  EXPECT_EQ(parsed(std::string(TimelineHistory::kMaxText + 1, '\n')), std::nullopt);
}

TEST(TimelineHistory, WhoLeftALaterAncestorBeforeItsBeginningHasNothingBehindThat) {
  const auto history = TimelineHistory::parse("1\t0/500\tx\n2\t0/300\tstopped before it had got there\n");
  ASSERT_TRUE(history);
  EXPECT_EQ(history->locate({1}, {0x300}), Place::contained);
  EXPECT_EQ(history->locate({1}, {0x400}), Place::lost);
}

TEST(TimelineHistory, LocatesUpToTheSwitchAndNotBehindIt) {
  const TimelineHistory history(kOfFile);
  EXPECT_EQ(history.locate({1}, {0}), Place::contained);
  EXPECT_EQ(history.locate({1}, {0x3000158}), Place::contained) << "a record that ends there is the last one";
  EXPECT_EQ(history.locate({1}, {0x3000159}), Place::lost);
  EXPECT_EQ(history.locate({2}, {0x3000159}), Place::contained);
  EXPECT_EQ(history.locate({7}, {0x1AB374D849}), Place::lost);
}

TEST(TimelineHistory, OfATimelineThatIsNoAncestorNothingIsKnown) {
  EXPECT_EQ(TimelineHistory().locate({1}, {1}), Place::unknown);
  EXPECT_EQ(TimelineHistory(kOfFile).locate({3}, {1}), Place::unknown);
  EXPECT_EQ(TimelineHistory(kOfFile).locate({8}, {1}), Place::unknown);
}

TEST(TimelineHistory, BehindAnEndThatIsNotExactNothingIsKnown) {
  const TimelineHistory history({{{1}, {100}, true}, {{2}, {200}, false}});
  EXPECT_FALSE(history.is_exact());
  EXPECT_EQ(history.locate({2}, {200}), Place::contained);
  EXPECT_EQ(history.locate({2}, {201}), Place::unknown);
  EXPECT_EQ(history.locate({1}, {101}), Place::lost);
}

TEST(TimelineHistory, FitsATimelineBehindItsAncestors) {
  EXPECT_TRUE(TimelineHistory().fits({1}));
  EXPECT_FALSE(TimelineHistory().fits({2})) << "every other one has an ancestor";
  EXPECT_FALSE(TimelineHistory().fits({0}));
  EXPECT_FALSE(TimelineHistory(kOfFile).fits({7}));
  EXPECT_TRUE(TimelineHistory(kOfFile).fits({8}));
  EXPECT_FALSE(TimelineHistory(kOfFile).fits({1}));
}

TEST(TimelineHistory, OfAPromotionKeepsTheAncestorsOfWhatWasLeft) {
  const TimelineSwitch left{{8}, {0x1B00000000}, false};
  Ancestors expected = kOfFile;
  expected.push_back(left);
  EXPECT_EQ(TimelineHistory(kOfFile).followed_by({8}, left).ancestors(), expected);
}

TEST(TimelineHistory, OfAPromotionFromAnEarlierAncestorEndsThere) {
  const TimelineSwitch left{{2}, {0x4000000}, false};
  EXPECT_EQ(TimelineHistory(kOfFile).followed_by({8}, left).ancestors(), (Ancestors{kOfFile[0], left}));
}

TEST(TimelineHistory, OfAPromotionFromAnotherBranchKnowsOnlyThat) {
  const TimelineSwitch left{{3}, {0x4000000}, false};
  EXPECT_EQ(TimelineHistory(kOfFile).followed_by({8}, left).ancestors(), Ancestors{left});
}

TEST(TimelineHistory, OfAPromotionBeforeTheLastSwitchLeavesOpenWhetherThatWasReached) {
  const TimelineHistory history = TimelineHistory(kOfFile).followed_by({8}, {{8}, {0x4000000}, false});
  EXPECT_EQ(history.locate({1}, {0x3000159}), Place::lost);
  EXPECT_EQ(history.locate({2}, {0x4000000}), Place::contained);
  EXPECT_EQ(history.locate({2}, {0x4000001}), Place::unknown);
}

}  // namespace
}  // namespace tidemark::routing

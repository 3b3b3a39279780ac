#include "routing/wal_position.hpp"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

constexpr std::uint64_t kSegment = 16U << 20U;
constexpr std::uint64_t kPage = 8192;

WalPosition at(std::uint64_t system, std::uint32_t timeline, std::uint64_t lsn) {
  return {system, {timeline}, {lsn}};
}

TEST(WalPosition, ContainsWhatLiesAtOrBeforeItOnOneTimeline) {
  EXPECT_TRUE(contains(at(7, 1, 100), at(7, 1, 100)));
  EXPECT_TRUE(contains(at(7, 1, 101), at(7, 1, 100)));
  EXPECT_FALSE(contains(at(7, 1, 99), at(7, 1, 100)));
}

TEST(WalPosition, ContainsNothingOfAnotherTimelineHoweverFarItHasCome) {
  EXPECT_FALSE(contains(at(7, 2, 1000), at(7, 1, 100)));
  EXPECT_FALSE(contains(at(7, 1, 1000), at(7, 2, 100)));
}

TEST(WalPosition, ContainsNothingOfAnotherCluster) {
  EXPECT_FALSE(contains(at(8, 1, 1000), at(7, 1, 100)));
}

TEST(WalPosition, UnknownTimelineOrClusterContainsNothing) {
  EXPECT_FALSE(contains(at(7, 0, 1000), at(7, 0, 100)));
  EXPECT_FALSE(contains(at(0, 1, 1000), at(0, 1, 100)));
}

TEST(Lsn, ParsesWhatPostgresqlPrints) {
  EXPECT_EQ(parse_lsn("16/B374D848"), Lsn{0x16'B374D848});
  EXPECT_EQ(parse_lsn("0/0"), Lsn{0});
  EXPECT_EQ(parse_lsn("ffffffff/FFFFFFFF"), Lsn{std::numeric_limits<std::uint64_t>::max()});
  EXPECT_EQ(parse_lsn("00000001/00000002"), Lsn{0x1'00000002});
}

TEST(Lsn, RefusesEveryOtherText) {
  for (const char* text : {"", "/", "0", "0/", "/0", "1/2/3", "G/0", "0/G", " 0/0", "0/0 ", "+1/0", "-1/0",
                           "0x1/0", "123456789/0", "0/123456789", "1 /0"}) {
    EXPECT_EQ(parse_lsn(text), std::nullopt) << '"' << text << '"';
  }
}

TEST(Lsn, RefusesOrReadsEveryTruncationWithoutLookingPastItsEnd) {
  const std::string whole = "16/B374D848";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(parse_lsn(std::string_view(whole).substr(0, length)).has_value(), length > 3) << length;
  }
}

TEST(Lsn, PrintsAsPostgresqlDoes) {
  EXPECT_EQ(to_string(Lsn{0x16'B374D848}), "16/B374D848");
  EXPECT_EQ(to_string(Lsn{0}), "0/0");
  EXPECT_EQ(to_string(Lsn{0x1'0000000F}), "1/F");
  EXPECT_EQ(to_string(Lsn{std::numeric_limits<std::uint64_t>::max()}), "FFFFFFFF/FFFFFFFF");
}

TEST(Lsn, LagIsNeverNegative) {
  EXPECT_EQ(lag(Lsn{100}, Lsn{60}), ByteLag{40});
  EXPECT_EQ(lag(Lsn{60}, Lsn{100}), ByteLag{0});
  EXPECT_EQ(lag(Lsn{60}, Lsn{60}), ByteLag{0});
}

TEST(PageHeader, InsertPositionBehindAShortHeaderGoesBackToThePage) {
  const std::uint64_t page = 3 * kSegment + 5 * kPage;
  EXPECT_EQ(without_page_header(Lsn{page + 24}, kSegment, kPage), Lsn{page});
}

TEST(PageHeader, InsertPositionBehindASegmentsLongHeaderGoesBackToTheSegment) {
  EXPECT_EQ(without_page_header(Lsn{3 * kSegment + 40}, kSegment, kPage), Lsn{3 * kSegment});
}

TEST(PageHeader, FortyBytesIntoAnOrdinaryPageIsARecordsEnd) {
  const Lsn position{3 * kSegment + 5 * kPage + 40};
  EXPECT_EQ(without_page_header(position, kSegment, kPage), position);
}

TEST(PageHeader, EveryOtherOffsetStays) {
  for (const std::uint64_t page : {3 * kSegment, 3 * kSegment + kPage}) {
    for (std::uint64_t offset = 0; offset < kPage; offset += 8) {
      if (offset == (page % kSegment == 0 ? 40U : 24U)) continue;
      const Lsn position{page + offset};
      EXPECT_EQ(without_page_header(position, kSegment, kPage), position) << offset;
    }
  }
}

TEST(PageHeader, FollowsTheServersOwnSizes) {
  constexpr std::uint64_t kSmallSegment = 1U << 20U;
  constexpr std::uint64_t kLargePage = 32768;
  EXPECT_EQ(without_page_header(Lsn{3 * kSmallSegment + 40}, kSmallSegment, kPage), Lsn{3 * kSmallSegment});
  EXPECT_EQ(without_page_header(Lsn{kSegment + kPage + 24}, kSegment, kLargePage),
            Lsn{kSegment + kPage + 24});
  EXPECT_EQ(without_page_header(Lsn{kSegment + kLargePage + 24}, kSegment, kLargePage),
            Lsn{kSegment + kLargePage});
}

TEST(PageHeader, SizesThatCannotBeLeaveThePosition) {
  const Lsn position{kSegment + kPage + 24};
  EXPECT_EQ(without_page_header(position, 0, kPage), position);
  EXPECT_EQ(without_page_header(position, kSegment, 0), position);
  EXPECT_EQ(without_page_header(position, kSegment + 1, kPage), position);
  EXPECT_EQ(without_page_header(position, kPage, kSegment), position);
}

}  // namespace
}  // namespace tidemark::routing

#include "routing/position_token.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

WalPosition at(std::uint64_t system, std::uint32_t timeline, std::uint64_t lsn) {
  return {system, {timeline}, {lsn}};
}

struct Known {
  WalPosition position;
  std::string_view text;
};

// Applications keep them: they stay the same from version to version.
const std::vector<Known> kKnown = {
    {at(0, 0, 0), "tm1.AAAAAAAAAAAAAAAAAAAAAAAAAAC8xVY-"},
    {at(7'301'234'567'890'123'456U, 3, 0x16'B374'D848U), "tm1.ZVMyJ-jkusAAAAADAAAAFrN02EjBS3Do"},
    {at(std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<std::uint32_t>::max(),
        std::numeric_limits<std::uint64_t>::max()),
     "tm1.__________________________9SoCkF"},
};

TokenFault fault_of(std::string_view text) {
  const auto parsed = parse_position_token(text);
  EXPECT_TRUE(std::holds_alternative<TokenFault>(parsed)) << text;
  const auto* fault = std::get_if<TokenFault>(&parsed);
  return fault == nullptr ? TokenFault{99} : *fault;
}

TEST(PositionToken, IsPrintedAndReadByItsFormat) {
  for (const Known& known : kKnown) {
    EXPECT_EQ(print_position_token(known.position), known.text);
    EXPECT_EQ(known.text.size(), kPositionTokenSize);
    const auto parsed = parse_position_token(known.text);
    ASSERT_TRUE(std::holds_alternative<WalPosition>(parsed)) << known.text;
    EXPECT_EQ(std::get<WalPosition>(parsed), known.position);
  }
}

TEST(PositionToken, GivesBackEveryBitOfAPosition) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const WalPosition& position :
         {at(1ULL << bit, 5, 7), at(3, 1U << (bit % 32), 7), at(3, 5, 1ULL << bit)}) {
      const std::string text = print_position_token(position);
      EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
      })) << text;
      const auto parsed = parse_position_token(text);
      ASSERT_TRUE(std::holds_alternative<WalPosition>(parsed)) << text;
      EXPECT_EQ(std::get<WalPosition>(parsed), position);
    }
  }
}

TEST(PositionToken, NoChangeOfABitGoesUnnoticed) {
  for (const Known& known : kKnown) {
    for (std::size_t i = 0; i < known.text.size(); ++i) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string text(known.text);
        text[i] = static_cast<char>(static_cast<unsigned char>(text[i]) ^ (1U << bit));
        EXPECT_TRUE(std::holds_alternative<TokenFault>(parse_position_token(text))) << text;
      }
    }
  }
}

TEST(PositionToken, NoChangeOfACharacterGoesUnnoticed) {
  const std::string good(kKnown[1].text);
  for (std::size_t i = 4; i < good.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = good;
      text[i] = static_cast<char>(byte);
      if (text != good) {
        EXPECT_TRUE(std::holds_alternative<TokenFault>(parse_position_token(text))) << text;
      }
    }
  }
}

TEST(PositionToken, EverythingShorterOrLongerIsMalformed) {
  const std::string good(kKnown[1].text);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(fault_of(good.substr(0, size)), TokenFault::malformed) << size;
  EXPECT_EQ(fault_of(good + "A"), TokenFault::malformed);
  EXPECT_EQ(fault_of(good + "AAAA"), TokenFault::malformed);
  EXPECT_EQ(fault_of(good + "="), TokenFault::malformed);
  EXPECT_EQ(fault_of(" " + good), TokenFault::malformed);
  EXPECT_EQ(fault_of(good + std::string(1U << 20U, 'A')), TokenFault::malformed);
}

TEST(PositionToken, SaysWhatIsWrong) {
  std::string text(kKnown[1].text);
  std::swap(text[10], text[11]);
  EXPECT_EQ(fault_of(text), TokenFault::damaged);
  EXPECT_EQ(fault_of("tm2.ZVMyJ-jkusAAAAADAAAAFrN02EjBS3Do"), TokenFault::other_version);
  EXPECT_EQ(fault_of("tm10.x"), TokenFault::other_version);
  for (const std::string_view other : {"", "tm", "tm1", "tm.", "tmx.", "TM1.AAAA", "0/16B374D848", "tm2"})
    EXPECT_EQ(fault_of(other), TokenFault::malformed) << other;
  std::string plain(kKnown[2].text);
  std::replace(plain.begin(), plain.end(), '_', '/');
  EXPECT_EQ(fault_of(plain), TokenFault::malformed) << "the other base64";
}

TEST(PositionToken, OfNoWriteRequiresNothing) {
  EXPECT_TRUE(requires_nothing({}));
  EXPECT_TRUE(requires_nothing(at(7, 0, 0)));
  EXPECT_FALSE(requires_nothing(at(7, 1, 0)));
  EXPECT_FALSE(requires_nothing(at(7, 0, 1)));
}

}  // namespace
}  // namespace tidemark::routing

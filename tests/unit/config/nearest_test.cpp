#include "config/nearest.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <gmock/gmock.h>

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;

constexpr std::array<std::string_view, 4> keys = {"port", "address", "size", "mode"};

/// The definition, without a bound or a band: what the quick one has to agree with.
std::size_t plain_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

TEST(EditDistance, CountsEachKindOfSlipOnce) {
  EXPECT_EQ(edit_distance("port", "port", 3), 0U);
  EXPECT_EQ(edit_distance("port", "prt", 3), 1U);
  EXPECT_EQ(edit_distance("port", "poort", 3), 1U);
  EXPECT_EQ(edit_distance("port", "pork", 3), 1U);
  EXPECT_EQ(edit_distance("port", "prot", 3), 1U);
  EXPECT_EQ(edit_distance("", "abc", 3), 3U);
}

TEST(EditDistance, SaysOnlyThatItIsBeyondTheBound) {
  EXPECT_EQ(edit_distance("abcdef", "uvwxyz", 2), 3U);
  EXPECT_EQ(edit_distance("a", std::string(100'000, 'b'), 2), 3U);
  EXPECT_EQ(edit_distance("abc", "abd", 0), 1U);
}

TEST(EditDistance, AgreesWithItsDefinitionForEveryShortPairAndBound) {
  std::vector<std::string> words = {""};
  for (std::size_t i = 0; i < words.size() && words[i].size() < 4; ++i) {
    for (const char c : {'a', 'b', 'c'}) words.push_back(words[i] + c);
  }
  for (const std::string& a : words) {
    for (const std::string& b : words) {
      const std::size_t truth = plain_distance(a, b);
      for (std::size_t bound = 0; bound < 5; ++bound) {
        ASSERT_EQ(edit_distance(a, b, bound), std::min(truth, bound + 1)) << a << ' ' << b << ' ' << bound;
      }
    }
  }
}

TEST(Nearest, FindsASlipAndNothingForAnotherWord) {
  EXPECT_EQ(nearest("prot", keys), "port");
  EXPECT_EQ(nearest("adress", keys), "address");
  EXPECT_EQ(nearest("colour", keys), std::nullopt);
  EXPECT_EQ(nearest("", keys), std::nullopt);
}

TEST(Nearest, TakesTheFirstOfEquallyNearOnes) {
  constexpr std::array<std::string_view, 2> two = {"mode", "made"};
  EXPECT_EQ(nearest("mde", two), "mode");
}

TEST(ByDistance, PutsTheNearestFirst) {
  EXPECT_THAT(by_distance("sise", keys), ElementsAre("size", "mode", "port", "address"));
}

TEST(ByDistance, KeepsTheOrderOfEquallyNearOnes) {
  EXPECT_THAT(by_distance("", std::array<std::string_view, 3>{"bb", "aa", "c"}),
              ElementsAre("c", "bb", "aa"));
}

}  // namespace
}  // namespace tidemark::config

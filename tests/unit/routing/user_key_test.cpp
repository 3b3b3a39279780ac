#include "routing/user_key.hpp"

#include <bit>
#include <cstdint>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

// Proxies of several versions share marks by these.
static_assert(user_key("") == 0xF52A15E9A9B5E89BU);
static_assert(user_key("42") == 0xA428CE5471163B02U);
static_assert(user_key("user@example.org") == 0xE861CEA81C073C89U);
static_assert(user_key("\xC3\xA4") == 0xE60A42A18E381BCDU);

TEST(UserKey, OfDifferentUsersIsDifferentAndNeverZero) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t key = user_key(std::to_string(i));
    EXPECT_NE(key, 0U);
    EXPECT_TRUE(seen.insert(key).second) << i;
  }
}

TEST(UserKey, NeighbouringUsersDifferInHalfOfTheBits) {
  int changed = 0;
  constexpr int kUsers = 1000;
  for (int i = 0; i < kUsers; ++i)
    changed += std::popcount(user_key(std::to_string(i)) ^ user_key(std::to_string(i + 1)));
  EXPECT_NEAR(changed / double{kUsers}, 32.0, 1.0);
}

TEST(UserKey, CountsEveryByteOfTheName) {
  EXPECT_NE(user_key(std::string("a\0", 2)), user_key("a"));
  EXPECT_NE(user_key("a b"), user_key("b a"));
  EXPECT_NE(user_key("A"), user_key("a"));
}

}  // namespace
}  // namespace tidemark::routing

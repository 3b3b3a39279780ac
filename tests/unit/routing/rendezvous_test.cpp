#include "routing/rendezvous.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

struct Member {
  std::uint16_t node;
  std::uint16_t weight;
};

std::uint16_t winner(std::uint64_t user, const std::vector<Member>& members) {
  Bid best = bid(user, NodeId{members.front().node}, members.front().weight);
  for (const Member& member : members) {
    const Bid other = bid(user, NodeId{member.node}, member.weight);
    if (beats(other, best)) best = other;
  }
  return static_cast<std::uint16_t>(best.node);
}

TEST(Rendezvous, ALostNodeMovesOnlyItsOwnUsers) {
  const std::vector<std::vector<Member>> clusters{{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}},
                                                  {{0, 1}, {1, 5}, {2, 2}, {3, 5}, {4, 100}}};
  for (const auto& all : clusters) {
    for (std::size_t lost = 0; lost < all.size(); ++lost) {
      auto rest = all;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(lost));
      int moved = 0;
      for (std::uint64_t user = 0; user < 20'000; ++user) {
        const std::uint16_t before = winner(user, all);
        const std::uint16_t after = winner(user, rest);
        if (before == all[lost].node) {
          ++moved;
          EXPECT_NE(after, before);
        } else {
          ASSERT_EQ(after, before) << "user " << user << " moved although its node stayed";
        }
      }
      EXPECT_GT(moved, 0);
    }
  }
}

TEST(Rendezvous, UsersSpreadByWeight) {
  const std::vector<Member> members{{0, 1}, {1, 2}, {2, 1}, {3, 4}};
  std::array<int, 4> users{};
  constexpr int kUsers = 80'000;
  for (std::uint64_t user = 0; user < kUsers; ++user) ++users.at(winner(user, members));
  EXPECT_NEAR(users[0], kUsers / 8, kUsers / 100);
  EXPECT_NEAR(users[1], kUsers / 4, kUsers / 100);
  EXPECT_NEAR(users[2], kUsers / 8, kUsers / 100);
  EXPECT_NEAR(users[3], kUsers / 2, kUsers / 100);
}

TEST(Rendezvous, TheUsersOfALostNodeSpreadOverAllOthers) {
  std::array<int, 4> users{};
  int moved = 0;
  for (std::uint64_t user = 0; user < 40'000; ++user) {
    if (winner(user, {{0, 1}, {1, 1}, {2, 1}, {3, 1}}) != 3) continue;
    ++users.at(winner(user, {{0, 1}, {1, 1}, {2, 1}}));
    ++moved;
  }
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(users.at(static_cast<std::size_t>(i)), moved / 3, moved / 20);
}

TEST(Rendezvous, NeighbouringKeysOfAnyShapeSpread) {
  for (const unsigned shift : {0U, 8U, 32U, 56U}) {
    std::array<int, 2> users{};
    for (std::uint64_t user = 0; user < 256; ++user) ++users.at(winner(user << shift, {{0, 1}, {1, 1}}));
    EXPECT_NEAR(users[0], 128, 48) << shift;
  }
}

TEST(Rendezvous, WeightZeroLosesToEveryOther) {
  for (std::uint64_t user = 0; user < 1000; ++user) EXPECT_EQ(winner(user, {{0, 0}, {1, 1}}), 1);
}

TEST(Rendezvous, TheOrderOfAskingDoesNotMatter) {
  for (std::uint64_t user = 0; user < 1000; ++user) {
    EXPECT_EQ(winner(user, {{0, 1}, {1, 3}, {2, 1}}), winner(user, {{2, 1}, {1, 3}, {0, 1}}));
  }
}

TEST(Rendezvous, ABidIsTheSameInEveryProcess) {
  EXPECT_EQ(bid(42, NodeId{1}, 1).draw, bid(42, NodeId{1}, 9).draw);
  EXPECT_EQ(winner(1, {{0, 1}, {1, 1}, {2, 1}}), winner(1, {{0, 1}, {1, 1}, {2, 1}}));
}

}  // namespace
}  // namespace tidemark::routing

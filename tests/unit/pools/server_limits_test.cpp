#include "pools/server_limits.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

using Refusal = ServerLimits::Refusal;
constexpr routing::NodeId kNode{0};
constexpr routing::NodeId kOther{1};

TEST(ServerLimitsTest, OneCountPerKey) {
  ServerLimits limits(2, 1, 10);
  auto& first = limits.pool({kNode, "shop", "app"});
  EXPECT_EQ(&limits.pool({kNode, "shop", "app"}), &first);
  EXPECT_NE(&limits.pool({kOther, "shop", "app"}), &first);
  EXPECT_NE(&limits.pool({kNode, "other", "app"}), &first);
  EXPECT_NE(&limits.pool({kNode, "shop", "other"}), &first);
}

TEST(ServerLimitsTest, SaysWhichLimitForbidsIt) {
  ServerLimits limits(2, 2, 3);
  auto& a = limits.pool({kNode, "a", "app"});
  auto& b = limits.pool({kNode, "b", "app"});
  auto& elsewhere = limits.pool({kOther, "a", "app"});
  EXPECT_EQ(limits.acquire(a, kNode), Refusal::none);
  EXPECT_EQ(limits.acquire(a, kNode), Refusal::none);
  EXPECT_EQ(limits.acquire(a, kNode), Refusal::pool_full);
  EXPECT_EQ(limits.acquire(b, kNode), Refusal::none);
  EXPECT_EQ(limits.acquire(b, kNode), Refusal::node_full);
  EXPECT_EQ(b.open, 1U) << "a refusal reserves nothing";
  EXPECT_EQ(limits.acquire(elsewhere, kOther), Refusal::none) << "another node, another limit";
  limits.release(a, kNode);
  EXPECT_EQ(limits.acquire(b, kNode), Refusal::none);
  EXPECT_EQ(limits.acquire(a, kNode), Refusal::node_full);
  EXPECT_EQ(a.open, 1U);
}

TEST(ServerLimitsTest, ALimitOfNoneAllowsNone) {
  ServerLimits limits(1, 0, 5);
  EXPECT_EQ(limits.acquire(limits.pool({kNode, "a", "a"}), kNode), Refusal::pool_full);
}

TEST(ServerLimitsTest, HoldsAcrossThreads) {
  constexpr std::uint32_t kPerPool = 3;
  constexpr std::uint32_t kPerNode = 5;
  ServerLimits limits(1, kPerPool, kPerNode);
  std::atomic<int> at_node{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      auto& pool = limits.pool({kNode, t % 2 == 0 ? "even" : "odd", "app"});
      for (int i = 0; i < 5000; ++i) {
        if (limits.acquire(pool, kNode) != Refusal::none) continue;
        if (at_node.fetch_add(1) >= static_cast<int>(kPerNode) || pool.open > kPerPool) exceeded = true;
        at_node.fetch_sub(1);
        limits.release(pool, kNode);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(limits.pool({kNode, "even", "app"}).open, 0U);
  EXPECT_EQ(limits.pool({kNode, "odd", "app"}).open, 0U);
  for (std::uint32_t i = 0; i < kPerPool; ++i) {
    EXPECT_EQ(limits.acquire(limits.pool({kNode, "even", "app"}), kNode), Refusal::none)
        << "all was given back";
  }
}

}  // namespace
}  // namespace tidemark::pools

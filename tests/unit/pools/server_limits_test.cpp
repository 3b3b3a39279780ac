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

TEST(ServerLimitsTest, UsersAndDatabasesHaveLimitsOfTheirOwn) {
  ServerLimits limits(2,
                      ServerLimitSettings{.per_pool = 5, .per_node = 50, .per_user = 2, .per_database = 3});
  auto& shop_app = limits.pool({kNode, "shop", "app"});
  auto& blog_app = limits.pool({kNode, "blog", "app"});
  auto& shop_web = limits.pool({kNode, "shop", "web"});
  EXPECT_EQ(limits.acquire(shop_app, kNode), Refusal::none);
  EXPECT_EQ(limits.acquire(blog_app, kNode), Refusal::none);
  EXPECT_EQ(limits.acquire(shop_app, kNode), Refusal::user_full) << "over all its databases";
  EXPECT_EQ(limits.acquire(limits.pool({kOther, "shop", "app"}), kOther), Refusal::none) << "per node";
  EXPECT_EQ(limits.acquire(shop_web, kNode), Refusal::none);
  EXPECT_EQ(limits.acquire(shop_web, kNode), Refusal::none);
  auto& shop_batch = limits.pool({kNode, "shop", "batch"});
  EXPECT_EQ(limits.acquire(shop_batch, kNode), Refusal::database_full) << "over all its users";
  EXPECT_EQ(shop_batch.open, 0U) << "a refusal reserves nothing";
  limits.release(shop_web, kNode);
  EXPECT_EQ(limits.acquire(shop_batch, kNode), Refusal::none);
  limits.release(blog_app, kNode);
  EXPECT_EQ(limits.acquire(shop_app, kNode), Refusal::database_full) << "and not the user any more";
  EXPECT_EQ(limits.acquire(blog_app, kNode), Refusal::none);
}

TEST(ServerLimitsTest, WhatComesFreeIsForThoseWhoStarve) {
  ServerLimits limits(1, 2, 2);
  auto& rich = limits.pool({kNode, "rich", "app"});
  auto& poor = limits.pool({kNode, "poor", "app"});
  ASSERT_EQ(limits.acquire(rich, kNode), Refusal::none);
  ASSERT_EQ(limits.acquire(rich, kNode), Refusal::none);
  EXPECT_FALSE(limits.must_yield(rich));
  limits.starve(poor, Refusal::node_full);
  EXPECT_TRUE(limits.must_yield(rich));
  limits.release(rich, kNode);
  EXPECT_FALSE(limits.must_yield(rich)) << "one is enough";
  EXPECT_EQ(limits.acquire(rich, kNode), Refusal::node_full) << "it is not taken back at once";
  EXPECT_EQ(limits.acquire(poor, kNode, true), Refusal::none);
  limits.fed(poor, Refusal::node_full);
  limits.release(poor, kNode);
  EXPECT_EQ(limits.acquire(rich, kNode), Refusal::none);
}

TEST(ServerLimitsTest, StarvingForAUsersLimitConcernsThatUserAlone) {
  ServerLimits limits(1, ServerLimitSettings{.per_pool = 5, .per_node = 50, .per_user = 1});
  auto& one = limits.pool({kNode, "one", "app"});
  auto& two = limits.pool({kNode, "two", "app"});
  auto& other = limits.pool({kNode, "one", "other"});
  ASSERT_EQ(limits.acquire(one, kNode), Refusal::none);
  limits.starve(two, Refusal::user_full);
  EXPECT_TRUE(limits.must_yield(one));
  EXPECT_EQ(limits.acquire(other, kNode), Refusal::none);
  EXPECT_FALSE(limits.must_yield(other));
}

TEST(ServerLimitsTest, KnowsWhatTheNeighboursHoldIdle) {
  ServerLimits limits(1, 5, 5);
  const PoolKey key{kNode, "shop", "app"};
  std::atomic<std::uint32_t> mine{4};
  std::atomic<std::uint32_t> theirs{3};
  auto& count = limits.join(key, mine);
  EXPECT_EQ(limits.idle_elsewhere(count, mine), 0U);
  EXPECT_EQ(&limits.join(key, theirs), &count);
  EXPECT_EQ(limits.idle_elsewhere(count, mine), 3U);
  EXPECT_EQ(limits.idle_elsewhere(count, theirs), 4U);
  limits.leave(count, theirs);
  EXPECT_EQ(limits.idle_elsewhere(count, mine), 0U);
}

TEST(ServerLimitsTest, ForgetsAPoolWithItsLastWorker) {
  ServerLimits limits(1, 5, 5);
  const PoolKey key{kNode, "shop", "app"};
  std::atomic<std::uint32_t> one{0};
  std::atomic<std::uint32_t> two{0};
  auto& count = limits.join(key, one);
  (void)limits.join(key, two);
  limits.leave(count, one);
  EXPECT_EQ(limits.known_pools(), 1U);
  limits.leave(count, two);
  EXPECT_EQ(limits.known_pools(), 0U);
  auto& again = limits.join(key, one);
  ASSERT_EQ(limits.acquire(again, kNode), Refusal::none);
  limits.leave(again, one);
  EXPECT_EQ(limits.known_pools(), 1U) << "a connection on its way to another worker is still counted";
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

#include "proxy/client_limits.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using Refusal = ClientLimits::Refusal;

TEST(ClientLimitsTest, AUsersLimitIsOverAllDatabases) {
  ClientLimits limits(2, 0);
  EXPECT_EQ(limits.admit("app", "shop"), Refusal::none);
  EXPECT_EQ(limits.admit("app", "blog"), Refusal::none);
  EXPECT_EQ(limits.admit("app", "news"), Refusal::user);
  EXPECT_EQ(limits.admit("web", "shop"), Refusal::none);
  limits.release("app", "blog");
  EXPECT_EQ(limits.admit("app", "news"), Refusal::none);
}

TEST(ClientLimitsTest, ADatabasesLimitIsOverAllUsers) {
  ClientLimits limits(0, 2);
  EXPECT_EQ(limits.admit("app", "shop"), Refusal::none);
  EXPECT_EQ(limits.admit("web", "shop"), Refusal::none);
  EXPECT_EQ(limits.admit("batch", "shop"), Refusal::database);
  EXPECT_EQ(limits.admit("batch", "blog"), Refusal::none);
  limits.release("app", "shop");
  EXPECT_EQ(limits.admit("batch", "shop"), Refusal::none);
}

TEST(ClientLimitsTest, ARefusalTakesNoPlace) {
  ClientLimits limits(1, 1);
  EXPECT_EQ(limits.admit("app", "shop"), Refusal::none);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(limits.admit("web", "shop"), Refusal::database);
    EXPECT_EQ(limits.admit("app", "blog"), Refusal::user);
  }
  EXPECT_EQ(limits.admit("web", "blog"), Refusal::none);
}

TEST(ClientLimitsTest, WithoutLimitsEverybodyIsAdmitted) {
  ClientLimits limits(0, 0);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limits.admit("app", "shop"), Refusal::none);
  limits.release("app", "shop");
}

TEST(ClientLimitsTest, HoldsAcrossThreads) {
  ClientLimits limits(3, 0);
  std::atomic<int> inside{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        if (limits.admit("app", "shop") != Refusal::none) continue;
        if (inside.fetch_add(1) >= 3) exceeded = true;
        inside.fetch_sub(1);
        limits.release("app", "shop");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limits.admit("app", "shop"), Refusal::none) << "all was given back";
}

}  // namespace
}  // namespace tidemark::proxy

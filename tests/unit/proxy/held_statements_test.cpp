#include "proxy/held_statements.hpp"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using Refusal = HeldStatements::Refusal;

TEST(HeldStatements, OneTooManyIsRefused) {
  HeldStatements held(2, 1000);
  Refusal refusal{};
  auto first = held.hold(10, refusal);
  auto second = held.hold(10, refusal);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(held.hold(10, refusal));
  EXPECT_EQ(refusal, Refusal::count);
  first.reset();
  EXPECT_TRUE(held.hold(10, refusal));
  EXPECT_EQ(refusal, Refusal::none);
}

TEST(HeldStatements, SoAreTooManyBytes) {
  HeldStatements held(10, 100);
  Refusal refusal{};
  const auto first = held.hold(60, refusal);
  EXPECT_FALSE(held.hold(41, refusal));
  EXPECT_EQ(refusal, Refusal::bytes);
  EXPECT_TRUE(held.hold(40, refusal)) << "who was refused takes nothing";
}

TEST(HeldStatements, APlaceThatMovesIsGivenBackOnce) {
  HeldStatements held(1, 100);
  Refusal refusal{};
  {
    auto first = held.hold(100, refusal);
    auto second = std::move(*first);
    EXPECT_FALSE(held.hold(1, refusal));
  }
  EXPECT_TRUE(held.hold(100, refusal));
  EXPECT_TRUE(held.hold(100, refusal));
}

TEST(HeldStatements, NeverMoreThanAllowedAtOnce) {
  HeldStatements held(3, 1000);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 2000; ++n) {
        Refusal refusal{};
        const auto place = held.hold(1, refusal);
        if (!place) continue;
        const int now = inside.fetch_add(1) + 1;
        for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
        }
        inside.fetch_sub(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(most, 0);
  EXPECT_LE(most, 3);
}

}  // namespace
}  // namespace tidemark::proxy

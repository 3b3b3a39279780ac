#include "proxy/cancel_registry.hpp"

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

TEST(CancelRegistryTest, FindsWhomAKeyNames) {
  CancelRegistry registry;
  const auto first = registry.add({1, 10});
  const auto second = registry.add({2, 20});
  EXPECT_NE(first.process_id, second.process_id);
  EXPECT_GT(first.process_id, 0);
  EXPECT_EQ(first.secret_key.size(), 4U) << "protocol 3.0";
  const auto target = registry.find(second);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->worker, 2U);
  EXPECT_EQ(target->serial, 20U);
}

TEST(CancelRegistryTest, NeedsTheWholeSecret) {
  for (const std::size_t length : {4U, 32U, 256U}) {
    CancelRegistry registry;
    const auto key = registry.add({1, 10}, length);
    EXPECT_EQ(key.secret_key.size(), length);
    EXPECT_TRUE(registry.find(key));
    for (std::size_t i = 0; i < key.secret_key.size(); ++i) {
      for (const int bit : {1, 0x80}) {
        auto wrong = key;
        wrong.secret_key[i] = static_cast<char>(wrong.secret_key[i] ^ bit);
        EXPECT_FALSE(registry.find(wrong));
      }
    }
    for (std::size_t size = 0; size < length; ++size) {
      auto wrong = key;
      wrong.secret_key.resize(size);
      EXPECT_FALSE(registry.find(wrong)) << "a part of it";
    }
    auto longer = key;
    longer.secret_key += '\0';
    EXPECT_FALSE(registry.find(longer));
  }
}

TEST(CancelRegistryTest, AnothersSecretDoesNotServe) {
  CancelRegistry registry;
  const auto first = registry.add({1, 10});
  auto mixed = registry.add({2, 20});
  mixed.process_id = first.process_id;
  EXPECT_EQ(registry.find(mixed).has_value(), mixed.secret_key == first.secret_key);
}

TEST(CancelRegistryTest, AKeyIsWorthNothingAfterItsEnd) {
  CancelRegistry registry;
  const auto key = registry.add({1, 10});
  registry.remove(key.process_id);
  EXPECT_FALSE(registry.find(key));
  registry.remove(key.process_id);
  const auto next = registry.add({1, 11});
  EXPECT_NE(next.process_id, key.process_id) << "numbers are not used again at once";
}

TEST(CancelRegistryTest, UnknownNumbersNameNobody) {
  const CancelRegistry registry;
  for (const std::int32_t number : {0, 1, -1, INT32_MAX, INT32_MIN})
    EXPECT_FALSE(registry.find({number, "abcd"}));
}

TEST(CancelRegistryTest, SecretsDiffer) {
  CancelRegistry registry;
  std::set<std::string> secrets;
  for (std::uint64_t i = 0; i < 64; ++i) secrets.insert(registry.add({0, i}).secret_key);
  EXPECT_GT(secrets.size(), 60U);
}

TEST(CancelRegistryTest, ServesAllWorkersAtOnce) {
  CancelRegistry registry;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&, worker] {
      for (std::uint64_t serial = 0; serial < 500; ++serial) {
        const auto key = registry.add({worker, serial});
        const auto found = registry.find(key);
        if (!found || found->worker != worker || found->serial != serial) ++wrong;
        if (serial % 2 == 0) registry.remove(key.process_id);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tidemark::proxy

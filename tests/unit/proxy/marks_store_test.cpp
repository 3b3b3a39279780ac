#include "proxy/marks_store.hpp"

#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using namespace std::chrono_literals;
using Kind = routing::Floor::Kind;

constexpr routing::TimePoint kStart{1h};
constexpr auto kTtl = 10min;
constexpr routing::TimePoint kLater = kStart + kTtl + 1s;

class MarksStoreTest : public testing::Test {
 protected:
  static routing::Floor required(MarksStore& store, std::uint64_t user, routing::TimePoint now) {
    static const auto log = std::make_unique<pools::PositionLog>();
    return store.visit(user, 0, now, [](UserMarks& marks) {
      routing::SessionContext context;
      marks.describe(context, *log);
      return context.required;
    });
  }
  static void raise(MarksStore& store, std::uint64_t user, std::uint64_t lsn, routing::TimePoint now) {
    store.visit(user, 0, now, [&](UserMarks& marks) { marks.require({7, {1}, {lsn}}, now); });
  }
  static bool is_known(MarksStore& store, std::uint64_t user, routing::TimePoint now) {
    return store.visit(user, 0, now, [](UserMarks& marks) { return !marks.empty(); });
  }
};

TEST_F(MarksStoreTest, AfterTheStartAnUnknownUserIsTakenForOneWhoHasJustWritten) {
  MarksStore store(kTtl, 1000, kStart);
  EXPECT_EQ(required(store, 1, kStart + 1s).kind, Kind::pending);
  EXPECT_EQ(required(store, 2, kLater).kind, Kind::none) << "whoever did anything since the start is known";
}

TEST_F(MarksStoreTest, OneUserHasOneMarkWhereverItIsRaised) {
  MarksStore store(kTtl, 1000, kStart);
  raise(store, 5, 100, kLater);
  EXPECT_TRUE(is_known(store, 5, kLater));
  EXPECT_FALSE(is_known(store, 6, kLater));
  EXPECT_EQ(store.users(), 2);
}

TEST_F(MarksStoreTest, WhoDidNothingForTheTtlIsForgottenAndNeedsNoMark) {
  MarksStore store(kTtl, 1000, kStart);
  raise(store, 16, 100, kLater);
  raise(store, 17, 100, kLater + kTtl);  // the same shard
  EXPECT_EQ(store.users(), 1);
  EXPECT_EQ(store.evicted(), 0);
  EXPECT_EQ(required(store, 16, kLater + kTtl).kind, Kind::none);
}

TEST_F(MarksStoreTest, WhoIsForgottenEarlyMakesEveryUnknownUserDoubtful) {
  MarksStore store(kTtl, 16, kStart);  // one in each shard
  raise(store, 16, 100, kLater);
  EXPECT_EQ(required(store, 17, kLater + 1s).kind, Kind::pending) << "17 could be one who was forgotten, too";
  EXPECT_EQ(store.evicted(), 1);
  EXPECT_EQ(required(store, 16, kLater + 2s).kind, Kind::pending) << "never clean: it had a mark";
  constexpr std::uint64_t kElsewhere = std::uint64_t{1} << 60U;
  EXPECT_EQ(required(store, kElsewhere, kLater + kTtl - 1s).kind, Kind::pending) << "in any shard";
  EXPECT_EQ(required(store, 2 * kElsewhere, kLater + kTtl + 3s).kind, Kind::none);
  EXPECT_LE(store.users(), 16);
}

TEST_F(MarksStoreTest, TheLeastRecentlyUsedGoesFirst) {
  MarksStore store(kTtl, 32, kStart);  // two in each shard
  raise(store, 16, 100, kLater);
  raise(store, 17, 100, kLater + 1s);
  raise(store, 16, 110, kLater + 2s);
  raise(store, 18, 100, kLater + 3s);
  EXPECT_EQ(required(store, 16, kLater + 4s).kind, Kind::known) << "16 is still known: nothing is pending";
  EXPECT_EQ(required(store, 17, kLater + 4s).kind, Kind::pending) << "17 was forgotten";
}

TEST_F(MarksStoreTest, ManyThreadsRaiseTheSameMarks) {
  MarksStore store(kTtl, 1000, kStart);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      for (std::uint64_t i = 1; i <= 2000; ++i) raise(store, i % 50 << 58U | i % 50, i * 4 + t, kLater);
    });
  }
  for (auto& thread : threads) thread.join();
  const auto log = std::make_unique<pools::PositionLog>();
  const auto bound = store.visit(0, 0, kLater, [&](UserMarks& marks) { return marks.bound(*log); });
  EXPECT_EQ(bound, (routing::WalPosition{7, {1}, {2000 * 4 + 3}}));
}

}  // namespace
}  // namespace tidemark::proxy

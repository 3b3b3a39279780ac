#include "pools/snapshot.hpp"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

using Pair = std::pair<int, int>;

TEST(Snapshot, ReaderHasTheInitialValueAtOnce) {
  const Snapshot<int> snapshot(std::make_shared<const int>(1));
  SnapshotReader<int> reader(snapshot);
  EXPECT_EQ(*reader, 1);
  EXPECT_FALSE(reader.refresh());
}

TEST(Snapshot, ReaderKeepsItsValueUntilItRefreshes) {
  Snapshot<int> snapshot(std::make_shared<const int>(1));
  SnapshotReader<int> reader(snapshot);
  snapshot.publish(std::make_shared<const int>(2));
  EXPECT_EQ(*reader, 1);
  EXPECT_EQ(*snapshot.load(), 2);
  EXPECT_TRUE(reader.refresh());
  EXPECT_EQ(*reader, 2);
  EXPECT_FALSE(reader.refresh());
}

TEST(Snapshot, ReaderTakesTheNewestOfSeveral) {
  Snapshot<int> snapshot(std::make_shared<const int>(1));
  SnapshotReader<int> reader(snapshot);
  for (int i = 2; i < 10; ++i) snapshot.publish(std::make_shared<const int>(i));
  EXPECT_TRUE(reader.refresh());
  EXPECT_EQ(*reader, 9);
}

TEST(Snapshot, LetsGoOfAValueThatNobodyReadsAnyMore) {
  auto first = std::make_shared<const int>(1);
  const std::weak_ptr<const int> watch = first;
  Snapshot<int> snapshot(std::move(first));
  SnapshotReader<int> reader(snapshot);
  snapshot.publish(std::make_shared<const int>(2));
  EXPECT_FALSE(watch.expired());
  reader.refresh();
  EXPECT_TRUE(watch.expired());
}

TEST(Snapshot, ReadersOnOtherThreadsSeeWholeValuesThatNeverStepBack) {
  constexpr int kValues = 20000;
  Snapshot<Pair> snapshot(std::make_shared<const Pair>(0, 0));
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      SnapshotReader<Pair> reader(snapshot);
      int last = 0;
      while (last < kValues) {
        if (reader->first < last || reader->first != -reader->second) ++wrong;
        last = reader->first;
        if (!reader.refresh()) std::this_thread::yield();
      }
    });
  }
  for (int i = 1; i <= kValues; ++i) snapshot.publish(std::make_shared<const Pair>(i, -i));
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace tidemark::pools

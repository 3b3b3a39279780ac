#include "pools/read_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

constexpr std::size_t kBlock = BlockPool::kBlockSize;

TEST(ReadBufferTest, IsEmptyAtFirst) {
  BlockPool pool;
  ReadBuffer buffer(pool);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.size(), 0U);
  EXPECT_EQ(buffer.view(), "");
  buffer.clear();
  buffer.append("");
  EXPECT_TRUE(buffer.empty());
}

TEST(ReadBufferTest, KeepsWhatIsNotConsumed) {
  BlockPool pool;
  ReadBuffer buffer(pool);
  buffer.append("hello ");
  buffer.append("world");
  EXPECT_EQ(buffer.view(), "hello world");
  buffer.consume(6);
  EXPECT_EQ(buffer.view(), "world");
  buffer.consume(5);
  EXPECT_TRUE(buffer.empty());
}

TEST(ReadBufferTest, GivesItsBlockBackWhenEmpty) {
  BlockPool pool;
  ReadBuffer first(pool);
  const char* block = first.prepare().data;
  first.commit(10);
  first.consume(10);
  ReadBuffer second(pool);
  EXPECT_EQ(second.prepare().data, block) << "an empty buffer holds no memory";
}

TEST(ReadBufferTest, GivesBackWhatWasPreparedInVain) {
  BlockPool pool;
  ReadBuffer first(pool);
  const char* block = first.prepare().data;
  first.consume(0);
  ReadBuffer second(pool);
  EXPECT_EQ(second.prepare().data, block);
}

TEST(ReadBufferTest, GivesItsBlockBackWhenDestroyedOrCleared) {
  BlockPool pool;
  const char* block = nullptr;
  {
    ReadBuffer buffer(pool);
    buffer.append("x");
    block = buffer.view().data();
  }
  ReadBuffer buffer(pool);
  buffer.append("y");
  EXPECT_EQ(buffer.view().data(), block);
  buffer.clear();
  ReadBuffer other(pool);
  other.append("z");
  EXPECT_EQ(other.view().data(), block);
}

TEST(ReadBufferTest, PreparesRoomAlways) {
  BlockPool pool;
  ReadBuffer buffer(pool);
  for (std::size_t size = 0; size < 3 * kBlock; ++size) {
    const auto room = buffer.prepare();
    ASSERT_GT(room.size, 0U);
    *room.data = static_cast<char>('a' + size % 26);
    buffer.commit(1);
  }
  ASSERT_EQ(buffer.size(), 3 * kBlock);
  for (std::size_t i = 0; i < buffer.size(); ++i)
    ASSERT_EQ(buffer.view()[i], static_cast<char>('a' + i % 26));
}

TEST(ReadBufferTest, MovesToTheFrontInsteadOfGrowing) {
  BlockPool pool;
  ReadBuffer buffer(pool);
  buffer.append(std::string(kBlock, 'a'));
  const char* block = buffer.view().data();
  buffer.consume(kBlock - 10);
  buffer.append("b");
  EXPECT_EQ(buffer.view().data(), block);
  EXPECT_EQ(buffer.view(), std::string(10, 'a') + "b");
}

TEST(ReadBufferTest, ALargeBlockIsNotKept) {
  BlockPool pool;
  ReadBuffer buffer(pool);
  buffer.append(std::string(2 * kBlock, 'a'));
  buffer.consume(2 * kBlock);
  EXPECT_EQ(buffer.prepare().size, kBlock) << "the next use begins with a block of the pool";
}

TEST(ReadBufferTest, AgreesWithAStringWhateverIsDone) {
  std::mt19937 random(99);
  BlockPool pool;
  ReadBuffer buffer(pool);
  std::string model;
  for (int step = 0; step < 20'000; ++step) {
    switch (random() % 4) {
      case 0: {
        const std::string bytes(random() % 3000, static_cast<char>('a' + random() % 26));
        buffer.append(bytes);
        model += bytes;
        break;
      }
      case 1: {
        const auto room = buffer.prepare();
        const std::size_t part = std::min<std::size_t>(room.size, random() % 500);
        std::memset(room.data, 'z', part);
        buffer.commit(part);
        model.append(part, 'z');
        break;
      }
      default: {
        const std::size_t part = model.empty() ? 0 : random() % (model.size() + 1);
        buffer.consume(part);
        model.erase(0, part);
        break;
      }
    }
    ASSERT_EQ(buffer.size(), model.size());
    ASSERT_EQ(buffer.view(), model);
  }
}

}  // namespace
}  // namespace tidemark::pools

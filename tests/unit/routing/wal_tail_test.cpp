#include "routing/wal_tail.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "routing/crc32c.hpp"

namespace tidemark::routing {
namespace {

constexpr WalSizes kSizes;
constexpr TimelineId kOne{1};

void put(std::string& bytes, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i, value >>= 8U) bytes[at + i] = static_cast<char>(value & 0xFFU);
}

/// As PostgreSQL 15 writes it (xloginsert.c): 114 bytes, filled up to 120.
struct Checkpoint {
  std::uint64_t place = 0x3000100;
  std::uint8_t info = 0;
  std::uint8_t manager = 0;
  std::uint32_t transaction = 0;
  std::uint32_t timeline = 1;
  std::uint64_t redo = place;

  [[nodiscard]] std::string record() const {
    std::string bytes(120, '\0');
    put(bytes, 0, 4, 114);
    put(bytes, 4, 4, transaction);
    put(bytes, 8, 8, place - 64);
    put(bytes, 16, 1, info);
    put(bytes, 17, 1, manager);
    put(bytes, 24, 1, 255);
    put(bytes, 25, 1, 88);
    put(bytes, 26, 8, redo);
    put(bytes, 34, 4, timeline);
    const std::string_view view(bytes);
    put(bytes, 20, 4, Crc32c().add(view.substr(24, 90)).add(view.substr(0, 20)).value());
    return bytes;
  }
  [[nodiscard]] Lsn end() const { return {place + 120}; }
};

TEST(Crc32c, IsTheStandardsOne) {
  EXPECT_EQ(Crc32c().add("123456789").value(), 0xE3069283U);
}

TEST(WalTail, AShutdownCheckpointAtTheEndIsFound) {
  const Checkpoint checkpoint;
  const std::string tail = std::string(120, 'x') + checkpoint.record();
  EXPECT_EQ(find_shutdown_checkpoint(tail, checkpoint.end(), kOne, kSizes), Lsn{checkpoint.place});
  EXPECT_EQ(find_shutdown_checkpoint(checkpoint.record(), checkpoint.end(), kOne, kSizes),
            Lsn{checkpoint.place});
}

TEST(WalTail, OneWithSomethingBehindItIsNotTheEnd) {
  const Checkpoint checkpoint;
  const std::string tail = checkpoint.record() + std::string(8, '\0');
  EXPECT_EQ(find_shutdown_checkpoint(tail, {checkpoint.end().value + 8}, kOne, kSizes), std::nullopt);
}

TEST(WalTail, OtherRecordsAreNotIt) {
  const auto found = [](const Checkpoint& record) {
    return find_shutdown_checkpoint(record.record(), record.end(), kOne, kSizes).has_value();
  };
  ASSERT_TRUE(found({}));
  EXPECT_FALSE(found({.info = 0x10})) << "a checkpoint of a server that goes on";
  EXPECT_FALSE(found({.info = 0x90})) << "an end of recovery";
  EXPECT_FALSE(found({.manager = 10}));
  EXPECT_FALSE(found({.transaction = 700}));
  EXPECT_FALSE(found({.timeline = 2}));
  EXPECT_FALSE(found({.redo = 0x3000000}));
}

TEST(WalTail, AByteThatIsAnotherOneIsNoticed) {
  const Checkpoint checkpoint;
  for (std::size_t i = 0; i < 114; ++i) {
    std::string damaged = checkpoint.record();
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(find_shutdown_checkpoint(damaged, checkpoint.end(), kOne, kSizes), std::nullopt) << i;
  }
}

TEST(WalTail, ARecordGoesOnBehindAPageHeader) {
  const Checkpoint checkpoint{.place = 0x3002000 - 48};
  std::string tail = checkpoint.record();
  tail.insert(48, std::string(24, 'h'));
  EXPECT_EQ(find_shutdown_checkpoint(tail, {checkpoint.end().value + 24}, kOne, kSizes),
            Lsn{checkpoint.place});
}

TEST(WalTail, ASegmentBeginsWithALongHeader) {
  const Checkpoint checkpoint{.place = 0x3000028};
  const std::string tail = std::string(40, 'h') + checkpoint.record();
  EXPECT_EQ(find_shutdown_checkpoint(tail, checkpoint.end(), kOne, kSizes), Lsn{checkpoint.place});
}

TEST(WalTail, NonsenseIsNotIt) {
  const Checkpoint checkpoint;
  EXPECT_EQ(find_shutdown_checkpoint("", checkpoint.end(), kOne, kSizes), std::nullopt);
  EXPECT_EQ(find_shutdown_checkpoint(checkpoint.record().substr(8), checkpoint.end(), kOne, kSizes),
            std::nullopt);
  EXPECT_EQ(find_shutdown_checkpoint(checkpoint.record(), {16}, kOne, kSizes), std::nullopt);
  EXPECT_EQ(find_shutdown_checkpoint(checkpoint.record(), checkpoint.end(), kOne, {0, 0}), std::nullopt);
  EXPECT_EQ(find_shutdown_checkpoint(std::string(240, '\xFF'), checkpoint.end(), kOne, kSizes), std::nullopt);
}

}  // namespace
}  // namespace tidemark::routing

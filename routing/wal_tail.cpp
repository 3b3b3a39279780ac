#include "routing/wal_tail.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "routing/crc32c.hpp"

namespace tidemark::routing {
namespace {

constexpr std::uint64_t kShortPageHeader = 24;
constexpr std::uint64_t kLongPageHeader = 40;  // of a segment's first page
constexpr std::uint64_t kAlignment = 8;        // MAXALIGN
constexpr std::size_t kRecordHeader = 24;
constexpr std::size_t kCrcOffset = 20;
constexpr std::size_t kDataHeader = 2;        // XLR_BLOCK_ID_DATA_SHORT, and the length of the data
constexpr std::size_t kLeastData = 8 + 4;     // of a CheckPoint: redo, ThisTimeLineID
constexpr std::uint8_t kShortData = 255;      // XLR_BLOCK_ID_DATA_SHORT
constexpr std::uint8_t kXlogManager = 0;      // RM_XLOG_ID
constexpr std::uint8_t kShutdownInfo = 0x00;  // XLOG_CHECKPOINT_SHUTDOWN
constexpr std::uint8_t kInfoMask = 0xF0;      // what the resource manager says; the rest is the log's own

std::uint64_t little_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// What stands between the page headers, and where.
struct Content {
  std::string bytes;
  std::vector<Lsn> places;
};

Content without_headers(std::string_view bytes, Lsn begin, const WalSizes& sizes) {
  Content content;
  content.bytes.reserve(bytes.size());
  content.places.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const Lsn place{begin.value + i};
    const bool first_page = place.value % sizes.segment < sizes.page;
    if (place.value % sizes.page < (first_page ? kLongPageHeader : kShortPageHeader)) continue;
    content.bytes += bytes[i];
    content.places.push_back(place);
  }
  return content;
}

/// Whether `record` and the bytes that fill it up to the next aligned one are a shutdown checkpoint at
/// `place`.
bool is_shutdown_checkpoint(std::string_view record, Lsn place, TimelineId timeline) {
  if (record.size() < kRecordHeader + kDataHeader + kLeastData) return false;
  const std::uint64_t size = little_endian(record, 0, 4);
  const std::uint64_t filled = (size + kAlignment - 1) / kAlignment * kAlignment;
  if (filled != record.size() || size < kRecordHeader + kDataHeader + kLeastData) return false;
  if (little_endian(record, 4, 4) != 0 || little_endian(record, 8, 8) >= place.value) return false;
  const auto info = static_cast<std::uint8_t>(record[16]);
  if ((info & kInfoMask) != kShutdownInfo || static_cast<std::uint8_t>(record[17]) != kXlogManager)
    return false;
  if (static_cast<std::uint8_t>(record[kRecordHeader]) != kShortData) return false;
  const std::uint64_t data = static_cast<std::uint8_t>(record[kRecordHeader + 1]);
  if (kRecordHeader + kDataHeader + data != size) return false;
  // The redo point of a shutdown checkpoint is the checkpoint itself.
  if (little_endian(record, kRecordHeader + kDataHeader, 8) != place.value) return false;
  if (little_endian(record, kRecordHeader + kDataHeader + 8, 4) != timeline.value) return false;
  const std::uint32_t crc = Crc32c()
                                .add(record.substr(kRecordHeader, size - kRecordHeader))
                                .add(record.substr(0, kCrcOffset))
                                .value();
  return little_endian(record, kCrcOffset, 4) == crc;
}

bool is_power_of_two(std::uint64_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

}  // namespace

std::optional<Lsn> find_shutdown_checkpoint(std::string_view bytes, Lsn end, TimelineId timeline,
                                            const WalSizes& sizes) {
  if (!is_power_of_two(sizes.page) || !is_power_of_two(sizes.segment) || sizes.page <= kLongPageHeader ||
      end.value < bytes.size())
    return std::nullopt;
  const Content content = without_headers(bytes, {end.value - bytes.size()}, sizes);
  for (std::size_t at = content.bytes.size(); at-- > 0;) {
    if (content.places[at].value % kAlignment != 0) continue;
    if (is_shutdown_checkpoint(std::string_view(content.bytes).substr(at), content.places[at], timeline))
      return content.places[at];
  }
  return std::nullopt;
}

}  // namespace tidemark::routing

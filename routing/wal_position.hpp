#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark::routing {

/// A byte position in the write-ahead log. PostgreSQL: src/include/access/xlogdefs.h, XLogRecPtr.
struct Lsn {
  std::uint64_t value = 0;
  friend auto operator<=>(Lsn, Lsn) = default;
};

/// PostgreSQL's TimeLineID; 0 means unknown. Manual: "Continuous Archiving", Timelines.
struct TimelineId {
  std::uint32_t value = 0;
  friend auto operator<=>(TimelineId, TimelineId) = default;
};

/// Distance between two LSNs of one timeline, in bytes.
struct ByteLag {
  std::uint64_t bytes = 0;
  friend auto operator<=>(ByteLag, ByteLag) = default;
};

/// A place in one timeline of one cluster. Deliberately without operator<: positions of two timelines do
/// not compare by LSN alone; use `contains`.
struct WalPosition {
  std::uint64_t system_identifier = 0;
  TimelineId timeline;
  Lsn lsn;
  friend bool operator==(const WalPosition&, const WalPosition&) = default;
};

/// Whether a node that has replayed up to `replayed` certainly shows everything up to `required`.
/// True only within one cluster and one timeline: doubt is "no".
[[nodiscard]] bool contains(const WalPosition& replayed, const WalPosition& required);

/// Parses PostgreSQL's pg_lsn text ("16/B374D848"): one to eight hex digits, '/', one to eight hex digits.
[[nodiscard]] std::optional<Lsn> parse_lsn(std::string_view text);
/// pg_lsn text, as PostgreSQL prints it.
[[nodiscard]] std::string to_string(Lsn lsn);

/// Bytes by which `behind` trails `ahead`; zero when it does not.
[[nodiscard]] ByteLag lag(Lsn ahead, Lsn behind);

/// Takes an insert position that sits right behind a page header back to the page boundary: no record ends
/// in between, and an idle cluster's replay stays at the boundary. The short header (24 bytes) opens every
/// 8 KiB page but a segment's first, whose long header has 40. PostgreSQL:
/// src/include/access/xlog_internal.h. `segment_size` in bytes (wal_segment_size), `page_size` in bytes
/// (wal_block_size); powers of two.
[[nodiscard]] Lsn without_page_header(Lsn insert_position, std::uint64_t segment_size,
                                      std::uint64_t page_size);

}  // namespace tidemark::routing

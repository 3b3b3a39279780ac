#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "routing/wal_position.hpp"

namespace tidemark::routing {

/// Sizes that a server was built or initialized with, in bytes; powers of two.
struct WalSizes {
  std::uint64_t segment = 16 * 1024 * 1024;  ///< wal_segment_size
  std::uint64_t page = 8192;                 ///< wal_block_size
};

/// Where the shutdown checkpoint begins that is the last record before `end` on `timeline`; nullopt if the
/// last record is another one, or cannot be read. `bytes` are the write-ahead log's bytes before `end`, page
/// headers included. A server writes this record last, when every other process of it has ended, so all
/// that it ever wrote stands before `end`.
/// PostgreSQL: access/xlogrecord.h, xlog_internal.h, catalog/pg_control.h (CheckPoint), on a little-endian
/// server; from another one nothing is understood.
[[nodiscard]] std::optional<Lsn> find_shutdown_checkpoint(std::string_view bytes, Lsn end,
                                                          TimelineId timeline, const WalSizes& sizes);

}  // namespace tidemark::routing

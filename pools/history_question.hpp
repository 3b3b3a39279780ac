#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "routing/timeline_history.hpp"
#include "routing/wal_position.hpp"

namespace tidemark::pools {

/// Who reads a timeline's history file on the primary for us: pg_read_file if the monitor's role may, else
/// the function that the operator may have made (README.md, "What the monitor's role needs").
enum class HistorySource : std::uint8_t { none, file, function };

/// What a probe's full question tells of the rights to read it.
struct HistoryRights {
  HistorySource source = HistorySource::none;
  bool end = false;  ///< also how the timeline before it ended, by another function of the operator's
};

/// What of the write-ahead log's last bytes the function gives at most, in bytes.
inline constexpr std::size_t kMostTail = 1024;

/// The answer: the history of the primary's timeline, and the last bytes before it began, if they were read.
struct HistoryAnswer {
  routing::TimelineHistory history;
  std::string tail;
};

/// When one node is asked for the history of its timeline, and with which words. Asked once in each life of
/// the server and for each timeline; what fails is tried again kRetry later at the earliest, whatever becomes
/// of the connection meanwhile, so that it cannot keep a probe from its work. Pure.
class HistoryQuestion {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr auto kRetry = std::chrono::seconds(10);

  /// What the probe's full question says of it: "file", "function", or null for none.
  [[nodiscard]] static HistorySource parse_source(std::optional<std::string_view> text);

  /// Another connection: nothing is known of the server behind it.
  void begin_life() { read_ = {}; }
  /// The query to send now to a primary on `timeline`; nullopt: none. Its answer goes to answered().
  [[nodiscard]] std::optional<std::string> next(routing::TimelineId timeline, const HistoryRights& rights,
                                                TimePoint now);
  /// The query was refused: what to ask instead at once, less than before; nullopt: nothing.
  [[nodiscard]] std::optional<std::string> instead();
  /// What the query has brought, and in hexadecimal digits how the timeline before ended; nullopt if that
  /// cannot be the history of its timeline.
  [[nodiscard]] std::optional<HistoryAnswer> answered(std::optional<std::string_view> text,
                                                      std::optional<std::string_view> tail);

 private:
  [[nodiscard]] std::string query() const;

  HistoryRights rights_;
  routing::TimelineId read_;
  routing::TimelineId asked_;
  TimePoint again_at_{};
};

}  // namespace tidemark::pools

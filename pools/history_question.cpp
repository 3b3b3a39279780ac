#include "pools/history_question.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tidemark::pools {
namespace {

/// "0000000A.history" of timeline 10, as PostgreSQL names it (xlog_internal.h, TLHistoryFileName).
std::string file_name(routing::TimelineId timeline) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string name;
  for (int shift = 28; shift >= 0; shift -= 4) name += kDigits[timeline.value >> shift & 0xFU];
  return name + ".history";
}

/// Empty if it is not made of pairs of hexadecimal digits.
std::string from_hex(std::string_view digits) {
  std::string bytes;
  if (digits.size() % 2 != 0 || digits.size() > 2 * kMostTail) return bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    if (error != std::errc{} || end != digits.data() + i + 2) return {};
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace

HistorySource HistoryQuestion::parse_source(std::optional<std::string_view> text) {
  if (text == "file") return HistorySource::file;
  return text == "function" ? HistorySource::function : HistorySource::none;
}

std::optional<std::string> HistoryQuestion::next(routing::TimelineId timeline, const HistoryRights& rights,
                                                 TimePoint now) {
  if (timeline.value <= 1 || timeline == read_ || rights.source == HistorySource::none) return std::nullopt;
  if (timeline == asked_ && now < again_at_) return std::nullopt;
  asked_ = timeline;
  rights_ = rights;
  again_at_ = now + kRetry;
  return query();
}

std::optional<std::string> HistoryQuestion::instead() {
  if (!std::exchange(rights_.end, false)) return std::nullopt;
  return query();
}

std::string HistoryQuestion::query() const {
  const std::string text = rights_.source == HistorySource::file
                               ? "pg_catalog.pg_read_file('pg_wal/" + file_name(asked_) + "')"
                               : "public.tidemark_timeline_history()";
  // Never more than would be refused anyway.
  std::string query =
      "select pg_catalog.left(" + text + ", " + std::to_string(routing::TimelineHistory::kMaxText + 1) + ")";
  if (rights_.end) {
    query += ", pg_catalog.encode(pg_catalog.substr(public.tidemark_timeline_end(), 1, " +
             std::to_string(kMostTail) + "), 'hex')";
  }
  return query;
}

std::optional<HistoryAnswer> HistoryQuestion::answered(std::optional<std::string_view> text,
                                                       std::optional<std::string_view> tail) {
  if (!text) return std::nullopt;
  auto history = routing::TimelineHistory::parse(*text);
  if (!history || !history->fits(asked_)) return std::nullopt;
  read_ = asked_;
  again_at_ = {};
  return HistoryAnswer{std::move(*history), tail ? from_hex(*tail) : std::string()};
}

}  // namespace tidemark::pools

#include "routing/wal_position.hpp"

#include <bit>
#include <charconv>
#include <cstddef>
#include <system_error>

#include "routing/mutation.hpp"

namespace tidemark::routing {
namespace {

/// sizeof(XLogPageHeaderData) and sizeof(XLogLongPageHeaderData) with 8-byte alignment (xlog_internal.h).
constexpr std::uint64_t kShortPageHeader = 24;
constexpr std::uint64_t kLongPageHeader = 40;
constexpr std::size_t kMaxHalfDigits = 8;

std::optional<std::uint32_t> parse_half(std::string_view text) {
  if (text.empty() || text.size() > kMaxHalfDigits) return std::nullopt;
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed_to, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc{} || parsed_to != end) return std::nullopt;
  return value;
}

void append_half(std::string& text, std::uint32_t value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  unsigned shift = 28;
  while (shift > 0 && (value >> shift) == 0) shift -= 4;
  for (;; shift -= 4) {
    text += kDigits[(value >> shift) & 0xFU];
    if (shift == 0) return;
  }
}

}  // namespace

bool contains(const WalPosition& replayed, const WalPosition& required) {
  if (mutated(Mutation::timeline_ignored)) return replayed.lsn >= required.lsn;
  const bool known = required.system_identifier != 0 && required.timeline.value != 0;
  return known && replayed.system_identifier == required.system_identifier &&
         replayed.timeline == required.timeline && replayed.lsn >= required.lsn;
}

std::optional<Lsn> parse_lsn(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = parse_half(text.substr(0, slash));
  const auto low = parse_half(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return Lsn{(std::uint64_t{*high} << 32U) | *low};
}

std::string to_string(Lsn lsn) {
  std::string text;
  append_half(text, static_cast<std::uint32_t>(lsn.value >> 32U));
  text += '/';
  append_half(text, static_cast<std::uint32_t>(lsn.value));
  return text;
}

ByteLag lag(Lsn ahead, Lsn behind) {
  return {ahead > behind ? ahead.value - behind.value : 0};
}

Lsn without_page_header(Lsn insert_position, std::uint64_t segment_size, std::uint64_t page_size) {
  // Sizes come from a server's settings: what cannot be true leaves the position as it is, a safe bound.
  if (!std::has_single_bit(segment_size) || !std::has_single_bit(page_size) || page_size > segment_size ||
      page_size <= kLongPageHeader) {
    return insert_position;
  }
  if (mutated(Mutation::page_header_kept)) return insert_position;
  const std::uint64_t in_page = insert_position.value & (page_size - 1);
  const bool opens_segment = (insert_position.value & (segment_size - 1)) < page_size;
  const std::uint64_t header = opens_segment ? kLongPageHeader : kShortPageHeader;
  return in_page == header ? Lsn{insert_position.value - header} : insert_position;
}

}  // namespace tidemark::routing

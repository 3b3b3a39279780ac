#include "config/ip_address.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace tidemark::config {
namespace {

/// All of `text` as a number of at most `longest` digits.
std::optional<unsigned> parse_digits(std::string_view text, int base, std::size_t longest) {
  if (text.empty() || text.size() > longest) return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool parse_v4(std::string_view text, std::uint8_t* bytes) {
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = text.find('.');
    if ((part < 3) == (dot == std::string_view::npos)) return false;
    const std::string_view digits = text.substr(0, dot);
    const auto value = parse_digits(digits, 10, 3);
    if (!value || *value > 255 || (digits.size() > 1 && digits.front() == '0')) return false;
    bytes[part] = static_cast<std::uint8_t>(*value);
    if (part < 3) text.remove_prefix(dot + 1);
  }
  return true;
}

/// Groups separated by single colons, written to `bytes`; an IPv4 tail is allowed in the `last` run. Returns
/// the number of bytes, or nullopt.
std::optional<std::size_t> parse_groups(std::string_view text, bool last,
                                        std::array<std::uint8_t, 16>& bytes) {
  std::size_t used = 0;
  if (text.empty()) return used;
  while (true) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (last && colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      if (used + 4 > bytes.size() || !parse_v4(group, bytes.data() + used)) return std::nullopt;
      return used + 4;
    }
    const auto value = parse_digits(group, 16, 4);
    if (!value || used + 2 > bytes.size()) return std::nullopt;
    bytes[used++] = static_cast<std::uint8_t>(*value >> 8U);
    bytes[used++] = static_cast<std::uint8_t>(*value & 0xffU);
    if (colon == std::string_view::npos) return used;
    text.remove_prefix(colon + 1);
  }
}

std::optional<IpAddress> parse_v6(std::string_view text) {
  IpAddress address;
  address.v6 = true;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto used = parse_groups(text, true, address.bytes);
    return used == address.bytes.size() ? std::optional(address) : std::nullopt;
  }
  std::array<std::uint8_t, 16> tail{};
  const auto head_size = parse_groups(text.substr(0, gap), false, address.bytes);
  const auto tail_size = parse_groups(text.substr(gap + 2), true, tail);
  // "::" stands for at least one group.
  if (!head_size || !tail_size || *head_size + *tail_size > address.bytes.size() - 2) return std::nullopt;
  std::copy_n(tail.begin(), *tail_size, address.bytes.end() - static_cast<std::ptrdiff_t>(*tail_size));
  return address;
}

}  // namespace

bool IpAddress::is_loopback() const {
  if (!v6) return bytes[0] == 127;
  constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), bytes.begin())) return bytes[12] == 127;
  return std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t b) { return b == 0; }) && bytes[15] == 1;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return parse_v6(text);
  IpAddress address;
  if (!parse_v4(text, address.bytes.data())) return std::nullopt;
  return address;
}

}  // namespace tidemark::config

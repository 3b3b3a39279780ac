#include "config/address_range.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>

namespace tidemark::config {
namespace {

constexpr unsigned bits_of_v4 = 32;
constexpr unsigned bits_of_v6 = 128;
constexpr unsigned bits_before_mapped_v4 = 96;

bool is_mapped_v4(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return address.v6 && std::equal(mapped.begin(), mapped.end(), address.bytes.begin());
}

std::optional<unsigned> parse_prefix(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

bool same_bits(const IpAddress& a, const IpAddress& b, unsigned bits) {
  std::size_t at = 0;
  for (; bits >= 8; bits -= 8, ++at) {
    if (a.bytes[at] != b.bytes[at]) return false;
  }
  if (bits == 0) return true;
  const unsigned mask = 0xffU << (8 - bits);
  return ((a.bytes[at] ^ b.bytes[at]) & mask & 0xffU) == 0;
}

}  // namespace

bool AddressRange::contains(const IpAddress& address, bool same_host) const {
  switch (kind) {
    case Kind::all:
      return true;
    case Kind::same_host:
      return same_host;
    case Kind::network:
      return address.v6 == base.v6 && same_bits(address, base, prefix);
  }
  return false;
}

bool AddressRange::is_this_machine_only() const {
  constexpr unsigned bits_of_loopback = 8;  // 127.0.0.0/8
  switch (kind) {
    case Kind::all:
      return false;
    case Kind::same_host:
      return true;
    case Kind::network:
      return base.is_loopback() && prefix >= (base.v6 ? bits_of_v6 : bits_of_loopback);
  }
  return false;
}

std::variant<AddressRange, BadRange> parse_address_range(std::string_view text) {
  AddressRange range;
  if (text == "all") return range;
  if (text == "samehost") {
    range.kind = AddressRange::Kind::same_host;
    return range;
  }
  if (text == "samenet")
    return BadRange{"\"samenet\" is not supported: name the network, as in \"10.0.0.0/8\""};
  const std::size_t slash = text.find('/');
  const auto base = parse_ip_address(text.substr(0, slash));
  if (!base) {
    return BadRange{
        "it must be \"all\", \"samehost\", or a numeric address with the length of its network, such as "
        "\"10.0.0.0/8\" or \"::1/128\""};
  }
  range.kind = AddressRange::Kind::network;
  range.base = *base;
  const unsigned most = base->v6 ? bits_of_v6 : bits_of_v4;
  const auto prefix = slash == std::string_view::npos ? most : parse_prefix(text.substr(slash + 1), most);
  if (!prefix)
    return BadRange{"the length of its network must be a number from 0 to " + std::to_string(most)};
  range.prefix = static_cast<std::uint8_t>(*prefix);
  if (is_mapped_v4(*base) && *prefix >= bits_before_mapped_v4) {
    range.base = IpAddress{};
    std::copy(base->bytes.begin() + 12, base->bytes.end(), range.base.bytes.begin());
    range.prefix = static_cast<std::uint8_t>(*prefix - bits_before_mapped_v4);
  }
  return range;
}

}  // namespace tidemark::config

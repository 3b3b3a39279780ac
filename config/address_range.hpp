#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "config/ip_address.hpp"

namespace tidemark::config {

/// Which clients' addresses a host rule is for. Built as pg_hba.conf has it (manual, "The pg_hba.conf File"):
/// an IPv4 range never holds an IPv6 address, nor the other way round.
struct AddressRange {
  enum class Kind : std::uint8_t {
    all,        ///< every address, of either family
    same_host,  ///< this machine: see the field `same_host` of whoever asks
    network,    ///< `base` and the addresses that share its first `prefix` bits
  };
  Kind kind = Kind::all;
  IpAddress base;
  std::uint8_t prefix = 0;

  /// `address` is not an IPv4 address mapped into IPv6. `same_host`: it is one of this machine's own.
  [[nodiscard]] bool contains(const IpAddress& address, bool same_host) const;
  /// No other machine can have one of these addresses.
  [[nodiscard]] bool is_this_machine_only() const;

  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

/// Why a text is no address range; a clause.
struct BadRange {
  std::string reason;
};

/// "all", "samehost", "10.0.0.0/8", "2001:db8::/32", or one address without a length. A range of IPv4
/// addresses mapped into IPv6 becomes the range of IPv4 that it is. Bits behind the prefix are ignored.
[[nodiscard]] std::variant<AddressRange, BadRange> parse_address_range(std::string_view text);

}  // namespace tidemark::config

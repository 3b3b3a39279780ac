#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidemark::config {

/// A numeric address, so that two spellings of one address can be told to be the same.
struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  ///< network order; IPv4 uses the first four

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  /// 127.0.0.0/8 (RFC 1122, 3.2.1.3), ::1 (RFC 4291, 2.5.3), and the former mapped into IPv6.
  [[nodiscard]] bool is_loopback() const;
  /// 0.0.0.0 and ::, which listen on every interface.
  [[nodiscard]] bool is_unspecified() const;
};

/// Dotted decimal with four parts and no leading zeros, or RFC 4291 2.2 text, without brackets and zone.
[[nodiscard]] std::optional<IpAddress> parse_ip_address(std::string_view text);

}  // namespace tidemark::config

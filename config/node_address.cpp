#include "config/node_address.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include "config/ip_address.hpp"
#include "config/text.hpp"

namespace tidemark::config {
namespace {

constexpr std::size_t longest_host_name = 253;  // RFC 1035, 2.3.4, without the final dot
constexpr std::size_t longest_socket_folder =
    90;  // sockaddr_un.sun_path is 108, the rest is "/.s.PGSQL.65535"

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == '_';
}

bool looks_numeric(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

/// Empty when `host` (without brackets) is fine.
std::string host_fault(std::string_view host, bool bracketed) {
  if (host.empty()) return "the host is missing";
  if (bracketed) {
    const auto address = parse_ip_address(host);
    return address && address->v6 ? "" : "there is no IPv6 address in the brackets";
  }
  if (host.front() == '/') {
    if (host.find(',') != std::string_view::npos) return "a socket's folder must not contain a comma";
    if (host.size() > longest_socket_folder) return "the socket's folder is too long";
    return has_control_characters(host) ? "it contains control characters" : "";
  }
  if (host.find(':') != std::string_view::npos) return "an IPv6 address is written in brackets, [::1]:5432";
  if (looks_numeric(host)) return parse_ip_address(host) ? "" : "that is no IPv4 address";
  if (host.size() > longest_host_name) return "the host name is too long";
  if (!std::all_of(host.begin(), host.end(), is_name_character)) {
    return "a host name has letters, digits, dots, hyphens and underscores only";
  }
  return "";
}

}  // namespace

std::variant<pools::NodeAddress, BadAddress> parse_node_address(std::string_view text) {
  if (text.empty()) return BadAddress{"it is empty"};
  const bool bracketed = text.front() == '[';
  std::size_t host_end = text.rfind(':');
  if (bracketed) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return BadAddress{"the closing bracket is missing"};
    host_end = close + 1;
    if (host_end < text.size() && text[host_end] != ':') return BadAddress{"a colon must follow the bracket"};
  } else if (parse_ip_address(text).value_or(IpAddress{}).v6) {
    return BadAddress{"an IPv6 address is written in brackets, [" + std::string(text) + "]:5432"};
  }
  if (host_end == std::string_view::npos || host_end >= text.size()) {
    return BadAddress{"the port is missing, as in \"host:5432\""};
  }

  const std::string_view host = bracketed ? text.substr(1, host_end - 2) : text.substr(0, host_end);
  if (std::string fault = host_fault(host, bracketed); !fault.empty()) return BadAddress{fault};

  const std::string_view digits = text.substr(host_end + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) {
    return BadAddress{"the port must be a number between 1 and 65535"};
  }
  pools::NodeAddress address;
  address.name = std::string(text);
  address.host = std::string(host);
  address.port = port;
  return address;
}

std::string identity(const pools::NodeAddress& address) {
  std::string host = address.host;
  if (const auto ip = parse_ip_address(host)) {
    host = ip->v6 ? "6:" : "4:";
    for (const std::uint8_t byte : ip->bytes) host += std::to_string(byte) + '.';
  } else if (host.front() != '/') {
    host = lower_case(host);
  }
  return host + ':' + std::to_string(address.port);
}

}  // namespace tidemark::config

#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "pools/pool_settings.hpp"

namespace tidemark::config {

/// Why a text is no node address; a clause that follows "node …: ".
struct BadAddress {
  std::string reason;
};

/// "db1.example:5432", "10.0.0.1:5432", "[::1]:5432" or "/var/run/postgresql:5432" (the folder of a Unix
/// socket). The port is required. A comma is refused everywhere: libpq takes it for a list of hosts.
[[nodiscard]] std::variant<pools::NodeAddress, BadAddress> parse_node_address(std::string_view text);

/// One text for all spellings of one address: case of names, forms of IPv6.
[[nodiscard]] std::string identity(const pools::NodeAddress& address);

}  // namespace tidemark::config

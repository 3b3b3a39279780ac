#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidemark::pools {

/// Where the list of nodes and the word about the primary come from.
enum class DiscoveryType : std::uint8_t {
  fixed,             ///< "static": the configuration's list; the nodes alone say which is the primary
  patroni,           ///< the REST API of Patroni's members
  pg_auto_failover,  ///< the monitor's database
};

/// A host and a port that are no node's.
struct ServiceAddress {
  std::string host;  ///< a name or a numeric address, without brackets
  std::uint16_t port = 0;
  friend bool operator==(const ServiceAddress&, const ServiceAddress&) = default;
};

/// [cluster.discovery] of the configuration.
struct DiscoverySettings {
  DiscoveryType type = DiscoveryType::fixed;
  std::chrono::nanoseconds interval = std::chrono::seconds(1);  ///< from one question to the next
  std::chrono::nanoseconds timeout = std::chrono::seconds(1);   ///< of each attempt to get an answer
  bool timeline_proves = false;                                 ///< when_unreachable = "timeline"
  std::vector<ServiceAddress> patroni;                          ///< REST APIs, tried in this order
  ServiceAddress monitor;                                       ///< of pg_auto_failover
  std::string monitor_user = "autoctl_node";
  std::optional<std::string> monitor_password;  ///< secret; never logged
  std::string monitor_database = "pg_auto_failover";
  std::string formation = "default";
  std::uint32_t group = 0;

  [[nodiscard]] bool has_authority() const { return type != DiscoveryType::fixed; }
};

}  // namespace tidemark::pools

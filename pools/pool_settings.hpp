#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidemark::pools {

/// "host:port" split; host may be a name, a numeric address, or an absolute path (Unix socket directory).
struct NodeAddress {
  std::string name;  ///< as written in the configuration, the node's name everywhere
  std::string host;
  std::uint16_t port = 5432;
  std::uint16_t weight = 1;
};

/// [cluster] of the configuration.
struct ClusterSettings {
  std::vector<NodeAddress> nodes;
  std::string monitor_user = "tidemark";
  std::optional<std::string> monitor_password;  ///< secret; never logged
  std::string monitor_database = "postgres";
  std::chrono::nanoseconds probe_interval = std::chrono::milliseconds(200);
  /// A probe that is not answered by then counts as a node that is gone.
  std::chrono::nanoseconds probe_timeout = std::chrono::seconds(1);
  /// How long a new write waits for a primary.
  std::chrono::nanoseconds failover_hold = std::chrono::seconds(30);
  /// Least distance between two position questions to one node (routing.position_interval).
  std::chrono::nanoseconds position_interval = std::chrono::milliseconds(1);
};

/// [pool] of the configuration.
struct PoolSettings {
  std::uint32_t size = 20;                     ///< server connections per node, user and database
  std::uint32_t max_server_connections = 200;  ///< per node
  std::uint32_t max_client_connections = 10000;
  std::chrono::nanoseconds queue_timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);  ///< TCP connect and login to a server
  std::chrono::nanoseconds server_idle_timeout = std::chrono::minutes(10);
  std::chrono::nanoseconds server_lifetime = std::chrono::hours(1);
  std::uint32_t max_prepared_statements = 200;  ///< per server connection, least recently used closed first
};

}  // namespace tidemark::pools

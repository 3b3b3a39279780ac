#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pools/discovery_settings.hpp"
#include "pools/tls_settings.hpp"

namespace tidemark::pools {

/// "host:port" split; host may be a name, a numeric address, or an absolute path (Unix socket directory).
struct NodeAddress {
  std::string name;  ///< as written in the configuration, the node's name everywhere
  std::string host;
  std::uint16_t port = 5432;
  std::uint16_t weight = 1;
};

/// auth.query of the configuration: how the cluster is asked for a user's secret, as cluster.monitor_user.
struct UserQuerySettings {
  std::string sql;  ///< $1 is the user's name; empty: the cluster is not asked
  std::string database = "postgres";
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);  ///< connecting and waiting in line included
};

/// [cluster] of the configuration.
struct ClusterSettings {
  std::vector<NodeAddress> nodes;      ///< with an authority: until its first answer
  std::vector<NodeAddress> described;  ///< [[cluster.node]], also of nodes that are discovered
  DiscoverySettings discovery;
  std::string monitor_user = "tidemark";
  std::optional<std::string> monitor_password;  ///< secret; never logged
  std::string monitor_database = "postgres";
  ServerTlsSettings server_tls;  ///< of all connections to the nodes, the monitor's included
  std::chrono::nanoseconds probe_interval = std::chrono::milliseconds(200);
  /// A probe that is not answered by then counts as a node that is gone.
  std::chrono::nanoseconds probe_timeout = std::chrono::seconds(1);
  /// How long a new write waits for a primary.
  std::chrono::nanoseconds failover_hold = std::chrono::seconds(30);
  std::uint32_t flap_losses = 5;               ///< routing::FlapSettings::losses
  std::uint32_t max_held_statements = 10'000;  ///< that wait for a primary, in the whole process
  std::int64_t max_held_memory = std::int64_t{256} * 1024 * 1024;  ///< bytes that these take together
  /// Least distance between two position questions to one node (routing.position_interval).
  std::chrono::nanoseconds position_interval = std::chrono::milliseconds(1);
  /// A replica that is further behind is out until it is well within (routing.max_lag).
  std::chrono::nanoseconds max_lag = std::chrono::seconds(10);
};

/// How long a client keeps a server connection.
enum class PoolMode : std::uint8_t {
  transaction,  ///< while a transaction, or what it left in its session, needs it
  session,      ///< one to the primary, from its first statement to its end
  statement,    ///< for one statement; transaction blocks are refused
};

/// [pool] of the configuration.
struct PoolSettings {
  PoolMode mode = PoolMode::transaction;
  std::uint32_t size = 20;                            ///< server connections per node, user and database
  std::uint32_t max_server_connections = 200;         ///< per node
  std::uint32_t max_user_server_connections = 0;      ///< per node; 0: no limit of its own
  std::uint32_t max_database_server_connections = 0;  ///< per node; 0: no limit of its own
  std::uint32_t max_client_connections = 10000;
  std::uint32_t max_user_client_connections = 0;      ///< 0: no limit of its own
  std::uint32_t max_database_client_connections = 0;  ///< 0: no limit of its own
  std::chrono::nanoseconds queue_timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds queue_notice = std::chrono::seconds(1);  ///< 0: waiting clients are told nothing
  std::chrono::nanoseconds query_timeout{0};                        ///< 0: none, here and below
  std::chrono::nanoseconds idle_transaction_timeout{0};
  std::chrono::nanoseconds client_idle_timeout{0};
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);  ///< TCP connect and login to a server
  std::chrono::nanoseconds server_idle_timeout = std::chrono::minutes(10);
  std::chrono::nanoseconds server_lifetime = std::chrono::hours(1);
  std::uint32_t max_client_statements = 10000;  ///< named prepared statements of one client
  std::int64_t max_client_statement_memory =
      std::int64_t{64} * 1024 * 1024;           ///< bytes of their names and texts
  std::uint32_t max_prepared_statements = 200;  ///< per server connection, least recently used closed first
};

}  // namespace tidemark::pools

#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/address_range.hpp"
#include "config/secret.hpp"
#include "pools/alert_settings.hpp"
#include "pools/pool_settings.hpp"
#include "pools/tls_settings.hpp"
#include "routing/routing_policy.hpp"

namespace tidemark::config {

/// [listen]: where clients connect.
struct ListenSettings {
  std::string address = "127.0.0.1";  ///< numeric IPv4 or IPv6, no brackets
  std::uint16_t port = 6432;
  std::filesystem::path unix_socket_dir;  ///< of the Unix-domain socket .s.PGSQL.<port>; empty: none
  std::uint32_t unix_socket_mode = 0777;  ///< its permissions
  pools::ListenTlsSettings tls;
};

/// [http]: metrics and health.
struct HttpSettings {
  bool enabled = true;
  std::string address = "127.0.0.1";  ///< as ListenSettings::address
  std::uint16_t port = 9432;
};

/// How clients prove who they are; the names of pg_hba.conf (manual, "Client Authentication").
enum class AuthMethod : std::uint8_t { scram_sha_256, md5, cert, trust, reject };

/// The first word of a line in pg_hba.conf.
enum class ConnectionType : std::uint8_t { local, host, hostssl, hostnossl };

/// What of a client's certificate is compared with the user's name.
enum class CertificateName : std::uint8_t { common_name, distinguished_name };

/// One [[auth.rule]], a line of pg_hba.conf.
struct AuthRule {
  ConnectionType type = ConnectionType::host;
  std::vector<std::string> databases;  ///< names, "all", "sameuser"; not empty
  std::vector<std::string> users;      ///< names, "all"; not empty
  AddressRange address;                ///< not for ConnectionType::local
  AuthMethod method = AuthMethod::reject;
  std::string map;  ///< of [[auth.user_map]]; empty: the certificate names the user itself
  CertificateName client_name = CertificateName::common_name;
  std::uint32_t line = 0;  ///< in the configuration file
};

/// One [[auth.user_map]], a line of pg_ident.conf.
struct UserMapEntry {
  std::string name;
  std::string system_user;    ///< what the certificate says, or behind a slash a regular expression for it
  std::string database_user;  ///< may hold \1, the first group of the regular expression
};

/// [auth]
struct AuthSettings {
  AuthMethod method = AuthMethod::scram_sha_256;  ///< of every client, unless there are rules
  std::chrono::nanoseconds timeout =
      std::chrono::minutes(1);       ///< from the connection to the end of the login
  std::filesystem::path users_file;  ///< resolved against the configuration file's folder; empty: none
  std::vector<AuthRule> rules;       ///< the first that matches decides; if there are any, one must
  std::vector<UserMapEntry> user_maps;
  pools::UserQuerySettings query;
  std::chrono::nanoseconds query_cache = std::chrono::seconds(10);  ///< how long an answer is believed
  std::uint32_t query_cache_size = 10'000;                          ///< users

  /// The cluster is asked for users that the file does not name.
  [[nodiscard]] bool asks_cluster() const { return !query.sql.empty(); }
};

/// One [[user]] of the users file.
struct User {
  std::string name;
  /// As pg_authid.rolpassword may hold it, or plain: a "SCRAM-SHA-256$…" verifier, "md5" and 32 hexadecimal
  /// digits, or the password.
  Secret password;
};

/// cluster.on_lost_write: what a session is told whose acknowledged write a failover may have lost.
enum class OnLostWrite : std::uint8_t { error, warn, ignore };

/// Where marks of users are kept that several connections share.
enum class MarkStore : std::uint8_t {
  memory,  ///< of this process
  redis,   ///< shared by several proxies
};

/// [marks]
struct MarksSettings {
  MarkStore store = MarkStore::memory;
  std::chrono::nanoseconds ttl = std::chrono::minutes(10);  ///< as asked for; at least routing.max_lag
  /// How long a mark is really to be kept after its last use. A replica may be in use that is behind by
  /// max_lag and by the age of what is known of it, so this is longer than ttl by that age.
  std::chrono::nanoseconds kept_for = std::chrono::minutes(10) + std::chrono::seconds(1);
  std::uint32_t max_users = 100'000;
  std::string redis_host = "127.0.0.1";  ///< a name or a numeric address, no brackets
  std::uint16_t redis_port = 6379;
  std::string redis_user;                ///< empty: Redis's default user
  std::optional<Secret> redis_password;  ///< read from marks.redis_password_file
  std::uint32_t redis_database = 0;
  std::chrono::nanoseconds redis_timeout = std::chrono::milliseconds(50);
  std::string redis_prefix = "tidemark";
};

/// [replay]: limits of the transactions that are executed again. Which ones: routing::RoutingPolicy::replay.
struct ReplaySettings {
  std::int64_t max_size = 1024 * 1024;  ///< bytes that the client has sent in it
  std::uint32_t max_attempts = 3;
  std::chrono::nanoseconds timeout = std::chrono::minutes(1);  ///< since it first lost its server
};

/// [admin]: who may use the admin console.
struct AdminSettings {
  std::vector<std::string> users;        ///< all commands
  std::vector<std::string> stats_users;  ///< SHOW only
};

/// [workers]
struct WorkerSettings {
  std::uint32_t threads = 0;  ///< 0: one per core
};

/// Least severe line that is written.
enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// [log]
struct LogSettings {
  LogLevel level = LogLevel::info;
};

/// All that the operator asked for, validated: every value is in range and no rule across keys is broken.
/// Plain data; made once by config/load.hpp and from then on shared as const.
struct Config {
  ListenSettings listen;
  HttpSettings http;
  AuthSettings auth;
  std::vector<User> users;  ///< of auth.users_file, in the file's order, names are unique
  pools::ClusterSettings cluster;
  pools::PoolSettings pool;
  OnLostWrite on_lost_write = OnLostWrite::error;
  /// cluster.lossless_failover: a node is promoted only if it has every commit that was acknowledged and
  /// synchronous.
  bool lossless_failover = false;
  routing::RoutingPolicy routing;
  ReplaySettings replay;
  MarksSettings marks;
  pools::AlertSettings alerts;
  AdminSettings admin;
  WorkerSettings workers;
  LogSettings log;
};

}  // namespace tidemark::config

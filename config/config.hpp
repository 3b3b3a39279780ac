#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/secret.hpp"
#include "pools/pool_settings.hpp"
#include "routing/routing_policy.hpp"

namespace tidemark::config {

/// [listen]: where clients connect.
struct ListenSettings {
  std::string address = "127.0.0.1";  ///< numeric IPv4 or IPv6, no brackets
  std::uint16_t port = 6432;
};

/// [http]: metrics and health.
struct HttpSettings {
  bool enabled = true;
  std::string address = "127.0.0.1";  ///< as ListenSettings::address
  std::uint16_t port = 9432;
};

/// How clients prove who they are. `trust` is accepted only where `listen.address` is a loopback address.
enum class AuthMethod : std::uint8_t { scram_sha_256, trust };

/// [auth]
struct AuthSettings {
  AuthMethod method = AuthMethod::scram_sha_256;
  std::filesystem::path users_file;  ///< resolved against the configuration file's folder; empty: none
};

/// One [[user]] of the users file.
struct User {
  std::string name;
  /// As pg_authid.rolpassword may hold it, or plain: a "SCRAM-SHA-256$…" verifier, "md5" and 32 hexadecimal
  /// digits, or the password.
  Secret password;
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
  routing::RoutingPolicy routing;
  WorkerSettings workers;
  LogSettings log;
};

}  // namespace tidemark::config

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "pools/pool.hpp"
#include "proxy/error_mapping.hpp"

namespace tidemark::proxy {

/// What a client can run into; each has its own text, SQLSTATE and count (`limit` of
/// tidemark_limit_rejections_total).
enum class Limit : std::uint8_t {
  clients,
  user_clients,
  database_clients,
  pool_size,
  server_connections,
  user_server_connections,
  database_server_connections,
  queue_timeout,  ///< a connection was not opened in time, though no limit forbade it
  login_timeout,
  query_timeout,
  idle_transaction_timeout,
  client_idle_timeout,
  client_statements,
  client_statement_memory,
  held_statements,
  held_memory,
  count,
};

/// The configuration's key, "pool.size".
[[nodiscard]] std::string_view key_of(Limit limit);
/// The key with its value, "pool.size = 20".
[[nodiscard]] std::string text_of(Limit limit, const config::Config& config);

/// Whom a refusal is about.
struct LimitSubject {
  std::string_view user;
  std::string_view database;
  std::string_view node;  ///< empty: none in particular
};

/// The limit that keeps a pool's clients waiting; `queue_timeout` when none does.
[[nodiscard]] Limit limit_of(pools::Hold hold);

/// Refusals of clients, and ends of their sessions. `limit`: one of those that concern clients.
[[nodiscard]] ClientError limit_error(Limit limit, const config::Config& config, const LimitSubject& subject);
/// No server connection within queue_timeout. `last_failure`: of a login to the node; empty: none.
[[nodiscard]] ClientError queue_error(pools::Hold hold, std::string_view last_failure,
                                      const config::Config& config, const LimitSubject& subject);

/// What a client is told that has waited for long: `waited` so far, `before` clients are served first.
struct QueueFacts {
  std::chrono::nanoseconds waited{};
  std::size_t before = 0;
};
[[nodiscard]] ClientError queue_notice(pools::Hold hold, const QueueFacts& facts,
                                       const config::Config& config, const LimitSubject& subject);
/// The same for a statement that waits for a primary.
/// `why`: no_primary, paused or primary_drained.
[[nodiscard]] ClientError primary_notice(std::chrono::nanoseconds waited, Failure why,
                                         const config::Config& config);

/// How many notices a client has had that has waited so long: the first after `first`, then at distances that
/// double. None when `first` is zero.
[[nodiscard]] unsigned notices_due(std::chrono::nanoseconds waited, std::chrono::nanoseconds first);

}  // namespace tidemark::proxy

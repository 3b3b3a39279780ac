#include "proxy/limits.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "config/units.hpp"

namespace tidemark::proxy {

using protocol::Sqlstate;

namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Limit::count)> kKeys{
    "pool.max_client_connections",
    "pool.max_user_client_connections",
    "pool.max_database_client_connections",
    "pool.size",
    "pool.max_server_connections",
    "pool.max_user_server_connections",
    "pool.max_database_server_connections",
    "pool.queue_timeout",
    "auth.timeout",
    "pool.query_timeout",
    "pool.idle_transaction_timeout",
    "pool.client_idle_timeout",
    "pool.max_client_statements",
    "pool.max_client_statement_memory",
    "cluster.max_held_statements",
    "cluster.max_held_memory"};

std::string quoted(std::string_view name) {
  return '"' + std::string(name) + '"';
}

/// Whole seconds from one second on: nobody is helped by the nanoseconds of a wait.
std::string rounded(std::chrono::nanoseconds waited) {
  if (waited >= std::chrono::seconds(1)) waited = std::chrono::floor<std::chrono::seconds>(waited);
  return config::print_duration(std::chrono::floor<std::chrono::milliseconds>(waited));
}

/// What is limited, in words.
std::string whose(pools::Hold hold, const LimitSubject& subject) {
  std::string node = "node " + std::string(subject.node);
  switch (hold) {
    case pools::Hold::pool_full:
      return "server connections of user " + quoted(subject.user) + " to database " +
             quoted(subject.database) + " at " + node;
    case pools::Hold::node_full:
      return "server connections to " + node;
    case pools::Hold::user_full:
      return "server connections of user " + quoted(subject.user) + " at " + node;
    case pools::Hold::database_full:
      return "server connections to database " + quoted(subject.database) + " at " + node;
    case pools::Hold::connecting:
    case pools::Hold::refused:
      break;
  }
  return node;
}

}  // namespace

std::string_view key_of(Limit limit) {
  return kKeys[static_cast<std::size_t>(limit)];
}

std::string text_of(Limit limit, const config::Config& config) {
  const auto& pool = config.pool;
  const auto text = [limit](const std::string& value) { return std::string(key_of(limit)) + " = " + value; };
  switch (limit) {
    case Limit::clients:
      return text(std::to_string(pool.max_client_connections));
    case Limit::user_clients:
      return text(std::to_string(pool.max_user_client_connections));
    case Limit::database_clients:
      return text(std::to_string(pool.max_database_client_connections));
    case Limit::pool_size:
      return text(std::to_string(pool.size));
    case Limit::server_connections:
      return text(std::to_string(pool.max_server_connections));
    case Limit::user_server_connections:
      return text(std::to_string(pool.max_user_server_connections));
    case Limit::database_server_connections:
      return text(std::to_string(pool.max_database_server_connections));
    case Limit::queue_timeout:
      return text(config::print_duration(pool.queue_timeout));
    case Limit::login_timeout:
      return text(config::print_duration(config.auth.timeout));
    case Limit::query_timeout:
      return text(config::print_duration(pool.query_timeout));
    case Limit::idle_transaction_timeout:
      return text(config::print_duration(pool.idle_transaction_timeout));
    case Limit::client_idle_timeout:
      return text(config::print_duration(pool.client_idle_timeout));
    case Limit::client_statements:
      return text(std::to_string(pool.max_client_statements));
    case Limit::client_statement_memory:
      return text(config::print_size(pool.max_client_statement_memory));
    case Limit::held_statements:
      return text(std::to_string(config.cluster.max_held_statements));
    case Limit::held_memory:
      return text(config::print_size(config.cluster.max_held_memory));
    case Limit::count:
      break;
  }
  return {};
}

Limit limit_of(pools::Hold hold) {
  switch (hold) {
    case pools::Hold::pool_full:
      return Limit::pool_size;
    case pools::Hold::node_full:
      return Limit::server_connections;
    case pools::Hold::user_full:
      return Limit::user_server_connections;
    case pools::Hold::database_full:
      return Limit::database_server_connections;
    case pools::Hold::connecting:
    case pools::Hold::refused:
      break;
  }
  return Limit::queue_timeout;
}

ClientError limit_error(Limit limit, const config::Config& config, const LimitSubject& subject) {
  const std::string reached = "The limit that was reached is " + text_of(limit, config) + ".";
  // The messages and codes of PostgreSQL, where it has such a limit.
  switch (limit) {
    case Limit::clients:
      return {Sqlstate{"53300"}, "sorry, too many clients already", reached,
              "Try again later, or raise pool.max_client_connections."};
    case Limit::user_clients:
      return {Sqlstate{"53300"}, "too many connections for role " + quoted(subject.user), reached,
              "Close connections of this user, or raise pool.max_user_client_connections."};
    case Limit::database_clients:
      return {Sqlstate{"53300"}, "too many connections for database " + quoted(subject.database), reached,
              "Close connections to this database, or raise pool.max_database_client_connections."};
    case Limit::login_timeout:
      return {Sqlstate{"57014"}, "canceling authentication due to timeout", reached, {}};
    case Limit::query_timeout:
      return {Sqlstate{"57014"}, "canceling statement due to query timeout", reached, {}};
    case Limit::idle_transaction_timeout:
      return {Sqlstate{"25P03"},
              "terminating connection due to idle-in-transaction timeout",
              reached + " The transaction is rolled back.",
              {}};
    case Limit::client_idle_timeout:
      return {Sqlstate{"57P05"}, "terminating connection due to idle-session timeout", reached, {}};
    case Limit::client_statements:
      return {Sqlstate{"54000"}, "too many prepared statements", reached,
              "Close or DEALLOCATE those that are not needed, or raise pool.max_client_statements."};
    case Limit::client_statement_memory:
      return {Sqlstate{"54000"}, "the prepared statements take too much memory", reached,
              "Close or DEALLOCATE those that are not needed, or raise pool.max_client_statement_memory."};
    case Limit::held_statements:
      return {Sqlstate{"53300"}, "no primary server is available, and too many statements wait for one",
              reached, "Try again later; the statement was not executed."};
    case Limit::held_memory:
      return {Sqlstate{"53200"},
              "no primary server is available, and the statements that wait for one take too much memory",
              reached, "Try again later; the statement was not executed."};
    case Limit::pool_size:
    case Limit::server_connections:
    case Limit::user_server_connections:
    case Limit::database_server_connections:
    case Limit::queue_timeout:
    case Limit::count:
      break;
  }
  return {Sqlstate{"53300"}, "a limit was reached", reached, {}};
}

ClientError queue_error(pools::Hold hold, std::string_view last_failure, const config::Config& config,
                        const LimitSubject& subject) {
  ClientError error{Sqlstate{"53300"},
                    "no server connection became free within " + text_of(Limit::queue_timeout, config),
                    {},
                    "The statement was not executed."};
  if (hold == pools::Hold::refused || (hold == pools::Hold::connecting && !last_failure.empty())) {
    error.detail = "Logins to node " + std::string(subject.node) + " failed";
    if (!last_failure.empty()) error.detail += ", lastly with: " + std::string(last_failure);
    error.detail += ".";
  } else if (hold == pools::Hold::connecting) {
    error.detail = "Connections to node " + std::string(subject.node) + " were being opened.";
  } else {
    const Limit limit = limit_of(hold);
    error.detail =
        "The limit that was reached is " + text_of(limit, config) + " (" + whose(hold, subject) + ").";
    error.hint += " Try again later, or raise " + std::string(key_of(limit)) + ".";
  }
  return error;
}

ClientError queue_notice(pools::Hold hold, const QueueFacts& facts, const config::Config& config,
                         const LimitSubject& subject) {
  ClientError notice{Sqlstate{"53300"},
                     "waiting for a server connection since " + rounded(facts.waited),
                     {},
                     "The wait ends after " + text_of(Limit::queue_timeout, config) + "."};
  if (hold == pools::Hold::connecting) {
    notice.detail = "Connections to node " + std::string(subject.node) + " are being opened";
  } else if (hold == pools::Hold::refused) {
    notice.detail = "Logins to node " + std::string(subject.node) + " fail at the moment";
  } else {
    notice.detail = "The limit is " + text_of(limit_of(hold), config) + " (" + whose(hold, subject) + ")";
  }
  notice.detail += "; " + std::to_string(facts.before) +
                   (facts.before == 1 ? " client is before this one." : " clients are before this one.");
  return notice;
}

ClientError primary_notice(std::chrono::nanoseconds waited, Failure why, const config::Config& config) {
  const bool paused = why == Failure::paused;
  return {Sqlstate{"57P03"},
          (paused ? "waiting for the end of a pause since " : "waiting for a primary server since ") +
              rounded(waited),
          paused                            ? "PAUSE was given on the proxy's admin console."
          : why == Failure::primary_drained ? "DRAIN of the primary was given on the proxy's admin console."
                                            : "No node of the cluster accepts writes at the moment.",
          "The wait ends after cluster.failover_hold = " +
              config::print_duration(config.cluster.failover_hold) + "."};
}

unsigned notices_due(std::chrono::nanoseconds waited, std::chrono::nanoseconds first) {
  if (first.count() <= 0 || waited < first) return 0;
  const auto rounds = static_cast<std::uint64_t>(waited / first) + 1;
  return static_cast<unsigned>(std::bit_width(rounds)) - 1;
}

}  // namespace tidemark::proxy

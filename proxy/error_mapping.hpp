#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "protocol/login_machine.hpp"
#include "protocol/sqlstate.hpp"

namespace tidemark::proxy {

/// What a client is told of a failure: SQLSTATE and texts fit for clients. The only place that chooses them.
struct ClientError {
  protocol::Sqlstate code;
  std::string message;
  std::string detail;
  std::string hint;
};

/// Failures of the proxy's own making, as a session meets them.
enum class Failure : unsigned char {
  no_primary,           ///< nobody to write to within failover_hold
  no_node,              ///< nobody to log in to within queue_timeout
  no_eligible_replica,  ///< fallback = "error"
  queue_timeout,        ///< no server connection became free
  too_many_clients,
  transaction_lost,  ///< the server went away before COMMIT was sent
  outcome_unknown,   ///< … while COMMIT or an autocommit write was in flight
  result_lost,       ///< … while the answer to a read was streaming
  in_failed_transaction,
  canceled,
  protocol_violation,  ///< the client sent what may not come
  statement_too_long,  ///< a named Parse that cannot be kept
  unknown_statement,   ///< Bind or Describe of a prepared statement that does not exist
  session_state_lost,  ///< the server that held a pinned session's state is gone
  shutting_down,
  server_confused,  ///< the server broke the protocol
};

/// `subject`: what the text names (a statement's name, a limit), where it names something.
[[nodiscard]] ClientError describe(Failure failure, std::string_view subject = {});

/// A server that could not be logged in to, told to the client whose login caused it: the server's own error
/// where it sent one.
[[nodiscard]] ClientError describe(const protocol::LoginFailure& failure);

/// Whether trying again later, or elsewhere, may help: the node is down, starting, full, or ends sessions for
/// recovery.
[[nodiscard]] bool is_passing(const protocol::LoginFailure& failure);

}  // namespace tidemark::proxy

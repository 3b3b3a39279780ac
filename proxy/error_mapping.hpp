#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "protocol/login_machine.hpp"
#include "protocol/sqlstate.hpp"
#include "proxy/user_marks.hpp"

namespace tidemark::proxy {

/// What a client is told of a failure: SQLSTATE and texts fit for clients. The only place that chooses them.
struct ClientError {
  protocol::Sqlstate code;
  std::string message;
  std::string detail;
  std::string hint;
  std::string_view routine = {};  ///< of PostgreSQL's source, where drivers look for it
};

/// Failures of the proxy's own making, as a session meets them.
enum class Failure : unsigned char {
  replay_differs,         ///< a transaction was executed again, with another result
  no_primary,             ///< nobody to write to within failover_hold
  paused,                 ///< PAUSE has lasted for longer than failover_hold
  primary_drained,        ///< … has DRAIN of the primary, and there is no other
  no_node,                ///< nobody to log in to within queue_timeout
  no_eligible_replica,    ///< fallback = "error"
  commit_unacknowledged,  ///< the primary does not show yet what the user has seen at a replica
  queue_timeout,          ///< no server connection became free
  too_many_clients,
  transaction_lost,  ///< the server went away before COMMIT was sent
  rolled_back,       ///< … after that, and has said that it had not taken effect
  outcome_unknown,   ///< … while COMMIT or an autocommit write was in flight
  result_lost,       ///< … while the answer to a read was streaming
  in_failed_transaction,
  canceled,
  protocol_violation,             ///< the client sent what may not come
  statement_too_long,             ///< a named Parse that cannot be kept
  unknown_statement,              ///< Bind or Describe of a prepared statement that does not exist
  session_state_lost,             ///< the server that held a pinned session's state is gone
  result_changed,                 ///< a statement gives another result than the client was told of
  no_sequence_state,              ///< lastval or currval outside of the transaction that called nextval
  transaction_in_statement_mode,  ///< pool.mode = "statement"
  shutting_down,
  idle_session,         ///< its own idle_session_timeout
  idle_in_transaction,  ///< its own idle_in_transaction_session_timeout
  server_confused,      ///< the server broke the protocol
  command_not_alone,    ///< SET, SHOW or RESET of tidemark.…, or EXPLAIN ROUTE, among other statements
  unknown_parameter,    ///< tidemark.…, of another name than there are
  set_local_outside,    ///< SET LOCAL outside of a transaction: a warning
  two_users,            ///< hints in one message name two users
  foreign_token,        ///< tidemark.token of another cluster
};

/// `subject`: what the text names (a statement's name, a limit), where it names something. Of
/// transaction_lost and outcome_unknown: why the server connection was closed by us, a fence_reason().
[[nodiscard]] ClientError describe(Failure failure, std::string_view subject = {});

/// Why the server connections to a node with this fault are closed; static storage.
[[nodiscard]] std::string_view fence_reason(routing::NodeFault fault);

/// A value that a parameter tidemark.… cannot have. `why` says what it can be.
[[nodiscard]] ClientError describe_bad_value(std::string_view name, std::string_view value,
                                             std::string_view why);
/// A command of ours that cannot be read.
[[nodiscard]] ClientError describe_mistake(std::string_view what);
/// A text that is no token. `why`: "malformed", "damaged" …
[[nodiscard]] ClientError describe_bad_token(std::string_view why);
/// A comment that is meant as a hint, and cannot be read.
[[nodiscard]] ClientError describe_bad_hint(std::string_view why);
/// SQLSTATE TM001: routing/README.md, rule 9.
[[nodiscard]] ClientError describe(const Loss& loss);

/// Whether a FATAL error with this SQLSTATE ends the session as such, which has been idle in its transaction
/// or has had it open for longer than it may (25P03, and 25P04 since PostgreSQL 17), and not only its server.
[[nodiscard]] bool ends_session(std::string_view code);

/// A server that could not be logged in to, told to the client whose login caused it: the server's own error
/// where it sent one.
[[nodiscard]] ClientError describe(const protocol::LoginFailure& failure);

}  // namespace tidemark::proxy

#include "proxy/error_mapping.hpp"

#include "protocol/error_response.hpp"

namespace tidemark::proxy {

using protocol::Sqlstate;

ClientError describe(Failure failure, std::string_view subject) {
  const std::string name(subject);
  switch (failure) {
    case Failure::no_primary:
      return {Sqlstate{"57P03"}, "no primary server is available",
              "No node of the cluster accepted writes within failover_hold.",
              "Try again; the statement was not executed."};
    case Failure::no_node:
      return {Sqlstate{"57P03"}, "no server of the cluster is available",
              "No node could be reached within queue_timeout.",
              "Check that the nodes in [cluster] of the proxy's configuration are up."};
    case Failure::no_eligible_replica:
      return {Sqlstate{"57P03"}, "no replica may serve this read in time", "routing.fallback is \"error\".",
              "The statement was not executed."};
    case Failure::queue_timeout:
      return {Sqlstate{"53300"}, "no server connection became free within queue_timeout",
              "The limit that was reached is " + name + ".", "The statement was not executed."};
    case Failure::too_many_clients:
      return {Sqlstate{"53300"},
              "sorry, too many clients already",
              "The limit that was reached is " + name + ".",
              {}};
    case Failure::transaction_lost:
      return {Sqlstate{"40001"}, "the server went away before the transaction was committed",
              "The transaction was rolled back: COMMIT had not been sent.",
              "Roll back and try the transaction again."};
    case Failure::outcome_unknown:
      return {Sqlstate{"40003"},
              "the server went away while a statement that may have committed was in flight",
              "It is not known whether it took effect.", "Check before you try again."};
    case Failure::result_lost:
      return {
          Sqlstate{"40001"}, "the server went away while it sent the result", {}, "Try the statement again."};
    case Failure::in_failed_transaction:
      return {Sqlstate{"25P02"},
              "current transaction is aborted, commands ignored until end of transaction block",
              {},
              {}};
    case Failure::canceled:
      return {Sqlstate{"57014"},
              "canceling statement due to user request",
              "It had not been sent to a server.",
              {}};
    case Failure::protocol_violation:
      return {Sqlstate{"08P01"}, "invalid frontend message" + (name.empty() ? name : ": " + name), {}, {}};
    case Failure::statement_too_long:
      return {Sqlstate{"54000"},
              "the prepared statement is too long to be kept",
              "The limit is " + name + ".",
              {}};
    case Failure::unknown_statement:
      return {Sqlstate{"26000"},
              name.empty() ? std::string("unnamed prepared statement does not exist")
                           : "prepared statement \"" + name + "\" does not exist",
              {},
              {}};
    case Failure::session_state_lost:
      return {Sqlstate{"57P01"}, "the server that held this session's state is gone",
              "The session was pinned to it: " + name + ".", "Connect again."};
    case Failure::shutting_down:
      return {Sqlstate{"57P01"}, "terminating connection due to administrator command", {}, {}};
    case Failure::server_confused:
      return {Sqlstate{"08P01"}, "the server sent an unexpected message", "Its connection was closed.", {}};
  }
  return {Sqlstate{"XX000"}, "internal error", {}, {}};
}

ClientError describe(const protocol::LoginFailure& failure) {
  if (failure.kind == protocol::LoginFailureKind::server_error && failure.error_response.size() > 5) {
    protocol::ErrorFields fields;
    const auto body = std::string_view(failure.error_response).substr(5);
    if (protocol::parse_error_fields(body, fields) == protocol::Errc::ok) {
      return {fields.code, std::string(fields.message), std::string(fields.detail), std::string(fields.hint)};
    }
  }
  if (failure.kind == protocol::LoginFailureKind::no_credential ||
      failure.kind == protocol::LoginFailureKind::unsupported_authentication) {
    return {Sqlstate{"28000"}, "the proxy could not log in to the server: " + failure.text, {}, {}};
  }
  return {Sqlstate{"08006"}, "the proxy could not connect to the server: " + failure.text, {}, {}};
}

bool is_passing(const protocol::LoginFailure& failure) {
  if (failure.kind == protocol::LoginFailureKind::no_credential ||
      failure.kind == protocol::LoginFailureKind::unsupported_authentication) {
    return false;
  }
  if (failure.kind != protocol::LoginFailureKind::server_error) return true;
  // Who is logging in, where to, or with what is wrong: no other time and no other node would answer
  // otherwise.
  const auto code = failure.code.code_class();
  return code != "28" && code != "3D" && code != "42" && code != "22" && code != "0A";
}

}  // namespace tidemark::proxy

#include "proxy/error_mapping.hpp"

#include "protocol/error_response.hpp"

namespace tidemark::proxy {

using protocol::Sqlstate;

namespace {

std::string fenced(const std::string& why) {
  return why.empty() ? why : " Its node is fenced: " + why + ".";
}

}  // namespace

std::string_view fence_reason(routing::NodeFault fault) {
  switch (fault) {
    case routing::NodeFault::older_timeline:
      return "another node is on a newer timeline (older_timeline)";
    case routing::NodeFault::duplicate_primary:
      return "another writable node is on the same timeline (duplicate_primary)";
    case routing::NodeFault::other_cluster:
      return "its data is of another cluster (other_cluster)";
    case routing::NodeFault::not_named:
      return "the authority names another primary (not_named)";
    case routing::NodeFault::removed:
      return "the authority does not list it any more (removed)";
    case routing::NodeFault::none:
    case routing::NodeFault::unreachable:
    case routing::NodeFault::not_following:
      break;
  }
  return "it is not the primary any more";
}

ClientError describe(Failure failure, std::string_view subject) {
  const std::string name(subject);
  switch (failure) {
    case Failure::no_primary:
      return {Sqlstate{"57P03"}, "no primary server is available",
              "No node of the cluster accepted writes within failover_hold.",
              "Try again; the statement was not executed."};
    case Failure::paused:
      return {Sqlstate{"57P03"}, "the proxy is paused",
              "PAUSE was given on the admin console, and RESUME was not within failover_hold.",
              "Try again; the statement was not executed."};
    case Failure::primary_drained:
      return {Sqlstate{"57P03"}, "the primary server is drained, and there is no other",
              "DRAIN was given on the admin console, and no other node accepted writes within failover_hold.",
              "Try again; the statement was not executed."};
    case Failure::no_node:
      return {Sqlstate{"57P03"}, "no server of the cluster is available",
              "No node could be reached within queue_timeout.",
              "Check that the nodes in [cluster] of the proxy's configuration are up."};
    case Failure::no_eligible_replica:
      return {Sqlstate{"57P03"}, "no replica may serve this read in time", "routing.fallback is \"error\".",
              "The statement was not executed."};
    case Failure::commit_unacknowledged:
      return {
          Sqlstate{"57P03"}, "the primary does not show yet what this user has seen at a replica",
          "A commit has waited there for a synchronous standby for longer than failover_hold, and no replica "
          "may serve the statement.",
          "Check pg_stat_replication and synchronous_standby_names on the primary; the statement was not "
          "executed."};
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
              "The transaction was rolled back: COMMIT had not been sent." + fenced(name),
              "Roll back and try the transaction again."};
    case Failure::rolled_back:
      return {Sqlstate{"40001"}, "the server went away before the transaction was committed",
              "The transaction was rolled back: the server said so as it shut down.",
              "Try the transaction again."};
    case Failure::replay_differs:
      return {Sqlstate{"40001"}, "the transaction has another result on the new server",
              "The server went away before the transaction was committed. It was executed again, had another "
              "result than before, and was rolled back.",
              "Roll back and try the transaction again."};
    case Failure::outcome_unknown:
      return {Sqlstate{"40003"},
              "the server went away while a statement that may have committed was in flight",
              "It is not known whether it took effect." + fenced(name), "Check before you try again."};
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
    case Failure::result_changed:
      // PostgreSQL's own words (plancache.c); JDBC goes by the routine.
      return {Sqlstate{"0A000"}, "cached plan must not change result type", {}, {}, "RevalidateCachedQuery"};
    case Failure::no_sequence_state:
      return {Sqlstate{"55000"},
              "lastval and currval are not known outside of the transaction that called nextval",
              "With pool.mode = \"transaction\" the server connection has been given away since.",
              "Use INSERT … RETURNING, call it in the same transaction, or set pool.mode = \"session\"."};
    case Failure::transaction_in_statement_mode:
      return {Sqlstate{"0A000"}, "transaction blocks are not allowed in statement pooling mode",
              "The proxy's pool.mode is \"statement\".",
              "Run each statement by itself, or set pool.mode = \"transaction\"."};
    case Failure::shutting_down:
      return {Sqlstate{"57P01"}, "terminating connection due to administrator command", {}, {}};
    case Failure::idle_session:
      return {Sqlstate{"57P05"}, "terminating connection due to idle-session timeout", {}, {}};
    case Failure::idle_in_transaction:
      return {Sqlstate{"25P03"}, "terminating connection due to idle-in-transaction timeout", {}, {}};
    case Failure::server_confused:
      return {Sqlstate{"08P01"}, "the server sent an unexpected message", "Its connection was closed.", {}};
    case Failure::command_not_alone:
      return {
          protocol::sqlstate::feature_not_supported,
          "parameters of tidemark and EXPLAIN ROUTE must be sent by themselves",
          "They are carried out by the proxy, which passes other statements on as they are.",
          "Send SET, SHOW or RESET of tidemark.… as the only statement of its message; set_config() cannot "
          "be used for them."};
    case Failure::unknown_parameter:
      return {
          Sqlstate{"42704"},
          "unrecognized configuration parameter \"tidemark." + name + "\"",
          {},
          "There are tidemark.consistency, max_staleness, max_staleness_bytes, node, trace, user, token, and "
          "to be shown only, last_route."};
    case Failure::set_local_outside:
      return {Sqlstate{"25P01"}, "SET LOCAL can only be used in transaction blocks", {}, {}};
    case Failure::two_users:
      return {protocol::sqlstate::invalid_parameter_value,
              "the comments /* tidemark: … */ of one message name two users",
              {},
              "Send the statements of each user by themselves."};
    case Failure::foreign_token:
      return {protocol::sqlstate::invalid_parameter_value, "tidemark.token is of another cluster",
              "The token's system identifier is not this cluster's.",
              "Use a token that was shown by a proxy of this cluster, or none."};
  }
  return {Sqlstate{"XX000"}, "internal error", {}, {}};
}

ClientError describe_bad_value(std::string_view name, std::string_view value, std::string_view why) {
  return {
      protocol::sqlstate::invalid_parameter_value,
      "invalid value for parameter \"tidemark." + std::string(name) + "\": \"" + std::string(value) + "\"",
      std::string(why),
      {}};
}

ClientError describe_mistake(std::string_view what) {
  return {protocol::sqlstate::syntax_error, "the proxy cannot carry out this command", std::string(what), {}};
}

ClientError describe_bad_token(std::string_view why) {
  return {protocol::sqlstate::invalid_parameter_value, "invalid value for parameter \"tidemark.token\"",
          "The token is " + std::string(why) + ".",
          "Use a token as SHOW tidemark.token has given it, or none."};
}

ClientError describe_bad_hint(std::string_view why) {
  return {protocol::sqlstate::invalid_parameter_value, "the comment /* tidemark: … */ cannot be read",
          std::string(why), "The statement was not executed."};
}

ClientError describe(const Loss& loss) {
  ClientError error{
      Sqlstate{"TM001"},
      loss.written ? "an acknowledged write may have been lost in a failover"
                   : "something that this session has read may have been lost in a failover",
      {},
      "Check what is there. The session goes on from the new primary's position; this statement was "
      "not executed."};
  const std::string now = "timeline " + std::to_string(loss.timeline.value);
  if (!loss.position) {
    error.detail = "Its position was not known when the primary was lost; the new primary is on " + now + ".";
    return error;
  }
  error.detail = "It is up to " + routing::to_string(loss.position->lsn) + " on timeline " +
                 std::to_string(loss.position->timeline.value) + "; the new primary is on " + now;
  if (!loss.branched) {
    error.detail += ", and where that left the old one is not known.";
  } else if (loss.branched->exact) {
    error.detail += ", which left the old one at " + routing::to_string(loss.branched->end) + ".";
  } else {
    error.detail += ", which left the old one at " + routing::to_string(loss.branched->end) +
                    " or later (not known exactly).";
  }
  return error;
}

bool ends_session(std::string_view code) {
  return code == "25P03" || code == "25P04";
}

ClientError describe(const protocol::LoginFailure& failure) {
  if (failure.kind == protocol::LoginFailureKind::server_error && failure.error_response.size() > 5) {
    protocol::ErrorFields fields;
    const auto body = std::string_view(failure.error_response).substr(5);
    if (protocol::parse_error_fields(body, fields) == protocol::Errc::ok) {
      return {fields.code, std::string(fields.message), std::string(fields.detail), std::string(fields.hint)};
    }
  }
  if (failure.kind == protocol::LoginFailureKind::no_credential) {
    return {
        Sqlstate{"28000"},
        "the proxy could not log in to the server: " + failure.text,
        {},
        "If the password was changed, connect again with the new one. Else give this user's password in the "
        "users file of Tidemark (auth.users_file), or let the user log in with scram-sha-256 and the same "
        "verifier as the server's."};
  }
  if (failure.kind == protocol::LoginFailureKind::unsupported_authentication)
    return {Sqlstate{"28000"}, "the proxy could not log in to the server: " + failure.text, {}, {}};
  return {Sqlstate{"08006"}, "the proxy could not connect to the server: " + failure.text, {}, {}};
}

}  // namespace tidemark::proxy

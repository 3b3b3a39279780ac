#include "tests/consistency/driver_statements.hpp"

#include "tests/consistency/driver_identity.hpp"

namespace tidemark::consistency {
namespace {

constexpr const char* read_name = "kv_read";
constexpr const char* read_prefix = "select key, version, inet_server_port() from kv where key = ";
constexpr const char* write_name = "kv_write";
constexpr const char* write_prefix = "update kv set version = version + 1 where key = ";
constexpr const char* write_suffix = " returning key, version, inet_server_port()";
constexpr Oid int4_oid = 23;

}  // namespace

bool Statements::send(PGconn* connection, const Step& step, bool pipelined) const {
  switch (step.kind) {
    case StepKind::prepare_read:
      return prepare(connection, read_name, read_prefix, "");
    case StepKind::prepare_write:
      return prepare(connection, write_name, write_prefix, write_suffix);
    case StepKind::read:
      return send_with_key(connection, read_name, read_prefix, "", step);
    case StepKind::write:
      return send_with_key(connection, write_name, write_prefix, write_suffix, step);
    case StepKind::set:
      return send_own(connection, step.text);
    case StepKind::show_token:
      return send_own(connection, "show tidemark.token");
    case StepKind::set_token:
      return send_own(connection, "set tidemark.token = " + sql_literal(step.text));
    case StepKind::begin:
      return send_text(connection, "begin", pipelined);
    case StepKind::begin_read_only:
      return send_text(connection, "begin read only", pipelined);
    case StepKind::commit:
      return send_text(connection, "commit", pipelined);
    case StepKind::rollback:
      return send_text(connection, "rollback", pipelined);
  }
  return false;
}

bool Statements::send_own(PGconn* connection, const std::string& text) const {
  if (protocol_ == Protocol::simple) return PQsendQuery(connection, text.c_str()) == 1;
  return PQsendQueryParams(connection, text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1;
}

bool Statements::send_text(PGconn* connection, const std::string& text, bool pipelined) const {
  if (protocol_ == Protocol::simple && !pipelined)
    return PQsendQuery(connection, (hint_ + text).c_str()) == 1;
  return PQsendQueryParams(connection, (hint_ + text).c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1;
}

bool Statements::send_with_key(PGconn* connection, const char* name, const char* prefix, const char* suffix,
                               const Step& step) const {
  const std::string key = std::to_string(step.key);
  const char* values[] = {key.c_str()};
  const Oid types[] = {int4_oid};
  if (protocol_ == Protocol::prepared)
    return PQsendQueryPrepared(connection, name, 1, values, nullptr, nullptr, 0) == 1;
  if (protocol_ == Protocol::simple)
    return PQsendQuery(connection, (hint_ + prefix + key + suffix).c_str()) == 1;
  return PQsendQueryParams(connection, (hint_ + prefix + "$1" + suffix).c_str(), 1, types, values, nullptr,
                           nullptr, 0) == 1;
}

bool Statements::prepare(PGconn* connection, const char* name, const char* prefix, const char* suffix) const {
  const Oid types[] = {int4_oid};
  return PQsendPrepare(connection, name, (hint_ + prefix + "$1" + suffix).c_str(), 1, types) == 1;
}

}  // namespace tidemark::consistency

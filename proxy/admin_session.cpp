#include "proxy/admin_session.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/backend_messages.hpp"
#include "protocol/bytes.hpp"
#include "protocol/error_response.hpp"
#include "protocol/frame.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

namespace {

constexpr std::size_t kLongestMessage = 64 * 1024;
/// Statements and portals that one client may have.
constexpr std::size_t kMostNames = 1000;
constexpr std::int32_t kTextOid = 25;
constexpr std::string_view kEmptyQuery{"I\0\0\0\4", 5};
/// What drivers want to know of a server. The version is what they go by to choose their ways.
constexpr std::array<std::array<std::string_view, 2>, 9> kParameters{{{"server_version", "15.0 (Tidemark)"},
                                                                      {"server_encoding", "UTF8"},
                                                                      {"client_encoding", "UTF8"},
                                                                      {"DateStyle", "ISO, MDY"},
                                                                      {"IntervalStyle", "postgres"},
                                                                      {"TimeZone", "UTC"},
                                                                      {"integer_datetimes", "on"},
                                                                      {"standard_conforming_strings", "on"},
                                                                      {"is_superuser", "off"}}};

bool names(const std::vector<std::string>& users, std::string_view user) {
  return std::find(users.begin(), users.end(), user) != users.end();
}

void append_row_description(std::string& out, std::span<const std::string_view> columns) {
  protocol::Writer writer(out);
  writer.open('T').int16(static_cast<std::int16_t>(columns.size()));
  for (const auto column : columns)
    writer.cstring(column).int32(0).int16(0).int32(kTextOid).int16(-1).int32(-1).int16(0);
  writer.close();
}

protocol::ErrorFields fields(std::string_view severity, const ClientError& error) {
  return {.severity = severity,
          .code = error.code,
          .message = error.message,
          .detail = error.detail,
          .hint = error.hint};
}

ClientError violation(std::string_view what) {
  return {protocol::sqlstate::protocol_violation, std::string(what), {}, {}};
}

}  // namespace

AdminSession::AdminSession(Worker& worker, AdminStart start)
    : worker_(worker),
      client_(std::move(start.client)),
      input_(std::move(start.input)),
      user_(std::move(start.user)),
      serial_(start.serial),
      may_order_(names(worker.shared().config.admin.users, user_)),
      gather_end_(worker.reactor(), [this] { on_status(0, {}); }),
      look_again_(worker.reactor(), [this] { look_at_order(); }) {
  cancel_key_ = worker.shared().cancels.add({worker.worker_number(), serial_}, start.cancel_key_length);
}

AdminSession::~AdminSession() {
  worker_.shared().cancels.remove(cancel_key_.process_id);
}

void AdminSession::begin() {
  if (!may_order_ && !names(worker_.shared().config.admin.stats_users, user_)) {
    return fail_session(
        {protocol::Sqlstate{"42501"}, "user \"" + user_ + "\" may not use the admin console",
         "The database \"tidemark\" is the admin console of the proxy.",
         "Name the user in admin.users (all commands) or admin.stats_users (SHOW only) of the "
         "proxy's configuration, and restart the proxy."});
  }
  std::string out;
  for (const auto& [name, value] : kParameters) protocol::append_parameter_status(out, name, value);
  protocol::append_backend_key_data(out, cancel_key_);
  protocol::append_ready_for_query(out, 'I');
  send(out);
  process();
  if (!closing_) read();
}

void AdminSession::on_events(pools::IoEvents events) {
  if (closing_) return;
  if (events.broken) return close();
  if (events.writable && client_.blocked() && !client_.flush()) return close();
  // Who has gone waits for nothing any more.
  if (events.peer_closed && busy_) return close();
  process();
  if (!closing_ && (events.readable || events.writable)) read();
}

void AdminSession::read() {
  while (!closing_ && !client_.blocked() && input_.size() <= kLongestMessage) {
    const auto got = client_.receive(worker_.scratch(), Worker::kScratchSize);
    if (got.would_block) return;
    if (got.closed) return close();
    input_.append(worker_.scratch(), got.bytes);
    process();
  }
}

void AdminSession::process() {
  if (processing_) return;
  processing_ = true;
  std::size_t done = 0;
  while (!closing_ && !busy_ && !client_.blocked() && input_.size() - done >= protocol::kFrameHeader) {
    const std::string_view rest = std::string_view(input_).substr(done);
    const auto frame = protocol::peek_frame(rest);
    if (!frame.valid() || frame.size > kLongestMessage) {
      fail_session(violation("invalid frontend message: impossible length, or too long for a command"));
      break;
    }
    if (rest.size() < frame.size) break;
    done += frame.size;
    if (!take(frame.type, rest.substr(protocol::kFrameHeader, frame.size - protocol::kFrameHeader))) break;
  }
  input_.erase(0, done);
  processing_ = false;
}

/// One message; false when the session has ended.
bool AdminSession::take(char type, std::string_view body) {
  if (type == 'X') return close(), false;
  if (type == 'S') {
    skip_to_sync_ = false;
    std::string out;
    protocol::append_ready_for_query(out, 'I');
    return send(out), !closing_;
  }
  if (skip_to_sync_) return true;
  simple_ = type == 'Q' || type == 'F';
  const auto malformed = [this] {
    fail_session(violation("invalid frontend message"));
    return false;
  };
  switch (type) {
    case 'Q': {
      const auto sql = protocol::parse_query(body);
      if (!sql) return malformed();
      execute(*sql, true);
      return !closing_;
    }
    case 'P': {
      const auto parse = protocol::parse_parse(body);
      if (!parse) return malformed();
      const AdminCommand command = parse_admin_command(parse->query);
      if (command.kind == AdminCommand::Kind::mistake) return run(command), !closing_;
      if (statements_.size() >= kMostNames) {
        fail({protocol::Sqlstate{"54000"}, "too many prepared statements on the admin console", {}, {}});
        return !closing_;
      }
      statements_.insert_or_assign(std::string(parse->statement), std::string(parse->query));
      send(protocol::kParseComplete);
      return !closing_;
    }
    case 'B': {
      const auto bind = protocol::parse_bind(body);
      if (!bind) return malformed();
      protocol::Reader rest(bind->rest);
      const auto formats = rest.int16();
      for (int i = 0; i < formats; ++i) rest.int16();
      const auto values = rest.int16();
      if (protocol::failed(rest.error())) return malformed();
      const auto found = statements_.find(bind->statement);
      if (values != 0) {
        fail({protocol::sqlstate::feature_not_supported,
              "commands of the admin console take no parameters",
              {},
              "Write the value into the command."});
      } else if (found == statements_.end()) {
        fail(describe_unknown('S', bind->statement));
      } else if (portals_.size() >= kMostNames) {
        fail({protocol::Sqlstate{"54000"}, "too many portals on the admin console", {}, {}});
      } else {
        portals_.insert_or_assign(std::string(bind->portal), found->second);
        send(protocol::kBindComplete);
      }
      return !closing_;
    }
    case 'D':
    case 'C': {
      const auto target = protocol::parse_target(body);
      if (!target) return malformed();
      auto& named = target->kind == 'S' ? statements_ : portals_;
      const auto found = named.find(target->name);
      if (type == 'C') {
        if (found != named.end()) named.erase(found);
        send(protocol::kCloseComplete);
      } else if (found != named.end()) {
        describe(found->second, target->kind == 'S');
      } else {
        fail(describe_unknown(target->kind, target->name));
      }
      return !closing_;
    }
    case 'E': {
      protocol::Reader reader(body);
      const auto portal = reader.cstring();
      reader.int32();  // all rows come at once
      if (protocol::failed(reader.finish())) return malformed();
      const auto found = portals_.find(portal);
      if (found == portals_.end()) {
        fail(describe_unknown('P', portal));
      } else {
        execute(std::string(found->second), false);
      }
      return !closing_;
    }
    case 'H':
      return true;
    case 'F':
      fail({protocol::sqlstate::feature_not_supported,
            "there are no functions on the admin console",
            {},
            "Commands: " + admin_command_list() + "."});
      return !closing_;
    case 'd':
    case 'c':
    case 'f':
      return true;  // as a server does outside of COPY
    default:
      fail_session(violation("invalid frontend message type"));
      return false;
  }
}

ClientError AdminSession::describe_unknown(char kind, std::string_view name) {
  if (kind == 'S') return proxy::describe(Failure::unknown_statement, name);
  return {protocol::Sqlstate{"34000"}, "portal \"" + std::string(name) + "\" does not exist", {}, {}};
}

void AdminSession::describe(std::string_view text, bool statement) {
  std::string out;
  if (statement) out.append(protocol::kNoParameters);
  const auto columns = admin_columns(parse_admin_command(text).kind);
  if (columns.empty()) {
    out.append(protocol::kNoData);
  } else {
    append_row_description(out, columns);
  }
  send(out);
}

void AdminSession::execute(std::string_view text, bool simple) {
  simple_ = simple;
  busy_ = true;
  run(parse_admin_command(text));
}

void AdminSession::finish(std::string_view tag) {
  std::string out;
  if (tag.empty()) {
    out.append(kEmptyQuery);
  } else {
    protocol::append_command_complete(out, tag);
  }
  send(out);
  end_of_command();
}

void AdminSession::finish(AdminCommand::Kind kind, const AdminRows& rows) {
  std::string out;
  if (simple_) append_row_description(out, admin_columns(kind));
  for (const auto& row : rows) {
    protocol::Writer writer(out);
    writer.open('D').int16(static_cast<std::int16_t>(row.size()));
    for (const auto& value : row) writer.int32(static_cast<std::int32_t>(value.size())).bytes(value);
    writer.close();
  }
  protocol::append_command_complete(out, "SHOW");
  send(out);
  end_of_command();
}

void AdminSession::fail(const ClientError& error) {
  std::string out;
  protocol::append_error_response(out, fields("ERROR", error));
  send(out);
  if (!simple_) skip_to_sync_ = true;
  end_of_command();
}

void AdminSession::notice(const ClientError& what) {
  std::string out;
  protocol::append_notice_response(out, fields("NOTICE", what));
  send(out);
}

/// The command is answered; what the client has sent meanwhile is next.
void AdminSession::end_of_command() {
  busy_ = false;
  if (closing_) return;
  if (simple_) {
    std::string out;
    protocol::append_ready_for_query(out, 'I');
    send(out);
  }
  process();
  if (!processing_) read();
}

void AdminSession::send(std::string_view bytes) {
  if (!closing_ && !client_.send(bytes)) close();
}

void AdminSession::fail_session(const ClientError& error) {
  if (closing_) return;
  std::string out;
  protocol::append_error_response(out, fields("FATAL", error));
  send(out);
  close();
}

void AdminSession::shut_down() {
  fail_session(proxy::describe(Failure::shutting_down));
}

void AdminSession::close() {
  if (closing_) return;
  closing_ = true;
  if (order_) end_order(true);
  gather_end_.cancel();
  look_again_.cancel();
  worker_.reactor().remove(client_.descriptor(), *this);
  client_.close();
  worker_.close_admin(*this);
}

}  // namespace tidemark::proxy

#include <algorithm>
#include <utility>

#include "protocol/backend_messages.hpp"
#include "protocol/bytes.hpp"
#include "protocol/error_response.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session_marks.hpp"
#include "routing/explain.hpp"

namespace tidemark::proxy {

using Kind = TidemarkCommand::Kind;
using Scope = TidemarkSettings::Scope;

TidemarkSettings& Session::tidemark() {
  if (tidemark_ == nullptr) tidemark_ = std::make_unique<TidemarkSettings>();
  return *tidemark_;
}

/// The command among the texts of the unit at hand. `alone`: nothing else is in the unit, so that it can be
/// answered here.
std::optional<TidemarkCommand> Session::command_of_unit(bool& alone) {
  alone = unit_.end == protocol::Unit::End::query || unit_.end == protocol::Unit::End::sync ||
          unit_.end == protocol::Unit::End::flush;
  std::optional<TidemarkCommand> command;
  std::string_view text_of_command;
  const auto note = [&](std::string_view text) {
    if (text.data() == text_of_command.data() && !text.empty()) return;  // Parse, and Bind of the same
    const bool first = !command && text_of_command.empty();
    auto found = tidemark_command(text);
    if (!found || !first) alone = false;
    if (found && !command) command = std::move(found);
    text_of_command = text;
  };
  const std::string_view bytes = in_.view();
  std::optional<protocol::ParseView> parse;
  int executes = 0;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'Q':
        if (const auto sql = protocol::parse_query(body)) note(*sql);
        alone = alone && unit_.messages.size() == 1;
        break;
      case 'P':
        if (parse) alone = false;
        parse = protocol::parse_parse(body);
        if (!parse) return std::nullopt;
        note(parse->query);
        if (!parse->statement.empty() &&
            (find_prepared(parse->statement) != nullptr || statement_limit(*parse))) {
          alone = false;
        }
        break;
      case 'B':
      case 'D': {
        std::string_view name;
        if (message.type == 'B') {
          const auto bind = protocol::parse_bind(body);
          if (!bind) return std::nullopt;
          alone = alone && bind->portal.empty();
          name = bind->statement;
        } else {
          const auto target = protocol::parse_target(body);
          if (!target) return std::nullopt;
          if (target->kind != 'S') break;
          name = target->name;
        }
        if (parse && parse->statement == name) {
          note(parse->query);
        } else if (const PreparedText* text = find_prepared(name)) {
          note(text->query());
        } else if (name.empty()) {
          note(statements_.unnamed_query());
        }
        break;
      }
      case 'E':
        ++executes;
        break;
      case 'S':
      case 'H':
      case 'C':
        break;
      default:
        alone = false;
    }
  }
  alone = alone && executes <= 1;
  return command;
}

/// Answers a unit that is a command of ours. True when done, or refused.
bool Session::answer_tidemark() {
  bool alone = false;
  const auto command = command_of_unit(alone);
  if (!command) return false;
  if (mid_sequence_ || !alone) {
    if (mid_sequence_) {
      protocol_error("a command of the proxy's own in the middle of a pipeline");
    } else {
      refuse_in_transaction(describe(Failure::command_not_alone));
    }
    return true;
  }
  if (!command->mistake.empty()) {
    refuse_in_transaction(describe_mistake(command->mistake));
    return true;
  }
  if (!unit_class_.executes) {
    // Only prepared, or described: as answer_rows does it, without the rows.
    answer_rows({},
                command->kind == Kind::show            ? "tidemark." + command->name
                : command->kind == Kind::explain_route ? std::string("ROUTE")
                                                       : std::string(),
                {});
    return true;
  }
  if (failed_transaction_ || status_ == 'E') {
    refuse_in_transaction(describe(Failure::in_failed_transaction));
    return true;
  }
  return carry_out(*command);
}

bool Session::carry_out(const TidemarkCommand& command) {
  const bool in_transaction = status_ != 'I';
  const std::string& name = command.name;
  const auto& policy = worker_.shared().config.routing;
  switch (command.kind) {
    case Kind::explain_route: {
      std::vector<std::string> rows;
      const std::string text = explain_route(command.statement);
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        rows.push_back(text.substr(at, end - at));
        at = end + 1;
      }
      answer_rows("EXPLAIN", "ROUTE", rows);
      return true;
    }
    case Kind::show:
      if (name == "token") {
        show_token();
      } else if (name == "last_route") {
        answer_rows("SHOW", "tidemark.last_route", {describe_route(last_route_, worker_.view())});
      } else if (TidemarkSettings::is_name(name)) {
        static const TidemarkSettings kNothing;
        const auto& settings = tidemark_ != nullptr ? *tidemark_ : kNothing;
        answer_rows("SHOW", "tidemark." + name,
                    {name == "consistency" ? std::string(routing::to_string(route_.level))
                                           : settings.show(name, policy)});
      } else {
        refuse_in_transaction(describe(Failure::unknown_parameter, name));
      }
      return true;
    case Kind::reset:
    case Kind::set:
    case Kind::set_local:
      break;
  }
  const bool resets = command.kind == Kind::reset;
  const std::string_view tag = resets ? "RESET" : "SET";
  bool raises_floor = false;
  std::string notice;
  if (name == "token" && !resets) {
    if (auto error = take_token(command.value)) {
      refuse_in_transaction(*error);
      return true;
    }
    raises_floor = true;
  } else if (!TidemarkSettings::is_name(name)) {
    refuse_in_transaction(describe(Failure::unknown_parameter, name));
    return true;
  } else if (command.kind == Kind::set_local && !in_transaction) {
    const ClientError warning = describe(Failure::set_local_outside);
    protocol::append_notice_response(
        notice, {.severity = "WARNING", .code = warning.code, .message = warning.message});
  } else {
    const std::uint64_t user = tidemark().now().user_key;
    if (resets) {
      tidemark().reset(name, in_transaction);
    } else {
      const auto scope = command.kind == Kind::set ? Scope::session : Scope::local;
      if (const auto mistake = tidemark().set(name, command.value, scope, in_transaction); !mistake.empty()) {
        refuse_in_transaction(describe_bad_value(name, command.value, mistake));
        return true;
      }
    }
    change_user(user);
    raises_floor = tidemark_->now().user_key != user && !marks_.empty();
  }
  if (!notice.empty()) send_to_client(notice);
  if (closing_ || (raises_floor && answer_when_shared(tag))) return true;
  answer_rows(tag, {}, {});
  return true;
}

/// Fails the unit with an error of ours. The server that has the client's transaction does not know of it, so
/// the transaction ends with it, as an error would end it there; a server that holds more of the session's
/// state goes on.
void Session::refuse_in_transaction(const ClientError& error) {
  if (status_ != 'T' || server_ == nullptr || tracker_.pinned()) return fail_unit(error, status_);
  drop_server();
  failed_transaction_ = true;
  fail_unit(error, 'E');
}

/// Answers the unit as a server does that has run its one statement: rows of one column of text, or none
/// (`column` empty). `tag` empty: it was not to be run.
void Session::answer_rows(std::string_view tag, std::string_view column,
                          const std::vector<std::string>& rows) {
  constexpr std::int32_t kTextOid = 25;
  std::string out;
  const auto describe_row = [&] {
    if (column.empty()) {
      out.append(protocol::kNoData);
      return;
    }
    protocol::Writer(out)
        .open('T')
        .int16(1)
        .cstring(column)
        .int32(0)
        .int16(0)
        .int32(kTextOid)
        .int16(-1)
        .int32(-1)
        .int16(0)
        .close();
  };
  const auto run = [&] {
    for (const std::string& row : rows)
      protocol::Writer(out)
          .open('D')
          .int16(1)
          .int32(static_cast<std::int32_t>(row.size()))
          .bytes(row)
          .close();
    protocol::append_command_complete(out, tag);
  };
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'Q':
        statements_.set_unnamed({});
        if (!column.empty()) describe_row();
        run();
        append_returned_parameters(out);
        protocol::append_ready_for_query(out, status_);
        break;
      case 'P':
        if (const auto parse = protocol::parse_parse(body); parse->statement.empty()) {
          statements_.set_unnamed(parse->definition);
        } else {
          statements_.put(parse->statement, {worker_.statements().refer(parse->definition, group_->database,
                                                                        analysis_settings())});
        }
        out.append(protocol::kParseComplete);
        break;
      case 'B':
        out.append(protocol::kBindComplete);
        break;
      case 'D':
        if (body[0] == 'S') out.append(protocol::kNoParameters);
        describe_row();
        break;
      case 'E':
        run();
        break;
      case 'C':
        if (const auto target = protocol::parse_target(body); target && target->kind == 'S') {
          if (target->name.empty()) {
            statements_.set_unnamed({});
          } else {
            statements_.erase(target->name);
          }
        }
        out.append(protocol::kCloseComplete);
        break;
      case 'S':
        append_returned_parameters(out);
        protocol::append_ready_for_query(out, status_);
        break;
      default:
        break;
    }
  }
  clear_unit();
  send_to_client(out);
}

/// What would become of `sql` now.
std::string Session::explain_route(std::string_view sql) {
  begin_choice();
  note_text(sql);
  choose_level();
  if (unit_mistake_) return unit_mistake_->message + "\n" + unit_mistake_->detail + "\n";
  const auto classification = routing::classify(sql, group_->catalog);
  unit_class_.is_read = classification.statement == routing::StatementClass::read ||
                        classification.statement == routing::StatementClass::begin_read_only;
  const auto now = worker_.reactor().now();
  return routing::explain(worker_.shared().config.routing, worker_.view(), context(),
                          {.is_read = unit_class_.is_read,
                           .primary_only = classification.for_primary || worker_.is_refused(sql),
                           .of_node = classification.for_primary},
                          classification, describe_level(route_.level, route_.source, route_.rule), now);
}

/// Remembers where the unit goes, and tells the client if it wants to know.
void Session::note_route() {
  last_route_ = {.known = true,
                 .is_read = unit_class_.is_read,
                 .node = server_->node(),
                 .reason = reason_,
                 .level = route_.level,
                 .source = route_.source,
                 .rule = route_.rule,
                 .waited = worker_.reactor().now() - arrived_};
  if (tidemark_ == nullptr || !tidemark_->now().trace || !may_be_noticed()) [[likely]]
    return;
  std::string out;
  protocol::append_notice_response(
      out, {.severity = "NOTICE", .message = "tidemark: " + describe_route(last_route_, worker_.view())});
  send_to_client(out);
}

}  // namespace tidemark::proxy

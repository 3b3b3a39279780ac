#include <algorithm>

#include "protocol/backend_messages.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

using End = protocol::Unit::End;
using routing::StatementClass;

/// DEALLOCATE of statements that were prepared by protocol messages, which live here and not in a server, and
/// DISCARD ALL of a session that has no state in a server. True when done; `tag` is then the command's tag.
bool Session::forget_statements(std::string_view sql, std::string& tag) {
  const std::string first = next_word(sql);
  if (first == "discard") {
    if (next_word(sql) != "all" || !at_end(sql) || pin_reason_ != nullptr || status_ != 'I') return false;
    prepared_.clear();
    unnamed_.clear();
    tag = "DISCARD ALL";
    return true;
  }
  if (first != "deallocate") return false;
  std::string_view behind = sql;
  const std::string word = next_word(behind);
  if (word == "prepare") sql = behind;
  const bool quoted = sql.find('"') != std::string_view::npos;
  const std::string name = next_word(sql);
  if (name.empty() || !at_end(sql)) return false;
  if (name == "all" && !quoted) {
    if (pin_reason_ != nullptr) return false;
    prepared_.clear();
    tag = "DEALLOCATE ALL";
    return true;
  }
  if (prepared_.erase(name) == 0) return false;
  tag = "DEALLOCATE";
  return true;
}

/// Answers what needs no server. True when done.
bool Session::answer_locally() {
  if (unit_executes_ && !unit_pins_) return false;
  const std::string_view bytes = in_.view();
  std::string out;
  std::string tag;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'Q': {
        const auto sql = protocol::parse_query(body);
        if (unit_.messages.size() > 1 || !sql || !forget_statements(*sql, tag)) return false;
        protocol::append_command_complete(out, tag);
        protocol::append_ready_for_query(out, status_);
        break;
      }
      case 'P': {
        // DEALLOCATE as drivers send it: the unnamed statement, bound and executed once, in one unit.
        const auto parse = protocol::parse_parse(body);
        if (&message != unit_.messages.begin() || !parse || !parse->statement.empty() ||
            unit_.end != End::sync || !unit_executes_ || !forget_statements(parse->query, tag)) {
          return false;
        }
        unnamed_.assign(parse->definition);
        unnamed_on_server_ = false;
        out.append(protocol::kParseComplete);
        break;
      }
      case 'B':
        if (tag.empty()) return false;
        out.append(protocol::kBindComplete);
        break;
      case 'D':
        if (tag.empty()) return false;
        if (body[0] == 'S') out.append(protocol::kNoParameters);
        out.append(protocol::kNoData);
        break;
      case 'E':
        if (tag.empty()) return false;
        protocol::append_command_complete(out, tag);
        break;
      case 'C': {
        const auto target = protocol::parse_target(body);
        if (target->kind == 'S') {
          if (target->name.empty()) {
            unnamed_.clear();
          } else {
            prepared_.erase(std::string(target->name));
          }
        }
        out.append(protocol::kCloseComplete);
        break;
      }
      case 'S':
        protocol::append_ready_for_query(out, status_);
        break;
      case 'H':
        break;
      default:
        return false;
    }
  }
  clear_unit();
  send_to_client(out);
  return true;
}

/// The text of a unit that runs one statement once and does nothing else, in either protocol.
std::optional<std::string_view> Session::sole_statement() {
  const std::string_view bytes = in_.view();
  const auto& messages = unit_.messages;
  if (messages.size() == 1 && messages.front().type == 'Q')
    return protocol::parse_query(messages.front().body(bytes));
  if (unit_.end != End::sync) return std::nullopt;
  std::optional<protocol::ParseView> parse;
  std::optional<protocol::BindView> bind;
  int executes = 0;
  for (const auto& message : messages) {
    if (message.type == 'P' && &message == messages.begin()) {
      parse = protocol::parse_parse(message.body(bytes));
      if (!parse || (!parse->statement.empty() && find_prepared(parse->statement) != nullptr))
        return std::nullopt;
    } else if (message.type == 'B' && !bind) {
      bind = protocol::parse_bind(message.body(bytes));
      if (!bind) return std::nullopt;
    } else if (message.type == 'E') {
      ++executes;
    } else if (message.type != 'D' && message.type != 'S') {
      return std::nullopt;
    }
  }
  if (!bind || executes != 1 || !bind->portal.empty()) return std::nullopt;
  if (parse) return parse->statement == bind->statement ? std::optional(parse->query) : std::nullopt;
  if (const PreparedText* text = find_prepared(bind->statement)) return text->query();
  if (!bind->statement.empty() || unnamed_.empty()) return std::nullopt;
  return std::string_view(unnamed_).substr(0, unnamed_.find('\0'));
}

/// Answers such a unit as a server does that has run its statement, which takes no parameters and gives no
/// rows.
void Session::answer_alone(std::string_view tag) {
  std::string out;
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'P':
        if (const auto parse = protocol::parse_parse(body); parse->statement.empty()) {
          unnamed_.assign(parse->definition);
        } else {
          prepared_.emplace(parse->statement,
                            worker_.statements().refer(parse->definition, group_->database));
        }
        out.append(protocol::kParseComplete);
        break;
      case 'B':
        out.append(protocol::kBindComplete);
        break;
      case 'D':
        if (body[0] == 'S') out.append(protocol::kNoParameters);
        out.append(protocol::kNoData);
        break;
      case 'Q':
        unnamed_.clear();
        protocol::append_command_complete(out, tag);
        protocol::append_ready_for_query(out, status_);
        break;
      case 'E':
        protocol::append_command_complete(out, tag);
        break;
      default:
        protocol::append_ready_for_query(out, status_);
        break;
    }
  }
  clear_unit();
  send_to_client(out);
}

/// BEGIN … READ ONLY is answered here and sent with the first statement: that one chooses the node, a round
/// trip is saved, and a node lost before its answer costs the client nothing. True when held, or ended
/// without a server.
bool Session::hold_begin() {
  if (held_begin_.empty() && (status_ != 'I' || !unit_begins_read_only_)) return false;
  const auto sql = sole_statement();
  if (!sql) return false;
  if (!held_begin_.empty()) {
    if (!ends_transaction(*sql)) return false;
    const bool commits = routing::classify(*sql, nullptr).is_commit;
    held_begin_.clear();
    status_ = 'I';
    answer_alone(commits ? "COMMIT" : "ROLLBACK");
    return true;
  }
  if (routing::classify(*sql, nullptr).statement != StatementClass::begin_read_only) return false;
  std::string_view words = *sql;
  const std::string_view tag = next_word(words) == "begin" ? "BEGIN" : "START TRANSACTION";
  held_begin_ = *sql;
  status_ = 'T';
  answer_alone(tag);
  return true;
}

/// The session is in a transaction that was lost with its server: as with PostgreSQL, nothing runs until the
/// client has ended it.
void Session::answer_failed_transaction() {
  if (transaction_lost_ && lost_at_replica_ && status_ == 'T') {
    const auto sql = sole_statement();
    if (sql && ends_transaction(*sql) && routing::classify(*sql, nullptr).is_commit) {
      transaction_lost_ = false;
      status_ = 'I';
      return answer_alone("COMMIT");
    }
  }
  const bool lost = std::exchange(transaction_lost_, false);
  failed_transaction_ = true;
  status_ = 'E';
  const std::string_view bytes = in_.view();
  const auto& first = unit_.messages.front();
  if (first.type == 'Q') {
    const auto sql = protocol::parse_query(first.body(bytes));
    if (!sql) return protocol_error("malformed Query");
    if (!ends_transaction(*sql)) {
      return fail_unit(describe(lost ? Failure::transaction_lost : Failure::in_failed_transaction), 'E');
    }
    failed_transaction_ = false;
    if (lost && routing::classify(*sql, nullptr).is_commit)
      return fail_unit(describe(Failure::transaction_lost), 'I');
    return answer_end("ROLLBACK");
  }
  const bool calls = std::any_of(unit_.messages.begin(), unit_.messages.end(), [](const auto& message) {
    return message.type == 'F' || message.type == 'Q';
  });
  if (calls || (lost && unit_.end != End::flush)) {
    // Told once, whatever the statement is; a ROLLBACK ends the transaction all the same.
    bool ends = false;
    for (const auto& message : unit_.messages) {
      if (message.type == 'P') {
        const auto parse = protocol::parse_parse(message.body(bytes));
        ends = ends || (parse && ends_transaction(parse->query));
      } else if (message.type == 'B') {
        const auto bind = protocol::parse_bind(message.body(bytes));
        const PreparedText* text = bind ? find_prepared(bind->statement) : nullptr;
        ends = ends || (text != nullptr && ends_transaction(text->query()));
      }
    }
    if (calls) ends = false;
    if (ends) failed_transaction_ = false;
    return fail_unit(describe(lost ? Failure::transaction_lost : Failure::in_failed_transaction),
                     ends ? 'I' : 'E');
  }
  answer_failed_sequence(lost, "ROLLBACK");
}

/// The end of a transaction that no server has any more, as a server answers it.
void Session::answer_end(std::string_view tag) {
  if (unit_.messages.front().type != 'Q') return answer_failed_sequence(false, tag);
  failed_transaction_ = false;
  status_ = 'I';
  std::string out;
  protocol::append_command_complete(out, tag);
  protocol::append_ready_for_query(out, 'I');
  clear_unit();
  send_to_client(out);
}

void Session::answer_failed_sequence(bool lost, std::string_view tag) {
  std::string out;
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    bool allowed = true;
    switch (message.type) {
      case 'P': {
        const auto parse = protocol::parse_parse(body);
        if (!parse) return protocol_error("malformed Parse");
        allowed = ends_transaction(parse->query);
        if (!allowed) break;
        if (parse->statement.empty()) {
          unnamed_.assign(parse->definition);
        } else {
          prepared_.insert_or_assign(std::string(parse->statement),
                                     worker_.statements().refer(parse->definition, group_->database));
        }
        out.append(protocol::kParseComplete);
        break;
      }
      case 'B': {
        const auto bind = protocol::parse_bind(body);
        if (!bind) return protocol_error("malformed Bind");
        const PreparedText* text = find_prepared(bind->statement);
        const std::string_view sql =
            text != nullptr ? text->query() : std::string_view(unnamed_).substr(0, unnamed_.find('\0'));
        allowed = ends_transaction(sql);
        ending_bound_ = allowed;
        if (allowed) out.append(protocol::kBindComplete);
        break;
      }
      case 'D':
        if (!body.empty() && body[0] == 'S') out.append(protocol::kNoParameters);
        out.append(protocol::kNoData);
        break;
      case 'E':
        // Of a portal that was opened before the transaction failed: gone with it.
        allowed = std::exchange(ending_bound_, false);
        if (!allowed) break;
        protocol::append_command_complete(out, tag);
        failed_transaction_ = false;
        status_ = 'I';
        break;
      case 'C':
        out.append(protocol::kCloseComplete);
        break;
      case 'S':
        protocol::append_ready_for_query(out, status_);
        break;
      default:
        break;
    }
    if (!allowed) {
      send_to_client(out);
      if (closing_) return;
      ending_bound_ = false;
      return fail_unit(describe(lost ? Failure::transaction_lost : Failure::in_failed_transaction),
                       failed_transaction_ ? 'E' : 'I');
    }
  }
  clear_unit();
  send_to_client(out);
}
}  // namespace tidemark::proxy

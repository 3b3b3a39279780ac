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
  const std::string_view whole = sql;
  const std::string first = next_word(sql);
  if (first == "discard") {
    if (next_word(sql) != "all" || !at_end(sql) || tracker_.pinned() || status_ != 'I') return false;
    statements_.clear();
    statements_.set_unnamed({});
    settings_ = startup_;
    if (tidemark_ != nullptr) tidemark_->reset_all(false);
    watch_own_limits();
    tag = "DISCARD ALL";
    return true;
  }
  if (first != "deallocate") return false;
  if (const auto name = deallocated_name(whole)) {
    if (!statements_.erase(*name)) return false;
    tag = "DEALLOCATE";
    return true;
  }
  std::string_view behind = sql;
  if (next_word(behind) == "prepare") sql = behind;
  if (next_word(sql) != "all" || !at_end(sql) || tracker_.pinned()) return false;
  statements_.clear();
  tag = "DEALLOCATE ALL";
  return true;
}

/// Answers what needs no server. True when done.
bool Session::answer_locally() {
  if (unit_class_.executes && unit_class_.state == 0 && !unit_class_.ends_state) return false;
  const std::string_view bytes = in_.view();
  std::string out;
  std::string tag;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'Q': {
        const auto sql = protocol::parse_query(body);
        if (unit_.messages.size() > 1 || !sql || !forget_statements(*sql, tag)) return false;
        statements_.set_unnamed({});
        unnamed_on_server_ = false;
        protocol::append_command_complete(out, tag);
        append_returned_parameters(out);
        protocol::append_ready_for_query(out, status_);
        break;
      }
      case 'P': {
        // DEALLOCATE as drivers send it: the unnamed statement, bound and executed once, in one unit.
        const auto parse = protocol::parse_parse(body);
        if (&message != unit_.messages.begin() || !parse || !parse->statement.empty() ||
            !unit_class_.executes || !sole_statement() || !forget_statements(parse->query, tag)) {
          return false;
        }
        statements_.set_unnamed(parse->definition);
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
        if (target && target->kind == 'S') {
          if (target->name.empty()) {
            statements_.set_unnamed({});
          } else {
            statements_.erase(target->name);
          }
        }
        out.append(protocol::kCloseComplete);
        break;
      }
      case 'S':
        append_returned_parameters(out);
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
  std::optional<std::string_view> described;
  int executes = 0;
  for (const auto& message : messages) {
    if (message.type == 'P' && &message == messages.begin()) {
      parse = protocol::parse_parse(message.body(bytes));
      if (!parse) return std::nullopt;
      // A name that is taken, and one too many, are refused among the answers of a server.
      if (!parse->statement.empty() &&
          (find_prepared(parse->statement) != nullptr || statement_limit(*parse)))
        return std::nullopt;
    } else if (message.type == 'B' && !bind) {
      bind = protocol::parse_bind(message.body(bytes));
      if (!bind) return std::nullopt;
    } else if (message.type == 'E' && bind && message.body(bytes).starts_with('\0')) {
      ++executes;
    } else if (message.type == 'D') {
      const auto target = protocol::parse_target(message.body(bytes));
      if (!target || (target->kind == 'P' && (!bind || !target->name.empty()))) return std::nullopt;
      if (target->kind == 'S' && described.value_or(target->name) != target->name) return std::nullopt;
      if (target->kind == 'S') described = target->name;
    } else if (message.type != 'S') {
      return std::nullopt;
    }
  }
  if (!bind || executes != 1 || !bind->portal.empty()) return std::nullopt;
  if (described && *described != bind->statement) return std::nullopt;
  if (parse) return parse->statement == bind->statement ? std::optional(parse->query) : std::nullopt;
  if (const PreparedText* text = find_prepared(bind->statement)) return text->query();
  if (!bind->statement.empty() || statements_.unnamed().empty()) return std::nullopt;
  return statements_.unnamed_query();
}

/// Answers such a unit as a server does that has run its statement, which takes no parameters and gives no
/// rows.
void Session::answer_alone(std::string_view tag) {
  answer_rows(tag, {}, {});
}

/// BEGIN … READ ONLY is answered here and sent with the first statement: that one chooses the node, a round
/// trip is saved, and a node lost before its answer costs the client nothing. True when held, or ended
/// without a server.
bool Session::hold_begin() {
  if (held_begin_.empty() && (status_ != 'I' || !unit_class_.begins_read_only)) return false;
  const auto sql = sole_statement();
  if (!sql) return false;
  if (!held_begin_.empty()) {
    const bool commits = commits_transaction(*sql);
    if (!commits && (!ends_transaction(*sql) || routing::classify(*sql, nullptr).is_commit)) return false;
    held_begin_.clear();
    status_ = 'I';
    end_own_transaction(commits);
    answer_alone(commits ? "COMMIT" : "ROLLBACK");
    return true;
  }
  if (routing::classify(*sql, nullptr).statement != StatementClass::begin_read_only) return false;
  std::string_view words = *sql;
  const std::string_view tag = next_word(words) == "begin" ? "BEGIN" : "START TRANSACTION";
  held_begin_ = *sql;
  status_ = 'T';
  only_reads_ = true;
  const bool records = record_ != nullptr && record_->phase() != TransactionRecord::Phase::none;
  const std::string unit(records ? in_.view().substr(0, unit_.size) : std::string_view());
  answer_alone(tag);
  if (records && !closing_) record_held_begin(unit);
  return true;
}

/// The session is in a transaction that was lost with its server: as with PostgreSQL, nothing runs until the
/// client has ended it.
void Session::answer_failed_transaction() {
  if (const auto tag = transaction_lost_ ? tag_of_certain_end() : std::nullopt) {
    transaction_lost_ = false;
    status_ = 'I';
    end_own_transaction(*tag == "COMMIT");
    return answer_alone(*tag);
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
      return fail_unit(lost ? lost_transaction() : describe(Failure::in_failed_transaction), 'E');
    }
    failed_transaction_ = false;
    if (lost && routing::classify(*sql, nullptr).is_commit) return fail_unit(lost_transaction(), 'I');
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
    return fail_unit(lost ? lost_transaction() : describe(Failure::in_failed_transaction), ends ? 'I' : 'E');
  }
  answer_failed_sequence(lost, "ROLLBACK");
}

/// The unit is the end of a transaction that had failed, or the COMMIT of one that has written nothing, and
/// whose reads are answered: that its server is lost changes nothing. What a server would have answered.
std::optional<std::string_view> Session::tag_of_certain_end() {
  const auto sql = sole_statement();
  if (!sql || !ends_transaction(*sql)) return std::nullopt;
  if (status_ == 'E') return "ROLLBACK";
  const bool nothing_written = !sent_to_primary_ || only_reads_;
  if (status_ == 'T' && nothing_written && commits_transaction(*sql)) return "COMMIT";
  return std::nullopt;
}

/// The end of a transaction that no server has any more, as a server answers it.
void Session::answer_end(std::string_view tag) {
  if (unit_.messages.front().type != 'Q') return answer_failed_sequence(false, tag);
  failed_transaction_ = false;
  status_ = 'I';
  end_own_transaction(tag == "COMMIT");
  statements_.set_unnamed({});
  std::string out;
  protocol::append_command_complete(out, tag);
  protocol::append_ready_for_query(out, 'I');
  clear_unit();
  send_to_client(out);
}

void Session::answer_failed_sequence(bool lost, std::string_view tag) {
  std::string out;
  const auto malformed = [&](std::string_view what) {
    send_to_client(out);
    protocol_error(what);
  };
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    bool allowed = true;
    switch (message.type) {
      case 'P': {
        const auto parse = protocol::parse_parse(body);
        if (!parse) return malformed("malformed Parse");
        allowed = ends_transaction(parse->query);
        if (!allowed) break;
        if (const auto limit = statement_limit(*parse); limit && !parse->statement.empty()) {
          send_to_client(out);
          worker_.counters().rejected(*limit).add();
          return fail_unit(limit_error(*limit, worker_.shared().config, limit_subject()), 'E');
        }
        if (parse->statement.empty()) {
          statements_.set_unnamed(parse->definition);
        } else {
          statements_.put(parse->statement, {worker_.statements().refer(parse->definition, group_->database,
                                                                        analysis_settings())});
        }
        out.append(protocol::kParseComplete);
        break;
      }
      case 'B': {
        const auto bind = protocol::parse_bind(body);
        if (!bind) return malformed("malformed Bind");
        const PreparedText* text = find_prepared(bind->statement);
        const std::string_view sql = text != nullptr ? text->query() : statements_.unnamed_query();
        allowed = ends_transaction(sql);
        ending_bound_ = allowed;
        if (allowed) out.append(protocol::kBindComplete);
        break;
      }
      case 'D':
        if (!protocol::parse_target(body)) return malformed("malformed Describe");
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
        end_own_transaction(tag == "COMMIT");
        break;
      case 'C':
        if (!protocol::parse_target(body)) return malformed("malformed Close");
        out.append(protocol::kCloseComplete);
        break;
      case 'S':
        if (!body.empty()) return malformed("malformed Sync");
        protocol::append_ready_for_query(out, status_);
        break;
      default:
        break;
    }
    if (!allowed) {
      send_to_client(out);
      if (closing_) return;
      ending_bound_ = false;
      return fail_unit(lost ? lost_transaction() : describe(Failure::in_failed_transaction),
                       failed_transaction_ ? 'E' : 'I');
    }
  }
  clear_unit();
  send_to_client(out);
}
}  // namespace tidemark::proxy

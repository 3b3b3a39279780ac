#include <algorithm>

#include "protocol/frame.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;
using End = protocol::Unit::End;
using routing::StatementClass;

void Session::begin_unit() {
  arrived_ = worker_.reactor().now();
  attempts_ = 0;
  primary_only_ = unvouched_ = settled_ = replied_ = unit_failed_ = own_sync_ = rolled_back_ =
      command_completed_ = false;
  unit_held_ = true;
  if (sequence_failed_) return pass_sync_of_failed_sequence();
  if (failed_transaction_ || transaction_lost_) return answer_failed_transaction();
  if (!classify_unit()) return;
  if (server_ != nullptr) {
    // Statements prepared by protocol messages are the proxy's also while a server is held.
    if (unit_pins_ && !mid_sequence_ && status_ != 'E' && answer_locally()) return;
    return send_unit();
  }
  if (answer_locally() || hold_begin()) return;
  route();
}

/// The server answered an error in a sequence whose Sync had not come: it ignores everything up to the Sync,
/// so nothing else of the client's needs to go there.
void Session::pass_sync_of_failed_sequence() {
  if (unit_.end != End::sync) {
    in_.consume(unit_.size);
    unit_.clear();
    unit_held_ = false;
    return;
  }
  sequence_failed_ = mid_sequence_ = false;
  server_->pipeline.push(Expected::sync, Fate::forward);
  unit_in_flight_ = true;
  if (!server_->socket.send(protocol::kSync)) {
    server_->readable = true;
    read_server();
  }
}

/// A unit whose last message is too long to be held: nothing is known of its end, so it is a write.
void Session::begin_long_unit() {
  const auto head = unit_.next_head(in_.view());
  if (head.size == 0 || (head.type != 'Q' && head.type != 'B' && head.type != 'P' && head.type != 'F')) {
    return protocol_error("message too long");
  }
  if (failed_transaction_ || transaction_lost_) {
    // Nothing of it is run; the error is told now and the message is dropped as it comes.
    unit_held_ = unit_is_long_ = true;
    const bool lost = std::exchange(transaction_lost_, false);
    failed_transaction_ = true;
    return fail_unit(describe(lost ? Failure::transaction_lost : Failure::in_failed_transaction), 'E');
  }
  if (sequence_failed_) {
    long_message_left_ = head.size;
    long_message_ends_unit_ = false;
    discard_long_message_ = true;
    return unit_.clear();
  }
  arrived_ = worker_.reactor().now();
  attempts_ = 0;
  replied_ = unit_failed_ = own_sync_ = rolled_back_ = command_completed_ = false;
  primary_only_ = unvouched_ = false;
  if (!classify_unit()) return;
  if (head.type == 'B') {
    const auto bind = protocol::parse_bind(in_.view().substr(protocol::kFrameHeader));
    const PreparedText* text = bind ? find_prepared(bind->statement) : nullptr;
    if (text != nullptr) {
      add_class(routing::classify(text->query(), group_->catalog));
    } else if (!unnamed_.empty()) {
      add_class(
          routing::classify(std::string_view(unnamed_).substr(0, unnamed_.find('\0')), group_->catalog));
    }
  } else if (head.type != 'F') {
    // Nobody has read what it leaves in its session.
    unit_pins_ = true;
    unit_may_open_ = head.type == 'Q';
  }
  unit_is_read_ = false;
  unit_executes_ = true;
  unit_is_long_ = true;
  unit_held_ = true;
  unit_kind_ = status_ == 'I' ? UnitKind::write : UnitKind::in_transaction;
  if (server_ != nullptr) return send_unit();
  route();
}

void Session::add_class(const routing::Classification& classification) {
  unit_pins_ = unit_pins_ || classification.leaves_session_state;
  unit_changes_functions_ = unit_changes_functions_ || classification.changes_functions;
  UnitKind kind = UnitKind::write;
  switch (classification.statement) {
    case StatementClass::empty:
      return;
    case StatementClass::begin_read_only:
      unit_begins_read_only_ = true;
      return;
    case StatementClass::read:
      return;
    case StatementClass::begin:
      kind = UnitKind::begin;
      break;
    case StatementClass::end:
      kind = classification.is_commit ? UnitKind::commit : UnitKind::rollback;
      break;
    case StatementClass::write:
    case StatementClass::transaction_local:
    case StatementClass::session_state:
      break;
  }
  const bool first = unit_is_read_;
  unit_is_read_ = false;
  if (classification.several || classification.may_commit) {
    kind = UnitKind::commit;
    unit_may_open_ = unit_may_open_ || (classification.several && classification.may_commit);
  }
  // Several statements: a COMMIT among them decides what its loss means; BEGIN and ROLLBACK count only alone.
  if (first) {
    unit_kind_ = kind;
  } else if (kind == UnitKind::commit || unit_kind_ == UnitKind::commit) {
    unit_kind_ = UnitKind::commit;
  } else if (unit_kind_ == UnitKind::begin || unit_kind_ == UnitKind::opens || kind == UnitKind::begin) {
    unit_kind_ = UnitKind::opens;
  } else {
    unit_kind_ = UnitKind::write;
  }
}

PreparedText* Session::find_prepared(std::string_view name) {
  const auto found = prepared_.find(name);
  return found == prepared_.end() ? nullptr : found->second.get();
}

const routing::Classification& Session::classification_of(PreparedText& text) {
  if (text.classified_with != worker_.catalog_generation()) {
    text.classification = routing::classify(text.query(), group_->catalog);
    text.classified_with = worker_.catalog_generation();
  }
  return text.classification;
}

/// Sets what is known of the unit. False when it is malformed, which has been told.
bool Session::classify_unit() {
  const bool continues = mid_sequence_;
  unit_is_read_ = true;
  unit_kind_ = UnitKind::read;
  if (!continues)
    unit_pins_ = unit_changes_functions_ = unit_executes_ = unit_may_open_ = unit_begins_read_only_ = false;
  const std::string_view bytes = in_.view();
  bool parses_unnamed = false;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'Q': {
        const auto sql = protocol::parse_query(body);
        if (!sql) return protocol_error("malformed Query"), false;
        unit_executes_ = true;
        add_class(routing::classify(*sql, group_->catalog));
        if (unit_is_read_ && worker_.is_refused(*sql)) primary_only_ = true;
        break;
      }
      case 'P': {
        const auto parse = protocol::parse_parse(body);
        if (!parse) return protocol_error("malformed Parse"), false;
        parses_unnamed = parses_unnamed || parse->statement.empty();
        add_class(routing::classify(parse->query, group_->catalog));
        if (unit_is_read_ && worker_.is_refused(parse->query)) primary_only_ = true;
        break;
      }
      case 'B': {
        const auto bind = protocol::parse_bind(body);
        if (!bind) return protocol_error("malformed Bind"), false;
        if (PreparedText* text = find_prepared(bind->statement); text != nullptr) {
          add_class(classification_of(*text));
          primary_only_ = primary_only_ || text->refused_by_replica;
        } else if (bind->statement.empty() && !unnamed_.empty() && !parses_unnamed) {
          add_class(
              routing::classify(std::string_view(unnamed_).substr(0, unnamed_.find('\0')), group_->catalog));
        }
        break;
      }
      case 'D':
      case 'C':
        if (!protocol::parse_target(body)) return protocol_error("malformed Describe or Close"), false;
        break;
      case 'E':
        unit_executes_ = true;
        break;
      case 'F':
        unit_executes_ = true;
        unit_is_read_ = false;
        unit_kind_ = UnitKind::write;
        break;
      default:
        break;
    }
  }
  if (unit_.end == End::flush && !continues && status_ == 'I') {
    // Parse, Describe and Close leave no transaction behind: a Sync of ours ends them, and what follows is
    // routed by itself. Anything else that is flushed must stay on one server until the client's Sync.
    const bool only_prepares =
        std::all_of(unit_.messages.begin(), unit_.messages.end(), [&](const auto& message) {
          return message.type == 'P' || message.type == 'C' || message.type == 'H' ||
                 (message.type == 'D' && message.body(bytes)[0] == 'S');
        });
    own_sync_ = only_prepares;
    if (!only_prepares) unit_is_read_ = false;
  }
  if (continues || unit_.end == End::partial) unit_is_read_ = false;
  if (!unit_is_read_ && unit_kind_ == UnitKind::read) unit_kind_ = UnitKind::write;
  if (continues && unit_kind_ == UnitKind::begin) unit_kind_ = UnitKind::opens;
  const bool first_of_transaction = !held_begin_.empty() && unit_is_read_;
  if (status_ != 'I' && unit_kind_ != UnitKind::commit && unit_kind_ != UnitKind::rollback &&
      !first_of_transaction) {
    unit_kind_ = UnitKind::in_transaction;
  }
  return true;
}
/// One statement that a server which says 57P01 before its CommandComplete has rolled back for certain: no
/// CALL, DO, utility command or transaction control, nothing that leaves state.
bool Session::is_plain_statement() {
  std::string_view sql;
  std::size_t statements = 0;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(in_.view());
    if (message.type == 'Q') {
      if (const auto query = protocol::parse_query(body)) sql = *query;
      ++statements;
    } else if (message.type == 'P') {
      if (const auto parse = protocol::parse_parse(body)) sql = parse->query;
    } else if (message.type == 'B') {
      const auto bind = protocol::parse_bind(body);
      if (const PreparedText* text = bind ? find_prepared(bind->statement) : nullptr) sql = text->query();
    } else if (message.type == 'E') {
      ++statements;
    } else if (message.type == 'F') {
      return false;
    }
  }
  if (statements != 1 || sql.empty()) return false;
  const auto classification = routing::classify(sql, group_->catalog);
  if (classification.several || classification.may_commit || classification.leaves_session_state)
    return false;
  const std::string word = next_word(sql);
  return word == "insert" || word == "update" || word == "delete" || word == "merge" || word == "select" ||
         word == "with";
}
}  // namespace tidemark::proxy

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
  primary_only_ = unvouched_ = replied_ = unit_failed_ = own_sync_ = rolled_back_ = not_begun_ =
      command_completed_ = outdated_ = false;
  unit_held_ = true;
  if (sequence_failed_) return pass_sync_of_failed_sequence();
  if (failed_transaction_ || transaction_lost_) return answer_failed_transaction();
  begin_choice();
  if (!classify_unit()) return;
  choose_level();
  if (record_ != nullptr || route_.replay) [[unlikely]]
    note_for_replay();
  if (unit_may_be_command_ && answer_tidemark()) return;
  if (unit_mistake_ && !mid_sequence_) return refuse_in_transaction(*unit_mistake_);
  if (refuse_sequence_state() || refuse_by_mode()) return;
  if (unit_class_.changes_functions) note_function_changes();
  const bool changes_state = unit_class_.state != 0 || unit_class_.ends_state;
  if (server_ != nullptr) {
    // Statements prepared by protocol messages are the proxy's also while a server is held.
    if (changes_state && !mid_sequence_ && status_ != 'E' && answer_locally()) return;
    if (changes_state) note_state();
    if (hold_while_paused() || share_marks(server_->node())) return;
    return send_unit();
  }
  if (changes_state && answer_reset()) return;
  if (answer_locally() || hold_begin()) return;
  if (changes_state) note_state();
  route();
}

/// The server answered an error in a sequence whose Sync had not come: it ignores everything up to the Sync,
/// so nothing else of the client's needs to go there.
void Session::pass_sync_of_failed_sequence() {
  const bool syncs = unit_.end == End::sync;
  if (syncs && unit_.messages.back().size != protocol::kFrameHeader) return protocol_error("malformed Sync");
  if (!syncs) {
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
    return fail_unit(lost ? lost_transaction() : describe(Failure::in_failed_transaction), 'E');
  }
  if (sequence_failed_) {
    long_message_left_ = head.size;
    long_message_ends_unit_ = false;
    discard_long_message_ = true;
    return unit_.clear();
  }
  if (record_ != nullptr) record_->forget();
  arrived_ = worker_.reactor().now();
  attempts_ = 0;
  replied_ = unit_failed_ = own_sync_ = rolled_back_ = not_begun_ = command_completed_ = outdated_ = false;
  primary_only_ = unvouched_ = false;
  begin_choice();
  if (!classify_unit()) return;
  choose_level();
  if (head.type == 'B') {
    const auto bind = protocol::parse_bind(in_.view().substr(protocol::kFrameHeader));
    const auto* own = bind ? statements_.find(bind->statement) : nullptr;
    if (own != nullptr) {
      add_class(routing::classify(own->text->query(), group_->catalog));
      unit_compares_ = unit_compares_ || own->told.is_known();
    } else if (!statements_.unnamed().empty()) {
      add_class(routing::classify(statements_.unnamed_query(), group_->catalog));
      unit_compares_ = unit_compares_ || statements_.unnamed_told().is_known();
    }
  } else if (head.type == 'F') {
    note_function_call(in_.view().substr(std::min(in_.size(), head.offset + protocol::kFrameHeader)));
  } else {
    // Nobody has read what it leaves in its session.
    unit_class_.state = routing::session_state::unknown | routing::session_state::certain;
    unit_class_.ends_state = true;
    unit_class_.may_open = head.type == 'Q';
  }
  unit_class_.be_long(unit_place());
  only_reads_ = false;
  unit_is_long_ = unit_held_ = true;
  commit_watch_.doubt();
  if (unit_class_.state != 0 || unit_class_.ends_state) note_state();
  if (server_ == nullptr) return route();
  if (!hold_while_paused() && !share_marks(server_->node())) send_unit();
}

UnitPlace Session::unit_place() const {
  return {.continues = mid_sequence_, .in_transaction = status_ != 'I', .begin_held = !held_begin_.empty()};
}

void Session::add_class(const routing::Classification& classification) {
  unit_class_.add(classification, unit_place());
  commit_watch_.note(classification);
  only_reads_ = only_reads_ && keeps_read_only(classification);
}

PreparedText* Session::find_prepared(std::string_view name) {
  const auto* found = statements_.find(name);
  return found == nullptr ? nullptr : found->text.get();
}

const routing::Classification& Session::classification_of(PreparedText& text) {
  if (text.classified_with != worker_.catalog_generation()) {
    text.classification = routing::classify(text.query(), group_->catalog);
    text.classified_with = worker_.catalog_generation();
  }
  return text.classification;
}

/// A server reads one message after the other, so what stands before a malformed one is carried out and
/// answered first; and if that fails, the malformed one is skipped with all others up to Sync. True when
/// there is something before it in this unit, which has been classified.
bool Session::on_malformed(const protocol::FrontendMessage& message, std::string_view what) {
  const auto before = static_cast<std::size_t>(&message - unit_.messages.begin());
  if (before > 0) {
    unit_.cut(before);
    malformed_ahead_ = true;
    return classify_unit();
  }
  await_answers_or_fail(what);
  return false;
}

/// Fails the session, when all that it has asked for is answered.
void Session::await_answers_or_fail(std::string_view what) {
  if (!unit_in_flight_) return protocol_error(what);
  malformed_ahead_ = true;
  unit_.clear();
  unit_held_ = false;
  if (!server_->socket.send(protocol::kFlush)) server_->readable = true;
}

/// Sets what is known of the unit. False when it is malformed from its first message on, which has been
/// told, or will be.
bool Session::classify_unit() {
  const bool continues = mid_sequence_;
  unit_class_.begin(continues);
  unit_compares_ = compared_ = false;
  if (!continues) {
    unit_commands_.clear();
    if (status_ == 'I' && !tracker_.pinned()) tracker_.forget();
  }
  commit_watch_.begin_unit(!continues && status_ == 'I');
  const std::string_view bytes = in_.view();
  bool parses_unnamed = false;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'Q': {
        const auto sql = protocol::parse_query(body);
        if (!sql) return on_malformed(message, "malformed Query");
        unit_class_.executes = true;
        add_class(routing::classify(*sql, group_->catalog));
        note_text(*sql);
        if (unit_class_.is_read && worker_.is_refused(*sql)) primary_only_ = true;
        break;
      }
      case 'P': {
        const auto parse = protocol::parse_parse(body);
        if (!parse) return on_malformed(message, "malformed Parse");
        parses_unnamed = parses_unnamed || parse->statement.empty();
        add_class(routing::classify(parse->query, group_->catalog));
        note_text(parse->query);
        if (unit_class_.is_read && worker_.is_refused(parse->query)) primary_only_ = true;
        break;
      }
      case 'B': {
        const auto bind = protocol::parse_bind(body);
        if (!bind) return on_malformed(message, "malformed Bind");
        if (const auto* own = statements_.find(bind->statement); own != nullptr) {
          add_class(classification_of(*own->text));
          note_prepared(*own->text);
          primary_only_ = primary_only_ || own->text->refused_by_replica;
          unit_compares_ = unit_compares_ || own->told.is_known();
        } else if (bind->statement.empty() && !statements_.unnamed().empty() && !parses_unnamed) {
          add_class(routing::classify(statements_.unnamed_query(), group_->catalog));
          note_text(statements_.unnamed_query());
          unit_compares_ = unit_compares_ || statements_.unnamed_told().is_known();
        }
        break;
      }
      case 'D':
        if (const auto target = protocol::parse_target(body); target && target->kind == 'S') {
          const auto* own = statements_.find(target->name);
          if (own != nullptr && own->text->may_be_command) unit_may_be_command_ = true;
        }
        [[fallthrough]];
      case 'C':
        if (!protocol::parse_target(body)) return on_malformed(message, "malformed Describe or Close");
        break;
      case 'S':
      case 'H':
        if (!body.empty()) return on_malformed(message, "malformed Sync or Flush");
        break;
      case 'E':
        unit_class_.executes = true;
        break;
      case 'F':
        unit_class_.add_function_call();
        only_reads_ = false;
        commit_watch_.doubt();
        note_function_call(body);
        break;
      default:
        break;
    }
  }
  if (unit_class_.begins_read_only && !unit_class_.is_read && !continues && runs_read_only_transaction())
    unit_class_.be_read_only_transaction();
  primary_only_ = primary_only_ || unit_class_.is_of_node;
  // The catalog that tells of a function is read when its transaction has ended.
  if (unit_class_.changes_functions) {
    unit_class_.state |= routing::session_state::unknown | routing::session_state::certain;
    unit_class_.ends_state = true;
  }
  if (unit_class_.state != 0) read_setting_commands();
  bool stays = unit_.end == End::partial;
  if (unit_.end == End::flush && !continues && status_ == 'I') {
    // Parse, Describe and Close leave no transaction behind: a Sync of ours ends them, and what follows is
    // routed by itself. Anything else that is flushed must stay on one server until the client's Sync.
    own_sync_ = std::all_of(unit_.messages.begin(), unit_.messages.end(), [&](const auto& message) {
      return message.type == 'P' || message.type == 'C' || message.type == 'H' ||
             (message.type == 'D' && message.body(bytes)[0] == 'S');
    });
    stays = !own_sync_;
  }
  unit_class_.conclude(unit_place(), stays);
  return true;
}

/// BEGIN … READ ONLY, reads, and the end of the transaction, one after the other and ended by one Sync: what
/// a driver's pipeline makes of it. It is a read, though COMMIT by itself is none.
bool Session::runs_read_only_transaction() {
  if (status_ != 'I' || unit_.end != End::sync || unit_class_.state != 0 || unit_class_.ends_state)
    return false;
  enum class Stage : std::uint8_t { before, inside, behind };
  Stage stage = Stage::before;
  std::string_view unnamed = statements_.unnamed().empty() ? std::string_view() : statements_.unnamed_query();
  std::optional<std::string_view> bound;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(in_.view());
    switch (message.type) {
      case 'P': {
        const auto parse = protocol::parse_parse(body);
        if (!parse || !parse->statement.empty()) return false;
        unnamed = parse->query;
        break;
      }
      case 'B': {
        const auto bind = protocol::parse_bind(body);
        if (!bind || !bind->portal.empty()) return false;
        const PreparedText* named = find_prepared(bind->statement);
        if (!bind->statement.empty() && named == nullptr) return false;
        bound = named != nullptr ? named->query() : unnamed;
        break;
      }
      case 'E': {
        if (!bound || stage == Stage::behind) return false;
        std::string_view sql = *std::exchange(bound, std::nullopt);
        const auto classification = routing::classify(sql, group_->catalog);
        const bool begins = classification.statement == StatementClass::begin_read_only;
        if (begins != (stage == Stage::before) || classification.several) return false;
        if (begins) {
          stage = Stage::inside;
        } else if (ends_transaction(sql)) {
          if (next_word(sql) == "prepare") return false;
          stage = Stage::behind;
        } else if (classification.statement != StatementClass::read) {
          return false;
        }
        break;
      }
      case 'D':
      case 'S':
        break;
      default:
        return false;
    }
  }
  return stage == Stage::behind;
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

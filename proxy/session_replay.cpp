#include <algorithm>
#include <string>

#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

using End = protocol::Unit::End;

/// Before a unit is looked at further: whether the transaction that it is part of, or begins, is recorded.
void Session::note_for_replay() {
  if (record_ == nullptr) {
    if (!route_.replay) return;
    record_ = std::make_unique<TransactionRecord>();
  }
  if (record_->replaying()) return record_->begin_unit();
  if (status_ == 'I' && !mid_sequence_) record_->begin();
  if (!route_.replay || !may_be_recorded()) return record_->forget();
  record_->begin_unit();
}

/// Sent again, the unit would mean the same: it is whole, ends nothing and begins nothing that outlives the
/// transaction, and uses no statement but those that are there then, too.
bool Session::may_be_recorded() {
  if (mid_sequence_ || unit_class_.state != 0 || unit_class_.ends_state) return false;
  if (unit_class_.executes &&
      (unit_class_.kind == UnitKind::commit || unit_class_.kind == UnitKind::rollback))
    return status_ != 'I';  // the transaction's end is the record's, whatever comes of it
  if (unit_.end != End::query && unit_.end != End::sync) return false;
  bool has_unnamed = false;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(in_.view());
    if (message.type == 'P') {
      const auto parse = protocol::parse_parse(body);
      has_unnamed = has_unnamed || (parse && parse->statement.empty());
    } else if (message.type == 'B') {
      const auto bind = protocol::parse_bind(body);
      if (!bind || (bind->statement.empty() && !has_unnamed)) return false;
    } else if (message.type == 'C') {
      const auto target = protocol::parse_target(body);
      if (!target || target->kind == 'S') return false;
    } else if (message.type == 'F') {
      return false;
    }
  }
  return true;
}

/// A unit was answered: it belongs to the record, or ends it. False when it was executed again with another
/// result, and the transaction has been given up.
bool Session::record_unit() {
  if (record_->replaying()) return compare_replayed_unit();
  const bool ends = unit_class_.executes &&
                    (unit_class_.kind == UnitKind::commit || unit_class_.kind == UnitKind::rollback);
  const bool open = status_ == 'T' && !unit_failed_ && unit_held_ && !ends;
  if (!open) {
    record_->forget();
  } else if (record_->phase() == TransactionRecord::Phase::recording) {
    record_->add(in_.view().substr(0, unit_.size),
                 static_cast<std::size_t>(worker_.shared().config.replay.max_size));
  }
  return true;
}

bool Session::compare_replayed_unit() {
  switch (record_->end_replayed_unit(status_ == 'T' && !unit_failed_)) {
    case TransactionRecord::Outcome::same:
      return true;
    case TransactionRecord::Outcome::finished:
      worker_.counters().retries[static_cast<std::size_t>(Retry::transaction_replayed)].add();
      return true;
    case TransactionRecord::Outcome::differs:
      break;
  }
  if (unit_held_) in_.consume(unit_.size);
  give_replay_up(describe(Failure::replay_differs));
  return false;
}

/// BEGIN … READ ONLY, `unit`, was held, and answered here.
void Session::record_held_begin(std::string_view unit) {
  if (record_->replaying()) {
    unit_held_ = false;
    compare_replayed_unit();
  } else {
    record_->add(unit, static_cast<std::size_t>(worker_.shared().config.replay.max_size));
  }
}

/// The server of the open transaction is lost. True when it is executed again elsewhere: its units stand
/// before what the client has sent since, and are taken from there like any other.
bool Session::replay_transaction() {
  if (record_ == nullptr || !record_->holds_transaction() || mid_sequence_) return false;
  if (!record_->replaying() && !held_begin_.empty()) return false;  // nothing of it has been done
  if (record_->replaying() ? !unit_held_ && unit_in_flight_ : status_ != 'T') return false;
  const bool in_flight = unit_in_flight_ && !record_->replaying();
  // An answer that has begun to leave cannot be taken back, nor an end that may have come.
  if (in_flight && (!unit_held_ || replied_ || unit_class_.kind == UnitKind::rollback)) return false;
  if (in_flight && unit_class_.kind == UnitKind::commit) {
    const auto sql = rolled_back_ ? sole_statement() : std::nullopt;
    if (!sql || !commits_transaction(*sql)) return false;
  }
  const auto now = worker_.reactor().now();
  const auto& limits = worker_.shared().config.replay;
  const std::string rest(in_.view().substr(record_->left()));
  const bool late = record_->first_lost() && now >= *record_->first_lost() + limits.timeout;
  // A server that dies does so on each of its connections, and the pool may hold many of them: that is not
  // the transaction's doing if the server says that it shuts down, or has answered nothing of what it had
  // answered before.
  const bool counts = !record_->replaying() || (record_->has_progressed() && !rolled_back_);
  if (late || (counts && record_->attempts() >= limits.max_attempts)) {
    if (!record_->replaying()) return false;
    give_replay_up(describe(Failure::transaction_lost));
    return true;
  }
  forget_unit();
  status_ = 'I';
  held_begin_.clear();
  record_->begin_replay(now, counts);
  in_.clear();
  in_.append(record_->bytes());
  in_.append(rest);
  return true;
}

/// A unit that is executed again cannot be: the client is told of a loss as it would be, of all else as of a
/// transaction that has failed.
void Session::fail_replay(const ClientError& error) {
  if (error.code == describe(Loss{}).code) return give_replay_up(error);
  ClientError lost = describe(Failure::transaction_lost);
  lost.detail += " Executing it again failed: " + error.message + ".";
  give_replay_up(lost);
}

/// What was executed again ends here; the client is told with its next statement, or with the one that waits.
void Session::give_replay_up(const ClientError& error) {
  if (server_ != nullptr) drop_server();
  if (wait_ != Wait::none) {
    end_wait();
    leave();
  }
  forget_unit();
  in_.consume(record_->left());
  held_begin_.clear();
  record_->give_up(error);
  transaction_lost_ = true;
  failed_transaction_ = false;
  status_ = 'T';
}

/// The unit at hand is no more; its bytes stay.
void Session::forget_unit() {
  undo_changes(true);
  unit_held_ = false;
  clear_unit();
  replied_ = unit_failed_ = draining_refusal_ = compared_ = comparing_ = applying_ = outdated_ = false;
  skip_to_sync_ = false;
}

/// Why an open transaction is lost.
ClientError Session::lost_transaction() const {
  if (record_ != nullptr && record_->error() != nullptr) return *record_->error();
  return describe(Failure::transaction_lost, fenced_because_);
}

}  // namespace tidemark::proxy

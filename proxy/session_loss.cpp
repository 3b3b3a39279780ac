#include <limits>

#include "proxy/cancel_sender.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "proxy/session_marks.hpp"
#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

void Session::fence(std::string_view why) {
  // A server does not notice that its client is gone until it sends something. What may commit by itself is
  // left alone: a cancel would end its wait for a synchronous standby, and show what no standby has.
  const bool commits = unit_kind_ == UnitKind::commit || unit_kind_ == UnitKind::write;
  if (!why.empty() && unit_in_flight_ && !commits) CancelSender::start(worker_, *server_);
  on_server_lost(why);
}

void Session::on_server_lost(std::string_view fenced_because) {
  fenced_because_ = fenced_because;
  const auto node = server_->node();
  worker_.shared().monitor.suspect(node);
  worker_.shared().events.server_failed(server_->node_name(), group_->database, group_->user,
                                        "a server connection was lost while in use");
  const bool waited_for_marks = wait_ == Wait::marks;
  if (waited_for_marks) end_wait();
  const bool in_message = long_reply_left_ > 0 && !long_reply_swallowed_ && !is_replaying();
  drop_server();
  if (welcoming_) {
    unit_in_flight_ = false;
    if (worker_.reactor().now() >= arrived_ + worker_.shared().config.pool.queue_timeout) {
      return fail_session(describe(Failure::no_node));
    }
    return begin_wait(Wait::retry, worker_.reactor().now() + kRetryInterval);
  }
  if (learning_outcome_) {
    unit_in_flight_ = false;
    return begin_wait(Wait::retry, worker_.reactor().now() + kRetryInterval);
  }
  if (std::exchange(applying_, false)) return retry_unit(Retry::not_begun);
  if (std::exchange(comparing_, false)) {
    // Nothing of the unit has been sent.
    if (may_restart() && !mid_sequence_ && attempts_ < kMaxAttempts) return retry_unit(Retry::not_begun);
    if (unit_kind_ != UnitKind::read && unit_kind_ != UnitKind::rollback)
      unit_kind_ = UnitKind::in_transaction;
  }
  if (in_message) return close();  // the client has part of a message: nothing can be said any more
  // A statement that succeeded may have left state there that nobody knows of yet.
  const auto lost_state = static_cast<std::uint16_t>(
      tracker_.pins() | (std::exchange(asking_, false) ? tracker_.touched() : std::uint16_t{0}));
  if (lost_state != 0) {
    const std::string reasons = pin_reasons(lost_state);
    return fail_session(describe(Failure::session_state_lost, reasons.empty() ? "settings" : reasons));
  }
  if (replay_transaction()) {
    if (wait_ == Wait::none && !closing_) go_on();
    return;
  }
  if (!unit_in_flight_ && !mid_sequence_) {
    // Told with the next statement: a client that waits for nothing reads nothing.
    transaction_lost_ = status_ != 'I';
    if (!waited_for_marks) return;
    resume_unit();
    return go_on();
  }
  answer_lost_unit();
  if (wait_ == Wait::none && !closing_) {
    process_input();
    resume_reading();
  }
}

void Session::answer_lost_unit() {
  // That a server shuts down is not the statement's doing: it goes round as long as servers do, which may be
  // one connection after the other of a server whose end nobody has been told of yet.
  const bool in_time = worker_.reactor().now() < arrived_ + worker_.shared().config.cluster.failover_hold;
  const bool can_be_sent = !replied_ && unit_held_;
  const bool resend = can_be_sent && (attempts_ < kMaxAttempts || (rolled_back_ && in_time));
  if (outdated_) return fail_unit(describe(Failure::result_changed), 'I');
  if (not_begun_) {
    // As often as it happens: servers that close idle connections soon can do it again and again.
    attempts_ = 0;
    const auto deadline = arrived_ + worker_.shared().config.pool.queue_timeout;
    if (!replied_ && unit_held_ && worker_.reactor().now() < deadline) return retry_unit(Retry::not_begun);
    return fail_unit(describe(Failure::transaction_lost, fenced_because_), 'I');
  }
  switch (unit_kind_) {
    case UnitKind::read:
      if (draining_refusal_) return retry_unit(Retry::read_refused);
      if (resend && may_restart()) return retry_unit(Retry::server_lost);
      if (held_begin_.empty() && !unit_begins_read_only_)
        return fail_unit(describe(Failure::result_lost), 'I');
      failed_transaction_ = true;
      return fail_unit(describe(Failure::transaction_lost, fenced_because_), 'E');
    case UnitKind::begin:
      // Nothing has been done in it yet.
      if (resend) return retry_unit(Retry::not_begun);
      [[fallthrough]];
    case UnitKind::in_transaction:
    case UnitKind::opens:
      // What the client sends before it has seen the error must not run outside its transaction.
      failed_transaction_ = true;
      return fail_unit(describe(Failure::transaction_lost, fenced_because_), 'E');
    case UnitKind::rollback:
      if (unit_held_ && status_ != 'I') {
        unit_in_flight_ = false;
        transaction_lost_ = false;
        return answer_failed_transaction();
      }
      // Outside of a transaction it does nothing, but warns of that.
      if (resend && sole_statement()) return retry_unit(Retry::not_begun);
      return fail_unit(describe(Failure::transaction_lost, fenced_because_), 'I');
    case UnitKind::commit:
    case UnitKind::write: {
      if (unit_held_ && !replied_) {
        if (const auto tag = tag_of_certain_end()) return answer_end(*tag);
      }
      if (rolled_back_ && unit_kind_ == UnitKind::commit && can_be_sent) {
        if (const auto sql = sole_statement(); sql && status_ == 'T' && commits_transaction(*sql))
          return fail_unit(describe(Failure::rolled_back), 'I');
      }
      if (rolled_back_ && can_be_sent && status_ == 'I' && unit_kind_ == UnitKind::write &&
          is_plain_statement()) {
        if (in_time) return retry_unit(Retry::not_begun);
        return fail_unit(describe(Failure::rolled_back), 'I');
      }
      if (unit_kind_ == UnitKind::commit && learn_outcome()) return;
      note_unknown_outcome();
      failed_transaction_ = unit_may_open_;
      return fail_unit(describe(Failure::outcome_unknown, fenced_because_), unit_may_open_ ? 'E' : 'I');
    }
  }
}

/// Has the unit routed and sent once more; its bytes are still in the buffer.
void Session::retry_unit(Retry reason) {
  worker_.counters().retries[static_cast<std::size_t>(reason)].add();
  undo_changes(true);
  unit_in_flight_ = replied_ = unit_failed_ = draining_refusal_ = compared_ = false;
  rolled_back_ = not_begun_ = command_completed_ = false;
  if (attempts_ < std::numeric_limits<std::uint8_t>::max()) ++attempts_;
  const auto now = worker_.reactor().now();
  begin_wait(Wait::retry, attempts_ > 1 ? now + kRetryInterval : now);
}

}  // namespace tidemark::proxy

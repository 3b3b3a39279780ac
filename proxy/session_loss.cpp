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
  const bool commits = unit_class_.kind == UnitKind::commit || unit_class_.kind == UnitKind::write;
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
    if (unit_class_.kind != UnitKind::read && unit_class_.kind != UnitKind::rollback)
      unit_class_.kind = UnitKind::in_transaction;
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

LostUnit Session::lost_unit() {
  const auto now = worker_.reactor().now();
  const auto& config = worker_.shared().config;
  LostUnit lost;
  lost.kind = unit_class_.kind;
  lost.held = unit_held_;
  lost.replied = replied_;
  lost.in_transaction = status_ != 'I';
  lost.may_restart = may_restart();
  lost.begins_read_only = !held_begin_.empty() || unit_class_.begins_read_only;
  lost.not_begun = not_begun_;
  lost.rolled_back = rolled_back_;
  lost.refused = draining_refusal_;
  lost.outdated = outdated_;
  lost.may_try_again = attempts_ < kMaxAttempts;
  lost.in_hold = now < arrived_ + config.cluster.failover_hold;
  lost.in_queue_time = now < arrived_ + config.pool.queue_timeout;
  lost.end_can_be_asked = record_ != nullptr && record_->key() && unit_held_ && !replied_ && status_ == 'T';
  if (!unit_held_) return lost;
  const auto sql = sole_statement();
  lost.is_sole = sql.has_value();
  lost.is_commit = sql && status_ == 'T' && commits_transaction(*sql);
  lost.is_plain = is_plain_statement();
  lost.end_certain = tag_of_certain_end().has_value();
  return lost;
}

void Session::answer_lost_unit() {
  switch (judge_loss(lost_unit())) {
    case LossVerdict::send_as_new:
      attempts_ = 0;
      return retry_unit(Retry::not_begun);
    case LossVerdict::send_again:
      return retry_unit(Retry::not_begun);
    case LossVerdict::send_elsewhere:
      return retry_unit(Retry::read_refused);
    case LossVerdict::send_read_again:
      return retry_unit(Retry::server_lost);
    case LossVerdict::confirm_end:
      return answer_end(*tag_of_certain_end());
    case LossVerdict::end_transaction:
      unit_in_flight_ = false;
      transaction_lost_ = false;
      return answer_failed_transaction();
    case LossVerdict::ask_outcome:
      return learn_outcome();
    case LossVerdict::result_changed:
      return fail_unit(describe(Failure::result_changed), 'I');
    case LossVerdict::result_lost:
      return fail_unit(describe(Failure::result_lost), 'I');
    case LossVerdict::transaction_lost:
      return fail_unit(describe(Failure::transaction_lost, fenced_because_), 'I');
    case LossVerdict::transaction_failed:
      // What the client sends before it has seen the error must not run outside its transaction.
      failed_transaction_ = true;
      return fail_unit(describe(Failure::transaction_lost, fenced_because_), 'E');
    case LossVerdict::rolled_back:
      return fail_unit(describe(Failure::rolled_back), 'I');
    case LossVerdict::outcome_unknown:
      note_unknown_outcome();
      failed_transaction_ = unit_class_.may_open;
      return fail_unit(describe(Failure::outcome_unknown, fenced_because_), unit_class_.may_open ? 'E' : 'I');
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

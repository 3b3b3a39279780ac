// What the answers mean: what is recorded of a step, and how its unit goes on.
#include <utility>

#include "tests/consistency/driver_connection.hpp"

namespace tidemark::consistency {

void Connection::finish_step(std::int64_t now) {
  const bool failed = answer_.failed || broken();
  if (failed) {
    step_failed(now);
  } else {
    step_succeeded(now);
    ++cursor_;
  }
  go_on(now, failed);
}

void Connection::go_on(std::int64_t now, bool failed) {
  if (broken()) return connection_lost(now);
  if (!failed) return no_more_steps() ? end_unit(unwinding_) : send_step();
  if (state_ == State::setting_up) return connection_lost(now);
  if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE && !unwinding_) {
    unit_ = Unit{{{StepKind::rollback, 0, ""}}, false};
    cursor_ = 0;
    unwinding_ = true;
    return send_step();
  }
  in_transaction_ = false;
  end_unit(true);
}

void Connection::step_succeeded(std::int64_t now) {
  switch (step().kind) {
    case StepKind::prepare_read:
    case StepKind::prepare_write:
    case StepKind::set:
    case StepKind::set_token:
      return;
    case StepKind::show_token:
      if (answer_.row_fits) return;
      break;
    case StepKind::begin:
    case StepKind::begin_read_only:
      in_transaction_ = true;
      read_only_ = step().kind == StepKind::begin_read_only;
      return;
    case StepKind::rollback:
      in_transaction_ = false;
      return;
    case StepKind::commit:
      in_transaction_ = false;
      if (open_write_)
        settle_write(answer_.tag == "COMMIT" ? OperationKind::write : OperationKind::failed_write, now);
      return;
    case StepKind::read:
      return read_succeeded(now);
    case StepKind::write:
      if (!answer_.row_fits) break;
      open_write_ = Operation{sent_, now,        answer_.version, plan_.id,
                              user_, step().key, answer_.node,    OperationKind::write};
      if (!in_transaction_) settle_write(OperationKind::write, now);
      return;
  }
  ++recorder_.wrong_answers;
}

void Connection::read_succeeded(std::int64_t now) {
  if (reads_inside_++ == 0) first_read_ = sent_;
  if (!answer_.row_fits) {
    ++recorder_.wrong_answers;
    return;
  }
  const bool later = options_.later_reads == LaterReads::transaction && in_transaction_ && read_only_;
  record(OperationKind::read, step().key, answer_.version, answer_.node, later ? first_read_ : sent_, now);
}

bool Connection::outcome_unknown() const {
  const std::string& state = aborted_by_ ? aborted_by_->sqlstate : answer_.sqlstate;
  return broken() || state == "40003" || state.starts_with("08");
}

void Connection::step_failed(std::int64_t now) {
  note_error();
  if (step().kind == StepKind::read) record(OperationKind::failed_read, step().key, 0, 0, sent_, now);
  if (step().kind == StepKind::write) {
    const bool open_question = outcome_unknown() && !in_transaction_;
    record(open_question ? OperationKind::unknown_write : OperationKind::failed_write, step().key, 0, 0,
           sent_, now);
  }
  if (open_write_)
    settle_write(outcome_unknown() && step().kind == StepKind::commit ? OperationKind::unknown_write
                                                                      : OperationKind::failed_write,
                 now);
}

void Connection::note_error() {
  const std::string& state = answer_.sqlstate;
  const std::string label = step_name() + " " + (state.empty() ? std::string("connection lost") : state);
  ++recorder_.errors[label];
  recorder_.error_texts.emplace(label, answer_.message);
  if (state == "TM001") record(OperationKind::lost_write_told, 0, 0, 0, sent_, monotonic_now());
}

// In a pipeline a write is decided when the answer to Sync has come.
void Connection::finish_pipelined_step(std::int64_t now) {
  const Answer answer = answer_;
  if (answer.failed && !aborted_by_) {
    note_error();
    aborted_by_ = answer;
  }
  if (no_more_steps()) {  // an error that came with the commit at Sync
    answer_ = {};
    return;
  }
  switch (step().kind) {
    case StepKind::begin:
    case StepKind::begin_read_only:
      in_transaction_ = !answer.failed;
      read_only_ = step().kind == StepKind::begin_read_only;
      break;
    case StepKind::read:
      if (answer.failed) {
        record(OperationKind::failed_read, step().key, 0, 0, sent_, now);
      } else {
        read_succeeded(now);
      }
      break;
    case StepKind::write:
      if (!answer.failed && !answer.row_fits) ++recorder_.wrong_answers;
      open_write_ = Operation{sent_, now,        answer.version, plan_.id,
                              user_, step().key, answer.node,    OperationKind::write};
      break;
    case StepKind::commit:
      commit_told_ = !answer.failed && answer.tag == "COMMIT";
      break;
    default:
      break;
  }
  ++cursor_;
  answer_ = {};
}

void Connection::finish_pipeline(std::int64_t now) {
  if (PQexitPipelineMode(connection_.get()) == 0 || !no_more_steps()) {
    ++recorder_.wrong_answers;
    steps_dropped(now);
    return connection_lost(now);
  }
  const bool explicitly = unit_.steps.back().kind == StepKind::commit;
  const bool failed = aborted_by_.has_value();
  if (open_write_) {
    const bool committed = !failed && (!explicitly || commit_told_);
    settle_write(committed                     ? OperationKind::write
                 : failed && outcome_unknown() ? OperationKind::unknown_write
                                               : OperationKind::failed_write,
                 now);
  }
  in_transaction_ = false;
  go_on(now, failed);
}

// The rest of a pipeline will not be answered. All of it may have been sent, a commit included.
void Connection::steps_dropped(std::int64_t now) {
  for (; !no_more_steps(); ++cursor_) {
    if (step().kind == StepKind::read) record(OperationKind::failed_read, step().key, 0, 0, sent_, now);
    if (step().kind == StepKind::write)
      open_write_ = Operation{sent_, now, 0, plan_.id, user_, step().key, 0, OperationKind::unknown_write};
  }
  if (open_write_) settle_write(OperationKind::unknown_write, now);
}

std::string Connection::step_name() const {
  if (no_more_steps()) return "sync";
  const bool pipelined = unit_.pipelined;
  const char* const where = in_transaction_ ? " in transaction" : pipelined ? " in pipeline" : "";
  switch (step().kind) {
    case StepKind::prepare_read:
    case StepKind::prepare_write:
      return "prepare";
    case StepKind::set:
      return "set";
    case StepKind::show_token:
      return "show token";
    case StepKind::set_token:
      return "set token";
    case StepKind::read:
      if (*where == '\0') return "read";
      return std::string(reads_inside_ == 0 ? "first" : "later") + " read" + where;
    case StepKind::write:
      return std::string("write") + where;
    case StepKind::begin:
      return pipelined ? "begin in pipeline" : "begin";
    case StepKind::begin_read_only:
      return pipelined ? "begin read only in pipeline" : "begin read only";
    case StepKind::commit:
      return std::string("commit") + (read_only_ ? " read only" : "") + (pipelined ? " in pipeline" : "");
    case StepKind::rollback:
      return "rollback";
  }
  return "";
}

void Connection::settle_write(OperationKind kind, std::int64_t now) {
  record(kind, open_write_->key, open_write_->version, open_write_->node, open_write_->start, now);
  open_write_.reset();
}

void Connection::record(OperationKind kind, std::uint32_t key, std::int64_t version, std::uint16_t node,
                        std::int64_t start, std::int64_t end) {
  if (kind == OperationKind::read) ++recorder_.reads;
  // An operation takes time, whatever the clock can tell apart.
  recorder_.operations.push_back(
      {start, std::max(end, start + 1), version, plan_.id, user_, key, node, kind});
}

}  // namespace tidemark::consistency

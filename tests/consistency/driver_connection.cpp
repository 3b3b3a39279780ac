#include "tests/consistency/driver_connection.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <string_view>
#include <utility>

#include <sys/epoll.h>

namespace tidemark::consistency {
namespace {

template <typename Number>
bool column(const PGresult* result, int index, Number& value) {
  const std::string_view text = PQgetvalue(result, 0, index);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::int64_t monotonic_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Connection::Connection(ConnectionPlan plan, const DriverOptions& options, Recorder& recorder)
    : plan_(std::move(plan)),
      options_(options),
      recorder_(recorder),
      statements_(plan_.protocol, plan_.introduction.hint) {}

void Connection::open(std::int64_t now) {
  // What comes later in the list wins over what the connection string says.
  std::array<const char*, 3> names = {"dbname", "options", nullptr};
  std::array<const char*, 3> values = {plan_.conninfo.c_str(), plan_.introduction.startup.c_str(), nullptr};
  if (plan_.introduction.startup.empty()) names[1] = nullptr;
  connection_.reset(PQconnectStartParams(names.data(), values.data(), 1));
  state_ = State::connecting;
  polling_ = PGRES_POLLING_WRITING;
  deadline_ = now + static_cast<std::int64_t>(options_.statement_timeout * 1e9);
  if (!connection_ || broken()) connection_lost(now);
}

std::uint32_t Connection::wanted_events() const {
  switch (state_) {
    case State::closed:
      return 0;
    case State::connecting:
      return polling_ == PGRES_POLLING_READING ? EPOLLIN : EPOLLOUT;
    case State::idle:
      return EPOLLIN;
    case State::setting_up:
    case State::running:
      return flushing_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
  }
  return 0;
}

std::optional<std::int64_t> Connection::oldest_start() const {
  if (!busy()) return std::nullopt;
  std::int64_t oldest = sent_;
  if (open_write_) oldest = std::min(oldest, open_write_->start);
  if (reads_inside_ > 0) oldest = std::min(oldest, first_read_);
  return oldest;
}

void Connection::on_ready() {
  switch (state_) {
    case State::closed:
      return;
    case State::connecting:
      return poll_connect();
    case State::idle:
      // Nothing is expected now but notices: an end of the stream is a broken idle connection.
      if (PQconsumeInput(connection_.get()) == 0) connection_lost(monotonic_now());
      return;
    case State::setting_up:
    case State::running:
      return unit_.pipelined ? collect_pipeline() : collect();
  }
}

void Connection::on_deadline(std::int64_t now) {
  if (state_ == State::connecting) return connection_lost(now);
  if (busy()) abandon(now);
}

void Connection::poll_connect() {
  polling_ = PQconnectPoll(connection_.get());
  if (polling_ == PGRES_POLLING_FAILED) return connection_lost(monotonic_now());
  if (polling_ != PGRES_POLLING_OK) return;
  ++recorder_.connections;
  ++lives_;
  PQsetnonblocking(connection_.get(), 1);
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
  Unit setup;
  for (const std::string& text : plan_.introduction.statements)
    setup.steps.push_back({StepKind::set, 0, text});
  if (plan_.protocol == Protocol::prepared) {
    setup.steps.push_back({StepKind::prepare_read, 0, ""});
    setup.steps.push_back({StepKind::prepare_write, 0, ""});
  }
  in_transaction_ = false;
  if (setup.steps.empty()) return end_unit(false);
  begin_unit(std::move(setup), State::setting_up);
}

void Connection::connection_lost(std::int64_t now) {
  if (state_ == State::connecting) {
    ++recorder_.connect_failures;
    const char* label = "connect";
    ++recorder_.errors[label];
    if (connection_) recorder_.error_texts.emplace(label, PQerrorMessage(connection_.get()));
  } else if (state_ == State::idle) {
    ++recorder_.broken_idle;
  } else if (busy()) {
    ++recorder_.broken_busy;
  }
  if (open_write_) settle_write(OperationKind::failed_write, now);
  close();
}

void Connection::close() {
  connection_.reset();
  unit_ = {};
  cursor_ = 0;
  in_transaction_ = false;
  flushing_ = false;
  failed_ = true;
  state_ = State::closed;
  deadline_ = 0;
}

void Connection::abandon(std::int64_t now) {
  if (busy()) {
    ++recorder_.stuck;
    if (unit_.pipelined) {
      steps_dropped(now);
    } else {
      const bool committing = step().kind == StepKind::commit;
      if (step().kind == StepKind::write && !in_transaction_)
        record(OperationKind::unknown_write, step().key, 0, 0, sent_, now);
      if (open_write_)
        settle_write(committing ? OperationKind::unknown_write : OperationKind::failed_write, now);
    }
  }
  close();
}

void Connection::run(Unit unit, std::uint32_t user) {
  user_ = user;
  begin_unit(std::move(unit), State::running);
}

void Connection::begin_unit(Unit unit, State state) {
  unit_ = std::move(unit);
  cursor_ = 0;
  reads_inside_ = 0;
  failed_ = unwinding_ = read_only_ = false;
  answered_ = commit_told_ = false;
  aborted_by_.reset();
  state_ = state;
  if (unit_.pipelined) {
    send_pipeline();
  } else {
    send_step();
  }
}

void Connection::end_unit(bool failed) {
  state_ = State::idle;
  failed_ = failed;
  deadline_ = 0;
}

void Connection::send_step() {
  answer_ = {};
  sent_ = monotonic_now();
  deadline_ = sent_ + static_cast<std::int64_t>(options_.statement_timeout * 1e9);
  if (step().kind == StepKind::begin || step().kind == StepKind::begin_read_only) ++recorder_.transactions;
  if (!statements_.send(connection_.get(), step(), false)) {
    answer_.failed = true;
    answer_.message = PQerrorMessage(connection_.get());
    return finish_step(monotonic_now());
  }
  flushing_ = PQflush(connection_.get()) == 1;
}

void Connection::send_pipeline() {
  answer_ = {};
  sent_ = monotonic_now();
  deadline_ = sent_ + static_cast<std::int64_t>(options_.statement_timeout * 1e9);
  ++recorder_.pipelines;
  bool sent = PQenterPipelineMode(connection_.get()) == 1;
  for (const Step& each : unit_.steps) {
    if (each.kind == StepKind::begin || each.kind == StepKind::begin_read_only) ++recorder_.transactions;
    sent = sent && statements_.send(connection_.get(), each, true);
  }
  sent = sent && PQpipelineSync(connection_.get()) == 1;
  if (!sent) {
    answer_.message = PQerrorMessage(connection_.get());
    note_error();
    steps_dropped(monotonic_now());
    return connection_lost(monotonic_now());
  }
  flushing_ = PQflush(connection_.get()) == 1;
}

void Connection::collect() {
  PGconn* connection = connection_.get();
  flushing_ = PQflush(connection) == 1;
  // Even when sending failed there may be an answer to read: the reason of the end.
  const bool alive = PQconsumeInput(connection) == 1;
  while (PQisBusy(connection) == 0) {
    PGresult* const result = PQgetResult(connection);
    if (result == nullptr) return finish_step(monotonic_now());
    take(result);
    PQclear(result);
  }
  if (alive) return;
  answer_.failed = true;
  if (answer_.message.empty()) answer_.message = PQerrorMessage(connection);
  finish_step(monotonic_now());
}

void Connection::collect_pipeline() {
  PGconn* connection = connection_.get();
  flushing_ = PQflush(connection) == 1;
  const bool alive = PQconsumeInput(connection) == 1;
  while (PQisBusy(connection) == 0) {
    PGresult* const result = PQgetResult(connection);
    if (result == nullptr) {
      if (!std::exchange(answered_, false)) break;  // the second one in a row: there is no more
      finish_pipelined_step(monotonic_now());
      continue;
    }
    const bool synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    if (!synced) take(result);
    PQclear(result);
    if (synced) return finish_pipeline(monotonic_now());
    answered_ = true;
  }
  if (alive && !broken()) return;
  if (!aborted_by_) {
    if (answer_.message.empty()) answer_.message = PQerrorMessage(connection);
    note_error();
  }
  steps_dropped(monotonic_now());
  connection_lost(monotonic_now());
}

void Connection::take(PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK) {
    take_row(result);
  } else if (status == PGRES_COMMAND_OK) {
    answer_.tag = PQcmdStatus(result);
  } else {
    answer_.failed = true;
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state != nullptr) answer_.sqlstate = state;
    if (answer_.message.empty()) answer_.message = PQresultErrorMessage(result);
  }
}

void Connection::take_row(const PGresult* result) {
  if (no_more_steps()) return;
  if (step().kind == StepKind::show_token) {
    answer_.row_fits = PQntuples(result) == 1 && PQnfields(result) == 1;
    if (answer_.row_fits) token_ = PQgetvalue(result, 0, 0);
    return;
  }
  std::uint32_t key = 0;
  answer_.row_fits = PQntuples(result) == 1 && PQnfields(result) == 3 && column(result, 0, key) &&
                     key == step().key && column(result, 1, answer_.version) &&
                     column(result, 2, answer_.node);
}

}  // namespace tidemark::consistency

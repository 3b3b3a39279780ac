#include "tests/consistency/driver_session.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>

#include <sys/epoll.h>

namespace tidemark::consistency {
namespace {

constexpr std::int64_t millisecond = 1'000'000;
constexpr std::int64_t reconnect_pause = 50 * millisecond;
constexpr std::int64_t pause_after_error = 5 * millisecond;

constexpr const char* read_prefix = "select key, version, inet_server_port() from kv where key = ";
constexpr const char* write_prefix = "update kv set version = version + 1 where key = ";
constexpr const char* write_suffix = " returning key, version, inet_server_port()";
constexpr Oid int4_oid = 23;

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

Session::Session(const SessionPlan& plan, const DriverOptions& options, Recorder& recorder)
    : plan_(plan), options_(options), recorder_(recorder), random_(options.seed * 1'000'003U + plan.id) {}

void Session::open(std::int64_t now) {
  connection_.reset(PQconnectStart(options_.conninfo.c_str()));
  phase_ = Phase::connecting;
  polling_ = PGRES_POLLING_WRITING;
  due_ = 0;
  deadline_ = now + static_cast<std::int64_t>(options_.statement_timeout * 1e9);
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) polling_ = PGRES_POLLING_FAILED;
  if (polling_ == PGRES_POLLING_FAILED) connection_lost(now);
}

std::uint32_t Session::wanted_events() const {
  switch (phase_) {
    case Phase::closed:
      return 0;
    case Phase::connecting:
      return polling_ == PGRES_POLLING_READING ? EPOLLIN : EPOLLOUT;
    case Phase::thinking:
      return EPOLLIN;
    case Phase::running:
      return flushing_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
  }
  return 0;
}

void Session::on_ready() {
  switch (phase_) {
    case Phase::closed:
      return;
    case Phase::connecting:
      return poll_connect();
    case Phase::thinking:
      // Nothing is expected now but notices: an end of the stream is a broken idle connection.
      if (PQconsumeInput(connection_.get()) == 0) connection_lost(monotonic_now());
      return;
    case Phase::running:
      return collect();
  }
}

void Session::on_timer(std::int64_t now) {
  if (due_ == 0 || now < due_) return;
  due_ = 0;
  if (stopping_) return;
  if (phase_ == Phase::closed) return open(now);
  if (phase_ != Phase::thinking) return;
  plan_transaction();
  next_step();
}

void Session::on_deadline(std::int64_t now) {
  if (phase_ == Phase::connecting) return connection_lost(now);
  if (phase_ != Phase::running) return;
  abandon(now);
  if (!stopping_) due_ = now + reconnect_pause;
}

void Session::poll_connect() {
  polling_ = PQconnectPoll(connection_.get());
  if (polling_ == PGRES_POLLING_FAILED) return connection_lost(monotonic_now());
  if (polling_ != PGRES_POLLING_OK) return;
  ++recorder_.connections;
  connected_once_ = true;
  PQsetnonblocking(connection_.get(), 1);
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
  tasks_.clear();
  in_transaction_ = false;
  if (plan_.protocol == Protocol::prepared) {
    tasks_ = {{Step::prepare_read, 0}, {Step::prepare_write, 0}};
    return next_step();
  }
  think(monotonic_now());
}

void Session::connection_lost(std::int64_t now) {
  if (phase_ == Phase::connecting) {
    ++recorder_.connect_failures;
    const char* state = "connect";
    ++recorder_.errors[state];
    if (connection_) recorder_.error_texts.emplace(state, PQerrorMessage(connection_.get()));
  } else if (phase_ == Phase::thinking) {
    ++recorder_.broken_idle;
  } else if (phase_ == Phase::running) {
    ++recorder_.broken_busy;
  }
  connection_.reset();
  tasks_.clear();
  in_transaction_ = false;
  flushing_ = false;
  phase_ = Phase::closed;
  deadline_ = 0;
  due_ = stopping_ ? 0 : now + reconnect_pause;
}

void Session::abandon(std::int64_t now) {
  if (phase_ == Phase::running) {
    ++recorder_.stuck;
    const bool is_write = task_.step == Step::write && !in_transaction_;
    if (is_write) record(OperationKind::unknown_write, task_.key, 0, 0, sent_, now);
    if (open_write_)
      settle_write(task_.step == Step::commit ? OperationKind::unknown_write : OperationKind::failed_write,
                   now);
  }
  connection_.reset();
  tasks_.clear();
  in_transaction_ = false;
  flushing_ = false;
  phase_ = Phase::closed;
  due_ = deadline_ = 0;
}

void Session::think(std::int64_t now, bool after_error) {
  phase_ = Phase::thinking;
  deadline_ = 0;
  const double mean = plan_.role == Role::counter_writer ? options_.counter_think_ms : options_.think_ms;
  double pause = mean;
  if (options_.think == Think::uniform) pause = std::uniform_real_distribution<double>(0, 2 * mean)(random_);
  if (options_.think == Think::exponential && mean > 0)
    pause = std::exponential_distribution<double>(1 / mean)(random_);
  auto nanoseconds = static_cast<std::int64_t>(pause * static_cast<double>(millisecond));
  if (after_error) nanoseconds = std::max(nanoseconds, pause_after_error);
  due_ = now + nanoseconds;
}

void Session::plan_transaction() {
  switch (plan_.role) {
    case Role::writer:
      if (reads_due_ > 0) {
        --reads_due_;
        return plan_read(plan_.own_key);
      }
      reads_due_ = options_.reads_per_write;
      return plan_write(plan_.own_key);
    case Role::counter_writer:
      return plan_write(any(options_.counters));
    case Role::counter_reader:
      return plan_read(any(options_.counters));
    case Role::shared: {
      const std::uint32_t key = options_.counters + any(options_.shared_keys);
      return any(options_.reads_per_write + 1) == 0 ? plan_write(key) : plan_read(key);
    }
  }
}

void Session::plan_read(std::uint32_t key) {
  if (!chance(options_.transactions)) {
    tasks_ = {{Step::read, key}};
  } else {
    tasks_ = {{Step::begin_read_only, 0}, {Step::read, key}, {Step::read, key}, {Step::commit, 0}};
  }
}

void Session::plan_write(std::uint32_t key) {
  if (!chance(options_.transactions)) {
    tasks_ = {{Step::write, key}};
  } else {
    tasks_ = {{Step::begin, 0}, {Step::write, key}, {Step::commit, 0}};
  }
}

void Session::next_step() {
  task_ = tasks_.front();
  tasks_.pop_front();
  failed_ = row_fits_ = false;
  sqlstate_.clear();
  message_.clear();
  tag_.clear();
  phase_ = Phase::running;
  sent_ = monotonic_now();
  due_ = 0;
  deadline_ = sent_ + static_cast<std::int64_t>(options_.statement_timeout * 1e9);
  send(task_);
}

void Session::send(const Task& task) {
  PGconn* connection = connection_.get();
  const std::string key = std::to_string(task.key);
  const char* values[] = {key.c_str()};
  const Oid types[] = {int4_oid};
  const bool simple = plan_.protocol == Protocol::simple;
  const auto command = [&](const char* text) {
    return simple ? PQsendQuery(connection, text)
                  : PQsendQueryParams(connection, text, 0, nullptr, nullptr, nullptr, nullptr, 0);
  };
  const auto with_key = [&](const char* name, const char* prefix, const char* suffix) {
    if (plan_.protocol == Protocol::prepared)
      return PQsendQueryPrepared(connection, name, 1, values, nullptr, nullptr, 0);
    if (simple) return PQsendQuery(connection, (prefix + key + suffix).c_str());
    return PQsendQueryParams(connection, (std::string(prefix) + "$1" + suffix).c_str(), 1, types, values,
                             nullptr, nullptr, 0);
  };
  const auto prepare = [&](const char* name, const char* prefix, const char* suffix) {
    return PQsendPrepare(connection, name, (std::string(prefix) + "$1" + suffix).c_str(), 1, types);
  };
  int sent = 0;
  switch (task.step) {
    case Step::prepare_read:
      sent = prepare("kv_read", read_prefix, "");
      break;
    case Step::prepare_write:
      sent = prepare("kv_write", write_prefix, write_suffix);
      break;
    case Step::read:
      sent = with_key("kv_read", read_prefix, "");
      break;
    case Step::write:
      sent = with_key("kv_write", write_prefix, write_suffix);
      break;
    case Step::begin:
      ++recorder_.transactions;
      sent = command("begin");
      break;
    case Step::begin_read_only:
      ++recorder_.transactions;
      sent = command("begin read only");
      break;
    case Step::commit:
      sent = command("commit");
      break;
    case Step::rollback:
      sent = command("rollback");
      break;
  }
  if (sent == 0) {
    failed_ = true;
    message_ = PQerrorMessage(connection);
    return finish_step(monotonic_now());
  }
  flushing_ = PQflush(connection) == 1;
}

void Session::collect() {
  PGconn* connection = connection_.get();
  const int flushed = PQflush(connection);
  flushing_ = flushed == 1;
  // Even when sending failed there may be an answer to read: the reason of the end.
  const bool alive = PQconsumeInput(connection) == 1;
  while (PQisBusy(connection) == 0) {
    PGresult* const result = PQgetResult(connection);
    if (result == nullptr) return finish_step(monotonic_now());
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK) {
      take_row(result);
    } else if (status != PGRES_COMMAND_OK) {
      failed_ = true;
      const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      if (state != nullptr) sqlstate_ = state;
      message_ = PQresultErrorMessage(result);
    } else {
      tag_ = PQcmdStatus(result);
    }
    PQclear(result);
  }
  if (alive) return;
  failed_ = true;
  if (message_.empty()) message_ = PQerrorMessage(connection);
  finish_step(monotonic_now());
}

void Session::take_row(const PGresult* result) {
  std::uint32_t key = 0;
  row_fits_ = PQntuples(result) == 1 && PQnfields(result) == 3 && column(result, 0, key) &&
              key == task_.key && column(result, 1, row_version_) && column(result, 2, row_node_);
}

void Session::finish_step(std::int64_t now) {
  const bool broken = PQstatus(connection_.get()) == CONNECTION_BAD;
  if (failed_ || broken) {
    step_failed(now);
    const bool unprepared = task_.step == Step::prepare_read || task_.step == Step::prepare_write;
    if (broken || unprepared) return connection_lost(now);
    tasks_.clear();
    const bool open = PQtransactionStatus(connection_.get()) != PQTRANS_IDLE;
    if (open && task_.step != Step::rollback) {
      tasks_ = {{Step::rollback, 0}};
      return next_step();
    }
    in_transaction_ = false;
    return think(now, true);
  }
  step_succeeded(now);
  if (!tasks_.empty()) return next_step();
  think(now);
}

void Session::step_succeeded(std::int64_t now) {
  switch (task_.step) {
    case Step::prepare_read:
    case Step::prepare_write:
      return;
    case Step::begin:
    case Step::begin_read_only:
      in_transaction_ = true;
      reads_inside_ = 0;
      return;
    case Step::rollback:
      in_transaction_ = false;
      return;
    case Step::commit:
      in_transaction_ = false;
      if (open_write_)
        settle_write(tag_ == "COMMIT" ? OperationKind::write : OperationKind::failed_write, now);
      return;
    case Step::read:
      ++reads_inside_;
      if (row_fits_) return record(OperationKind::read, task_.key, row_version_, row_node_, sent_, now);
      break;
    case Step::write:
      if (row_fits_ && !in_transaction_)
        return record(OperationKind::write, task_.key, row_version_, row_node_, sent_, now);
      if (row_fits_) {
        open_write_ =
            Operation{sent_, now, row_version_, plan_.id, task_.key, row_node_, OperationKind::write};
        return;
      }
      break;
  }
  ++recorder_.wrong_answers;
}

void Session::step_failed(std::int64_t now) {
  const bool broken = PQstatus(connection_.get()) == CONNECTION_BAD;
  std::string label = step_name() + " " + (sqlstate_.empty() ? std::string("connection lost") : sqlstate_);
  ++recorder_.errors[label];
  recorder_.error_texts.emplace(label, message_);
  if (sqlstate_ == "TM001") {
    record(OperationKind::lost_write_told, task_.key, 0, 0, sent_, now);
  }
  // 40003 and connection exceptions leave it open whether a COMMIT, or a statement that is its own, happened.
  const bool unknown = broken || sqlstate_ == "40003" || sqlstate_.starts_with("08");
  if (task_.step == Step::read) record(OperationKind::failed_read, task_.key, 0, 0, sent_, now);
  if (task_.step == Step::write) {
    const bool open_question = unknown && !in_transaction_;
    record(open_question ? OperationKind::unknown_write : OperationKind::failed_write, task_.key, 0, 0, sent_,
           now);
  }
  if (open_write_)
    settle_write(
        unknown && task_.step == Step::commit ? OperationKind::unknown_write : OperationKind::failed_write,
        now);
}

std::string Session::step_name() const {
  switch (task_.step) {
    case Step::prepare_read:
    case Step::prepare_write:
      return "prepare";
    case Step::read:
      return !in_transaction_     ? "read"
             : reads_inside_ == 0 ? "first read in transaction"
                                  : "later read in transaction";
    case Step::write:
      return in_transaction_ ? "write in transaction" : "write";
    case Step::begin:
      return "begin";
    case Step::begin_read_only:
      return "begin read only";
    case Step::commit:
      return open_write_ ? "commit" : "commit read only";
    case Step::rollback:
      return "rollback";
  }
  return "";
}

void Session::settle_write(OperationKind kind, std::int64_t now) {
  record(kind, open_write_->key, open_write_->version, open_write_->node, open_write_->start, now);
  open_write_.reset();
}

void Session::record(OperationKind kind, std::uint32_t key, std::int64_t version, std::uint16_t node,
                     std::int64_t start, std::int64_t end) {
  if (kind == OperationKind::read) ++recorder_.reads;
  recorder_.operations.push_back({start, end, version, plan_.id, key, node, kind});
}

}  // namespace tidemark::consistency

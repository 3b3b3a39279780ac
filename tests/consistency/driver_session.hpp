#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/history.hpp"

namespace tidemark::consistency {

enum class Role : std::uint8_t { writer, counter_writer, counter_reader, shared };

// What the sessions of one thread saw. Times in ns of the monotonic clock.
struct Recorder {
  std::vector<Operation> operations;
  std::map<std::string, std::uint64_t> errors;     // "write 40003" -> how often
  std::map<std::string, std::string> error_texts;  // the first text of each
  std::uint64_t reads = 0;
  std::uint64_t transactions = 0;  // explicit ones, begun
  std::uint64_t connections = 0;
  std::uint64_t connect_failures = 0;
  std::uint64_t broken_busy = 0;  // connections that broke under a statement
  std::uint64_t broken_idle = 0;
  std::uint64_t wrong_answers =
      0;                    // an answer that does not fit the question: other key, no row, other columns
  std::uint64_t stuck = 0;  // no answer within the statement time-out
};

struct SessionPlan {
  std::uint32_t id{};
  Role role{};
  Protocol protocol{};  // never mixed
  std::uint32_t own_key{};
};

// One client connection that acts out a role, statement by statement, without ever blocking: the owner waits
// for wanted_events() on descriptor() and for due(), and calls on_ready(), on_timer() or on_deadline(). Used
// by one thread.
class Session {
 public:
  // `options` and `recorder` must outlive the session.
  Session(const SessionPlan& plan, const DriverOptions& options, Recorder& recorder);

  void open(std::int64_t now);
  void on_ready();
  void on_timer(std::int64_t now);
  void on_deadline(std::int64_t now);
  // No new transaction is begun from now on.
  void stop() { stopping_ = true; }
  // Gives up what is still running: a write becomes unknown.
  void abandon(std::int64_t now);

  int descriptor() const { return connection_ ? PQsocket(connection_.get()) : -1; }
  // EPOLLIN and EPOLLOUT; 0 when there is nothing to wait for.
  std::uint32_t wanted_events() const;
  // When on_timer() is to be called; 0: never.
  std::int64_t due() const { return due_; }
  // When on_deadline() is to be called, give or take a second; 0: never.
  std::int64_t deadline() const { return deadline_; }
  bool connecting() const { return phase_ == Phase::connecting; }
  bool connected_once() const { return connected_once_; }
  bool done() const { return stopping_ && (phase_ == Phase::thinking || phase_ == Phase::closed); }

 private:
  enum class Phase : std::uint8_t { closed, connecting, thinking, running };
  enum class Step : std::uint8_t {
    prepare_read,
    prepare_write,
    read,
    write,
    begin,
    begin_read_only,
    commit,
    rollback
  };
  struct Task {
    Step step{};
    std::uint32_t key{};
  };
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  void poll_connect();
  void connection_lost(std::int64_t now);
  void think(std::int64_t now, bool after_error = false);
  void plan_transaction();
  void plan_read(std::uint32_t key);
  void plan_write(std::uint32_t key);
  void next_step();
  void send(const Task& task);
  void collect();
  void finish_step(std::int64_t now);
  void step_succeeded(std::int64_t now);
  void step_failed(std::int64_t now);
  void take_row(const PGresult* result);
  // What the running statement is, for the list of errors.
  std::string step_name() const;
  void record(OperationKind kind, std::uint32_t key, std::int64_t version, std::uint16_t node,
              std::int64_t start, std::int64_t end);
  void settle_write(OperationKind kind, std::int64_t now);
  bool chance(double share) { return std::uniform_real_distribution<double>(0, 1)(random_) < share; }
  std::uint32_t any(std::uint32_t count) {
    return std::uniform_int_distribution<std::uint32_t>(0, count - 1)(random_);
  }

  const SessionPlan plan_;
  const DriverOptions& options_;
  Recorder& recorder_;
  std::mt19937_64 random_;
  std::unique_ptr<PGconn, Close> connection_;
  Phase phase_ = Phase::closed;
  PostgresPollingStatusType polling_ = PGRES_POLLING_WRITING;
  std::int64_t due_ = 0;
  std::int64_t deadline_ = 0;
  bool stopping_ = false;
  bool connected_once_ = false;
  bool flushing_ = false;

  std::deque<Task> tasks_;
  Task task_;
  bool in_transaction_ = false;
  std::uint32_t reads_inside_ = 0;  // of the present transaction
  std::uint32_t reads_due_ = 0;
  std::int64_t sent_ = 0;
  // The answer to the running statement.
  std::string sqlstate_;
  std::string message_;
  std::string tag_;
  bool failed_ = false;
  bool row_fits_ = false;
  std::int64_t row_version_ = 0;
  std::uint16_t row_node_ = 0;
  // A write whose transaction has not been committed yet.
  std::optional<Operation> open_write_;
};

// ns of the clock that all operations are stamped with.
std::int64_t monotonic_now();

}  // namespace tidemark::consistency

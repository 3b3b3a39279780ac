#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <libpq-fe.h>

#include "tests/consistency/driver_identity.hpp"
#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_recorder.hpp"
#include "tests/consistency/driver_statements.hpp"
#include "tests/consistency/driver_units.hpp"

namespace tidemark::consistency {

struct ConnectionPlan {
  std::uint32_t id{};   // the session of its operations
  Protocol protocol{};  // never mixed
  std::string conninfo;
  Introduction introduction;
};

// One client connection that runs units without ever blocking, and records what they saw. The owner waits for
// wanted_events() on descriptor() and calls on_ready(), and on_deadline() when deadline() has passed. Used by
// one thread.
class Connection {
 public:
  // `options` and `recorder` must outlive it.
  Connection(ConnectionPlan plan, const DriverOptions& options, Recorder& recorder);

  // Connects (again). To be called when none is there: state() closed.
  void open(std::int64_t now);
  void on_ready();
  void on_deadline(std::int64_t now);
  // Gives up what is still running: a write becomes unknown.
  void abandon(std::int64_t now);

  // Runs a unit for a user; to be called when state() is idle. Afterwards state() is running, or at once what
  // it is when the unit has ended.
  void run(Unit unit, std::uint32_t user);

  enum class State : std::uint8_t { closed, connecting, setting_up, idle, running };
  State state() const { return state_; }
  // Of the last unit.
  bool failed() const { return failed_; }
  const std::string& token() const { return token_; }
  // How many times it has been connected.
  std::uint32_t lives() const { return lives_; }
  std::uint32_t id() const { return plan_.id; }
  bool pipelines() const { return plan_.protocol == Protocol::pipeline; }

  int descriptor() const { return connection_ ? PQsocket(connection_.get()) : -1; }
  // EPOLLIN and EPOLLOUT; 0 when there is nothing to wait for.
  std::uint32_t wanted_events() const;
  // When on_deadline() is to be called, give or take a second; 0: never.
  std::int64_t deadline() const { return deadline_; }
  // When the oldest operation started that has not been recorded yet; nothing if there is none.
  std::optional<std::int64_t> oldest_start() const;

 private:
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  // The answer to one statement.
  struct Answer {
    std::string sqlstate;
    std::string message;
    std::string tag;
    bool failed = false;
    bool row_fits = false;
    std::int64_t version = 0;
    std::uint16_t node = 0;
  };

  bool busy() const { return state_ == State::running || state_ == State::setting_up; }
  void poll_connect();
  void connection_lost(std::int64_t now);
  void close();
  void begin_unit(Unit unit, State state);
  void end_unit(bool failed);
  // Whether the whole unit has ended.
  bool no_more_steps() const { return cursor_ >= unit_.steps.size(); }
  const Step& step() const { return unit_.steps[cursor_]; }

  void send_step();
  void send_pipeline();
  void collect();
  void collect_pipeline();
  void take(PGresult* result);
  void take_row(const PGresult* result);
  void could_not_send();

  void finish_step(std::int64_t now);
  void finish_pipelined_step(std::int64_t now);
  void finish_pipeline(std::int64_t now);
  void go_on(std::int64_t now, bool failed);
  void step_succeeded(std::int64_t now);
  void read_succeeded(std::int64_t now);
  void step_failed(std::int64_t now);
  void steps_dropped(std::int64_t now);
  void note_error();
  // Whether an error, or the end of the connection, leaves it open whether a commit has happened.
  bool outcome_unknown() const;
  bool broken() const { return PQstatus(connection_.get()) == CONNECTION_BAD; }
  // What the running statement is, for the list of errors.
  std::string step_name() const;
  void record(OperationKind kind, std::uint32_t key, std::int64_t version, std::uint16_t node,
              std::int64_t start, std::int64_t end);
  void settle_write(OperationKind kind, std::int64_t now);

  const ConnectionPlan plan_;
  const DriverOptions& options_;
  Recorder& recorder_;
  const Statements statements_;
  std::unique_ptr<PGconn, Close> connection_;
  State state_ = State::closed;
  PostgresPollingStatusType polling_ = PGRES_POLLING_WRITING;
  std::int64_t deadline_ = 0;
  std::uint32_t lives_ = 0;
  bool flushing_ = false;

  Unit unit_;
  std::size_t cursor_ = 0;  // the step that runs, or in a pipeline the one whose answer comes next
  std::uint32_t user_ = 0;
  bool failed_ = false;
  bool unwinding_ = false;       // the unit is the ROLLBACK after one that failed
  bool in_transaction_ = false;  // an explicit one
  bool read_only_ = false;
  std::uint32_t reads_inside_ = 0;    // of the unit, answered
  std::int64_t first_read_ = 0;       // when the first of them was sent
  std::int64_t sent_ = 0;             // the statement, or the pipeline
  bool answered_ = false;             // in a pipeline: something of the present step's answer has come
  bool commit_told_ = false;          // in a pipeline: COMMIT was answered with COMMIT
  std::optional<Answer> aborted_by_;  // in a pipeline: the error after which the rest is dropped
  Answer answer_;
  std::string token_;
  // A write that has been answered, and whose transaction has not been committed yet.
  std::optional<Operation> open_write_;
};

}  // namespace tidemark::consistency

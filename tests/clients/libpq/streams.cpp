// The parts of libpq that are not a question with one answer.

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <libpq/libpq-fs.h>

#include "tests/clients/libpq/harness.hpp"

namespace {

void copy() {
  const auto c = connect();
  run(c, "create table " + table + " (a int, b text)");
  run(c, "copy " + table + " from stdin", PGRES_COPY_IN);
  for (int i = 0; i < 20000; ++i) put(c, std::to_string(i) + "\ttext " + std::to_string(i) + "\n");
  check(PQputCopyEnd(c.get(), nullptr) == 1, PQerrorMessage(c.get()));
  same(PQcmdTuples(next_result(c, PGRES_COMMAND_OK, "copy in").get()), "20000", "rows copied");
  no_result(c);
  run(c, "copy (select a, b from " + table + " order by a) to stdout", PGRES_COPY_OUT);
  int rows = 0;
  char* row = nullptr;
  while (PQgetCopyData(c.get(), &row, 0) > 0) {
    same(row, std::to_string(rows) + "\ttext " + std::to_string(rows) + "\n", "a row");
    PQfreemem(row);
    ++rows;
  }
  check(rows == 20000, "rows that came out: " + std::to_string(rows));
  next_result(c, PGRES_COMMAND_OK, "copy out");
  no_result(c);
}

void copy_fail() {
  const auto c = connect();
  run(c, "create table " + table + " (a int)");
  run(c, "copy " + table + " from stdin", PGRES_COPY_IN);
  put(c, "1\n");
  check(PQputCopyEnd(c.get(), "changed my mind") == 1, PQerrorMessage(c.get()));
  same(sqlstate(next_result(c, PGRES_FATAL_ERROR, "given up")), "57014", "given up");
  no_result(c);
  run(c, "copy " + table + " from stdin", PGRES_COPY_IN);
  put(c, "no number\n");
  PQputCopyEnd(c.get(), nullptr);
  same(sqlstate(next_result(c, PGRES_FATAL_ERROR, "bad data")), "22P02", "bad data");
  no_result(c);
  same(value(c, "select count(*) from " + table), "0", "count");
}

void cancel() {
  const auto c = connect();
  check(PQsendQuery(c.get(), "select pg_sleep(40)") == 1, PQerrorMessage(c.get()));
  const std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> handle(PQgetCancel(c.get()), &PQfreeCancel);
  std::array<char, 256> error{};
  // A request that arrives before the statement has begun hits nothing, as with PostgreSQL: ask until one has
  // hit.
  for (int i = 0; i < 100 && PQisBusy(c.get()) != 0; ++i) {
    check(PQcancel(handle.get(), error.data(), error.size()) == 1, error.data());
    pollfd descriptor{PQsocket(c.get()), POLLIN, 0};
    poll(&descriptor, 1, 100);
    check(PQconsumeInput(c.get()) == 1, PQerrorMessage(c.get()));
  }
  same(sqlstate(next_result(c, PGRES_FATAL_ERROR, "cancelled")), "57014", "cancelled");
  no_result(c);
}

void listen() {
  const auto c = connect();
  const auto other = connect();
  run(c, "listen " + table);
  for (int i = 0; i < 3; ++i) {
    run(other, "notify " + table + ", 'number " + std::to_string(i) + "'");
    PGnotify* heard = nullptr;
    while ((heard = PQnotifies(c.get())) == nullptr) {
      wait_readable(c, std::chrono::seconds(10));
      check(PQconsumeInput(c.get()) == 1, PQerrorMessage(c.get()));
    }
    same(heard->relname, table, "channel");
    same(heard->extra, "number " + std::to_string(i), "payload");
    PQfreemem(heard);
  }
  run(c, "unlisten *");
  same(value(c, "select count(*) from pg_listening_channels()"), "0", "channels");
}

void enter_pipeline(const Connection& c) {
  check(PQenterPipelineMode(c.get()) == 1, PQerrorMessage(c.get()));
}

void send_text(const Connection& c, const std::string& statement, const Texts& texts = {}) {
  check(PQsendQueryParams(c.get(), statement.c_str(), static_cast<int>(texts.size()), nullptr,
                          pointers(texts).data(), nullptr, nullptr, 0) == 1,
        PQerrorMessage(c.get()));
}

void sync(const Connection& c) {
  check(PQpipelineSync(c.get()) == 1, PQerrorMessage(c.get()));
}

void batch() {
  const auto c = connect();
  enter_pipeline(c);
  send_text(c, "create table " + table + " (v int)");
  for (int i = 0; i < 100; ++i)
    send_text(c, "insert into " + table + " values ($1) returning v", {std::to_string(i)});
  sync(c);
  for (int i = 0; i < 100; ++i)
    send_text(c, "select v + 1 from " + table + " where v = $1", {std::to_string(i)});
  sync(c);
  next_result(c, PGRES_COMMAND_OK, "create table");
  no_result(c);
  for (int add = 0; add < 2; ++add) {
    for (int i = 0; i < 100; ++i) {
      same(text(next_result(c, PGRES_TUPLES_OK, "statement of the pipeline")), std::to_string(i + add),
           "row");
      no_result(c);
    }
    next_result(c, PGRES_PIPELINE_SYNC, "sync");
  }
  check(PQexitPipelineMode(c.get()) == 1, PQerrorMessage(c.get()));
  same(value(c, "select count(*) from " + table), "100", "count");
}

void pipeline_errors() {
  const auto c = connect();
  run(c, "create table " + table + " (v int primary key)");
  enter_pipeline(c);
  send_text(c, "insert into " + table + " values (1)");
  send_text(c, "select 1/0");
  send_text(c, "insert into " + table + " values (2)");
  sync(c);
  send_text(c, "insert into " + table + " values (3)");
  check(PQsendFlushRequest(c.get()) == 1, PQerrorMessage(c.get()));
  check(PQflush(c.get()) == 0, PQerrorMessage(c.get()));
  next_result(c, PGRES_COMMAND_OK, "before the error");
  no_result(c);
  same(sqlstate(next_result(c, PGRES_FATAL_ERROR, "the error")), "22012", "the error");
  no_result(c);
  next_result(c, PGRES_PIPELINE_ABORTED, "after the error");
  no_result(c);
  next_result(c, PGRES_PIPELINE_SYNC, "first sync");
  next_result(c, PGRES_COMMAND_OK, "after the sync, flushed");
  no_result(c);
  send_text(c, "insert into " + table + " values (3)");
  sync(c);
  same(sqlstate(next_result(c, PGRES_FATAL_ERROR, "twice the same key")), "23505", "twice the same key");
  no_result(c);
  next_result(c, PGRES_PIPELINE_SYNC, "second sync");
  check(PQexitPipelineMode(c.get()) == 1, PQerrorMessage(c.get()));
  same(value(c, "select count(*) from " + table), "0", "what the implicit transactions left");
}

// Questions and answers are larger than all buffers on the way: who only sends, or only reads, hangs.
void pipeline_full_sockets() {
  const auto c = connect();
  const std::string large(200'000, 'x');
  constexpr int questions = 150;
  check(PQsetnonblocking(c.get(), 1) == 0, PQerrorMessage(c.get()));
  enter_pipeline(c);
  for (int i = 0; i < questions; ++i) {
    send_text(c, "select $1::text || " + std::to_string(i), {large});
    if (i % 10 == 9) sync(c);
  }
  int answers = 0;
  int syncs = 0;
  bool between = false;  // PQgetResult returns null once after each answer
  while (syncs < questions / 10) {
    const int left = PQflush(c.get());
    check(left >= 0, PQerrorMessage(c.get()));
    wait_readable(c, std::chrono::seconds(15), left == 1);
    check(PQconsumeInput(c.get()) == 1, PQerrorMessage(c.get()));
    while (PQisBusy(c.get()) == 0 && syncs < questions / 10) {
      const auto r = owned(PQgetResult(c.get()));
      if (r == nullptr) {
        if (!std::exchange(between, false)) break;
      } else if (PQresultStatus(r.get()) == PGRES_PIPELINE_SYNC) {
        ++syncs;
      } else {
        check(PQresultStatus(r.get()) == PGRES_TUPLES_OK, PQresultErrorMessage(r.get()));
        same(text(r), large + std::to_string(answers++), "answer");
        between = true;
      }
    }
  }
  check(answers == questions, "answers: " + std::to_string(answers));
}

void single_row() {
  const auto c = connect();
  check(PQsendQuery(c.get(), "select i, repeat('x', 100) from generate_series(1, 50000) i") == 1,
        PQerrorMessage(c.get()));
  check(PQsetSingleRowMode(c.get()) == 1, "single-row mode");
  for (int i = 1; i <= 50000; ++i)
    same(text(next_result(c, PGRES_SINGLE_TUPLE, "row")), std::to_string(i), "row");
  check(PQntuples(next_result(c, PGRES_TUPLES_OK, "end of rows").get()) == 0, "rows at the end");
  no_result(c);
  check(PQsendQuery(c.get(), "select 1 / (5 - i) from generate_series(1, 10) i") == 1,
        PQerrorMessage(c.get()));
  PQsetSingleRowMode(c.get());
  for (int i = 1; i < 5; ++i) next_result(c, PGRES_SINGLE_TUPLE, "row before the error");
  same(sqlstate(next_result(c, PGRES_FATAL_ERROR, "error between rows")), "22012", "error between rows");
  no_result(c);
}

void several_results() {
  const auto c = connect();
  const auto statements = "create table " + table + " (v int); insert into " + table +
                          " values (1), (2); select v from " + table + " order by v; select 'end'";
  check(PQsendQuery(c.get(), statements.c_str()) == 1, PQerrorMessage(c.get()));
  same(PQcmdStatus(next_result(c, PGRES_COMMAND_OK, "create").get()), "CREATE TABLE", "tag");
  same(PQcmdStatus(next_result(c, PGRES_COMMAND_OK, "insert").get()), "INSERT 0 2", "tag");
  check(PQntuples(next_result(c, PGRES_TUPLES_OK, "select").get()) == 2, "two rows");
  same(text(next_result(c, PGRES_TUPLES_OK, "select")), "end", "last");
  no_result(c);
  fails(c, "insert into " + table + " values (3); select 1/0; insert into " + table + " values (4)", "22012");
  same(value(c, "select count(*) from " + table), "2", "one implicit transaction");
  run(c, "", PGRES_EMPTY_QUERY);
}

void large_object() {
  const auto c = connect();
  run(c, "begin");
  const Oid id = lo_creat(c.get(), INV_READ | INV_WRITE);
  check(id != InvalidOid, PQerrorMessage(c.get()));
  const int opened = lo_open(c.get(), id, INV_WRITE);
  std::string data(1'000'000, 'o');
  check(lo_write(c.get(), opened, data.data(), data.size()) == static_cast<int>(data.size()),
        PQerrorMessage(c.get()));
  check(lo_close(c.get(), opened) == 0, PQerrorMessage(c.get()));
  run(c, "commit");
  run(c, "begin");
  const int again = lo_open(c.get(), id, INV_READ);
  std::string back(data.size(), ' ');
  check(lo_read(c.get(), again, back.data(), back.size()) == static_cast<int>(back.size()),
        PQerrorMessage(c.get()));
  check(back == data, "what was read is not what was written");
  check(lo_unlink(c.get(), id) == 1, PQerrorMessage(c.get()));
  run(c, "commit");
  check(lo_unlink(c.get(), id) == -1, "unlinked twice");
  same(value(c, "select 1"), "1", "after the fastpath's error");
}

void notices() {
  const auto c = connect();
  Texts heard;
  PQsetNoticeReceiver(
      c.get(),
      [](void* to, const PGresult* notice) {
        static_cast<Texts*>(to)->emplace_back(PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY));
      },
      &heard);
  run(c, "do $$ begin raise warning 'one'; raise notice 'two'; end $$");
  check(heard == Texts{"one", "two"}, "notices: " + std::to_string(heard.size()));
}

}  // namespace

Parts streams() {
  return {
      {"copy", copy},
      {"copy_fail", copy_fail},
      {"cancel", cancel},
      {"listen", listen},
      {"batch", batch},
      {"pipeline_errors", pipeline_errors},
      {"pipeline_full_sockets", pipeline_full_sockets},
      {"single_row", single_row},
      {"several_results", several_results},
      {"large_object", large_object},
      {"notices", notices},
  };
}

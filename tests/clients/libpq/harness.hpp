// What the parts of the program share: a connection and results that free themselves, and words to say what
// must hold.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <libpq-fe.h>
#include <poll.h>

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;
using Texts = std::vector<std::string>;

inline std::string table;  // a name of this run's own

inline void check(bool condition, const std::string& text) {
  if (!condition) throw std::runtime_error(text);
}

inline void same(const std::string& got, const std::string& wanted, const std::string& what) {
  const auto brief = [](const std::string& text) {
    return text.size() > 200 ? text.substr(0, 200) + "…" : text;
  };
  check(got == wanted, what + ": got \"" + brief(got) + "\", wanted \"" + brief(wanted) + "\"");
}

inline Connection connect(const char* options = "") {
  Connection made(PQconnectdb(options), &PQfinish);
  check(PQstatus(made.get()) == CONNECTION_OK, PQerrorMessage(made.get()));
  return made;
}

inline Result owned(PGresult* result) {
  return {result, &PQclear};
}

inline std::string sqlstate(const Result& result) {
  const char* code = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  return code == nullptr ? "" : code;
}

inline std::string text(const Result& result, int row = 0, int column = 0) {
  return {PQgetvalue(result.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result.get(), row, column))};
}

inline Result expect(Result result, ExecStatusType status, const std::string& what) {
  check(PQresultStatus(result.get()) == status,
        what + ": " + PQresStatus(PQresultStatus(result.get())) + " " + PQresultErrorMessage(result.get()));
  return result;
}

inline Result run(const Connection& c, const std::string& statement,
                  ExecStatusType status = PGRES_COMMAND_OK) {
  return expect(owned(PQexec(c.get(), statement.c_str())), status, statement);
}

inline std::string value(const Connection& c, const std::string& statement) {
  return text(run(c, statement, PGRES_TUPLES_OK));
}

inline void fails(const Connection& c, const std::string& statement, const std::string& code) {
  same(sqlstate(run(c, statement, PGRES_FATAL_ERROR)), code, statement);
}

inline std::vector<const char*> pointers(const Texts& texts) {
  std::vector<const char*> result;
  for (const auto& one : texts) result.push_back(one.c_str());
  return result;
}

inline Result with(const Connection& c, const std::string& statement, const Texts& texts) {
  return owned(PQexecParams(c.get(), statement.c_str(), static_cast<int>(texts.size()), nullptr,
                            pointers(texts).data(), nullptr, nullptr, 0));
}

inline void wait_readable(const Connection& c, std::chrono::milliseconds time, bool also_writable = false) {
  pollfd descriptor{PQsocket(c.get()), static_cast<short>(POLLIN | (also_writable ? POLLOUT : 0)), 0};
  check(poll(&descriptor, 1, static_cast<int>(time.count())) > 0, "nothing came in time");
}

inline Result next_result(const Connection& c, ExecStatusType status, const std::string& what) {
  return expect(owned(PQgetResult(c.get())), status, what);
}

inline void no_result(const Connection& c) {
  check(owned(PQgetResult(c.get())) == nullptr, "a result too many");
}

/// Sends a piece of COPY data.
inline void put(const Connection& c, const std::string& data) {
  check(PQputCopyData(c.get(), data.data(), static_cast<int>(data.size())) == 1, PQerrorMessage(c.get()));
}

using Parts = std::map<std::string, std::function<void()>>;

/// COPY, pipelines, and whatever else is not a question with one answer (streams.cpp).
Parts streams();

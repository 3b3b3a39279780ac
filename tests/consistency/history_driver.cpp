// Records what many sessions see of a small table, and judges it: see README.md beside this file.
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <libpq-fe.h>

#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_report.hpp"
#include "tests/consistency/driver_worker.hpp"
#include "tests/consistency/history_checker.hpp"

namespace tidemark::consistency {
namespace {

enum Exit { held = 0, violated = 1, could_not_run = 2, proves_nothing = 3 };

volatile std::sig_atomic_t interrupted = 0;

using Versions = std::unordered_map<std::uint32_t, std::int64_t>;

// All versions, read in a read-write transaction: a proxy must run it on the primary.
bool read_versions(const std::string& conninfo, Versions& versions, std::string& error) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(conninfo.c_str()), PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    error = PQerrorMessage(connection.get());
    return false;
  }
  for (const char* text : {"begin read write", "select key, version from kv", "commit"}) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), text), PQclear);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      error = PQerrorMessage(connection.get());
      return false;
    }
    for (int row = 0; row < PQntuples(result.get()); ++row)
      versions[static_cast<std::uint32_t>(std::stoul(PQgetvalue(result.get(), row, 0)))] =
          std::stoll(PQgetvalue(result.get(), row, 1));
  }
  return true;
}

// Keys: first the counters, then the shared ones, then one per writer.
std::vector<SessionPlan> plan_sessions(const DriverOptions& options) {
  std::vector<SessionPlan> plans;
  const auto add = [&](Role role, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto id = static_cast<std::uint32_t>(plans.size());
      const Protocol protocol = options.protocol == Protocol::mixed ? Protocol(i % 3) : options.protocol;
      plans.push_back({id, role, protocol, options.counters + options.shared_keys + i});
    }
  };
  add(Role::writer, options.writers);
  add(Role::counter_writer, options.counter_writers);
  add(Role::counter_reader, options.counter_readers);
  add(Role::shared, options.shared);
  return plans;
}

void supervise(const DriverOptions& options, RunState& state, std::int64_t began) {
  const std::int64_t end = began + static_cast<std::int64_t>(options.seconds * 1e9);
  bool told = false;
  while (!interrupted && monotonic_now() < end && (options.reads == 0 || state.reads < options.reads)) {
    if (!told && state.connected == options.sessions()) {
      told = true;
      std::fprintf(stderr, "all %u sessions are connected\n", options.sessions());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  state.stop = true;
}

void add_up(Recorder& totals, History& history, const Recorder& part) {
  history.operations.insert(history.operations.end(), part.operations.begin(), part.operations.end());
  for (const auto& [name, count] : part.errors) totals.errors[name] += count;
  totals.error_texts.insert(part.error_texts.begin(), part.error_texts.end());
  totals.reads += part.reads;
  totals.transactions += part.transactions;
  totals.connections += part.connections;
  totals.connect_failures += part.connect_failures;
  totals.broken_busy += part.broken_busy;
  totals.broken_idle += part.broken_idle;
  totals.wrong_answers += part.wrong_answers;
  totals.stuck += part.stuck;
}

int run(const DriverOptions& options) {
  History history;
  std::string error;
  if (!read_versions(options.primary, history.initial, error)) {
    std::fprintf(stderr, "history_driver: %s\n", error.c_str());
    return could_not_run;
  }
  const std::vector<SessionPlan> plans = plan_sessions(options);
  if (history.initial.size() < std::size_t{options.counters} + options.shared_keys + options.writers) {
    std::fprintf(stderr, "history_driver: kv has too few keys\n");
    return could_not_run;
  }
  RunState state;
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::uint32_t i = 0; i < options.threads; ++i) {
    std::vector<SessionPlan> mine;
    for (const SessionPlan& plan : plans)
      if (plan.id % options.threads == i) mine.push_back(plan);
    workers.push_back(std::make_unique<Worker>(options, state, mine));
  }
  const std::int64_t began = monotonic_now();
  {
    std::vector<std::jthread> threads;
    for (const auto& worker : workers) threads.emplace_back([&worker] { worker->run(15); });
    supervise(options, state, began);
  }
  const std::int64_t ended = monotonic_now();
  Recorder totals;
  for (const auto& worker : workers) add_up(totals, history, worker->recorder());
  if (!read_versions(options.primary, history.final, error)) {
    std::fprintf(stderr, "history_driver: the last look failed: %s\n", error.c_str());
    return could_not_run;
  }
  const Verdict verdict = judge(history, options.demands);
  const Summary summary = summarize(history, verdict, began, ended);
  if (options.json) {
    std::printf("%s\n", json_report(verdict, summary, totals, began).c_str());
  } else {
    std::printf("%s", human_report(verdict, summary, totals, began).c_str());
  }
  if (verdict.violations() > 0 || totals.wrong_answers > 0) return violated;
  return verdict.proves_nothing.empty() ? held : proves_nothing;
}

}  // namespace
}  // namespace tidemark::consistency

int main(int count, char** arguments) {
  using namespace tidemark::consistency;
  std::string error;
  const auto options = parse_options(count, arguments, error);
  if (!options) {
    std::fprintf(stderr, "history_driver: %s\n\n%s", error.c_str(), usage().c_str());
    return could_not_run;
  }
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  try {
    return run(*options);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "history_driver: %s\n", exception.what());
    return could_not_run;
  }
}

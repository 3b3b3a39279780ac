// Records what many sessions see of a small table, and judges it: see README.md beside this file.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <libpq-fe.h>

#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_plan.hpp"
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

// How many reads are likely to hold what a run must have seen: about a third of them are of either kind.
std::uint64_t least_reads(const Demands& demands) {
  return 4 * std::max({demands.reads_after_own_write, demands.reads_of_advancing_key,
                       demands.reads_after_own_write_elsewhere, demands.reads_soon_after_foreign_write});
}

// The run ends when its time is over, its reads are done, or it is told to; but on a slow machine no sooner
// than it has seen enough to prove something, for a minute more at most. A second signal ends it at once.
// Calls `meanwhile` again and again.
void supervise(const DriverOptions& options, RunState& state, std::int64_t began,
               const std::function<void()>& meanwhile) {
  constexpr std::int64_t second = 1'000'000'000;
  const std::int64_t end = began + static_cast<std::int64_t>(options.seconds * 1e9);
  std::int64_t last = end + 60 * second;
  bool told = false;
  bool stopping = false;
  const auto goes_on = [&] {
    const std::int64_t now = monotonic_now();
    if (interrupted == 1 && !std::exchange(stopping, true)) last = std::min(last, now + 60 * second);
    if (interrupted > 1 || now >= last) return false;
    const bool over = interrupted == 1 || now >= end || (options.reads != 0 && state.reads >= options.reads);
    return !over || state.reads < least_reads(options.demands);
  };
  while (goes_on()) {
    if (!told && state.connected == options.sessions()) {
      told = true;
      std::fprintf(stderr, "all %u sessions are connected\n", options.sessions());
    }
    meanwhile();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  state.stop = true;
}

void add_up(Recorder& totals, const Recorder& part) {
  for (const auto& [name, count] : part.errors) totals.errors[name] += count;
  totals.error_texts.insert(part.error_texts.begin(), part.error_texts.end());
  totals.reads += part.reads;
  totals.transactions += part.transactions;
  totals.pipelines += part.pipelines;
  totals.connections += part.connections;
  totals.connect_failures += part.connect_failures;
  totals.broken_busy += part.broken_busy;
  totals.broken_idle += part.broken_idle;
  totals.wrong_answers += part.wrong_answers;
  totals.stuck += part.stuck;
  totals.tokens_carried += part.tokens_carried;
}

using Workers = std::vector<std::unique_ptr<Worker>>;

Workers make_workers(const DriverOptions& options, RunState& state) {
  std::vector<ActorPlan> plans = plan_actors(options);
  const auto actors = static_cast<std::uint32_t>(plans.size());
  Workers workers;
  for (std::uint32_t i = 0; i < options.threads; ++i) {
    std::vector<ActorPlan> mine;
    for (ActorPlan& plan : plans)
      if (plan.user % options.threads == i) mine.push_back(std::move(plan));
    workers.push_back(std::make_unique<Worker>(options, state, std::move(mine), actors));
  }
  return workers;
}

// Judges what the workers have put out.
void judge_on(const Workers& workers, HistoryJudge& judge, Summary& summary) {
  std::vector<Operation> operations;
  std::int64_t complete_until = std::numeric_limits<std::int64_t>::max();
  for (const auto& worker : workers)
    complete_until = std::min(complete_until, worker->outbox().take(operations));
  for (const Operation& operation : operations) {
    judge.add(operation);
    summary.add(operation);
  }
  judge.advance(complete_until);
}

int run(const DriverOptions& options) {
  Versions initial;
  Versions final;
  std::string error;
  if (!read_versions(options.primary, initial, error)) {
    std::fprintf(stderr, "history_driver: %s\n", error.c_str());
    return could_not_run;
  }
  if (initial.size() < options.keys()) {
    std::fprintf(stderr, "history_driver: kv has too few keys\n");
    return could_not_run;
  }
  RunState state;
  const Workers workers = make_workers(options, state);
  HistoryJudge judge({options.judge, options.demands, 10, 50'000'000, options.comparison_stride}, initial);
  Summary summary;
  const std::int64_t began = monotonic_now();
  {
    std::vector<std::jthread> threads;
    for (const auto& worker : workers) threads.emplace_back([&worker] { worker->run(15); });
    try {
      supervise(options, state, began, [&] { judge_on(workers, judge, summary); });
    } catch (...) {
      state.stop = true;  // or the threads would be waited for for ever
      throw;
    }
  }
  const std::int64_t ended = monotonic_now();
  judge_on(workers, judge, summary);
  Recorder totals;
  for (const auto& worker : workers) add_up(totals, worker->recorder());
  if (!read_versions(options.primary, final, error)) {
    std::fprintf(stderr, "history_driver: the last look failed: %s\n", error.c_str());
    return could_not_run;
  }
  const Verdict verdict = judge.finish(final);
  summary.finish(verdict, static_cast<double>(ended - began) / 1e9);
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
  std::signal(SIGINT, [](int) { interrupted = interrupted + 1; });
  std::signal(SIGTERM, [](int) { interrupted = interrupted + 1; });
  try {
    return run(*options);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "history_driver: %s\n", exception.what());
    return could_not_run;
  }
}

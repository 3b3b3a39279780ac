// What one decision costs on the path of a statement, by number of replicas.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <benchmark/benchmark.h>

#include "routing/decide.hpp"

namespace {

using namespace tidemark::routing;

constexpr std::uint64_t kSystem = 7'000'000'000'000'000'001;
constexpr TimePoint kNow{std::chrono::hours(1)};

ClusterView cluster(std::int64_t replicas, bool weighted) {
  ClusterView view;
  view.system_identifier = kSystem;
  view.timeline = {1};
  view.primary = NodeId{0};
  for (std::int64_t i = 0; i <= replicas; ++i) {
    NodeState node;
    node.id = NodeId{static_cast<std::uint16_t>(i)};
    node.host = "10.0.0.1";
    node.role = i == 0 ? NodeRole::primary : NodeRole::replica;
    node.fault = NodeFault::none;
    node.weight = static_cast<std::uint16_t>(weighted ? i + 1 : 1);
    node.system_identifier = kSystem;
    node.timeline = {1};
    node.incarnation = 1;
    node.position = {1000};
    node.observed_at = kNow;
    view.nodes.push_back(node);
  }
  return view;
}

SessionContext session(std::uint64_t user) {
  SessionContext session;
  session.user_key = user;
  session.arrived = kNow;
  return session;
}

void run(benchmark::State& state, const ClusterView& view, SessionContext session, bool is_read) {
  const RoutingPolicy policy;
  const StatementContext statement{.is_read = is_read};
  for (auto _ : state) {
    benchmark::DoNotOptimize(decide(policy, view, session, statement, kNow));
    ++session.user_key;
  }
}

void decide_write(benchmark::State& state) {
  run(state, cluster(state.range(0), false), session(1), false);
}

void decide_read_without_floor(benchmark::State& state) {
  run(state, cluster(state.range(0), false), session(1), true);
}

void decide_read_with_floor(benchmark::State& state) {
  SessionContext reader = session(1);
  reader.written = {Floor::Kind::known, {kSystem, {1}, {1000}}};
  run(state, cluster(state.range(0), false), reader, true);
}

void decide_read_with_floor_weighted(benchmark::State& state) {
  SessionContext reader = session(1);
  reader.written = {Floor::Kind::known, {kSystem, {1}, {1000}}};
  run(state, cluster(state.range(0), true), reader, true);
}

void decide_read_that_nobody_may_serve(benchmark::State& state) {
  SessionContext reader = session(1);
  reader.written = {Floor::Kind::known, {kSystem, {1}, {2000}}};
  reader.shown = {LastReplica{NodeId{1}, 1, kNow, kNow}};
  run(state, cluster(state.range(0), false), reader, true);
}

BENCHMARK(decide_write)->Arg(2);
BENCHMARK(decide_read_without_floor)->Arg(2)->Arg(7);
BENCHMARK(decide_read_with_floor)->Arg(2)->Arg(7);
BENCHMARK(decide_read_with_floor_weighted)->Arg(2)->Arg(7);
BENCHMARK(decide_read_that_nobody_may_serve)->Arg(2)->Arg(7);

}  // namespace

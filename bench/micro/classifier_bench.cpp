#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "routing/statement_class.hpp"

namespace tidemark::routing {
namespace {

void classify_statement(benchmark::State& state, std::string_view sql) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(sql);
    benchmark::DoNotOptimize(classify(sql, nullptr));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(sql.size()));
}

BENCHMARK_CAPTURE(classify_statement, point_select, "SELECT abalance FROM pgbench_accounts WHERE aid = $1");
BENCHMARK_CAPTURE(classify_statement, join_of_100_bytes,
                  "SELECT u.id, u.name, count(*) FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = "
                  "$1 GROUP BY 1");
BENCHMARK_CAPTURE(classify_statement, update,
                  "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2");
BENCHMARK_CAPTURE(classify_statement, begin, "BEGIN");

void classify_long_list(benchmark::State& state) {
  std::string sql = "SELECT * FROM t WHERE id IN (1";
  while (sql.size() < static_cast<std::size_t>(state.range(0))) sql += ", 123456";
  sql += ")";
  classify_statement(state, sql);
}
BENCHMARK(classify_long_list)->Arg(1000)->Arg(100'000)->Arg(10'000'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tidemark::routing

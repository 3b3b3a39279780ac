// Many clients with mixed work, which check that every answer belongs to their question. See README.md.

#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include "tests/soak/client.hpp"
#include "tests/soak/options.hpp"

namespace {

using namespace tidemark::soak;

std::atomic<bool> asked_to_stop{false};  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void add(World& world, std::vector<Operation> operations) {
  for (const Operation& operation : operations) {
    if (operation.name.find(world.options.only) == std::string_view::npos) continue;
    world.operations.push_back(operation);
    world.total_weight += operation.weight;
  }
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Runs until all clients are gone, or those that are left must be stuck.
double run(World& world) {
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<Task<>> lives;
  const auto began = Clock::now();
  const auto span = std::chrono::duration<double>(world.options.seconds);
  world.end = began + std::chrono::duration_cast<Clock::duration>(span);
  for (std::uint32_t i = 0; i < world.options.clients; ++i) {
    clients.push_back(std::make_unique<Client>(world, i));
    lives.push_back(clients.back()->run());
  }
  for (Task<>& life : lives) life.start();
  const auto last = world.end + std::chrono::seconds(world.options.patience * 3 / 2);
  std::size_t left = lives.size();
  while (left > 0 && Clock::now() < last) {
    world.loop.turn();
    if (asked_to_stop) world.stopping = true;
    if (!world.stopping && Clock::now() < world.end) continue;
    left = 0;
    for (const Task<>& life : lives) left += life.done() ? 0U : 1U;
  }
  for (std::size_t i = 0; i < lives.size(); ++i) {
    if (lives[i].done()) continue;
    ++world.tally.stuck;
    world.tally.note("client " + std::to_string(i) +
                     ": still there long after the end: " + clients[i]->doing());
  }
  return std::chrono::duration<double>(Clock::now() - began).count();
}

}  // namespace

int main(int count, char** arguments) {
  std::string error;
  const auto options = parse_options(count, arguments, error);
  if (!options) {
    std::fprintf(stderr, "%s\n%s", error.c_str(), usage().c_str());
    return 2;
  }
  raise_descriptor_limit();
  std::signal(SIGTERM, [](int) { asked_to_stop = true; });
  World world;
  world.options = *options;
  add(world, simple_operations());
  add(world, extended_operations());
  add(world, pipeline_operations());
  add(world, transaction_operations());
  add(world, setting_operations());
  add(world, pinning_operations());
  add(world, copy_operations());
  add(world, cancel_operations());
  if (world.operations.empty()) {
    std::fprintf(stderr, "no such operation\n");
    return 2;
  }
  const double seconds = run(world);
  const std::string report = to_json(world.tally, seconds);
  std::fputs(report.c_str(), stdout);
  const Tally& tally = world.tally;
  if (tally.wrong + tally.stuck + tally.lost > 0) return 1;
  // A run in which some operation never ended well has not looked at it.
  if (tally.operations.size() + 1 < world.operations.size()) return 3;
  return 0;
}

#include "proxy/reloader.hpp"

#include <exception>
#include <utility>

#include "config/reload_plan.hpp"

namespace tidemark::proxy {

Reloader::Reloader(std::filesystem::path file, config::LoadResult started)
    : file_(std::move(file)), started_(std::move(started.document)), current_(started_) {}

Reloader::Outcome Reloader::reload() {
  Outcome outcome;
  config::LoadResult next = config::load_file(file_);
  for (const auto& problem : next.problems) outcome.problems.push_back(config::to_string(problem));
  if (!next.config) return outcome;
  std::vector<std::function<void()>> publications;
  try {
    for (const Part& part : parts_) {
      if (auto publish = part(*next.config)) publications.push_back(std::move(publish));
    }
  } catch (const std::exception& error) {
    outcome.problems.emplace_back(error.what());
    return outcome;
  }
  for (const auto& publish : publications) publish();
  auto plan = config::plan_reload(started_, current_, next.document);
  current_ = std::move(next.document);
  outcome.applied = true;
  outcome.changed = std::move(plan.applied);
  outcome.needs_restart = std::move(plan.needs_restart);
  return outcome;
}

}  // namespace tidemark::proxy

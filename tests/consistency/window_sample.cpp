#include "tests/consistency/window_sample.hpp"

#include <algorithm>

#include "tests/consistency/linearizability.hpp"
#include "tests/consistency/wing_gong.hpp"

namespace tidemark::consistency {
namespace {

// More writes that may still happen would make the search long.
constexpr std::size_t most_unknown = 3;

bool runs(const Operation& operation) {
  return operation.kind == OperationKind::read || operation.kind == OperationKind::write;
}

}  // namespace

void WindowSample::on_start(const Operation& operation, Comparison& comparison) {
  const bool unknown = operation.kind == OperationKind::unknown_write;
  if (stride_ == 0 || (!unknown && !runs(operation))) return;
  if (running_ == 0) {
    if (collecting_ && piece_.size() >= least) close(comparison);
    if (!collecting_ && rests_++ % stride_ == 0 && unknown_.size() <= most_unknown) {
      collecting_ = true;
      initial_ = settled_;
      piece_ = unknown_;
    }
  }
  if (collecting_ && piece_.size() == searchable) {
    collecting_ = false;
    ++comparison.undecided;
  }
  if (collecting_) piece_.push_back(operation);
  if (unknown && unknown_.size() <= most_unknown) unknown_.push_back(operation);
  if (!unknown) ++running_;
}

void WindowSample::on_end(const Operation& operation, bool possible) {
  if (stride_ == 0 || !runs(operation)) return;
  --running_;
  if (possible) settled_ = std::max(settled_, operation.version);
}

void WindowSample::finish(Comparison& comparison) {
  if (collecting_ && running_ == 0) close(comparison);
}

void WindowSample::close(Comparison& comparison) {
  collecting_ = false;
  const SearchResult searched = search_linearization(piece_, initial_, 100'000);
  if (searched == SearchResult::undecided) {
    ++comparison.undecided;
    return;
  }
  const bool good = searched == SearchResult::linearizable;
  ++comparison.windows;
  if (!good) ++comparison.not_linearizable;
  if (good != linearizable(piece_, initial_)) ++comparison.disagreements;
}

}  // namespace tidemark::consistency

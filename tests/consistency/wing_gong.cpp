#include "tests/consistency/wing_gong.hpp"

#include <limits>
#include <unordered_set>
#include <vector>

namespace tidemark::consistency {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

class Search {
 public:
  Search(std::span<const Operation> operations, std::int64_t initial, std::uint64_t max_steps)
      : initial_(initial), max_steps_(max_steps) {
    for (const Operation& operation : operations) {
      const bool unknown = operation.kind == OperationKind::unknown_write;
      if (!unknown && operation.kind != OperationKind::read && operation.kind != OperationKind::write)
        continue;
      if (!unknown) required_ |= std::uint64_t{1} << operations_.size();
      operations_.push_back(operation);
      if (unknown) operations_.back().end = never;
    }
  }

  SearchResult run() {
    // Depth first, by a stack of configurations: which operations have been put in their place, and the state
    // that they have led to.
    struct Configuration {
      std::uint64_t placed;
      std::int64_t state;
    };
    std::vector<Configuration> pending = {{0, initial_}};
    std::unordered_set<std::uint64_t> seen = {0};  // the state follows from what has been placed
    while (!pending.empty()) {
      const Configuration now = pending.back();
      pending.pop_back();
      if ((now.placed & required_) == required_) return SearchResult::linearizable;
      if (++steps_ > max_steps_) return SearchResult::undecided;
      const std::int64_t horizon = first_end(now.placed);
      for (std::size_t i = 0; i < operations_.size(); ++i) {
        const std::uint64_t bit = std::uint64_t{1} << i;
        // Nothing that has ended when it starts may still be without a place.
        if ((now.placed & bit) != 0 || operations_[i].start >= horizon) continue;
        std::int64_t state = now.state;
        if (apply(operations_[i], state) && seen.insert(now.placed | bit).second)
          pending.push_back({now.placed | bit, state});
      }
    }
    return SearchResult::not_linearizable;
  }

 private:
  std::int64_t first_end(std::uint64_t placed) const {
    std::int64_t first = never;
    for (std::size_t i = 0; i < operations_.size(); ++i)
      if ((placed >> i & 1U) == 0 && operations_[i].end < first) first = operations_[i].end;
    return first;
  }

  // The counter itself: whether the operation gives what it gave, at `state`.
  static bool apply(const Operation& operation, std::int64_t& state) {
    if (operation.kind == OperationKind::read) return operation.version == state;
    ++state;
    return operation.kind == OperationKind::unknown_write || operation.version == state;
  }

  std::vector<Operation> operations_;
  std::uint64_t required_ = 0;
  const std::int64_t initial_;
  const std::uint64_t max_steps_;
  std::uint64_t steps_ = 0;
};

}  // namespace

SearchResult search_linearization(std::span<const Operation> operations, std::int64_t initial,
                                  std::uint64_t max_steps) {
  if (operations.size() > searchable) return SearchResult::undecided;
  return Search(operations, initial, max_steps).run();
}

}  // namespace tidemark::consistency

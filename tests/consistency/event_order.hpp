#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <queue>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/consistency/history.hpp"
#include "tests/consistency/violation.hpp"

namespace tidemark::consistency {

// An operation between its start and its end, with what was found when it started.
struct OpenOperation {
  Operation operation;
  std::int64_t writes_begun{};  // of its key, until its start
  // What a read was looked at for: see Verdict.
  bool after_own_write{}, soon_after_own_write{}, after_own_write_elsewhere{};
  bool repeated{}, of_advancing_key{}, with_known_cause{};
  std::vector<Violation> suspected;
};

// Puts operations, which become known when they end, into the order of real time: first come all ends and
// starts before a moment, then those after it. An operation that ends when another starts ends first.
class EventOrder {
 public:
  // The operation must not start before the last `until`.
  void add(const Operation& operation) {
    if (operation.start < until_) throw std::invalid_argument("an operation of a time that has been judged");
    starts_.push(operation);
  }

  // Calls started(OpenOperation&) and ended(OpenOperation&) for everything before `until` (ns), of which all
  // operations must be known that start before it.
  template <typename Started, typename Ended>
  void advance(std::int64_t until, const Started& started, const Ended& ended) {
    until_ = until;
    while (true) {
      const bool start_due = !starts_.empty() && starts_.top().start < until;
      const bool end_due = !ends_.empty() && ends_.top().first < until;
      if (end_due && (!start_due || ends_.top().first <= starts_.top().start)) {
        const std::size_t slot = ends_.top().second;
        ends_.pop();
        ended(open_[slot]);
        free_.push_back(slot);
      } else if (start_due) {
        const std::size_t slot = take_slot();
        open_[slot] = OpenOperation{starts_.top(), 0, false, false, false, false, false, false, {}};
        starts_.pop();
        ends_.emplace(open_[slot].operation.end, slot);
        started(open_[slot]);
      } else {
        return;
      }
    }
  }

  template <typename Started, typename Ended>
  void finish(const Started& started, const Ended& ended) {
    advance(std::numeric_limits<std::int64_t>::max(), started, ended);
  }

 private:
  struct StartsLater {
    bool operator()(const Operation& a, const Operation& b) const { return a.start > b.start; }
  };
  using End = std::pair<std::int64_t, std::size_t>;

  std::size_t take_slot() {
    if (free_.empty()) {
      open_.emplace_back();
      return open_.size() - 1;
    }
    const std::size_t slot = free_.back();
    free_.pop_back();
    return slot;
  }

  std::int64_t until_ = std::numeric_limits<std::int64_t>::min();
  std::priority_queue<Operation, std::vector<Operation>, StartsLater> starts_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::vector<OpenOperation> open_;
  std::vector<std::size_t> free_;
};

}  // namespace tidemark::consistency

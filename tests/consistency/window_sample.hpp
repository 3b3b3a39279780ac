#pragma once

#include <cstdint>
#include <vector>

#include "tests/consistency/history.hpp"

namespace tidemark::consistency {

// What came of comparing the two checks of linearizability.
struct Comparison {
  std::uint64_t windows{};           // compared
  std::uint64_t not_linearizable{};  // of them, by both
  std::uint64_t disagreements{};
  std::uint64_t undecided{};  // the search gave up, or too much happened at once
};

// Cuts short pieces out of one key's history, between moments at which nothing ran, and has both checks of
// linearizability judge them: the fast one and the search.
class WindowSample {
 public:
  static constexpr std::size_t least = 16;  // operations of a piece

  // One piece for each `stride` moments of rest; 0: none at all.
  WindowSample(std::int64_t initial, std::uint32_t stride) : settled_(initial), stride_(stride) {}

  void on_start(const Operation& operation, Comparison& comparison);
  // `possible`: whether the version can have been written.
  void on_end(const Operation& operation, bool possible);
  void finish(Comparison& comparison);

 private:
  void close(Comparison& comparison);

  std::int64_t settled_;  // the highest version shown by what has ended
  std::uint32_t stride_;
  std::uint32_t running_ = 0;
  std::uint64_t rests_ = 0;
  std::vector<Operation> unknown_;  // unknown writes so far
  bool collecting_ = false;
  std::int64_t initial_ = 0;  // of the piece
  std::vector<Operation> piece_;
};

}  // namespace tidemark::consistency

#pragma once

#include <array>
#include <cstdint>

namespace tidemark::consistency {

// Durations in ns, kept with an error of less than two percent in memory that does not grow.
class DurationHistogram {
 public:
  void add(std::int64_t nanoseconds);
  // The duration that such a share of all does not exceed; 0 if there are none.
  std::int64_t at(double share) const;
  std::int64_t max() const { return max_; }

 private:
  // 64 steps for each power of two from 64 ns on.
  static constexpr unsigned steps = 64;
  static std::size_t index_of(std::uint64_t nanoseconds);
  static std::int64_t middle_of(std::size_t index);

  std::array<std::uint64_t, steps * 59> counts_{};
  std::uint64_t total_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace tidemark::consistency

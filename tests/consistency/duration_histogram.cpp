#include "tests/consistency/duration_histogram.hpp"

#include <algorithm>
#include <bit>

namespace tidemark::consistency {

std::size_t DurationHistogram::index_of(std::uint64_t nanoseconds) {
  if (nanoseconds < steps) return nanoseconds;
  const auto shift = static_cast<unsigned>(std::bit_width(nanoseconds)) - 7;
  return (std::size_t{shift} + 1) * steps + ((nanoseconds >> shift) - steps);
}

std::int64_t DurationHistogram::middle_of(std::size_t index) {
  if (index < steps) return static_cast<std::int64_t>(index);
  const std::size_t shift = index / steps - 1;
  const std::uint64_t low = (steps + index % steps) << shift;
  return static_cast<std::int64_t>(low + ((std::uint64_t{1} << shift) >> 1U));
}

void DurationHistogram::add(std::int64_t nanoseconds) {
  const auto duration = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
  ++counts_[std::min(index_of(duration), counts_.size() - 1)];
  ++total_;
  max_ = std::max(max_, nanoseconds);
}

std::int64_t DurationHistogram::at(double share) const {
  const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    passed += counts_[i];
    if (passed > 0 && passed >= wanted) return std::min(middle_of(i), max_);
  }
  return max_;
}

}  // namespace tidemark::consistency

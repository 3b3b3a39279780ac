#include "pools/position_pacing.hpp"

#include <algorithm>
#include <cmath>

namespace tidemark::pools {

namespace {

constexpr double kWritesPerQuestion = 8;
constexpr double kMemorySeconds = 0.1;
// However few the writes, a session that needs an answer gets it soon.
constexpr auto kLongestSpacing = std::chrono::milliseconds(4);

}  // namespace

PositionPacing::PositionPacing(Duration least)
    : least_(std::max(least, Duration::zero())), most_(std::max<Duration>(least_, kLongestSpacing)) {}

std::optional<PositionPacing::TimePoint> PositionPacing::next_start() const {
  if (under_way_) return std::nullopt;
  if (!last_start_) return TimePoint::min();
  return *last_start_ + spacing();
}

PositionPacing::Duration PositionPacing::spacing() const {
  const double most = std::chrono::duration<double>(most_).count();
  if (rate_ * most <= kWritesPerQuestion) return most_;
  const auto wanted =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(kWritesPerQuestion / rate_));
  return std::clamp(wanted, least_, most_);
}

void PositionPacing::started(TimePoint now, std::uint64_t writes) {
  if (last_start_ && now > *last_start_) {
    const double seconds = std::chrono::duration<double>(now - *last_start_).count();
    const double rate = static_cast<double>(writes - std::min(writes, writes_)) / seconds;
    rate_ += (1 - std::exp(-seconds / kMemorySeconds)) * (rate - rate_);
  }
  if (!last_start_ || now > *last_start_) writes_ = writes;
  last_start_ = now;
  under_way_ = true;
}

}  // namespace tidemark::pools

#include "pools/position_pacing.hpp"

#include <algorithm>
#include <cmath>

namespace tidemark::pools {

namespace {

constexpr double kWritesPerQuestion = 8;
constexpr double kMemorySeconds = 0.1;
// A lone writer makes one write per question, however often it writes; several make more.
constexpr double kLoneWriter = 1.25;
constexpr double kQuestionsRemembered = 8;
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
  if (writes_per_question_ < kLoneWriter) return least_;
  const double most = std::chrono::duration<double>(most_).count();
  if (rate_ * most <= kWritesPerQuestion) return most_;
  const auto wanted =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(kWritesPerQuestion / rate_));
  return std::clamp(wanted, least_, most_);
}

void PositionPacing::started(TimePoint now, std::uint64_t writes) {
  if (last_start_ && now > *last_start_) {
    const double seconds = std::chrono::duration<double>(now - *last_start_).count();
    const double since = static_cast<double>(writes - std::min(writes, writes_));
    rate_ += (1 - std::exp(-seconds / kMemorySeconds)) * (since / seconds - rate_);
    writes_per_question_ += (since - writes_per_question_) / kQuestionsRemembered;
  }
  if (!last_start_ || now > *last_start_) writes_ = writes;
  last_start_ = now;
  under_way_ = true;
}

}  // namespace tidemark::pools

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace tidemark::pools {

/// When the primary may be asked for its position again: one question at a time, starts at least `least`
/// apart, and under load only one question for about eight writes, but never later than 4 ms after the last
/// one. A lone writer, who waits for each answer before it writes again, does not count as load. Whether
/// anybody wants an answer is the caller's business. Pure; time is an argument.
class PositionPacing {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  explicit PositionPacing(Duration least);

  /// Earliest start of the next question, possibly in the past; nullopt while one is under way.
  [[nodiscard]] std::optional<TimePoint> next_start() const;
  /// A question starts; `writes` is the number of writes completed so far, ever.
  void started(TimePoint now, std::uint64_t writes);
  /// The question under way was answered, or its node was lost.
  void finished() { under_way_ = false; }

  [[nodiscard]] bool under_way() const { return under_way_; }
  /// Distance between the starts of two questions at the present rate of writes.
  [[nodiscard]] Duration spacing() const;
  /// Writes per second, exponentially weighted over about a tenth of a second.
  [[nodiscard]] double write_rate() const { return rate_; }

 private:
  Duration least_;
  Duration most_;
  double rate_ = 0;
  double writes_per_question_ = 1;
  std::uint64_t writes_ = 0;
  std::optional<TimePoint> last_start_;
  bool under_way_ = false;
};

}  // namespace tidemark::pools

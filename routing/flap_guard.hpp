#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

#include "routing/cluster_view.hpp"

namespace tidemark::routing {

/// When a node that comes and goes is left alone. Pure; time is an argument.
struct FlapSettings {
  std::uint32_t losses = 5;  ///< so many in `window` are too many; 0: never
  Duration window = std::chrono::minutes(1);
  Duration calm = std::chrono::seconds(10);  ///< without a loss, and it is taken back
};

/// Of one node: whether it was lost so often that nothing should rely on it until it has been calm for a
/// while.
class FlapGuard {
 public:
  /// It had answered, and does not any more.
  void lost(TimePoint at, const FlapSettings& settings) {
    if (settings.losses == 0) return;
    losses_.push_back(at);
    while (losses_.size() > settings.losses || losses_.front() + settings.window < at) losses_.pop_front();
    flaps_ = flaps_ || losses_.size() >= settings.losses;
  }
  /// Whether it flaps at `now`.
  bool judge(TimePoint now, const FlapSettings& settings) {
    if (flaps_ && now >= losses_.back() + settings.calm) {
      flaps_ = false;
      losses_.clear();
    }
    return flaps_;
  }

 private:
  std::deque<TimePoint> losses_;  // the latest, ascending
  bool flaps_ = false;
};

}  // namespace tidemark::routing

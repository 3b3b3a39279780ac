#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "routing/cluster_view.hpp"

namespace tidemark::routing {

/// When the primary's position passed what value, by the proxy's clock: what lag in time is measured with.
/// Part of the reducer's state, bounded: samples at least kSpacing apart, at most kMaxSamples of them.
class PrimaryTrail {
 public:
  static constexpr Duration kSpacing = std::chrono::milliseconds(50);
  static constexpr std::size_t kMaxSamples = 2000;

  /// At `at` the primary's position was `position` or less. A position below the last one (a primary that
  /// crashed before it had flushed) takes the trail back.
  void passed(TimePoint at, Lsn position);
  void clear() { samples_.clear(); }
  /// How long ago the primary passed `replayed`; zero if `replayed` is all there is. The age of the newest
  /// sample counts as lag only when the replica has not replayed all of it. Errs towards more lag, by
  /// kSpacing and the distance of the samples; before the oldest sample: at least that sample's age.
  [[nodiscard]] Duration age(Lsn replayed, TimePoint now) const;

  [[nodiscard]] bool empty() const { return samples_.empty(); }
  [[nodiscard]] std::size_t size() const { return samples_.size(); }
  /// The newest sample; the trail must not be empty.
  [[nodiscard]] Lsn newest_position() const { return samples_.back().position; }
  [[nodiscard]] TimePoint newest_at() const { return samples_.back().at; }

 private:
  struct Sample {
    TimePoint at;
    Lsn position;
  };
  std::vector<Sample> samples_;  // both members ascending
};

}  // namespace tidemark::routing

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "routing/cluster_view.hpp"

namespace tidemark::routing {

/// When the primary's position passed what value, by the proxy's clock: what lag, freshness and delay are
/// measured with. Part of the reducer's state, bounded. Samples are at least kSpacing apart, and thinned as
/// they grow old: then to a kPrecision-th of their age, so that the trail reaches back for hours. What is
/// forgotten makes a replica look later, never fresher.
class PrimaryTrail {
 public:
  static constexpr Duration kSpacing = std::chrono::microseconds(500);
  static constexpr Duration::rep kPrecision = 64;
  static constexpr std::size_t kMaxSamples = 2000;

  /// An answer of the primary: when `asked` its position was `position` or less, when `answered` it was
  /// `position` or more. A position below the last one (a primary that crashed before it had flushed) takes
  /// the trail back.
  void add(TimePoint asked, TimePoint answered, Lsn position);
  void clear() { samples_.clear(); }

  /// How long ago the primary passed `replayed`; zero if `replayed` is all there is. The age of the newest
  /// sample counts as lag only when the replica has not replayed all of it. Errs towards more lag, by the
  /// distance of the samples; before the oldest sample: at least that sample's age.
  [[nodiscard]] Duration age(Lsn replayed, TimePoint now) const;
  /// The latest moment at which the primary is known to have been no further than `replayed`.
  [[nodiscard]] std::optional<TimePoint> fresh_at(Lsn replayed) const;
  /// The earliest moment at which the primary is known to have been further than `replayed`.
  [[nodiscard]] std::optional<TimePoint> passed_by(Lsn replayed) const;

  [[nodiscard]] bool empty() const { return samples_.empty(); }
  [[nodiscard]] std::size_t size() const { return samples_.size(); }
  /// The newest sample; the trail must not be empty.
  [[nodiscard]] Lsn newest_position() const { return samples_.back().position; }
  [[nodiscard]] TimePoint newest_at() const { return samples_.back().not_past; }

 private:
  struct Sample {
    TimePoint not_past;  // then the primary was at `position` or before it
    TimePoint reached;   // then it was there or behind it
    Lsn position;
  };
  using Samples = std::vector<Sample>;

  void thin();
  [[nodiscard]] Samples::const_iterator first_past(Lsn replayed) const;

  Samples samples_;  // positions and not_past ascending
};

}  // namespace tidemark::routing

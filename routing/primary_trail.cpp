#include "routing/primary_trail.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace tidemark::routing {

void PrimaryTrail::passed(TimePoint at, Lsn position) {
  while (!samples_.empty() && samples_.back().position > position) samples_.pop_back();
  if (!samples_.empty()) at = std::max(at, samples_.back().at);
  if (samples_.size() >= 2) {
    Sample& newest = samples_.back();
    const Sample& before = samples_[samples_.size() - 2];
    // Of a stretch without writes only the end counts: what is less was passed before it. Else the newest
    // sample gives way while it is close to its predecessor: what is forgotten makes lag look longer, never
    // shorter.
    if (newest.position == position || newest.at - before.at < kSpacing) {
      newest = {at, position};
      return;
    }
  }
  samples_.push_back({at, position});
  // By the tenth, so that a full trail does not move its samples every time.
  if (samples_.size() > kMaxSamples) {
    samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(kMaxSamples / 10));
  }
}

Duration PrimaryTrail::age(Lsn replayed, TimePoint now) const {
  if (samples_.empty() || replayed >= samples_.back().position) return Duration::zero();
  const auto after = std::upper_bound(samples_.begin(), samples_.end(), replayed,
                                      [](Lsn lsn, const Sample& sample) { return lsn < sample.position; });
  const Sample& last_had = after == samples_.begin() ? *after : *std::prev(after);
  return std::max(Duration::zero(), now - last_had.at);
}

}  // namespace tidemark::routing

#include "routing/primary_trail.hpp"

#include <algorithm>
#include <iterator>

namespace tidemark::routing {

void PrimaryTrail::add(TimePoint asked, TimePoint answered, Lsn position) {
  while (!samples_.empty() && samples_.back().position > position) samples_.pop_back();
  if (!samples_.empty()) {
    Sample& newest = samples_.back();
    asked = std::max(asked, newest.not_past);  // it was not past the newest's position then, so not past this
    // Of a stretch without writes one sample tells: there since its first answer, not past it until its last
    // question.
    if (newest.position == position) {
      newest.not_past = asked;
      newest.reached = std::min(newest.reached, answered);
      return;
    }
    // The newest gives way if this comes as close to the one before it; so the very last word is always
    // known.
    if (samples_.size() >= 2 && asked - samples_[samples_.size() - 2].not_past < kSpacing) {
      newest = {asked, answered, position};
      return;
    }
  }
  samples_.push_back({asked, answered, position});
  if (samples_.size() > kMaxSamples) thin();
}

/// Drops a sample where its neighbours are closer to each other than their age asks for.
void PrimaryTrail::thin() {
  Samples kept;
  kept.reserve(samples_.size());
  const TimePoint now = samples_.back().not_past;
  for (auto sample = samples_.rbegin(); sample != samples_.rend(); ++sample) {
    const auto older = std::next(sample);
    const bool between = !kept.empty() && older != samples_.rend();
    if (between && kept.back().not_past - older->not_past <= (now - older->not_past) / kPrecision) continue;
    kept.push_back(*sample);
  }
  // If that was not enough, the oldest go; by the tenth, so that a full trail is not thinned every time.
  kept.resize(std::min(kept.size(), kMaxSamples - kMaxSamples / 10));
  std::reverse(kept.begin(), kept.end());
  samples_ = std::move(kept);
}

PrimaryTrail::Samples::const_iterator PrimaryTrail::first_past(Lsn replayed) const {
  return std::upper_bound(samples_.begin(), samples_.end(), replayed,
                          [](Lsn lsn, const Sample& sample) { return lsn < sample.position; });
}

Duration PrimaryTrail::age(Lsn replayed, TimePoint now) const {
  const auto past = first_past(replayed);
  if (past == samples_.end()) return Duration::zero();
  const Sample& last_had = past == samples_.begin() ? *past : *std::prev(past);
  return std::max(Duration::zero(), now - last_had.not_past);
}

std::optional<TimePoint> PrimaryTrail::fresh_at(Lsn replayed) const {
  const auto past = first_past(replayed);
  if (past == samples_.begin()) return std::nullopt;
  return std::prev(past)->not_past;
}

std::optional<TimePoint> PrimaryTrail::passed_by(Lsn replayed) const {
  const auto past = first_past(replayed);
  if (past == samples_.end()) return std::nullopt;
  return past->reached;
}

}  // namespace tidemark::routing

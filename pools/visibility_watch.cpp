#include "pools/visibility_watch.hpp"

#include <algorithm>
#include <utility>

namespace tidemark::pools {

namespace {
constexpr int kSlowest = 8;  // times the least distance
}  // namespace

std::optional<VisibilityWatch::TimePoint> VisibilityWatch::next_reading(bool wanted, TimePoint now) const {
  if (under_way_) return std::nullopt;
  const bool open = begin_again_ || questions_.pending();
  if (!wanted && !(open && wanted_until_ && now < *wanted_until_)) return std::nullopt;
  if (!last_start_) return now;
  return *last_start_ + least_ * std::clamp(unsettling_, 1, kSlowest);
}

void VisibilityWatch::follow(routing::NodeId primary) {
  if (node_ && node_ != primary) forget();
}

void VisibilityWatch::started(routing::NodeId primary, bool wanted, TimePoint now) {
  follow(primary);
  node_ = primary;
  under_way_ = true;
  last_start_ = now;
  if (wanted) wanted_until_ = now + patience_;
  if (!wanted && !begin_again_) return;
  begin_again_ = false;
  begun_ = log_.begin_question();
}

bool VisibilityWatch::answered(VisibilityQuestions::Xids xids, VisibilityQuestions::Xids awaiting) {
  if (!under_way_) return false;
  under_way_ = false;
  std::sort(xids.begin(), xids.end());
  std::sort(awaiting.begin(), awaiting.end());
  std::uint64_t settled = questions_.observe(xids);
  if (begun_) {
    settled = questions_.begin(*begun_, xids);
    read_ = *begun_;
  }
  begun_.reset();
  const auto awaited_before = std::exchange(awaiting_from_, questions_.first_kept_open(awaiting));
  log_.note_standbys(read_, awaiting_from_);
  const bool more = settled > settled_;
  unsettling_ = more ? 0 : std::min(unsettling_ + 1, kSlowest);
  if (!more) return awaiting_from_ != awaited_before;
  settled_ = settled;
  log_.settle(settled);
  return true;
}

void VisibilityWatch::failed() {
  under_way_ = false;
  if (begun_) begin_again_ = true;
  begun_.reset();
}

void VisibilityWatch::forget(routing::NodeId node) {
  if (node_ == node) forget();
}

void VisibilityWatch::forget() {
  failed();
  if (questions_.pending()) begin_again_ = true;
  questions_.forget();
  // Of what was pending nothing is known at another server.
  read_ = settled_;
  awaiting_from_ = 0;
  log_.note_standbys(read_, awaiting_from_);
  unsettling_ = 0;
  node_.reset();
}

}  // namespace tidemark::pools

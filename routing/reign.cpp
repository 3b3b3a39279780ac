#include "routing/reign.hpp"

namespace tidemark::routing {

bool Reign::is_same_life(const NodeState& primary) const {
  if (!began_ || node_ != primary.id || timeline_ != primary.timeline) return false;
  if (server_start_ != 0 && primary.server_start != 0) return server_start_ == primary.server_start;
  return incarnation_ == primary.incarnation;
}

void Reign::observe(const NodeState& primary) {
  if (!is_same_life(primary)) {
    disputed_ = began_ && timeline_ == primary.timeline && (disputed_ || node_ != primary.id);
    began_ = true;
    node_ = primary.id;
    timeline_ = primary.timeline;
    server_start_ = primary.server_start;
    first_position_ = primary.position;
  }
  incarnation_ = primary.incarnation;
  last_observed_ = primary.observed_at;
}

std::optional<HandOver> Reign::handed_over(TimelineId timeline, Lsn shutdown, Lsn end) const {
  // A checkpoint from before this life says nothing of what came after it.
  if (!began_ || disputed_ || timeline_ != timeline || shutdown < first_position_) return std::nullopt;
  return HandOver{timeline, end, last_observed_};
}

}  // namespace tidemark::routing

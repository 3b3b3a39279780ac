#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "routing/cluster_view.hpp"

namespace tidemark::routing {

/// What one answered probe or position question said.
struct Observation {
  NodeId node{};
  std::uint64_t incarnation = 0;  ///< number of the probe connection; grows with every reconnect
  TimePoint asked_at{};
  TimePoint answered_at{};
  bool in_recovery = false;
  std::uint64_t system_identifier = 0;
  TimelineId timeline;
  Lsn position;  ///< replay position in recovery, else the insert position, page header taken back
};

/// A probe that failed, or a node whose answer is overdue.
struct NodeLost {
  NodeId node{};
  TimePoint at{};
};

/// A node's numeric address became known or changed.
struct NodeResolved {
  NodeId node{};
  std::string host;
  std::uint16_t port = 0;
};

using ClusterEvent = std::variant<Observation, NodeLost, NodeResolved>;

/// When the primary's position passed what value, by the proxy's clock: what lag in time is measured with.
/// Part of the reducer's state, bounded.
class PrimaryTrail {
 public:
  void passed(TimePoint at, Lsn position);
  void clear() { samples_.clear(); }
  /// How long ago the primary passed `replayed`; zero if `replayed` is all there is. The age of the newest
  /// sample counts as lag only when the replica has not replayed all of it.
  [[nodiscard]] Duration age(Lsn replayed, TimePoint now) const;

 private:
  struct Sample { TimePoint at; Lsn position; };
  std::vector<Sample> samples_;
};

/// The view plus what is needed to make the next one. Pure: time is in the events.
class ClusterReducer {
 public:
  explicit ClusterReducer(ClusterView initial);
  /// Applies one event. The rules (10: one primary; 3: incarnations) are in README.md of this room.
  void apply(const ClusterEvent& event);
  [[nodiscard]] const ClusterView& view() const { return view_; }

 private:
  void judge(TimePoint now);
  ClusterView view_;
  PrimaryTrail trail_;
};

}  // namespace tidemark::routing

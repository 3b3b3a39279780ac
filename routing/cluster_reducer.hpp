#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "routing/cluster_view.hpp"
#include "routing/primary_trail.hpp"

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

/// The view plus what is needed to make the next one. Pure: time is in the events.
class ClusterReducer {
 public:
  /// `initial` lists the nodes with name, weight and, where known, address; nothing else of it is kept.
  explicit ClusterReducer(ClusterView initial);
  /// Applies one event. The rules (10: one primary; 3: incarnations) are in README.md of this room. Events of
  /// unknown nodes are ignored.
  void apply(const ClusterEvent& event);
  [[nodiscard]] const ClusterView& view() const { return view_; }

 private:
  /// What is known of a node beside its NodeState.
  struct Memory {
    bool answers = false;                 // its last event was an observation
    TimePoint lost_at{};                  // questions of the same incarnation asked before this do not count
    std::uint64_t least_incarnation = 0;  // older ones were of another address
  };

  [[nodiscard]] bool accept(const Observation& observation);
  void accept(const NodeLost& lost);
  void accept(const NodeResolved& resolved);
  void judge(TimePoint now);
  void identify(const Observation& observation);
  void elect();
  [[nodiscard]] NodeFault fault_of(const NodeState& node) const;
  [[nodiscard]] bool is_writable(const NodeState& node) const;
  void measure(TimePoint now);

  ClusterView view_;
  PrimaryTrail trail_;
  std::vector<Memory> memory_;           // by node
  bool identifier_is_primarys_ = false;  // view_.system_identifier was a writable node's, so it is for good
  TimelineId newest_timeline_;           // highest of any writable node so far, also of duplicates
  std::optional<NodeId> trail_of_;       // the primary whose positions the trail holds,
  TimelineId trail_timeline_;            // and on what timeline
  TimePoint now_{};                      // of the latest event that had a time
};

}  // namespace tidemark::routing

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pools/alert_settings.hpp"
#include "pools/replication_health.hpp"

namespace tidemark::pools {

/// What one node told last.
struct NodeReading {
  NodeFacts facts;
  routing::TimePoint at{};
  std::uint64_t number = 0;  ///< grows with every answer of this node; 0: it has not answered
};

/// Makes the state of replication out of what the nodes tell, and remembers what takes time: since when a
/// slot is inactive, a replica does not stream, how fast the primary writes. Pure; time is an argument.
class ReplicationJudge {
 public:
  using TimePoint = routing::TimePoint;

  explicit ReplicationJudge(AlertSettings settings) : settings_(settings) {}

  /// From now on these limits hold; what is remembered stays.
  void change(const AlertSettings& settings) { settings_ = settings; }
  /// `readings` by node id; there may be fewer than nodes. `now` never goes back.
  [[nodiscard]] ReplicationHealth judge(const routing::ClusterView& view,
                                        std::span<const NodeReading> readings, TimePoint now);
  /// How old an answer may be to count.
  [[nodiscard]] routing::Duration longest_age() const;

 private:
  struct NodeMemory {
    std::optional<TimePoint> broken_since;  // it does not stream
    std::optional<TimePoint> paused_since;
    std::map<std::string, TimePoint> inactive_slots;
    std::deque<std::pair<TimePoint, std::uint64_t>> conflicts;
  };
  struct PrimaryMemory {
    std::optional<routing::NodeId> node;
    std::uint64_t number = 0;  // of the reading below
    TimePoint at{};
    routing::Lsn position;
    std::optional<double> write_rate;
    bool had_replica = false;
    routing::Lsn flushed;  // by the best replica, when one was last seen
    TimePoint replica_seen{};
  };
  using Key = std::tuple<Alert, routing::NodeId, std::string>;

  ReplicationNode describe(const routing::NodeState& node, Upstream upstream, const NodeReading* reading,
                           TimePoint now);
  void judge_primary(ReplicationHealth& health, const ReplicationNode& primary, const NodeReading& reading);
  void estimate_loss(ReplicationHealth& health, const ReplicationNode& primary, const NodeReading& reading);
  void judge_streaming(const routing::ClusterView& view, const ReplicationHealth& health,
                       const routing::NodeState& node, TimePoint now);
  void judge_replica(const routing::NodeState& state, const ReplicationHealth& health,
                     const ReplicationNode& node, TimePoint now);
  void judge_strangers(const ReplicationNode& sender);
  void judge_slots(const ReplicationNode& node, TimePoint now);
  void raise(Alert alert, routing::NodeId node, std::string numbers, std::string subject = {});
  /// Above the limit, or still above four fifths of it if the alert is raised: so none comes and goes at its
  /// limit. Never with a limit of 0.
  [[nodiscard]] bool exceeds(Alert alert, routing::NodeId node, double value, double limit,
                             const std::string& subject = {}) const;

  AlertSettings settings_;
  std::vector<NodeMemory> memory_;
  PrimaryMemory primary_;
  std::map<Key, TimePoint> raised_;  // by the last judgement, since when
  std::vector<Finding> found_;       // by this one
};

}  // namespace tidemark::pools

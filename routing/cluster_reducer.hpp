#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "routing/cluster_view.hpp"
#include "routing/flap_guard.hpp"
#include "routing/primary_trail.hpp"
#include "routing/reign.hpp"

namespace tidemark::routing {

/// What one answered probe or position question said.
struct Observation {
  NodeId node{};
  std::uint64_t incarnation = 0;  ///< number of the probe connection; grows with every reconnect
  TimePoint asked_at{};
  TimePoint answered_at{};
  bool in_recovery = false;
  std::uint64_t system_identifier = 0;
  std::int64_t server_start = 0;  ///< as NodeState::server_start
  TimelineId timeline;
  Lsn position;  ///< replay position in recovery, else the insert position, page header taken back
  /// A primary's: the history of its timeline, as its history file has it, where it has just been read.
  std::optional<TimelineHistory> history{};
  /// A primary's: its WAL is flushed up to here, and no setting of the server, a role or a database makes
  /// commits asynchronous; 0: not a primary, or one does.
  Lsn flushed{};
  bool awaits_standbys = false;  ///< as NodeState::awaits_standbys, when that was last asked
  /// With `history`: its timeline left the one before right behind a shutdown checkpoint that begins here.
  std::optional<Lsn> shutdown_at{};
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

/// One member of the cluster as the authority lists it.
struct Member {
  std::string name;       ///< "host:port": what it is recognised by when it is listed again
  std::string host_name;  ///< of `name`
  std::string host;       ///< numeric; empty: not resolved yet
  std::uint16_t port = 0;
  std::uint16_t weight = 1;
};

/// An answer of the authority.
struct AuthorityWord {
  TimePoint asked_at{};
  TimePoint answered_at{};
  std::vector<Member> members;         ///< all there are
  std::optional<std::size_t> primary;  ///< index into `members`
};

/// The authority did not answer, or nothing that makes sense.
struct AuthorityLost {
  TimePoint at{};
};

/// The operator wants nothing new to be sent to a node, or lifts that. Kept for the life of the process.
struct Drain {
  NodeId node{};
  bool on = true;
};

/// The operator wants no transaction to begin anywhere, or lifts that.
struct Pause {
  bool on = true;
};

using ClusterEvent =
    std::variant<Observation, NodeLost, NodeResolved, AuthorityWord, AuthorityLost, Drain, Pause>;

/// What of the configuration the view depends on.
struct ReducerSettings {
  Duration max_lag = std::chrono::seconds(10);  ///< routing.max_lag
  FlapSettings flaps{};                         ///< cluster.flap_losses
  bool has_authority = false;                   ///< cluster.discovery.type is not "static"
  /// cluster.discovery.when_unreachable = "timeline": while the authority does not answer, a writable node on
  /// a timeline higher than that of the primary it named is believed.
  bool timeline_proves = false;
};

/// The view plus what is needed to make the next one. Pure: time is in the events.
class ClusterReducer {
 public:
  /// `initial` lists the nodes with name, weight and, where known, address; nothing else of it is kept.
  explicit ClusterReducer(ClusterView initial, const ReducerSettings& settings = {});
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
    TimePoint answered_at{};              // when its position in the view was there at the latest
    TimelineHistory history;              // of history_of, where it is or was the primary
    TimelineId history_of;
    TimePoint writable_since{};  // when it was first seen writable on its timeline
    bool removed = false;
    std::optional<Lsn> shutdown_at;  // Observation::shutdown_at, of the same
    FlapGuard flaps;
  };

  [[nodiscard]] bool accept(const Observation& observation);
  void learn_history(const Observation& observation, bool same_life);
  void accept(const NodeLost& lost);
  void accept(const NodeResolved& resolved);
  void accept_node_event(const ClusterEvent& event, NodeId node);
  void accept(const AuthorityWord& word);
  [[nodiscard]] std::optional<NodeId> admit(const Member& member);
  void judge(TimePoint now);
  void identify(const Observation& observation);
  void elect();
  [[nodiscard]] const NodeState* newest_writable();
  [[nodiscard]] const NodeState* named_writable();
  void take_history(const Memory& primary);
  void note_reign(const NodeState& primary);
  [[nodiscard]] NodeFault fault_of(const NodeState& node) const;
  [[nodiscard]] bool is_writable(const NodeState& node) const;
  void measure(TimePoint now);
  void measure_replica(NodeState& node, TimePoint now) const;
  [[nodiscard]] bool is_on_trail(const NodeState& node) const;
  [[nodiscard]] Duration known_delay(const NodeState& node) const;

  ReducerSettings settings_;
  ClusterView view_;
  PrimaryTrail trail_;
  Reign reign_;                          // of the latest primary
  std::vector<Memory> memory_;           // by node
  bool identifier_is_primarys_ = false;  // view_.system_identifier was a writable node's, so it is for good
  TimelineId newest_timeline_;           // highest of any writable node so far, also of duplicates
  TimelineId named_timeline_;            // highest on which a primary was accepted because it was named
  bool authority_is_lost_ = false;       // it was asked in vain since its last word
  std::optional<NodeId> trail_of_;       // the primary whose positions the trail holds,
  TimelineId trail_timeline_;            // and on what timeline
  TimePoint now_{};                      // of the latest event that had a time
};

}  // namespace tidemark::routing

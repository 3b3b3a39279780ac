#include "routing/decide.hpp"

#include <algorithm>
#include <optional>

#include "routing/eligibility.hpp"
#include "routing/rendezvous.hpp"

namespace tidemark::routing {
namespace {

/// `fallback = "wait"` waits this many times replica_wait before the primary is used after all: long enough
/// to be a wait of its own, and bounded. README.md, decisions.
constexpr int kPatience = 100;

Decision at_primary(const ClusterView& view, Reason reason) {
  if (view.primary) return {Decision::Kind::send, *view.primary, reason};
  return {Decision::Kind::wait_for_primary, {}, Reason::no_primary, TimePoint::max(), TimePoint::max()};
}

/// What a read requires of any replica: floors on the view's own timeline, so that their LSNs compare.
struct Required {
  Floor::Kind kind = Floor::Kind::none;
  Lsn lsn;

  void add(const ClusterView& view, const Floor& floor) {
    if (floor.kind == Floor::Kind::none || kind == Floor::Kind::pending) return;
    const bool comparable = floor.kind == Floor::Kind::known && view.system_identifier != 0 &&
                            floor.position.system_identifier == view.system_identifier &&
                            floor.position.timeline == view.timeline;
    kind = comparable ? Floor::Kind::known : Floor::Kind::pending;
    lsn = std::max(lsn, floor.position.lsn);
  }
};

/// One read on its way through the rules of README.md, "Choosing a node".
class Read {
 public:
  Read(const RoutingPolicy& policy, const ClusterView& view, const SessionContext& session, TimePoint now)
      : policy_(policy), view_(view), session_(session), now_(now) {
    if (requires_own_writes(session.level)) explicit_.add(view, session.written);
    if (!requires_monotonic(session.level)) return;
    explicit_.add(view, session.seen);
    if (session.last_replica) set_last(*session.last_replica);
  }

  [[nodiscard]] Decision decide() const {
    const NodeState* const winner = best([](const NodeState&) { return true; });
    if (winner == nullptr) return no_candidate();
    if (explicit_.kind == Floor::Kind::pending) return position_unknown();
    if (reaches(*winner)) return send(*winner);
    const bool may_stay = stay_ != nullptr && is_eligible(*stay_);
    if (may_stay && reaches(*stay_)) return send(*stay_);
    if (const NodeState* other = best([this](const NodeState& node) { return reaches(node); }))
      return send(*other);
    // The next observation of a replica that may be stayed at answers both questions: what it has replayed,
    // and what it can have shown. One that must be left without having told needs the primary's word.
    if (may_stay) return no_replay(stay_->id, Reason::fallback_replay);
    if (left_.kind == Floor::Kind::pending) return position_unknown();
    return no_replay(winner->id, Reason::fallback_replay);
  }

 private:
  void set_last(const LastReplica& last) {
    left_.kind = Floor::Kind::pending;
    if (index(last.node) >= view_.nodes.size()) return;
    const NodeState& node = view_.node(last.node);
    if (node.incarnation != last.incarnation) return;
    stay_ = &node;
    // Asked after the answer, in the same life of the server: not less than what the answer showed.
    if (node.observed_at >= last.at) {
      left_.kind = Floor::Kind::none;
      left_.add(view_, {Floor::Kind::known, view_.position(node)});
    }
  }

  [[nodiscard]] bool is_eligible(const NodeState& node) const {
    return exclusion(policy_, node, now_) == Exclusion::none;
  }

  [[nodiscard]] bool reaches(const NodeState& node, const Required& required) const {
    if (required.kind == Floor::Kind::none) return true;
    return required.kind == Floor::Kind::known &&
           contains(view_.position(node), {view_.system_identifier, view_.timeline, required.lsn});
  }

  [[nodiscard]] bool reaches(const NodeState& node) const {
    return reaches(node, explicit_) && (&node == stay_ || reaches(node, left_));
  }

  /// The eligible node with the best bid for the user among those that `accept` takes; null if there is none.
  template <typename Accept>
  [[nodiscard]] const NodeState* best(const Accept& accept) const {
    const NodeState* found = nullptr;
    Bid highest;
    for (const NodeState& node : view_.nodes) {
      if (!is_eligible(node) || !accept(node)) continue;
      const Bid offer = bid(session_.user_key, node.id, node.weight);
      if (found != nullptr && !beats(offer, highest)) continue;
      found = &node;
      highest = offer;
    }
    return found;
  }

  [[nodiscard]] Decision send(const NodeState& node) const {
    const bool floored = explicit_.kind != Floor::Kind::none;
    Decision decision{Decision::Kind::send, node.id, Reason::no_floor, TimePoint::max(), replay_deadline()};
    if (floored) {
      decision.reason = Reason::floor_reached;
      decision.vouched_until = node.observed_at;
    }
    if (left_.kind == Floor::Kind::none) return decision;
    if (&node != stay_) {
      decision.reason = Reason::moved;
      decision.vouched_until = node.observed_at;
    } else if (!floored) {
      decision.reason = Reason::pinned;
      decision.vouched_until = std::max(session_.last_replica->sent_at, node.observed_at);
    }
    return decision;
  }

  [[nodiscard]] TimePoint position_deadline() const { return session_.arrived + policy_.replica_wait; }
  [[nodiscard]] TimePoint replay_deadline() const {
    return session_.arrived + policy_.replica_wait * (policy_.fallback == Fallback::wait ? kPatience : 1);
  }

  [[nodiscard]] Decision position_unknown() const {
    if (now_ >= position_deadline()) return at_primary(view_, Reason::fallback_position);
    return {Decision::Kind::wait_for_position, view_.primary.value_or(NodeId{}), Reason::position_pending,
            TimePoint::max(), position_deadline()};
  }

  [[nodiscard]] Decision no_replay(NodeId ask, Reason reason) const {
    if (now_ < replay_deadline()) {
      return {Decision::Kind::wait_for_replay, ask, Reason::replay_pending, TimePoint::max(),
              replay_deadline()};
    }
    if (policy_.fallback != Fallback::error) return at_primary(view_, reason);
    return {Decision::Kind::reject, ask, Reason::rejected_no_replica, TimePoint::max(), replay_deadline()};
  }

  [[nodiscard]] Decision no_candidate() const {
    if (policy_.fallback == Fallback::primary || view_.nodes.empty()) {
      return at_primary(view_, Reason::fallback_no_replica);
    }
    // A replica that merely has not answered lately is worth asking; a primary is not.
    NodeId ask{};
    for (const NodeState& node : view_.nodes) {
      if (node.role != NodeRole::replica) continue;
      ask = node.id;
      if (node.fault == NodeFault::none) break;
    }
    return no_replay(ask, Reason::fallback_no_replica);
  }

  const RoutingPolicy& policy_;
  const ClusterView& view_;
  const SessionContext& session_;
  TimePoint now_;
  Required explicit_;                ///< the session's own floors
  Required left_;                    ///< what the last replica can have shown: required of every other one
  const NodeState* stay_ = nullptr;  ///< the last replica, if it is still in the life in which it answered
};

}  // namespace

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::write:
      return "write";
    case Reason::level_primary:
      return "level_primary";
    case Reason::read_refused:
      return "read_refused";
    case Reason::no_floor:
      return "no_floor";
    case Reason::pinned:
      return "pinned";
    case Reason::floor_reached:
      return "floor_reached";
    case Reason::moved:
      return "moved";
    case Reason::position_pending:
      return "position_pending";
    case Reason::replay_pending:
      return "replay_pending";
    case Reason::no_primary:
      return "no_primary";
    case Reason::fallback_position:
      return "fallback_position";
    case Reason::fallback_replay:
      return "fallback_replay";
    case Reason::fallback_no_replica:
      return "fallback_no_replica";
    case Reason::rejected_no_replica:
      return "rejected_no_replica";
    case Reason::count:
      break;
  }
  return "unknown";
}

Decision decide(const RoutingPolicy& policy, const ClusterView& view, const SessionContext& session,
                const StatementContext& statement, TimePoint now) {
  if (!statement.is_read) return at_primary(view, Reason::write);
  if (statement.primary_only) return at_primary(view, Reason::read_refused);
  if (session.level == ConsistencyLevel::primary) return at_primary(view, Reason::level_primary);
  return Read(policy, view, session, now).decide();
}

}  // namespace tidemark::routing

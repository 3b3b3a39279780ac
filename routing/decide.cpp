#include "routing/decide.hpp"

#include <algorithm>

#include <absl/container/inlined_vector.h>

#include "routing/eligibility.hpp"
#include "routing/mutation.hpp"
#include "routing/rendezvous.hpp"

namespace tidemark::routing {
namespace {

/// `fallback = "wait"` waits this many times replica_wait before the primary is used after all: long enough
/// to be a wait of its own, and bounded. README.md, decisions.
constexpr int kPatience = 100;

Decision at_primary(const ClusterView& view, Reason reason) {
  if (view.has_open_primary()) return {Decision::Kind::send, *view.primary, reason};
  if (view.primary)
    return {
        Decision::Kind::wait_for_primary, {}, Reason::primary_drained, TimePoint::max(), TimePoint::max()};
  return {Decision::Kind::wait_for_primary, {}, Reason::no_primary, TimePoint::max(), TimePoint::max()};
}

/// What a read requires of a replica: floors on the way to the view's own timeline, so that their LSNs
/// compare.
struct Required {
  Floor::Kind kind = Floor::Kind::none;
  Lsn lsn;
  TimePoint since{};            ///< the latest moment at which the primary got to one of them
  bool newer_timeline = false;  ///< one is of a timeline that the view does not know yet

  void add(const ClusterView& view, const Floor& floor) {
    if (floor.kind == Floor::Kind::none) return;
    if (mutated(Mutation::doubt_is_fine) && floor.kind == Floor::Kind::pending) return;
    since = std::max(since, floor.raised_at);
    if (floor.kind == Floor::Kind::known && view.timeline < floor.position.timeline) newer_timeline = true;
    if (kind == Floor::Kind::pending) return;
    kind = floor.kind == Floor::Kind::known && is_comparable(view, floor.position) ? Floor::Kind::known
                                                                                   : Floor::Kind::pending;
    lsn = std::max(lsn, floor.position.lsn);
  }

 private:
  static bool is_comparable(const ClusterView& view, const WalPosition& position) {
    if (mutated(Mutation::timeline_ignored)) return true;
    if (view.system_identifier == 0 || position.system_identifier != view.system_identifier) return false;
    return position.timeline == view.timeline ||
           view.history.locate(position.timeline, position.lsn) == TimelineHistory::Place::contained;
  }
};

/// One read on its way through the rules of README.md, "Choosing a node".
class Read {
 public:
  Read(const RoutingPolicy& policy, const ClusterView& view, const SessionContext& session, TimePoint now)
      : policy_(policy), view_(view), session_(session), now_(now) {
    if (requires_own_writes(session.level)) explicit_.add(view, session.written);
    if (requires_own_writes(session.level) || requires_monotonic(session.level))
      explicit_.add(view, session.required);
    if (session.level == ConsistencyLevel::strong) explicit_.add(view, session.strong);
    if (!requires_monotonic(session.level)) return;
    explicit_.add(view, session.seen);
    if (mutated(Mutation::floor_forgotten)) return;
    for (const LastReplica& last : session.shown) shown_.push_back(of(last));
  }

  [[nodiscard]] Decision decide() const {
    if (explicit_.newer_timeline) return for_newer_timeline();
    const NodeState* const winner = best([](const NodeState&) { return true; });
    if (winner == nullptr) return no_candidate();
    if (session_.level == ConsistencyLevel::bounded_staleness) return decide_by_bound(*winner);
    if (explicit_.kind == Floor::Kind::pending) return position_unknown();
    if (reaches(*winner)) return send(*winner);
    for (const Shown& shown : shown_) {
      if (may_stay(shown) && reaches(*shown.stay)) return send(*shown.stay);
    }
    if (const NodeState* other = best([this](const NodeState& node) { return reaches(node); }))
      return send(*other);
    return nothing_reaches(*winner);
  }

 private:
  /// What one replica that has answered requires: to stay there, or a replica that has what it had.
  struct Shown {
    const LastReplica* last = nullptr;
    const NodeState* stay = nullptr;  ///< it is still in the life in which it answered
    Required left;                    ///< of every other replica
  };

  [[nodiscard]] Shown of(const LastReplica& last) const {
    Shown shown{&last, nullptr, {}};
    shown.left.kind = Floor::Kind::pending;
    shown.left.since = last.at;
    if (index(last.node) >= view_.nodes.size()) return shown;
    const NodeState& node = view_.node(last.node);
    // Asked after the answer, in the same life of the server: not less than what the answer showed.
    if (node.incarnation == last.incarnation) {
      shown.stay = &node;
      if (node.observed_at >= last.at) require(shown.left, view_.position(node), last.at);
    } else if (node.past.incarnation == last.incarnation && node.past.observed_at >= last.at) {
      require(shown.left, {node.past.system_identifier, node.past.timeline, node.past.position}, last.at);
    }
    return shown;
  }
  void require(Required& left, const WalPosition& position, TimePoint since) const {
    left = {};
    left.add(view_, {Floor::Kind::known, position, since});
  }

  [[nodiscard]] bool is_eligible(const NodeState& node) const {
    return exclusion(policy_, node, now_) == Exclusion::none;
  }
  [[nodiscard]] bool may_stay(const Shown& shown) const {
    return shown.stay != nullptr && is_eligible(*shown.stay);
  }

  [[nodiscard]] bool reaches(const NodeState& node, const Required& required) const {
    if (mutated(Mutation::sent_before_the_wait)) return true;
    if (required.kind == Floor::Kind::none) return true;
    return required.kind == Floor::Kind::known &&
           contains(view_.position(node), {view_.system_identifier, view_.timeline, required.lsn});
  }
  [[nodiscard]] bool reaches(const NodeState& node) const {
    return reaches(node, explicit_) && std::all_of(shown_.begin(), shown_.end(), [&](const Shown& shown) {
             return &node == shown.stay || reaches(node, shown.left);
           });
  }
  [[nodiscard]] bool is_fresh(const NodeState& node) const {
    if (mutated(Mutation::sample_age_ignored) && node.lag_time == Duration::zero()) return true;
    return now_ - node.fresh_at <= session_.max_staleness.time &&
           (!session_.max_staleness.bytes || node.lag_bytes.bytes <= *session_.max_staleness.bytes);
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
    Decision decision{Decision::Kind::send, node.id, Reason::no_floor, TimePoint::max(), replay_deadline()};
    const auto rely_on_position = [&](Reason reason) {
      decision.reason = reason;
      if (mutated(Mutation::position_after_restart)) return;
      decision.vouched_until = node.observed_at;
    };
    if (explicit_.kind != Floor::Kind::none) rely_on_position(Reason::floor_reached);
    for (const Shown& shown : shown_) {
      if (&node != shown.stay) {
        rely_on_position(Reason::moved);
      } else if (decision.reason == Reason::no_floor || decision.reason == Reason::pinned) {
        decision.reason = Reason::pinned;
        if (mutated(Mutation::position_after_restart)) continue;
        decision.vouched_until =
            std::min(decision.vouched_until, std::max(shown.last->sent_at, node.observed_at));
      }
    }
    return decision;
  }

  [[nodiscard]] Decision decide_by_bound(const NodeState& winner) const {
    const NodeState* const fresh =
        is_fresh(winner) ? &winner : best([this](const NodeState& node) { return is_fresh(node); });
    if (fresh != nullptr) {
      return {Decision::Kind::send, fresh->id, Reason::within_bound, fresh->observed_at, replay_deadline()};
    }
    return wait_or_fall_back(winner.id, Reason::staleness_pending, Reason::fallback_staleness);
  }

  /// The next observation of a replica that may be stayed at answers both questions: what it has replayed,
  /// and what it can have shown. One that must be left without having told needs the primary's word.
  [[nodiscard]] Decision nothing_reaches(const NodeState& winner) const {
    const NodeState* ask = nullptr;
    for (const Shown& shown : shown_) {
      const bool pending = shown.left.kind == Floor::Kind::pending;
      if (pending && !may_stay(shown)) return position_unknown();
      if (may_stay(shown) && (ask == nullptr || pending)) ask = shown.stay;
    }
    if (may_give_up() && is_hopeless()) return at_primary(view_, Reason::fallback_behind);
    return wait_or_fall_back(ask != nullptr ? ask->id : winner.id, Reason::replay_pending,
                             Reason::fallback_replay);
  }

  [[nodiscard]] bool may_give_up() const {
    return policy_.fallback == Fallback::primary && view_.has_open_primary();
  }
  /// Every replica that could serve is known to trail by more than what is left of the wait.
  [[nodiscard]] bool is_hopeless() const {
    TimePoint since = explicit_.since;
    for (const Shown& shown : shown_) since = std::max(since, shown.left.since);
    return std::none_of(view_.nodes.begin(), view_.nodes.end(), [&](const NodeState& node) {
      return is_eligible(node) && since + node.behind_for <= replay_deadline();
    });
  }

  [[nodiscard]] TimePoint position_deadline() const { return session_.arrived + policy_.replica_wait; }
  [[nodiscard]] TimePoint replay_deadline() const {
    return session_.arrived + policy_.replica_wait * (policy_.fallback == Fallback::wait ? kPatience : 1);
  }

  [[nodiscard]] Decision position_unknown() const {
    if (now_ >= position_deadline()) return at_primary(view_, Reason::fallback_position);
    if (may_give_up() && is_hopeless()) return at_primary(view_, Reason::fallback_behind);
    return {Decision::Kind::wait_for_position, view_.primary.value_or(NodeId{}), Reason::position_pending,
            TimePoint::max(), position_deadline()};
  }

  /// Neither the view's primary nor its replicas have what the user has seen.
  [[nodiscard]] static Decision for_newer_timeline() {
    return {Decision::Kind::wait_for_primary, {}, Reason::newer_timeline, TimePoint::max(), TimePoint::max()};
  }

  [[nodiscard]] Decision wait_or_fall_back(NodeId ask, Reason waiting, Reason fallen) const {
    if (now_ < replay_deadline())
      return {Decision::Kind::wait_for_replay, ask, waiting, TimePoint::max(), replay_deadline()};
    if (policy_.fallback != Fallback::error) return at_primary(view_, fallen);
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
    return wait_or_fall_back(ask, Reason::replay_pending, Reason::fallback_no_replica);
  }

  const RoutingPolicy& policy_;
  const ClusterView& view_;
  const SessionContext& session_;
  TimePoint now_;
  Required explicit_;  ///< the session's own floors
  absl::InlinedVector<Shown, 1> shown_;
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
    case Reason::of_node:
      return "of_node";
    case Reason::no_floor:
      return "no_floor";
    case Reason::pinned:
      return "pinned";
    case Reason::floor_reached:
      return "floor_reached";
    case Reason::moved:
      return "moved";
    case Reason::within_bound:
      return "within_bound";
    case Reason::position_pending:
      return "position_pending";
    case Reason::replay_pending:
      return "replay_pending";
    case Reason::staleness_pending:
      return "staleness_pending";
    case Reason::no_primary:
      return "no_primary";
    case Reason::newer_timeline:
      return "newer_timeline";
    case Reason::paused:
      return "paused";
    case Reason::primary_drained:
      return "primary_drained";
    case Reason::fallback_position:
      return "fallback_position";
    case Reason::fallback_replay:
      return "fallback_replay";
    case Reason::fallback_behind:
      return "fallback_behind";
    case Reason::fallback_staleness:
      return "fallback_staleness";
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
  if (view.paused)
    return {Decision::Kind::wait_for_primary, {}, Reason::paused, TimePoint::max(), TimePoint::max()};
  if (!statement.is_read) return at_primary(view, Reason::write);
  if (statement.primary_only)
    return at_primary(view, statement.of_node ? Reason::of_node : Reason::read_refused);
  if (session.level == ConsistencyLevel::primary) return at_primary(view, Reason::level_primary);
  return Read(policy, view, session, now).decide();
}

}  // namespace tidemark::routing

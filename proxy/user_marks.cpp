#include "proxy/user_marks.hpp"

#include <algorithm>

#include "routing/mutation.hpp"

namespace tidemark::proxy {

using routing::Floor;
using routing::LastReplica;
using routing::mutated;
using routing::Mutation;
using routing::NodeState;
using routing::TimelineHistory;
using routing::WalPosition;

namespace {

/// One floor for two.
Floor higher(const Floor& a, const Floor& b) {
  if (a.kind == Floor::Kind::none || b.kind == Floor::Kind::pending)
    return b.kind == Floor::Kind::none ? a : b;
  if (b.kind == Floor::Kind::none || a.kind == Floor::Kind::pending) return a;
  const bool b_is_higher = a.position.timeline != b.position.timeline
                               ? a.position.timeline < b.position.timeline
                               : a.position.lsn < b.position.lsn;
  return b_is_higher ? b : a;
}

/// What becomes of a replica's answer when the timeline changes.
struct Shown {
  enum class Fate : std::uint8_t { on_the_way, bounded, unclear, lost };
  Fate fate = Fate::lost;
  WalPosition position;  ///< bounded: what it has shown is no more than this
};

Shown look_at(const LastReplica& last, const routing::ClusterView& view) {
  if (routing::index(last.node) >= view.nodes.size()) return {};
  const NodeState& node = view.node(last.node);
  WalPosition position;
  if (node.incarnation == last.incarnation) {
    // One that has replayed more than the new timeline has cannot follow it without a restart.
    if (node.timeline >= view.timeline) return {Shown::Fate::on_the_way, {}};
    if (node.observed_at < last.at) return {Shown::Fate::unclear, {}};
    position = view.position(node);
  } else if (node.past.incarnation == last.incarnation && node.past.observed_at >= last.at) {
    position = {node.past.system_identifier, node.past.timeline, node.past.position};
  } else {
    return {};
  }
  const bool kept = position.timeline >= view.timeline ||
                    view.history.locate(position.timeline, position.lsn) == TimelineHistory::Place::contained;
  return {kept ? Shown::Fate::bounded : Shown::Fate::lost, position};
}

/// What the primary had soon after the answer, if that was learned and the new timeline has it: the replica
/// has shown no more than that, whatever it came to replay later.
std::optional<WalPosition> kept_bound(const LastReplica& last, const pools::PositionLog& log,
                                      const routing::ClusterView& view) {
  const auto position = log.after(last.asked);
  if (!position || position->timeline >= view.timeline) return std::nullopt;
  if (view.history.locate(position->timeline, position->lsn) != TimelineHistory::Place::contained)
    return std::nullopt;
  return position;
}

/// For what has to bound both.
bool is_higher(const WalPosition& position, const WalPosition& than) {
  return position.timeline != than.timeline ? than.timeline < position.timeline : than.lsn < position.lsn;
}

}  // namespace

void UserMarks::forget_replaced(const LastReplica& replica, std::uint64_t accounted) {
  const auto is_replaced = [&](const LastReplica& each) {
    return each.order <= accounted || (each.node == replica.node && each.incarnation == replica.incarnation);
  };
  shown_.erase(std::remove_if(shown_.begin(), shown_.end(), is_replaced), shown_.end());
  shown_.insert(shown_.begin(), replica);
}

void UserMarks::replicas_are_settled(std::uint64_t accounted) {
  const auto is_settled = [&](const LastReplica& each) { return each.order <= accounted; };
  shown_.erase(std::remove_if(shown_.begin(), shown_.end(), is_settled), shown_.end());
  if (accounted == answers_) ahead_ = false;
}

void UserMarks::leave_replicas(std::uint64_t asked, routing::TimelineId timeline, TimePoint now) {
  // Whatever a replica has shown by now was done by now.
  seen_.raise(asked, timeline, now, pools::PositionBound::inserted, now);
  shown_.clear();
}

void UserMarks::require(const WalPosition& position, TimePoint now) {
  if (mutated(Mutation::token_ignored)) return;
  required_.raise(position, now);
  came_on(position.timeline);
  // Whatever it was that had come so far counts as an answer of a replica.
  ++answers_;
  ahead_ = true;
}

void UserMarks::unknown_elsewhere(std::uint64_t asked, TimePoint now) {
  uncertain_.raise(asked, {}, now);
  ++answers_;
  ahead_ = true;
}

void UserMarks::saw_replica_elsewhere(const LastReplica& replica) {
  ahead_ = true;
  const auto known = std::find_if(shown_.begin(), shown_.end(), [&](const LastReplica& each) {
    return each.node == replica.node && each.incarnation == replica.incarnation;
  });
  LastReplica& last = known != shown_.end() ? *known : shown_.emplace_back(replica);
  last.at = std::max(last.at, replica.at);
  last.asked = UINT64_MAX;
  last.order = ++answers_;
}

UserMarks::ToShare UserMarks::to_share(const pools::PositionLog& log) {
  ToShare share;
  for (TideMark* mark : {&written_, &seen_, &required_}) {
    const Floor floor = mark->floor(log);
    if (floor.kind == Floor::Kind::known && is_higher(floor.position, share.position))
      share.position = floor.position;
  }
  share.written_is_pending =
      written_.kind() == Floor::Kind::pending || uncertain_.floor(log).kind == Floor::Kind::pending;
  share.seen_is_pending = seen_.kind() == Floor::Kind::pending;
  return share;
}

bool UserMarks::holds_open(routing::NodeId node) const {
  return std::any_of(shown_.begin(), shown_.end(),
                     [&](const LastReplica& each) { return each.node == node; });
}

void UserMarks::add(const UserMarks& other, const pools::PositionLog& log, std::uint64_t asked,
                    TimePoint now) {
  UserMarks copy = other;
  const auto add_mark = [&](TideMark& mark, TideMark& from) {
    const Floor floor = from.floor(log);
    if (floor.kind == Floor::Kind::known) mark.raise(floor.position, now);
    // Bounded by a later answer, and not known on what timeline it was.
    if (floor.kind == Floor::Kind::pending) uncertain_.raise(asked, {}, now);
  };
  add_mark(written_, copy.written_);
  add_mark(seen_, copy.seen_);
  add_mark(uncertain_, copy.uncertain_);
  add_mark(required_, copy.required_);
  for (LastReplica last : copy.shown_) {
    last.order = ++answers_;
    shown_.push_back(last);
  }
  ahead_ = ahead_ || copy.ahead_;
  judged_ = {};
}

void UserMarks::describe(routing::SessionContext& context, const pools::PositionLog& log) {
  constexpr auto kNone = Floor::Kind::none;  // as the context has it
  if (written_.kind() != kNone) context.written = written_.floor(log);
  if (seen_.kind() != kNone) context.seen = seen_.floor(log);
  if (required_.kind() != kNone || uncertain_.kind() != kNone)
    context.required = higher(required_.floor(log), uncertain_.floor(log));
  context.shown = shown_;
}

std::optional<WalPosition> UserMarks::bound(const pools::PositionLog& log) {
  if (!shown_.empty()) return std::nullopt;
  WalPosition highest;
  for (TideMark* mark : {&written_, &seen_, &uncertain_, &required_}) {
    const Floor floor = mark->floor(log);
    if (floor.kind == Floor::Kind::pending) return std::nullopt;
    if (floor.kind == Floor::Kind::known && is_higher(floor.position, highest)) highest = floor.position;
  }
  return highest;
}

UserMarks::Judgement UserMarks::judge_anew(const routing::ClusterView& view, const pools::PositionLog& log,
                                           bool monotonic, bool patient, TimePoint now, bool lossless) {
  using Kind = Judgement::Kind;
  if (mutated(Mutation::timeline_ignored)) return {};
  if (view.timeline.value == 0) return {};
  Judgement judgement;
  const auto note_loss = [&](bool written, std::optional<WalPosition> position) {
    if (judgement.kind == Kind::lost && !written) return;
    judgement.kind = Kind::lost;
    judgement.loss = {written, position, std::nullopt, view.timeline};
    if (!position) return;
    for (const auto& ancestor : view.history.ancestors()) {
      if (ancestor.timeline == position->timeline) judgement.loss.branched = ancestor;
    }
  };

  bool seen_is_lost = false;
  routing::ShownBy kept;
  std::optional<WalPosition> shown_at_most;
  for (const LastReplica& last : shown_) {
    Shown shown = look_at(last, view);
    if (shown.fate == Shown::Fate::unclear || shown.fate == Shown::Fate::lost) {
      if (const auto bound = kept_bound(last, log, view)) shown = {Shown::Fate::bounded, *bound};
    }
    switch (shown.fate) {
      case Shown::Fate::on_the_way:
        kept.push_back(last);
        break;
      case Shown::Fate::bounded:
        if (!shown_at_most || shown_at_most->lsn < shown.position.lsn) shown_at_most = shown.position;
        break;
      case Shown::Fate::unclear:
        if (patient) return {Kind::unclear, last.node, {}};
        [[fallthrough]];
      case Shown::Fate::lost:
        seen_is_lost = true;
        if (monotonic) {
          note_loss(false, shown.position.timeline.value != 0 ? std::optional(shown.position) : std::nullopt);
        }
        break;
    }
  }
  const auto position_of = [](const TideMark& mark) {
    return mark.is_of_its_timeline() ? std::optional(mark.position()) : std::nullopt;
  };
  if (seen_.may_be_lost(log, view, lossless)) {
    seen_is_lost = true;
    if (monotonic) note_loss(false, position_of(seen_));
  }
  if (required_.may_be_lost(log, view)) {
    if (monotonic) note_loss(false, position_of(required_));
    required_ = {};
    seen_is_lost = true;
  }
  // Learned on a timeline that is gone: the new primary is asked, or nothing would ever satisfy it.
  const Floor uncertain = uncertain_.floor(log);
  if (uncertain.kind == Floor::Kind::known && uncertain.position.timeline < view.timeline &&
      view.history.locate(uncertain.position.timeline, uncertain.position.lsn) !=
          TimelineHistory::Place::contained)
    uncertain_.raise(log.asked(), {}, now);
  if (written_.may_be_lost(log, view, lossless)) {
    note_loss(true, position_of(written_));
    written_.raise(log.asked(), view.timeline, now);
  }
  shown_ = std::move(kept);
  if (shown_at_most) seen_.raise({view.system_identifier, view.timeline, shown_at_most->lsn}, now);
  if (seen_is_lost) seen_.raise(log.asked(), view.timeline, now);
  judged_ = view.timeline;
  return judgement;
}

}  // namespace tidemark::proxy

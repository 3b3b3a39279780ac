#include "routing/cluster_reducer.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <absl/container/inlined_vector.h>

#include "routing/mutation.hpp"

namespace tidemark::routing {
namespace {

/// What `topology` counts the changes of.
auto shape(const NodeState& node) {
  return std::tuple(node.role, node.fault, node.incarnation, node.timeline, node.system_identifier,
                    node.lagging, node.drained, node.flapping);
}
using Shapes = absl::InlinedVector<decltype(shape(std::declval<NodeState>())), 8>;

Shapes shapes(const ClusterView& view) {
  Shapes all;
  for (const NodeState& node : view.nodes) all.push_back(shape(node));
  return all;
}

/// Likewise, of the cluster as a whole.
using Standing = std::tuple<std::uint64_t, TimelineId, std::optional<NodeId>, bool, std::optional<NodeId>>;
Standing standing_of(const ClusterView& view) {
  const AuthorityState authority = view.authority.value_or(AuthorityState{});
  return {view.system_identifier, view.timeline, view.primary, authority.reachable, authority.named};
}

/// Nothing: the event is the authority's, or about the cluster as a whole.
std::optional<NodeId> node_of(const ClusterEvent& event) {
  if (const auto* observation = std::get_if<Observation>(&event)) return observation->node;
  if (const auto* lost = std::get_if<NodeLost>(&event)) return lost->node;
  if (const auto* resolved = std::get_if<NodeResolved>(&event)) return resolved->node;
  if (const auto* drain = std::get_if<Drain>(&event)) return drain->node;
  return std::nullopt;
}

}  // namespace

ClusterReducer::ClusterReducer(ClusterView initial, const ReducerSettings& settings)
    : settings_(settings), view_(std::move(initial)), memory_(view_.nodes.size()) {
  view_.system_identifier = 0;
  view_.timeline = {};
  view_.history = {};
  view_.primary.reset();
  view_.authority.reset();
  if (settings_.has_authority) view_.authority.emplace();
  for (std::size_t i = 0; i < view_.nodes.size(); ++i) {
    NodeState& node = view_.nodes[i];
    NodeState fresh;
    fresh.id = NodeId{static_cast<std::uint16_t>(i)};
    fresh.name = std::move(node.name);
    fresh.host_name = std::move(node.host_name);
    fresh.host = std::move(node.host);
    fresh.port = node.port;
    fresh.weight = node.weight;
    node = std::move(fresh);
  }
}

void ClusterReducer::apply(const ClusterEvent& event) {
  if (const auto* pause = std::get_if<Pause>(&event)) {
    ++view_.generation;
    if (std::exchange(view_.paused, pause->on) != pause->on) ++view_.topology;
    return;
  }
  const Shapes before = shapes(view_);
  const Standing standing = standing_of(view_);
  const auto node = node_of(event);
  ++view_.generation;
  if (node && index(*node) >= view_.nodes.size()) return;

  if (node) {
    accept_node_event(event, *node);
  } else if (!view_.authority) {
    return;
  } else if (const auto* word = std::get_if<AuthorityWord>(&event)) {
    now_ = std::max(now_, word->answered_at);
    accept(*word);
  } else if (const auto* lost = std::get_if<AuthorityLost>(&event)) {
    now_ = std::max(now_, lost->at);
    view_.authority->reachable = false;
    authority_is_lost_ = true;
  }
  judge(now_);
  if (std::holds_alternative<Observation>(event)) {
    NodeState& observed = view_.nodes[index(*node)];
    observed.behind_for = known_delay(observed);
  }
  if (before != shapes(view_) || standing != standing_of(view_)) ++view_.topology;
}

void ClusterReducer::accept_node_event(const ClusterEvent& event, NodeId node) {
  if (const auto* drain = std::get_if<Drain>(&event)) {
    view_.nodes[index(node)].drained = drain->on;
    return;
  }
  // What was under way when it left says nothing any more.
  if (memory_[index(node)].removed) return;
  if (const auto* resolved = std::get_if<NodeResolved>(&event)) {
    const NodeState& state = view_.node(node);
    if (state.host != resolved->host || state.port != resolved->port) {
      ++view_.topology;
      accept(*resolved);
    }
  } else if (const auto* lost = std::get_if<NodeLost>(&event)) {
    now_ = std::max(now_, lost->at);
    accept(*lost);
  } else if (const auto* observation = std::get_if<Observation>(&event)) {
    now_ = std::max(now_, observation->answered_at);
    if (accept(*observation)) identify(*observation);
  }
}

/// Whether the observation is the node's latest.
bool ClusterReducer::accept(const Observation& observation) {
  NodeState& node = view_.nodes[index(observation.node)];
  Memory& memory = memory_[index(observation.node)];
  if (observation.incarnation < std::max(node.incarnation, memory.least_incarnation)) return false;
  const NodeRole role = observation.in_recovery ? NodeRole::replica : NodeRole::primary;
  const bool same_life = observation.incarnation == node.incarnation && node.role != NodeRole::unknown;
  Lsn position = observation.position;
  if (same_life) {
    const bool same_branch = observation.timeline == node.timeline && role == node.role &&
                             observation.system_identifier == node.system_identifier;
    if (!memory.answers && observation.asked_at <= memory.lost_at) return false;
    if (observation.asked_at < node.observed_at) {
      // Overtaken by a later question; but where the server has been in this life, it still is.
      if (same_branch && node.position < position) {
        node.position = position;
        memory.answered_at = std::max(memory.answered_at, observation.answered_at);
      }
      return false;
    }
    if (same_branch) position = std::max(position, node.position);
  } else if (node.role != NodeRole::unknown) {
    node.past = {node.incarnation, node.system_identifier, node.timeline, node.position, node.observed_at};
  }
  if (mutated(Mutation::position_after_restart)) position = std::max(position, node.position);
  if (!same_life || role != node.role) node.fresh_at = {};
  learn_history(observation, same_life);
  if (role == NodeRole::primary && (node.role != role || node.timeline != observation.timeline))
    memory.writable_since = observation.answered_at;
  node.role = role;
  node.system_identifier = observation.system_identifier;
  node.timeline = observation.timeline;
  node.incarnation = observation.incarnation;
  node.server_start = observation.server_start;
  node.awaits_standbys = role == NodeRole::primary && observation.awaits_standbys;
  node.position = position;
  node.observed_at = observation.asked_at;
  memory.answers = true;
  memory.answered_at = observation.answered_at;
  return true;
}

/// Where the timelines before a primary's own ended: as its history file says, else by what it had replayed
/// when it was last seen as a replica, in this life. All of that is on its way; there may have been more.
void ClusterReducer::learn_history(const Observation& observation, bool same_life) {
  if (observation.in_recovery) return;
  const NodeState& before = view_.node(observation.node);
  Memory& memory = memory_[index(observation.node)];
  if (observation.history && observation.history->fits(observation.timeline)) {
    memory.history = *observation.history;
    memory.shutdown_at = observation.shutdown_at;
  } else if (same_life && before.role == NodeRole::replica && before.timeline.value != 0 &&
             before.timeline < observation.timeline && memory.history_of != observation.timeline) {
    memory.history = view_.history.followed_by(view_.timeline, {before.timeline, before.position, false});
    memory.shutdown_at.reset();
  } else {
    return;
  }
  memory.history_of = observation.timeline;
}

void ClusterReducer::accept(const NodeLost& lost) {
  Memory& memory = memory_[index(lost.node)];
  if (memory.answers) memory.flaps.lost(lost.at, settings_.flaps);
  memory.answers = false;
  memory.lost_at = std::max(memory.lost_at, lost.at);
}

void ClusterReducer::accept(const NodeResolved& resolved) {
  NodeState& node = view_.nodes[index(resolved.node)];
  Memory& memory = memory_[index(resolved.node)];
  // What was observed at another address says nothing of the server at this one.
  if (!node.host.empty() && node.role != NodeRole::unknown) {
    memory.answers = false;
    memory.least_incarnation = node.incarnation + 1;
  }
  node.host = resolved.host;
  node.port = resolved.port;
}

/// The first writable node, or with an authority the first one that it names, says which cluster this is;
/// until there is one, the first node that answers.
void ClusterReducer::identify(const Observation& observation) {
  if (identifier_is_primarys_ || observation.system_identifier == 0) return;
  const bool decides =
      !observation.in_recovery && (!view_.authority || view_.authority->named == observation.node);
  if (!decides && view_.system_identifier != 0) return;
  view_.system_identifier = observation.system_identifier;
  identifier_is_primarys_ = decides;
}

bool ClusterReducer::is_writable(const NodeState& node) const {
  return memory_[index(node.id)].answers && node.role == NodeRole::primary && node.timeline.value != 0 &&
         node.system_identifier != 0 && node.system_identifier == view_.system_identifier;
}

void ClusterReducer::judge(TimePoint now) {
  elect();
  for (NodeState& node : view_.nodes) {
    node.fault = fault_of(node);
    node.flapping = memory_[index(node.id)].flaps.judge(now, settings_.flaps);
  }
  measure(now);
}

void ClusterReducer::elect() {
  const NodeState* const candidate = view_.authority ? named_writable() : newest_writable();
  view_.primary.reset();
  if (candidate == nullptr) return;
  view_.primary = candidate->id;
  view_.timeline = candidate->timeline;
  take_history(memory_[index(candidate->id)]);
  note_reign(*candidate);
}

/// The one writable node on the highest timeline of all that was ever writable.
const NodeState* ClusterReducer::newest_writable() {
  const NodeState* candidate = nullptr;
  int rivals = 0;
  for (const NodeState& node : view_.nodes) {
    if (is_writable(node)) newest_timeline_ = std::max(newest_timeline_, node.timeline);
  }
  for (const NodeState& node : view_.nodes) {
    if (!is_writable(node) || node.timeline != newest_timeline_) continue;
    candidate = &node;
    ++rivals;
  }
  return rivals == 1 ? candidate : nullptr;
}

/// What the reign before this one is known to have left, and what is observed of this one.
void ClusterReducer::note_reign(const NodeState& primary) {
  const Memory& memory = memory_[index(primary.id)];
  const auto& ancestors = view_.history.ancestors();
  const bool known = std::any_of(view_.hand_overs.begin(), view_.hand_overs.end(), [&](const HandOver& each) {
    return !ancestors.empty() && each.timeline == ancestors.back().timeline;
  });
  if (memory.shutdown_at && memory.history_of == view_.timeline && !ancestors.empty() && !known) {
    const TimelineSwitch& left = ancestors.back();
    if (const auto over = reign_.handed_over(left.timeline, *memory.shutdown_at, left.end);
        over && left.exact) {
      if (view_.hand_overs.size() == ClusterView::kHandOvers)
        view_.hand_overs.erase(view_.hand_overs.begin());
      view_.hand_overs.push_back(*over);
      ++view_.topology;
    }
  }
  reign_.observe(primary);
}

/// The primary's own: what another node told can be of another branch, be it of the same number.
void ClusterReducer::take_history(const Memory& primary) {
  TimelineHistory history;
  if (primary.history_of == view_.timeline) history = primary.history;
  if (history == view_.history) return;
  view_.history = std::move(history);
  ++view_.topology;
}

NodeFault ClusterReducer::fault_of(const NodeState& node) const {
  if (memory_[index(node.id)].removed) return NodeFault::removed;
  if (!memory_[index(node.id)].answers) return NodeFault::unreachable;
  if (node.system_identifier == 0 || node.system_identifier != view_.system_identifier) {
    return NodeFault::other_cluster;
  }
  if (node.role == NodeRole::primary) {
    if (view_.primary == node.id) return NodeFault::none;
    if (view_.authority)
      return view_.authority->named == node.id ? NodeFault::older_timeline : NodeFault::not_named;
    return is_writable(node) && node.timeline == newest_timeline_ ? NodeFault::duplicate_primary
                                                                  : NodeFault::older_timeline;
  }
  const bool follows = view_.timeline.value == 0 || node.timeline == view_.timeline;
  return follows ? NodeFault::none : NodeFault::not_following;
}

void ClusterReducer::measure(TimePoint now) {
  if (view_.primary) {
    NodeState& primary = view_.nodes[index(*view_.primary)];
    if (trail_of_ != view_.primary || trail_timeline_ != view_.timeline) trail_.clear();
    trail_of_ = view_.primary;
    trail_timeline_ = view_.timeline;
    trail_.add(primary.observed_at, memory_[index(primary.id)].answered_at, primary.position);
    primary.fresh_at = primary.observed_at;
  }
  for (NodeState& node : view_.nodes) measure_replica(node, now);
}

void ClusterReducer::measure_replica(NodeState& node, TimePoint now) const {
  node.lag_bytes = {};
  node.lag_time = {};
  if (node.role != NodeRole::replica || trail_.empty()) {
    node.lagging = false;
    return;
  }
  node.lag_bytes = lag(trail_.newest_position(), node.position);
  // Without a primary nothing passes: the clock of lag stands at its last sample, or every replica that had
  // not received its last bytes would be shut out after max_lag, with no primary to turn to.
  node.lag_time = trail_.age(node.position, view_.primary ? now : trail_.newest_at());
  if (node.lag_time > settings_.max_lag) node.lagging = true;
  if (node.lag_time <= settings_.max_lag - settings_.max_lag / 5) node.lagging = false;
  // Never taken back within a life: what a server shows only grows.
  if (is_on_trail(node))
    node.fresh_at = std::max(node.fresh_at, trail_.fresh_at(node.position).value_or(TimePoint{}));
}

/// Whether the node's positions and the trail's are of one timeline.
bool ClusterReducer::is_on_trail(const NodeState& node) const {
  return node.timeline == trail_timeline_ && node.system_identifier != 0 &&
         node.system_identifier == view_.system_identifier;
}

/// For how long the primary had been ahead when the node's present observation was asked for, at least: it
/// had answered so before that, and the node can have had no more then than it told afterwards.
Duration ClusterReducer::known_delay(const NodeState& node) const {
  if (node.role != NodeRole::replica || !is_on_trail(node)) return Duration::zero();
  const auto passed_by = trail_.passed_by(node.position);
  return passed_by ? std::max(Duration::zero(), node.observed_at - *passed_by) : Duration::zero();
}

}  // namespace tidemark::routing

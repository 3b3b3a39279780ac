#include "routing/cluster_reducer.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <absl/container/inlined_vector.h>

namespace tidemark::routing {
namespace {

/// What `topology` counts the changes of.
auto shape(const NodeState& node) {
  return std::tuple(node.role, node.fault, node.incarnation, node.timeline, node.system_identifier);
}
using Shapes = absl::InlinedVector<decltype(shape(std::declval<NodeState>())), 8>;

Shapes shapes(const ClusterView& view) {
  Shapes all;
  for (const NodeState& node : view.nodes) all.push_back(shape(node));
  return all;
}

}  // namespace

ClusterReducer::ClusterReducer(ClusterView initial) : view_(std::move(initial)), memory_(view_.nodes.size()) {
  view_.system_identifier = 0;
  view_.timeline = {};
  view_.primary.reset();
  for (std::size_t i = 0; i < view_.nodes.size(); ++i) {
    NodeState& node = view_.nodes[i];
    NodeState fresh;
    fresh.id = NodeId{static_cast<std::uint16_t>(i)};
    fresh.name = std::move(node.name);
    fresh.host = std::move(node.host);
    fresh.port = node.port;
    fresh.weight = node.weight;
    node = std::move(fresh);
  }
}

void ClusterReducer::apply(const ClusterEvent& event) {
  const Shapes before = shapes(view_);
  const auto cluster_before = std::tuple(view_.system_identifier, view_.timeline, view_.primary);
  const NodeId node = std::visit([](const auto& any) { return any.node; }, event);
  ++view_.generation;
  if (index(node) >= view_.nodes.size()) return;

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
  judge(now_);
  if (before != shapes(view_) ||
      cluster_before != std::tuple(view_.system_identifier, view_.timeline, view_.primary)) {
    ++view_.topology;
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
      if (same_branch) node.position = std::max(node.position, position);
      return false;
    }
    if (same_branch) position = std::max(position, node.position);
  }
  node.role = role;
  node.system_identifier = observation.system_identifier;
  node.timeline = observation.timeline;
  node.incarnation = observation.incarnation;
  node.position = position;
  node.observed_at = observation.asked_at;
  memory.answers = true;
  return true;
}

void ClusterReducer::accept(const NodeLost& lost) {
  Memory& memory = memory_[index(lost.node)];
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

/// The first writable node says which cluster this is; until there is one, the first node that answers.
void ClusterReducer::identify(const Observation& observation) {
  if (identifier_is_primarys_ || observation.system_identifier == 0) return;
  if (observation.in_recovery && view_.system_identifier != 0) return;
  view_.system_identifier = observation.system_identifier;
  identifier_is_primarys_ = !observation.in_recovery;
}

bool ClusterReducer::is_writable(const NodeState& node) const {
  return memory_[index(node.id)].answers && node.role == NodeRole::primary && node.timeline.value != 0 &&
         node.system_identifier != 0 && node.system_identifier == view_.system_identifier;
}

void ClusterReducer::judge(TimePoint now) {
  elect();
  for (NodeState& node : view_.nodes) node.fault = fault_of(node);
  measure(now);
}

void ClusterReducer::elect() {
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
  view_.primary.reset();
  if (rivals != 1) return;
  view_.primary = candidate->id;
  view_.timeline = newest_timeline_;
}

NodeFault ClusterReducer::fault_of(const NodeState& node) const {
  if (!memory_[index(node.id)].answers) return NodeFault::unreachable;
  if (node.system_identifier == 0 || node.system_identifier != view_.system_identifier) {
    return NodeFault::other_cluster;
  }
  if (node.role == NodeRole::primary) {
    if (view_.primary == node.id) return NodeFault::none;
    return is_writable(node) && node.timeline == newest_timeline_ ? NodeFault::duplicate_primary
                                                                  : NodeFault::older_timeline;
  }
  const bool follows = view_.timeline.value == 0 || node.timeline == view_.timeline;
  return follows ? NodeFault::none : NodeFault::not_following;
}

void ClusterReducer::measure(TimePoint now) {
  if (view_.primary) {
    const NodeState& primary = view_.node(*view_.primary);
    if (trail_of_ != view_.primary || trail_timeline_ != view_.timeline) trail_.clear();
    trail_of_ = view_.primary;
    trail_timeline_ = view_.timeline;
    trail_.passed(primary.observed_at, primary.position);
  }
  for (NodeState& node : view_.nodes) {
    node.lag_bytes = {};
    node.lag_time = {};
    if (node.role != NodeRole::replica || trail_.empty()) continue;
    node.lag_bytes = lag(trail_.newest_position(), node.position);
    // Without a primary nothing passes: the clock of lag stands at its last sample, or every replica that had
    // not received its last bytes would be shut out after max_lag, with no primary to turn to.
    node.lag_time = trail_.age(node.position, view_.primary ? now : trail_.newest_at());
  }
}

}  // namespace tidemark::routing

// What an authority's word does to the view: rule 10 of README.md, and who is a member.

#include <algorithm>

#include "routing/cluster_reducer.hpp"

namespace tidemark::routing {

void ClusterReducer::accept(const AuthorityWord& word) {
  AuthorityState& authority = *view_.authority;
  if (word.asked_at < authority.asked_at) return;
  std::vector<bool> listed(view_.nodes.size(), false);
  authority.reachable = true;
  authority_is_lost_ = false;
  authority.asked_at = word.asked_at;
  authority.named.reset();
  authority.left_out = 0;
  for (std::size_t i = 0; i < word.members.size(); ++i) {
    const auto node = admit(word.members[i]);
    if (!node) {
      ++authority.left_out;
      continue;
    }
    listed.resize(view_.nodes.size(), true);
    listed[index(*node)] = true;
    if (word.primary == i) authority.named = node;
  }
  for (std::size_t i = 0; i < listed.size(); ++i) {
    Memory& memory = memory_[i];
    if (listed[i] || memory.removed) continue;
    memory.removed = true;
    memory.answers = false;
    memory.lost_at = std::max(memory.lost_at, word.answered_at);
  }
}

/// The member's node: the one that it was before, or a new one while there is room.
std::optional<NodeId> ClusterReducer::admit(const Member& member) {
  const auto known = std::find_if(view_.nodes.begin(), view_.nodes.end(),
                                  [&](const NodeState& node) { return node.name == member.name; });
  if (known != view_.nodes.end()) {
    memory_[index(known->id)].removed = false;
    return known->id;
  }
  if (view_.nodes.size() >= ClusterView::kMostNodes) return std::nullopt;
  NodeState node;
  node.id = NodeId{static_cast<std::uint16_t>(view_.nodes.size())};
  node.name = member.name;
  node.host_name = member.host_name;
  node.host = member.host;
  node.port = member.port;
  node.weight = member.weight;
  memory_.emplace_back();
  view_.nodes.push_back(std::move(node));
  return view_.nodes.back().id;
}

/// The writable node that the authority names. A writable node on a higher timeline that was first seen so
/// after the authority was asked contradicts its word, which may be the older one: then there is no primary
/// until the authority has been asked again, and its newer word counts. Only where the operator wants it, and
/// while the authority cannot be asked, such a node is the primary by its timeline.
const NodeState* ClusterReducer::named_writable() {
  const AuthorityState& authority = *view_.authority;
  const NodeState* named = nullptr;
  if (authority.named) {
    const NodeState& node = view_.node(*authority.named);
    if (is_writable(node) && node.timeline >= view_.timeline) named = &node;
  }
  const TimelineId reference = std::max(named_timeline_, named != nullptr ? named->timeline : TimelineId{});
  const NodeState* riser = nullptr;
  bool alone = true;
  for (const NodeState& node : view_.nodes) {
    const bool rises = &node != named && is_writable(node) && reference < node.timeline &&
                       authority.asked_at <= memory_[index(node.id)].writable_since;
    if (!rises || (riser != nullptr && node.timeline < riser->timeline)) continue;
    alone = riser == nullptr || riser->timeline < node.timeline;
    riser = &node;
  }
  if (riser == nullptr) {
    if (named != nullptr) named_timeline_ = std::max(named_timeline_, named->timeline);
    return named;
  }
  const bool proven = settings_.timeline_proves && authority_is_lost_ && alone;
  return proven && riser->timeline >= view_.timeline ? riser : nullptr;
}

}  // namespace tidemark::routing

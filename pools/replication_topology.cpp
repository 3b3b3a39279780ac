#include "pools/replication_topology.hpp"

#include <algorithm>
#include <string_view>

namespace tidemark::pools {

using routing::NodeId;
using routing::NodeState;

namespace {

bool is_this_machine(std::string_view host) {
  return host.starts_with("127.") || host == "::1" || host == "localhost" || host.starts_with('/');
}

/// The host as the operator wrote it.
std::string_view host_of(std::string_view name) {
  std::string_view host = name.substr(0, name.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

bool same_text(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

/// Whether `host`, as `follower` knows it, is where we know `node`.
bool is_at(const NodeState& node, const NodeState& follower, std::string_view host) {
  if (host.empty()) return false;
  if (same_text(host, host_of(node.name)) || same_text(host, node.host)) return true;
  return is_this_machine(host) && (is_this_machine(node.host) || node.host == follower.host);
}

const NodeFacts* facts_of(std::span<const NodeFacts* const> facts, NodeId node) {
  return routing::index(node) < facts.size() ? facts[routing::index(node)] : nullptr;
}

/// The one standby that `matches`; nullopt if there is none, or several.
template <class Matches>
std::optional<std::size_t> only(const std::vector<StandbyFacts>& standbys, Matches matches) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < standbys.size(); ++i) {
    if (!matches(standbys[i])) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

std::optional<std::size_t> find_row(const NodeFacts& sender, const NodeState& follower,
                                    const ReceiverFacts& receiver) {
  const auto named = [&](const StandbyFacts& standby) {
    return standby.is_replica() && standby.application_name == receiver.application_name;
  };
  if (!receiver.slot_name.empty()) {
    const auto by_slot = only(sender.standbys, [&](const StandbyFacts& standby) {
      return standby.slot_name == receiver.slot_name && !standby.logical;
    });
    if (by_slot) return by_slot;
  }
  if (const auto by_name = only(sender.standbys, named)) return by_name;
  return only(sender.standbys, [&](const StandbyFacts& standby) {
    return named(standby) && standby.client_address == follower.host;
  });
}

/// For a sender's address that we do not know a node by: whose standby is it, by its name and address?
void find_by_standbys(const routing::ClusterView& view, std::span<const NodeFacts* const> facts,
                      const NodeState& follower, const ReceiverFacts& receiver, Upstream& upstream) {
  for (const NodeState& node : view.nodes) {
    const NodeFacts* sender = facts_of(facts, node.id);
    if (sender == nullptr || node.id == follower.id || node.port != receiver.sender_port) continue;
    const auto row = only(sender->standbys, [&](const StandbyFacts& standby) {
      return standby.is_replica() && standby.application_name == receiver.application_name &&
             standby.client_address == follower.host;
    });
    if (!row) continue;
    if (upstream.node) {
      upstream.node.reset();
      upstream.standby.reset();
      return;
    }
    upstream.node = node.id;
    upstream.standby = row;
  }
}

Upstream find_upstream(const routing::ClusterView& view, std::span<const NodeFacts* const> facts,
                       const NodeState& follower) {
  Upstream upstream;
  const NodeFacts* own = facts_of(facts, follower.id);
  if (own == nullptr || !own->receiver) return upstream;
  const ReceiverFacts& receiver = *own->receiver;
  if (receiver.sender_host.empty()) return upstream;
  const bool brackets = receiver.sender_host.find(':') != std::string::npos;
  upstream.address = (brackets ? '[' + receiver.sender_host + ']' : receiver.sender_host) + ':' +
                     std::to_string(receiver.sender_port);
  for (const NodeState& node : view.nodes) {
    if (node.id == follower.id || node.port != receiver.sender_port) continue;
    if (!is_at(node, follower, receiver.sender_host)) continue;
    upstream.node = node.id;
    if (const NodeFacts* sender = facts_of(facts, node.id))
      upstream.standby = find_row(*sender, follower, receiver);
    return upstream;
  }
  find_by_standbys(view, facts, follower, receiver, upstream);
  return upstream;
}

}  // namespace

std::vector<Upstream> find_upstreams(const routing::ClusterView& view,
                                     std::span<const NodeFacts* const> facts) {
  std::vector<Upstream> upstreams;
  for (const NodeState& node : view.nodes) upstreams.push_back(find_upstream(view, facts, node));
  if (!view.primary) return upstreams;
  Upstream& top = upstreams[routing::index(*view.primary)];
  top = {};
  top.tier = 0;
  // A chain is no longer than there are nodes, and a circle never gets a tier.
  for (std::size_t round = 0; round < upstreams.size(); ++round) {
    for (Upstream& upstream : upstreams) {
      if (upstream.tier || !upstream.node) continue;
      if (const auto& above = upstreams[routing::index(*upstream.node)].tier) upstream.tier = *above + 1;
    }
  }
  return upstreams;
}

}  // namespace tidemark::pools

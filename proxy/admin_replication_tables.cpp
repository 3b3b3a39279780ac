#include "proxy/admin_replication_tables.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace tidemark::proxy {
namespace {

std::string seconds(auto duration) {
  return fmt::format("{:.3f}", std::chrono::duration<double>(duration).count());
}

std::string seconds(const std::optional<std::chrono::microseconds>& duration) {
  return duration ? seconds(*duration) : std::string();
}

std::string bytes(const std::optional<routing::ByteLag>& lag) {
  return lag ? std::to_string(lag->bytes) : std::string();
}

std::string tier_of(const pools::ReplicationNode& node) {
  return node.upstream.tier ? std::to_string(*node.upstream.tier) : std::string();
}

std::string replay_of(const pools::ReplicationNode& node) {
  return node.known && node.facts.in_recovery ? node.facts.pause_state : std::string();
}

}  // namespace

AdminRows alert_rows(const pools::ReplicationHealth& health, routing::TimePoint now) {
  std::vector<const pools::Finding*> findings;
  findings.reserve(health.findings.size());
  for (const auto& finding : health.findings) findings.push_back(&finding);
  std::stable_sort(findings.begin(), findings.end(),
                   [](const auto* one, const auto* other) { return one->since < other->since; });
  AdminRows rows;
  for (const auto* finding : findings) {
    rows.push_back({std::string(to_string(finding->alert)), health.nodes[routing::index(finding->node)].name,
                    finding->subject, finding->numbers, seconds(now - finding->since),
                    std::string(advice(finding->alert))});
  }
  return rows;
}

AdminRows replication_rows(const pools::ReplicationHealth& health) {
  AdminRows rows;
  std::set<routing::NodeId> followers;
  for (const auto& sender : health.nodes) {
    for (const auto& standby : sender.standbys) {
      const auto* replica = standby.node ? &health.nodes[routing::index(*standby.node)] : nullptr;
      if (replica != nullptr) followers.insert(replica->id);
      const auto& facts = standby.facts;
      rows.push_back({sender.name, replica != nullptr ? tier_of(*replica) : std::string(),
                      facts.application_name, replica != nullptr ? replica->name : std::string(), facts.state,
                      facts.sync_state, bytes(standby.write_lag), bytes(standby.flush_lag),
                      bytes(standby.replay_lag), seconds(facts.write_lag), seconds(facts.flush_lag),
                      seconds(facts.replay_lag), replica != nullptr ? replay_of(*replica) : std::string()});
    }
  }
  for (const auto& node : health.nodes) {
    if (health.primary == node.id || followers.contains(node.id)) continue;
    std::vector<std::string> row(std::size(kStandbyColumns));
    row[0] = node.upstream.address;
    row[1] = tier_of(node);
    row[3] = node.name;
    row[4] = !node.known ? "no answer" : node.facts.receiver ? node.facts.receiver->status : "follows nobody";
    row.back() = replay_of(node);
    rows.push_back(std::move(row));
  }
  return rows;
}

AdminRows slot_rows(const pools::ReplicationHealth& health, routing::TimePoint now) {
  AdminRows rows;
  for (const auto& node : health.nodes) {
    for (const auto& slot : node.slots) {
      const auto& facts = slot.facts;
      rows.push_back(
          {node.name, facts.name, facts.logical ? "logical" : "physical", facts.active ? "yes" : "no",
           slot.inactive_since ? seconds(now - *slot.inactive_since) : std::string(), bytes(slot.retained),
           facts.safe_wal_size ? std::to_string(*facts.safe_wal_size) : std::string(), facts.wal_status});
    }
  }
  return rows;
}

}  // namespace tidemark::proxy

#include "proxy/metrics_replication.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace tidemark::proxy {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

/// One family, whose samples come one by one.
class Family {
 public:
  Family(const char* name, const char* help, MetricType type = MetricType::Gauge)
      : family_{name, help, type, {}} {}
  void add(Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family_.metric.push_back(std::move(metric));
  }
  [[nodiscard]] const MetricFamily& family() const { return family_; }

 private:
  MetricFamily family_;
};

using Families = std::vector<MetricFamily>;

double seconds(auto duration) {
  return std::chrono::duration<double>(duration).count();
}

double number(routing::ByteLag lag) {
  return static_cast<double>(lag.bytes);
}

void add_alerts(Families& out, const pools::ReplicationHealth& health) {
  std::set<std::pair<pools::Alert, routing::NodeId>> raised;
  for (const auto& finding : health.findings) raised.emplace(finding.alert, finding.node);
  Family alerts("tidemark_alert", "1 while something is wrong with replication at the node.");
  for (const auto& node : health.nodes) {
    for (std::size_t i = 0; i < pools::kAlerts; ++i) {
      const auto alert = static_cast<pools::Alert>(i);
      alerts.add({{"node", node.name}, {"alert", std::string(to_string(alert))}},
                 raised.contains({alert, node.id}) ? 1 : 0);
    }
  }
  Family known("tidemark_node_replication_known",
               "1 while the node has told of replication of late: 0 leaves its alerts unknown.");
  for (const auto& node : health.nodes) known.add({{"node", node.name}}, node.known ? 1 : 0);
  out.insert(out.end(), {alerts.family(), known.family()});
}

std::string upstream_of(const pools::ReplicationHealth& health, const pools::ReplicationNode& node) {
  if (node.upstream.node) return health.nodes[routing::index(*node.upstream.node)].name;
  return node.upstream.address;
}

void add_nodes(Families& out, const pools::ReplicationHealth& health) {
  Family tier("tidemark_node_tier", "0 for the primary, 1 for who follows it, 2 for who follows these.");
  Family upstream("tidemark_node_upstream",
                  "1, with whom the node follows; ours says whether that is one of the nodes.");
  Family streaming("tidemark_node_wal_receiver_streaming", "1 while the replica's WAL receiver streams.");
  Family paused("tidemark_node_replay_paused", "1 while the replica's replay is paused.");
  Family conflicts("tidemark_node_recovery_conflicts_total",
                   "Queries that recovery has cancelled on the replica.", MetricType::Counter);
  for (const auto& node : health.nodes) {
    if (node.upstream.tier) tier.add({{"node", node.name}}, *node.upstream.tier);
    if (!node.known || !node.facts.in_recovery) continue;
    if (!node.upstream.address.empty()) {
      upstream.add({{"node", node.name},
                    {"upstream", upstream_of(health, node)},
                    {"ours", node.upstream.node ? "true" : "false"}},
                   1);
    }
    streaming.add({{"node", node.name}},
                  node.facts.receiver && node.facts.receiver->status == "streaming" ? 1 : 0);
    paused.add({{"node", node.name}}, node.facts.pause_state == "not paused" ? 0 : 1);
    for (std::size_t i = 0; i < pools::ConflictFacts::kCauses.size(); ++i) {
      conflicts.add({{"node", node.name}, {"cause", std::string(pools::ConflictFacts::kCauses[i])}},
                    static_cast<double>(node.facts.conflicts.by_cause[i]));
    }
  }
  out.insert(out.end(),
             {tier.family(), upstream.family(), streaming.family(), paused.family(), conflicts.family()});
}

void add_tiers(Families& out, const pools::ReplicationHealth& health, const routing::ClusterView& view) {
  struct Most {
    double bytes = 0, seconds = 0;
  };
  std::map<unsigned, Most> tiers;
  for (const auto& node : view.nodes) {
    if (routing::index(node.id) >= health.nodes.size() || node.fault != routing::NodeFault::none) continue;
    const auto tier = health.nodes[routing::index(node.id)].upstream.tier;
    if (!tier || *tier == 0) continue;
    Most& most = tiers[*tier];
    most.bytes = std::max(most.bytes, number(node.lag_bytes));
    most.seconds = std::max(most.seconds, seconds(node.lag_time));
  }
  Family bytes("tidemark_replication_tier_lag_bytes",
               "Of the tier's nodes, the greatest tidemark_node_replay_lag_bytes.");
  Family time("tidemark_replication_tier_lag_seconds",
              "Of the tier's nodes, the greatest tidemark_node_replay_lag_seconds.");
  for (const auto& [tier, most] : tiers) {
    bytes.add({{"tier", std::to_string(tier)}}, most.bytes);
    time.add({{"tier", std::to_string(tier)}}, most.seconds);
  }
  out.insert(out.end(), {bytes.family(), time.family()});
}

void add_standbys(Families& out, const pools::ReplicationHealth& health) {
  Family state("tidemark_replication_standby",
               "1 for each row of the node's pg_stat_replication, with its state and sync_state.");
  Family bytes("tidemark_replication_lag_bytes",
               "WAL bytes by which the standby trails the node that sends to it.");
  Family time("tidemark_replication_lag_seconds",
              "PostgreSQL's write_lag, flush_lag and replay_lag; absent while the standby lacks nothing.");
  std::map<std::vector<std::string>, int> seen;
  for (const auto& sender : health.nodes) {
    for (const auto& standby : sender.standbys) {
      const std::string replica =
          standby.node ? health.nodes[routing::index(*standby.node)].name : std::string();
      // Of standbys that no label tells apart the first is shown: two samples of one name are not allowed.
      if (seen[{sender.name, standby.facts.application_name, standby.facts.client_address, replica}]++ != 0)
        continue;
      const Labels labels{{"node", sender.name},
                          {"standby", standby.facts.application_name},
                          {"client", standby.facts.client_address},
                          {"replica", replica}};
      const auto with = [&labels](const char* name, const std::string& value) {
        Labels more = labels;
        more.push_back({name, value});
        return more;
      };
      Labels told = with("state", standby.facts.state);
      told.push_back({"sync_state", standby.facts.sync_state});
      state.add(std::move(told), 1);
      const std::pair<const char*, std::optional<routing::ByteLag>> lags[] = {
          {"write", standby.write_lag}, {"flush", standby.flush_lag}, {"replay", standby.replay_lag}};
      for (const auto& [stage, lag] : lags) {
        if (lag) bytes.add(with("stage", stage), number(*lag));
      }
      const std::pair<const char*, std::optional<std::chrono::microseconds>> times[] = {
          {"write", standby.facts.write_lag},
          {"flush", standby.facts.flush_lag},
          {"replay", standby.facts.replay_lag}};
      for (const auto& [stage, lag] : times) {
        if (lag) time.add(with("stage", stage), seconds(*lag));
      }
    }
  }
  out.insert(out.end(), {state.family(), bytes.family(), time.family()});
}

void add_primary(Families& out, const pools::ReplicationHealth& health) {
  if (!health.primary) return;
  const std::string& name = health.nodes[routing::index(*health.primary)].name;
  Family required("tidemark_replication_synchronous_standbys_required",
                  "Standbys that synchronous_standby_names makes a commit wait for.");
  Family connected("tidemark_replication_synchronous_standbys_connected",
                   "Standbys of synchronous_standby_names that stream.");
  if (health.synchronous) {
    required.add({{"node", name}}, health.synchronous->required);
    connected.add({{"node", name}}, static_cast<double>(health.synchronous->connected));
  }
  Family rate("tidemark_replication_write_rate_bytes",
              "WAL that the primary writes per second, averaged over half a minute.");
  Family bytes(
      "tidemark_replication_loss_window_bytes",
      "What would be lost with the primary: the greater of what its best replica has not flushed, and "
      "write rate x that replica's flush_lag.");
  Family time("tidemark_replication_loss_window_seconds",
              "The best replica's flush_lag; without a replica, the time since one was last seen.");
  if (health.loss) {
    rate.add({{"node", name}}, health.loss->write_rate);
    bytes.add({{"node", name}}, static_cast<double>(health.loss->bytes));
    time.add({{"node", name}}, seconds(health.loss->time));
  }
  out.insert(out.end(),
             {required.family(), connected.family(), rate.family(), bytes.family(), time.family()});
}

void add_slots(Families& out, const pools::ReplicationHealth& health) {
  Family active("tidemark_slot_active", "1 while somebody uses the replication slot.");
  Family inactive("tidemark_slot_inactive_seconds",
                  "How long nobody has used it, by the proxy's clock, since the proxy looks.");
  Family retained("tidemark_slot_retained_bytes", "WAL that the node keeps for it.");
  Family safe("tidemark_slot_safe_wal_size_bytes",
              "WAL that can be written before it may lose some; absent without max_slot_wal_keep_size.");
  Family status("tidemark_slot_wal_status",
                "1 for its wal_status: reserved, extended, unreserved or lost; none if never used.");
  const auto now = std::chrono::steady_clock::now();
  for (const auto& node : health.nodes) {
    for (const auto& slot : node.slots) {
      const Labels labels{{"node", node.name},
                          {"slot", slot.facts.name},
                          {"type", slot.facts.logical ? "logical" : "physical"}};
      active.add(labels, slot.facts.active ? 1 : 0);
      inactive.add(labels, slot.inactive_since ? seconds(now - *slot.inactive_since) : 0);
      if (slot.retained) retained.add(labels, number(*slot.retained));
      if (slot.facts.safe_wal_size) safe.add(labels, static_cast<double>(*slot.facts.safe_wal_size));
      Labels told = labels;
      told.push_back({"wal_status", slot.facts.wal_status.empty() ? "none" : slot.facts.wal_status});
      status.add(std::move(told), 1);
    }
  }
  out.insert(out.end(),
             {active.family(), inactive.family(), retained.family(), safe.family(), status.family()});
}

}  // namespace

std::string render_replication(const pools::ReplicationHealth& health, const routing::ClusterView& view) {
  Families out;
  add_alerts(out, health);
  add_nodes(out, health);
  add_tiers(out, health, view);
  add_standbys(out, health);
  add_primary(out, health);
  add_slots(out, health);
  std::erase_if(out, [](const MetricFamily& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(out);
}

}  // namespace tidemark::proxy

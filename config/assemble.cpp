#include "config/assemble.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "config/node_address.hpp"

namespace tidemark::config {
namespace {

/// Copies values that the schema has checked: every integer is in the range of its key, so it fits its field.
class Filler {
 public:
  explicit Filler(const Document& document) : document_(document) {}

  void text(std::string_view path, std::string& field) const {
    if (const auto* value = document_.get<std::string>(path)) field = *value;
  }
  template <typename Integer>
  void integer(std::string_view path, Integer& field) const {
    if (const auto* value = document_.get<std::int64_t>(path)) field = static_cast<Integer>(*value);
  }
  void boolean(std::string_view path, bool& field) const {
    if (const auto* value = document_.get<bool>(path)) field = *value;
  }
  void duration(std::string_view path, std::chrono::nanoseconds& field) const {
    if (const auto* value = document_.get<std::chrono::nanoseconds>(path)) field = *value;
  }
  template <typename Enum>
  void choice(std::string_view path, std::initializer_list<std::pair<std::string_view, Enum>> names,
              Enum& field) const {
    const auto* value = document_.get<std::string>(path);
    if (value == nullptr) return;
    for (const auto& [name, meaning] : names) {
      if (name == *value) field = meaning;
    }
  }

 private:
  const Document& document_;
};

std::vector<pools::NodeAddress> assemble_nodes(const Document& document) {
  std::vector<pools::NodeAddress> nodes;
  const auto* items = document.get<std::vector<Item>>("cluster.nodes");
  if (items == nullptr) return nodes;
  for (const Item& item : *items) {
    auto parsed = parse_node_address(item.text);
    if (auto* address = std::get_if<pools::NodeAddress>(&parsed)) nodes.push_back(std::move(*address));
  }
  for (const Document& element : document.list("cluster.node")) {
    const auto* text = element.get<std::string>("cluster.node.address");
    if (text == nullptr) continue;
    const auto parsed = parse_node_address(*text);
    const auto* address = std::get_if<pools::NodeAddress>(&parsed);
    if (address == nullptr) continue;
    for (pools::NodeAddress& node : nodes) {
      if (identity(node) == identity(*address)) Filler(element).integer("cluster.node.weight", node.weight);
    }
  }
  return nodes;
}

/// Five probes may be lost before a node is out; a second at least, so that a short interval does not make
/// the proxy nervous.
std::chrono::nanoseconds observation_max_age(std::chrono::nanoseconds probe_interval) {
  return std::max<std::chrono::nanoseconds>(5 * probe_interval, std::chrono::seconds(1));
}

}  // namespace

Config assemble(const Document& document) {
  const Filler fill(document);
  Config config;

  fill.text("listen.address", config.listen.address);
  fill.integer("listen.port", config.listen.port);
  fill.boolean("http.enabled", config.http.enabled);
  fill.text("http.address", config.http.address);
  fill.integer("http.port", config.http.port);

  fill.choice("auth.method", {{"scram-sha-256", AuthMethod::scram_sha_256}, {"trust", AuthMethod::trust}},
              config.auth.method);
  std::string users_file;
  fill.text("auth.users_file", users_file);
  config.auth.users_file = users_file;

  pools::ClusterSettings& cluster = config.cluster;
  cluster.nodes = assemble_nodes(document);
  fill.text("cluster.monitor_user", cluster.monitor_user);
  fill.text("cluster.monitor_database", cluster.monitor_database);
  fill.duration("cluster.probe_interval", cluster.probe_interval);
  fill.duration("cluster.probe_timeout", cluster.probe_timeout);
  fill.duration("cluster.failover_hold", cluster.failover_hold);

  pools::PoolSettings& pool = config.pool;
  fill.integer("pool.size", pool.size);
  fill.integer("pool.max_server_connections", pool.max_server_connections);
  fill.integer("pool.max_client_connections", pool.max_client_connections);
  fill.duration("pool.queue_timeout", pool.queue_timeout);
  fill.duration("pool.connect_timeout", pool.connect_timeout);
  fill.duration("pool.server_idle_timeout", pool.server_idle_timeout);
  fill.duration("pool.server_lifetime", pool.server_lifetime);
  fill.integer("pool.max_prepared_statements", pool.max_prepared_statements);

  routing::RoutingPolicy& policy = config.routing;
  if (const auto* level = document.get<std::string>("routing.consistency")) {
    policy.consistency = routing::parse_consistency(*level).value_or(policy.consistency);
  }
  fill.duration("routing.max_lag", policy.max_lag);
  fill.duration("routing.replica_wait", policy.replica_wait);
  fill.duration("routing.position_interval", policy.position_interval);
  fill.choice("routing.fallback",
              {{"primary", routing::Fallback::primary},
               {"wait", routing::Fallback::wait},
               {"error", routing::Fallback::error}},
              policy.fallback);
  fill.choice("routing.load_balance", {{"pinned", routing::LoadBalance::pinned}}, policy.load_balance);
  cluster.position_interval = policy.position_interval;
  policy.observation_max_age = observation_max_age(cluster.probe_interval);

  fill.integer("workers.threads", config.workers.threads);
  fill.choice("log.level",
              {{"debug", LogLevel::debug},
               {"info", LogLevel::info},
               {"warning", LogLevel::warning},
               {"error", LogLevel::error}},
              config.log.level);
  return config;
}

}  // namespace tidemark::config

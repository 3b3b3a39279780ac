#include "config/assemble.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "config/auth_rules.hpp"
#include "config/discovery_rules.hpp"
#include "config/marks_rules.hpp"
#include "config/node_address.hpp"
#include "config/routing_rules.hpp"
#include "config/units.hpp"

namespace tidemark::config {
namespace {

/// Copies values that the schema has checked: every integer is in the range of its key, so it fits its field.
class Filler {
 public:
  explicit Filler(const Document& document) : document_(document) {}

  void text(std::string_view path, std::string& field) const {
    if (const auto* value = document_.get<std::string>(path)) field = *value;
  }
  void texts(std::string_view path, std::vector<std::string>& field) const {
    const auto* items = document_.get<std::vector<Item>>(path);
    if (items == nullptr) return;
    for (const Item& item : *items) field.push_back(item.text);
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

void assemble_nodes(const Document& document, pools::ClusterSettings& cluster) {
  if (const auto* items = document.get<std::vector<Item>>("cluster.nodes")) {
    for (const Item& item : *items) {
      auto parsed = parse_node_address(item.text);
      if (auto* address = std::get_if<pools::NodeAddress>(&parsed))
        cluster.nodes.push_back(std::move(*address));
    }
  }
  for (const Document& element : document.list("cluster.node")) {
    const auto* text = element.get<std::string>("cluster.node.address");
    if (text == nullptr) continue;
    const auto parsed = parse_node_address(*text);
    const auto* address = std::get_if<pools::NodeAddress>(&parsed);
    if (address == nullptr) continue;
    Filler(element).integer("cluster.node.weight", cluster.described.emplace_back(*address).weight);
    for (pools::NodeAddress& node : cluster.nodes) {
      if (identity(node) == identity(*address)) node.weight = cluster.described.back().weight;
    }
  }
}

void fill_discovery(const Document& document, const Filler& fill, pools::DiscoverySettings& discovery) {
  fill.choice("cluster.discovery.type",
              {{"static", pools::DiscoveryType::fixed},
               {"patroni", pools::DiscoveryType::patroni},
               {"pg_auto_failover", pools::DiscoveryType::pg_auto_failover}},
              discovery.type);
  fill.duration("cluster.discovery.interval", discovery.interval);
  fill.duration("cluster.discovery.timeout", discovery.timeout);
  fill.choice("cluster.discovery.when_unreachable", {{"keep", false}, {"timeline", true}},
              discovery.timeline_proves);
  if (const auto* items = document.get<std::vector<Item>>("cluster.discovery.patroni")) {
    for (const Item& item : *items) {
      auto parsed = parse_rest_url(item.text);
      if (auto* address = std::get_if<pools::ServiceAddress>(&parsed))
        discovery.patroni.push_back(std::move(*address));
    }
  }
  if (const auto* text = document.get<std::string>("cluster.discovery.monitor")) {
    auto parsed = parse_monitor_address(*text);
    if (auto* address = std::get_if<pools::ServiceAddress>(&parsed)) discovery.monitor = std::move(*address);
  }
  fill.text("cluster.discovery.monitor_user", discovery.monitor_user);
  fill.text("cluster.discovery.monitor_database", discovery.monitor_database);
  fill.text("cluster.discovery.formation", discovery.formation);
  fill.integer("cluster.discovery.group", discovery.group);
}

void fill_tls(const Filler& fill, Config& config) {
  using ListenMode = pools::ListenTlsMode;
  using ServerMode = protocol::SslMode;
  const std::initializer_list<std::pair<std::string_view, pools::TlsMinVersion>> versions = {
      {"TLSv1.2", pools::TlsMinVersion::tls_1_2}, {"TLSv1.3", pools::TlsMinVersion::tls_1_3}};
  pools::ListenTlsSettings& listen = config.listen.tls;
  fill.choice("listen.tls.mode",
              {{"disable", ListenMode::disable},
               {"allow", ListenMode::allow},
               {"require", ListenMode::require},
               {"verify-full", ListenMode::verify_full}},
              listen.mode);
  fill.text("listen.tls.cert", listen.files.cert);
  fill.text("listen.tls.key", listen.files.key);
  fill.text("listen.tls.client_ca", listen.files.ca);
  fill.text("listen.tls.crl", listen.files.crl);
  fill.choice("listen.tls.min_version", versions, listen.min_version);
  fill.text("listen.tls.ciphers", listen.ciphers);
  pools::ServerTlsSettings& servers = config.cluster.server_tls;
  fill.choice("cluster.server_tls.mode",
              {{"disable", ServerMode::disable},
               {"prefer", ServerMode::prefer},
               {"require", ServerMode::require},
               {"verify-ca", ServerMode::verify_ca},
               {"verify-full", ServerMode::verify_full}},
              servers.mode);
  fill.text("cluster.server_tls.ca", servers.files.ca);
  fill.text("cluster.server_tls.crl", servers.files.crl);
  fill.text("cluster.server_tls.cert", servers.files.cert);
  fill.text("cluster.server_tls.key", servers.files.key);
  fill.choice("cluster.server_tls.min_version", versions, servers.min_version);
}

void fill_marks(const Document& document, const Filler& fill, const routing::RoutingPolicy& policy,
                MarksSettings& marks) {
  fill.choice("marks.store", {{"memory", MarkStore::memory}, {"redis", MarkStore::redis}}, marks.store);
  marks.ttl = std::max(marks.ttl, policy.max_lag);
  fill.duration("marks.ttl", marks.ttl);
  marks.kept_for = marks.ttl + policy.observation_max_age;
  fill.integer("marks.max_users", marks.max_users);
  if (const auto* text = document.get<std::string>("marks.redis")) {
    const auto parsed = parse_redis_address(*text);
    if (const auto* address = std::get_if<pools::NodeAddress>(&parsed)) {
      marks.redis_host = address->host;
      marks.redis_port = address->port;
    }
  }
  fill.text("marks.redis_user", marks.redis_user);
  fill.integer("marks.redis_database", marks.redis_database);
  fill.duration("marks.redis_timeout", marks.redis_timeout);
  fill.text("marks.redis_prefix", marks.redis_prefix);
}

void fill_alerts(const Filler& fill, pools::AlertSettings& alerts) {
  fill.duration("alerts.interval", alerts.interval);
  fill.integer("alerts.min_replicas", alerts.min_replicas);
  fill.duration("alerts.not_streaming", alerts.not_streaming);
  fill.duration("alerts.replay_lag", alerts.replay_lag);
  fill.integer("alerts.replay_lag_bytes", alerts.replay_lag_bytes);
  fill.boolean("alerts.synchronous_standbys", alerts.synchronous_standbys);
  fill.duration("alerts.slot_inactive", alerts.slot_inactive);
  fill.integer("alerts.slot_retained_wal", alerts.slot_retained_wal);
  fill.integer("alerts.slot_safe_wal_size", alerts.slot_safe_wal_size);
  fill.boolean("alerts.slot_wal_lost", alerts.slot_wal_lost);
  fill.duration("alerts.replay_paused", alerts.replay_paused);
  fill.integer("alerts.recovery_conflicts", alerts.recovery_conflicts);
  fill.duration("alerts.loss_window", alerts.loss_window);
  fill.integer("alerts.loss_window_bytes", alerts.loss_window_bytes);
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
  std::string unix_socket_dir;
  fill.text("listen.unix_socket_dir", unix_socket_dir);
  config.listen.unix_socket_dir = unix_socket_dir;
  if (const auto* mode = document.get<std::string>("listen.unix_socket_permissions"))
    config.listen.unix_socket_mode = parse_permissions(*mode).value_or(config.listen.unix_socket_mode);
  fill_tls(fill, config);
  fill.boolean("http.enabled", config.http.enabled);
  fill.text("http.address", config.http.address);
  fill.integer("http.port", config.http.port);

  AuthSettings& auth = config.auth;
  fill.choice("auth.method",
              {{"scram-sha-256", AuthMethod::scram_sha_256},
               {"md5", AuthMethod::md5},
               {"cert", AuthMethod::cert},
               {"trust", AuthMethod::trust}},
              auth.method);
  fill.duration("auth.timeout", auth.timeout);
  std::string users_file;
  fill.text("auth.users_file", users_file);
  auth.users_file = users_file;
  AuthRulesReading rules = read_auth_rules(document, {});
  auth.rules = std::move(rules.rules);
  auth.user_maps = std::move(rules.user_maps);
  fill.text("auth.query", auth.query.sql);
  fill.duration("auth.query_timeout", auth.query.timeout);
  fill.duration("auth.query_cache", auth.query_cache);
  fill.integer("auth.query_cache_size", auth.query_cache_size);

  pools::ClusterSettings& cluster = config.cluster;
  assemble_nodes(document, cluster);
  fill_discovery(document, fill, cluster.discovery);
  fill.text("cluster.monitor_user", cluster.monitor_user);
  fill.text("cluster.monitor_database", cluster.monitor_database);
  auth.query.database = cluster.monitor_database;
  fill.text("auth.query_database", auth.query.database);
  fill.duration("cluster.probe_interval", cluster.probe_interval);
  fill.duration("cluster.probe_timeout", cluster.probe_timeout);
  fill.duration("cluster.failover_hold", cluster.failover_hold);
  fill.integer("cluster.flap_losses", cluster.flap_losses);
  fill.integer("cluster.max_held_statements", cluster.max_held_statements);
  fill.integer("cluster.max_held_memory", cluster.max_held_memory);
  fill.choice("cluster.on_lost_write",
              {{"error", OnLostWrite::error}, {"warn", OnLostWrite::warn}, {"ignore", OnLostWrite::ignore}},
              config.on_lost_write);
  fill.boolean("cluster.lossless_failover", config.lossless_failover);

  pools::PoolSettings& pool = config.pool;
  fill.choice("pool.mode",
              {{"transaction", pools::PoolMode::transaction},
               {"session", pools::PoolMode::session},
               {"statement", pools::PoolMode::statement}},
              pool.mode);
  fill.integer("pool.size", pool.size);
  fill.integer("pool.max_server_connections", pool.max_server_connections);
  fill.integer("pool.max_user_server_connections", pool.max_user_server_connections);
  fill.integer("pool.max_database_server_connections", pool.max_database_server_connections);
  fill.integer("pool.max_client_connections", pool.max_client_connections);
  fill.integer("pool.max_user_client_connections", pool.max_user_client_connections);
  fill.integer("pool.max_database_client_connections", pool.max_database_client_connections);
  fill.duration("pool.queue_timeout", pool.queue_timeout);
  fill.duration("pool.queue_notice", pool.queue_notice);
  fill.duration("pool.query_timeout", pool.query_timeout);
  fill.duration("pool.idle_transaction_timeout", pool.idle_transaction_timeout);
  fill.duration("pool.client_idle_timeout", pool.client_idle_timeout);
  fill.duration("pool.connect_timeout", pool.connect_timeout);
  fill.duration("pool.server_idle_timeout", pool.server_idle_timeout);
  fill.duration("pool.server_lifetime", pool.server_lifetime);
  fill.integer("pool.max_client_statements", pool.max_client_statements);
  fill.integer("pool.max_client_statement_memory", pool.max_client_statement_memory);
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
  cluster.max_lag = policy.max_lag;
  policy.observation_max_age = observation_max_age(cluster.probe_interval);
  fill.duration("routing.max_staleness", policy.max_staleness.time);
  if (const auto* bytes = document.get<std::int64_t>("routing.max_staleness_bytes"))
    policy.max_staleness.bytes = static_cast<std::uint64_t>(*bytes);
  fill.boolean("replay.transactions", policy.replay);
  fill.integer("replay.max_size", config.replay.max_size);
  fill.integer("replay.max_attempts", config.replay.max_attempts);
  fill.duration("replay.timeout", config.replay.timeout);
  policy.rules = read_routing_rules(document, policy, {}).rules;
  fill_marks(document, fill, policy, config.marks);

  fill_alerts(fill, config.alerts);
  fill.texts("admin.users", config.admin.users);
  fill.texts("admin.stats_users", config.admin.stats_users);
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

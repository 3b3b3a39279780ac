#include "proxy/metrics.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>
#include <tuple>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "proxy/marks_store.hpp"
#include "proxy/redis_marks.hpp"
#include "proxy/state_tracker.hpp"
#include "routing/eligibility.hpp"

namespace tidemark::proxy {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

class Families {
 public:
  /// References to families stay valid: there are never more than this.
  Families() { families_.reserve(kMost); }
  MetricFamily& family(const char* name, const char* help, MetricType type) {
    return families_.emplace_back(MetricFamily{name, help, type, {}});
  }
  static void gauge(MetricFamily& family, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    family.metric.push_back(std::move(metric));
  }
  static void counter(MetricFamily& family, Labels labels, std::uint64_t value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = static_cast<double>(value);
    family.metric.push_back(std::move(metric));
  }
  static void histogram(MetricFamily& family, const std::vector<const WaitHistogram*>& parts) {
    ClientMetric metric;
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= kWaitBuckets.size(); ++i) {
      for (const auto* part : parts) count += part->buckets[i].value();
      const double bound =
          i < kWaitBuckets.size() ? kWaitBuckets[i] : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({count, bound});
    }
    for (const auto* part : parts) sum += part->sum_nanoseconds.value();
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = static_cast<double>(sum) / 1e9;
    family.metric.push_back(std::move(metric));
  }
  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  static constexpr std::size_t kMost = 64;
  std::vector<MetricFamily> families_;
};

void add_nodes(Families& out, const routing::ClusterView& known) {
  // Those that have left show in counters only.
  routing::ClusterView view = known;
  std::erase_if(view.nodes, [](const auto& node) { return node.fault == routing::NodeFault::removed; });
  using routing::NodeFault;
  using routing::NodeRole;
  auto& up =
      out.family("tidemark_node_up", "1 when the node answers probes and may be used.", MetricType::Gauge);
  for (const auto& node : view.nodes) {
    Families::gauge(up, {{"node", node.name}}, node.fault == NodeFault::none ? 1 : 0);
  }
  auto& drained =
      out.family("tidemark_node_drained", "1 while the operator lets nothing new go to the node (DRAIN).",
                 MetricType::Gauge);
  for (const auto& node : view.nodes) Families::gauge(drained, {{"node", node.name}}, node.drained ? 1 : 0);
  auto& paused = out.family("tidemark_paused", "1 while the operator lets no transaction begin (PAUSE).",
                            MetricType::Gauge);
  Families::gauge(paused, {}, view.paused ? 1 : 0);
  auto& role = out.family("tidemark_node_role", "1 for the role that the node has now.", MetricType::Gauge);
  for (const auto& node : view.nodes) {
    const bool primary = view.primary == node.id;
    const bool replica = node.role == NodeRole::replica && node.fault == NodeFault::none;
    const bool fenced = node.role == NodeRole::primary && !primary && node.fault != NodeFault::unreachable;
    Families::gauge(role, {{"node", node.name}, {"role", "primary"}}, primary ? 1 : 0);
    Families::gauge(role, {{"node", node.name}, {"role", "replica"}}, replica ? 1 : 0);
    Families::gauge(role, {{"node", node.name}, {"role", "fenced"}}, fenced ? 1 : 0);
  }
  auto& timeline = out.family("tidemark_node_timeline", "WAL timeline of the node.", MetricType::Gauge);
  for (const auto& node : view.nodes) Families::gauge(timeline, {{"node", node.name}}, node.timeline.value);
  auto& bytes = out.family("tidemark_node_replay_lag_bytes",
                           "WAL bytes by which the node's replay trails the primary.", MetricType::Gauge);
  auto& age = out.family("tidemark_node_observation_age_seconds", "Age of what is known of the node.",
                         MetricType::Gauge);
  const auto now = std::chrono::steady_clock::now();
  for (const auto& node : view.nodes) {
    if (node.incarnation != 0) {
      Families::gauge(age, {{"node", node.name}},
                      std::chrono::duration<double>(now - node.observed_at).count());
    }
    if (node.role != NodeRole::replica) continue;
    Families::gauge(bytes, {{"node", node.name}}, static_cast<double>(node.lag_bytes.bytes));
  }
  auto& seconds =
      out.family("tidemark_node_replay_lag_seconds",
                 "How long ago, by the proxy's clock, the primary passed what the node has replayed.",
                 MetricType::Gauge);
  for (const auto& node : view.nodes) {
    if (node.role != NodeRole::replica) continue;
    Families::gauge(seconds, {{"node", node.name}}, std::chrono::duration<double>(node.lag_time).count());
  }
}

void add_eligibility(Families& out, const routing::RoutingPolicy& policy, const routing::ClusterView& view) {
  auto& eligible = out.family("tidemark_node_eligible",
                              "1 while the node may serve reads: a replica without a fault that lags no more "
                              "than max_lag.",
                              MetricType::Gauge);
  const auto now = std::chrono::steady_clock::now();
  for (const auto& node : view.nodes) {
    if (node.fault == routing::NodeFault::removed) continue;
    const bool is = routing::exclusion(policy, node, now) == routing::Exclusion::none;
    Families::gauge(eligible, {{"node", node.name}}, is ? 1 : 0);
  }
}

void add_pools(Families& out, const std::vector<std::unique_ptr<Worker>>& workers) {
  struct Sum {
    std::size_t active = 0, idle = 0, connecting = 0, waiting = 0;
  };
  std::map<std::tuple<std::string, std::string, std::string>, Sum> sums;
  for (const auto& worker : workers) {
    for (const auto& figures : worker->pool_figures()) {
      Sum& sum = sums[{figures.node_name, figures.key.database, figures.key.user}];
      sum.active += figures.active;
      sum.idle += figures.idle;
      sum.connecting += figures.connecting;
      sum.waiting += figures.waiting;
    }
  }
  auto& connections =
      out.family("tidemark_pool_connections", "Server connections by state.", MetricType::Gauge);
  for (const auto& [key, sum] : sums) {
    const auto add = [&connections, &labels = key](const char* state, std::size_t value) {
      const auto& [node, database, user] = labels;
      Families::gauge(connections, {{"node", node}, {"database", database}, {"user", user}, {"state", state}},
                      static_cast<double>(value));
    };
    add("active", sum.active);
    add("idle", sum.idle);
    add("connecting", sum.connecting);
  }
  auto& waiting = out.family("tidemark_pool_waiting_clients", "Clients that wait for a server connection.",
                             MetricType::Gauge);
  for (const auto& [key, sum] : sums) {
    const auto& [node, database, user] = key;
    Families::gauge(waiting, {{"node", node}, {"database", database}, {"user", user}},
                    static_cast<double>(sum.waiting));
  }
}

void add_routing(Families& out, const std::vector<std::unique_ptr<Worker>>& workers,
                 const routing::ClusterView& view) {
  auto& routed =
      out.family("tidemark_statements_routed_total",
                 "Units (Query, or up to Sync) sent to a node, and why there.", MetricType::Counter);
  std::map<std::string, std::uint64_t> fallbacks;
  for (const auto& node : view.nodes) {
    for (std::size_t kind = 0; kind < static_cast<std::size_t>(RoutedClass::count); ++kind) {
      for (std::size_t reason = 0; reason < WorkerMetrics::kReasons; ++reason) {
        std::uint64_t value = 0;
        for (const auto& worker : workers)
          value += worker->metrics().routed[routing::index(node.id)][kind][reason].value();
        const std::string name(routing::to_string(static_cast<routing::Reason>(reason)));
        if (name.starts_with("fallback_") || name.starts_with("rejected_")) fallbacks[name] += value;
        if (value == 0) continue;
        Families::counter(
            routed, {{"node", node.name}, {"class", kind == 0 ? "read" : "write"}, {"reason", name}}, value);
      }
    }
  }
  auto& fallback = out.family("tidemark_fallbacks_total", "Reads that no replica could serve in time.",
                              MetricType::Counter);
  for (const auto& [reason, value] : fallbacks) Families::counter(fallback, {{"reason", reason}}, value);
  auto& retries = out.family("tidemark_retries_total",
                             "Statements sent again without the client's knowledge.", MetricType::Counter);
  constexpr std::array<const char*, 6> names{"read_refused", "recovery_conflict", "server_lost",
                                             "not_begun",    "prepared_anew",     "transaction_replayed"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::uint64_t value = 0;
    for (const auto& worker : workers) value += worker->metrics().retries[i].value();
    Families::counter(retries, {{"reason", names[i]}}, value);
  }
}

void add_clients(Families& out, const std::vector<std::unique_ptr<Worker>>& workers) {
  std::uint64_t all = 0, active = 0, waiting = 0, held = 0, logins = 0;
  std::array<std::uint64_t, WorkerMetrics::kPinBits> pinned{};
  std::vector<const WaitHistogram*> pool_waits;
  std::vector<const WaitHistogram*> position_waits;
  for (const auto& worker : workers) {
    const auto& metrics = worker->metrics();
    all += metrics.clients.value();
    active += metrics.clients_active.value();
    waiting += metrics.clients_waiting.value();
    held += metrics.held_statements.value();
    logins += metrics.logins.value();
    for (std::size_t bit = 0; bit < pinned.size(); ++bit) pinned[bit] += metrics.pinned[bit].value();
    pool_waits.push_back(&metrics.pool_wait);
    position_waits.push_back(&metrics.position_wait);
  }
  auto& clients = out.family("tidemark_clients", "Client connections by state.", MetricType::Gauge);
  Families::gauge(clients, {{"state", "active"}}, static_cast<double>(active));
  Families::gauge(clients, {{"state", "waiting"}}, static_cast<double>(waiting));
  Families::gauge(clients, {{"state", "idle"}},
                  static_cast<double>(all > active + waiting ? all - active - waiting : 0));
  Families::gauge(
      out.family("tidemark_held_statements", "Statements that wait for a primary.", MetricType::Gauge), {},
      static_cast<double>(held));
  Families::counter(
      out.family("tidemark_client_logins_total", "Clients that logged in.", MetricType::Counter), {}, logins);
  auto& pins =
      out.family("tidemark_pinned_sessions",
                 "Sessions that keep their server connection because of what they left in it; one may "
                 "have several reasons.",
                 MetricType::Gauge);
  for (std::size_t bit = 0; bit < pinned.size(); ++bit) {
    const std::string label(pin_label(static_cast<std::uint16_t>(1U << bit)));
    if (!label.empty())
      Families::gauge(pins, {ClientMetric::Label{"reason", label}}, static_cast<double>(pinned[bit]));
  }
  Families::histogram(
      out.family("tidemark_pool_wait_seconds", "Waits for a server connection.", MetricType::Histogram),
      pool_waits);
  Families::histogram(out.family("tidemark_position_wait_seconds",
                                 "Waits of reads for a position or for replay.", MetricType::Histogram),
                      position_waits);
}

void add_marks(Families& out, const std::vector<std::unique_ptr<Worker>>& workers) {
  std::uint64_t lost = 0;
  for (const auto& worker : workers) lost += worker->metrics().lost_writes.value();
  Families::counter(
      out.family("tidemark_lost_writes_total",
                 "Sessions whose acknowledged writes, or what they had seen, a failover may have lost.",
                 MetricType::Counter),
      {}, lost);
  if (workers.empty()) return;
  const MarksStore& marks = workers.front()->shared().marks;
  Families::gauge(
      out.family("tidemark_marks_users", "Users with a key whose marks are kept.", MetricType::Gauge), {},
      static_cast<double>(marks.users()));
  Families::counter(out.family("tidemark_marks_evicted_total",
                               "Users whose marks were forgotten early because marks.max_users was reached.",
                               MetricType::Counter),
                    {}, marks.evicted());
}

void add_authentications(Families& out, const Authenticator& authenticator) {
  auto& family = out.family("tidemark_authentications_total", "How authentications of clients ended.",
                            MetricType::Counter);
  for (const auto method :
       {config::AuthMethod::scram_sha_256, config::AuthMethod::md5, config::AuthMethod::cert,
        config::AuthMethod::trust, config::AuthMethod::reject}) {
    for (std::size_t i = 0; i < Authenticator::kResults; ++i) {
      const auto result = static_cast<AuthResult>(i);
      const std::uint64_t value = authenticator.count(method, result);
      if (value == 0) continue;
      Families::counter(
          family, {{"method", std::string(to_string(method))}, {"result", std::string(to_string(result))}},
          value);
    }
  }
}

/// Limits whose end is a client's end; the others refuse a login or a statement.
constexpr bool closes_client(Limit limit) {
  return limit == Limit::login_timeout || limit == Limit::idle_transaction_timeout ||
         limit == Limit::client_idle_timeout;
}

void add_limits(Families& out, const std::vector<std::unique_ptr<Worker>>& workers,
                const pools::ServerLimits& limits, const routing::ClusterView& view) {
  const auto sum = [&workers](const auto& counter) {
    std::uint64_t value = 0;
    for (const auto& worker : workers) value += counter(worker->metrics()).value();
    return value;
  };
  for (const bool closing : {false, true}) {
    auto& family =
        closing ? out.family("tidemark_clients_closed_total", "Clients that a time limit closed.",
                             MetricType::Counter)
                : out.family("tidemark_limit_rejections_total",
                             "Logins and statements that a limit refused or ended.", MetricType::Counter);
    for (std::size_t i = 0; i < static_cast<std::size_t>(Limit::count); ++i) {
      const auto limit = static_cast<Limit>(i);
      if (closes_client(limit) != closing) continue;
      const auto value =
          sum([i](const WorkerMetrics& metrics) -> const Counter& { return metrics.by_limit[i]; });
      Families::counter(family, {{closing ? "reason" : "limit", std::string(key_of(limit))}}, value);
    }
  }
  Families::counter(
      out.family("tidemark_queue_notices_total", "Notices to clients that wait for long.",
                 MetricType::Counter),
      {}, sum([](const WorkerMetrics& metrics) -> const Counter& { return metrics.queue_notices; }));
  auto& failures =
      out.family("tidemark_server_login_failures_total",
                 "Logins to a node that failed for a reason that may pass.", MetricType::Counter);
  for (const auto& node : view.nodes)
    Families::counter(failures, {{"node", node.name}}, limits.breaker(node.id).failures());
  auto& deferred = out.family("tidemark_server_logins_deferred_total",
                              "Logins that were put off because the node refuses them again and again.",
                              MetricType::Counter);
  for (const auto& node : view.nodes)
    Families::counter(deferred, {{"node", node.name}}, limits.breaker(node.id).deferred());
}

void add_discovery(Families& out, const routing::ClusterView& view) {
  const routing::AuthorityState& authority = *view.authority;
  Families::gauge(out.family("tidemark_discovery_up",
                             "1 when the authority has answered the latest question.", MetricType::Gauge),
                  {}, authority.reachable ? 1 : 0);
  const auto members = std::count_if(view.nodes.begin(), view.nodes.end(), [](const auto& node) {
    return node.fault != routing::NodeFault::removed;
  });
  Families::gauge(out.family("tidemark_discovery_members",
                             "Nodes of the cluster by the authority's last word.", MetricType::Gauge),
                  {}, static_cast<double>(members));
  auto& named = out.family("tidemark_discovery_named",
                           "1 for the node that the authority names as the primary.", MetricType::Gauge);
  for (const auto& node : view.nodes) {
    if (node.fault == routing::NodeFault::removed) continue;
    Families::gauge(named, {{"node", node.name}}, authority.named == node.id ? 1 : 0);
  }
  if (authority.asked_at == routing::TimePoint{}) return;
  const std::chrono::duration<double> age = std::chrono::steady_clock::now() - authority.asked_at;
  Families::gauge(
      out.family("tidemark_discovery_age_seconds", "Age of the authority's last word.", MetricType::Gauge),
      {}, age.count());
}

void add_redis(Families& out, const RedisHealth& health) {
  Families::gauge(
      out.family("tidemark_redis_up", "1 while every worker is connected to Redis.", MetricType::Gauge), {},
      health.up() ? 1 : 0);
  Families::counter(out.family("tidemark_redis_failures_total",
                               "Connections to Redis that were lost or not made, and commands that failed.",
                               MetricType::Counter),
                    {}, health.failures());
}

}  // namespace

std::string render_metrics(const std::vector<std::unique_ptr<Worker>>& workers,
                           const pools::ClusterMonitor& monitor, const EventLog& events) {
  Families out;
  const auto view = monitor.view().load();
  add_nodes(out, *view);
  if (!workers.empty()) add_eligibility(out, workers.front()->shared().config.routing, *view);
  if (view->authority) add_discovery(out, *view);
  add_pools(out, workers);
  add_routing(out, workers, *view);
  add_clients(out, workers);
  add_marks(out, workers);
  if (!workers.empty() && workers.front()->shared().redis != nullptr)
    add_redis(out, workers.front()->shared().redis->health);
  if (!workers.empty()) add_authentications(out, workers.front()->shared().authenticator);
  if (!workers.empty()) add_limits(out, workers, workers.front()->shared().limits, *view);
  Families::counter(out.family("tidemark_failovers_total", "How often another node became the primary.",
                               MetricType::Counter),
                    {}, events.failovers());
  Families::counter(out.family("tidemark_position_questions_total", "Position questions sent to the primary.",
                               MetricType::Counter),
                    {}, monitor.position_questions());
  return out.text();
}

}  // namespace tidemark::proxy

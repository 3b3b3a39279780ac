#include "proxy/admin_tables.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "proxy/admin_replication_tables.hpp"
#include "proxy/state_tracker.hpp"
#include "routing/eligibility.hpp"

namespace tidemark::proxy {
namespace {

using Kind = AdminCommand::Kind;
using pools::ServerConnection;

constexpr auto kHelpColumns = std::to_array<std::string_view>({"command", "meaning"});
constexpr auto kVersionColumns = std::to_array<std::string_view>({"version"});
constexpr auto kNodeColumns = std::to_array<std::string_view>(
    {"node", "role", "fault", "timeline", "position", "lag_bytes", "lag_seconds", "eligible", "excluded",
     "drained", "weight", "observation_age_seconds"});
constexpr auto kPoolColumns = std::to_array<std::string_view>(
    {"node", "database", "user", "active", "idle", "connecting", "waiting", "oldest_wait_seconds"});
constexpr auto kClientColumns =
    std::to_array<std::string_view>({"user", "database", "state", "addr", "wait_seconds", "server_node",
                                     "server_pid", "pinned", "pid", "worker"});
constexpr auto kServerColumns = std::to_array<std::string_view>(
    {"node", "database", "user", "state", "pid", "age_seconds", "idle_seconds", "worker"});
constexpr auto kStateColumns = std::to_array<std::string_view>({"key", "value"});
constexpr auto kConfigColumns = std::to_array<std::string_view>({"key", "value", "default", "changeable"});

std::string seconds(std::chrono::steady_clock::duration duration) {
  return fmt::format("{:.3f}", std::chrono::duration<double>(duration).count());
}

std::string yes_or_no(bool value) {
  return value ? "yes" : "no";
}

std::string_view to_text(SessionFigures::State state) {
  switch (state) {
    case SessionFigures::State::idle:
      return "idle";
    case SessionFigures::State::active:
      return "active";
    case SessionFigures::State::in_transaction:
      return "idle in transaction";
    case SessionFigures::State::waiting:
      return "waiting";
  }
  return "unknown";
}

std::string_view to_text(ServerConnection::State state) {
  switch (state) {
    case ServerConnection::State::connecting:
    case ServerConnection::State::login:
      return "connecting";
    case ServerConnection::State::idle:
      return "idle";
    case ServerConnection::State::leased:
      return "active";
    case ServerConnection::State::closed:
      return "closed";
  }
  return "unknown";
}

std::string name_of(const routing::ClusterView& view, routing::NodeId node) {
  return routing::index(node) < view.nodes.size() ? view.node(node).name : std::string();
}

}  // namespace

std::span<const std::string_view> admin_columns(Kind kind) {
  switch (kind) {
    case Kind::show_help:
      return kHelpColumns;
    case Kind::show_version:
      return kVersionColumns;
    case Kind::show_nodes:
      return kNodeColumns;
    case Kind::show_pools:
      return kPoolColumns;
    case Kind::show_clients:
      return kClientColumns;
    case Kind::show_servers:
      return kServerColumns;
    case Kind::show_state:
      return kStateColumns;
    case Kind::show_config:
      return kConfigColumns;
    case Kind::show_alerts:
      return kAlertColumns;
    case Kind::show_replication:
      return kStandbyColumns;
    case Kind::show_slots:
      return kSlotColumns;
    case Kind::empty:
    case Kind::mistake:
    case Kind::set:
    case Kind::reload:
    case Kind::pause:
    case Kind::resume:
    case Kind::drain:
    case Kind::undrain:
      break;
  }
  return {};
}

AdminRows help_rows() {
  AdminRows rows;
  for (const AdminHelp& help : admin_help())
    rows.push_back({std::string(help.command), std::string(help.meaning)});
  return rows;
}

AdminRows version_rows() {
  return {{"Tidemark " TIDEMARK_VERSION}};
}

AdminRows node_rows(const routing::ClusterView& view, const routing::RoutingPolicy& policy,
                    routing::TimePoint now) {
  AdminRows rows;
  for (const auto& node : view.nodes) {
    const auto excluded = routing::exclusion(policy, node, now);
    const bool known = node.role != routing::NodeRole::unknown;
    const bool replica = node.role == routing::NodeRole::replica;
    rows.push_back(
        {node.name, std::string(routing::to_string(node.role)), std::string(routing::to_string(node.fault)),
         known ? std::to_string(node.timeline.value) : std::string(),
         known ? routing::to_string(node.position) : std::string(),
         replica ? std::to_string(node.lag_bytes.bytes) : std::string(),
         replica ? seconds(node.lag_time) : std::string(), yes_or_no(excluded == routing::Exclusion::none),
         excluded == routing::Exclusion::none ? std::string() : std::string(routing::to_string(excluded)),
         yes_or_no(node.drained), std::to_string(node.weight),
         known ? seconds(now - node.observed_at) : std::string()});
  }
  return rows;
}

AdminRows pool_rows(const routing::ClusterView& view, const std::vector<WorkerStatus>& workers) {
  std::map<std::tuple<std::string, std::string, std::string>, WorkerStatus::Pool> sums;
  for (const auto& worker : workers) {
    for (const auto& pool : worker.pools) {
      auto& sum = sums[{name_of(view, pool.key.node), pool.key.database, pool.key.user}];
      sum.active += pool.active;
      sum.idle += pool.idle;
      sum.connecting += pool.connecting;
      sum.waiting += pool.waiting;
      sum.oldest_wait = std::max(sum.oldest_wait, pool.oldest_wait);
    }
  }
  AdminRows rows;
  for (const auto& [key, sum] : sums) {
    const auto& [node, database, user] = key;
    rows.push_back({node, database, user, std::to_string(sum.active), std::to_string(sum.idle),
                    std::to_string(sum.connecting), std::to_string(sum.waiting), seconds(sum.oldest_wait)});
  }
  return rows;
}

AdminRows client_rows(const routing::ClusterView& view, const std::vector<WorkerStatus>& workers) {
  AdminRows rows;
  for (const auto& worker : workers) {
    for (const auto& [figures, address] : worker.clients) {
      const bool waits = figures.state == SessionFigures::State::waiting;
      rows.push_back(
          {figures.user, figures.database, std::string(to_text(figures.state)), address,
           waits ? seconds(figures.waited) : std::string(),
           figures.server_node ? name_of(view, *figures.server_node) : std::string(),
           figures.server_process_id != 0 ? std::to_string(figures.server_process_id) : std::string(),
           pin_reasons(figures.pins), std::to_string(figures.process_id), std::to_string(worker.worker)});
    }
  }
  return rows;
}

AdminRows server_rows(const routing::ClusterView& view, const std::vector<WorkerStatus>& workers) {
  AdminRows rows;
  for (const auto& worker : workers) {
    for (const auto& server : worker.servers) {
      const bool idle = server.state == ServerConnection::State::idle;
      rows.push_back({name_of(view, server.key.node), server.key.database, server.key.user,
                      std::string(to_text(server.state)),
                      server.process_id != 0 ? std::to_string(server.process_id) : std::string(),
                      seconds(server.age), idle ? seconds(server.idle) : std::string(),
                      std::to_string(worker.worker)});
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

AdminRows state_rows(const routing::ClusterView& view, const std::vector<WorkerStatus>& workers) {
  std::size_t clients = 0;
  std::size_t waiting = 0;
  std::size_t held = 0;
  std::size_t busy = 0;
  std::size_t servers = 0;
  for (const auto& worker : workers) {
    clients += worker.clients.size();
    servers += worker.servers.size();
    busy += worker.cleaning;
    for (const auto& client : worker.clients) {
      waiting += client.figures.state == SessionFigures::State::waiting ? 1U : 0U;
      held += client.figures.held ? 1U : 0U;
      busy += client.figures.busy ? 1U : 0U;
    }
  }
  std::string drained;
  for (const auto& node : view.nodes) {
    if (node.drained) drained.append(drained.empty() ? "" : ", ").append(node.name);
  }
  return {{"paused", yes_or_no(view.paused)},
          {"drained_nodes", drained},
          {"primary", view.primary ? view.node(*view.primary).name : std::string()},
          {"timeline", std::to_string(view.timeline.value)},
          {"system_identifier", std::to_string(view.system_identifier)},
          {"nodes", std::to_string(view.nodes.size())},
          {"workers", std::to_string(workers.size())},
          {"clients", std::to_string(clients)},
          {"waiting_clients", std::to_string(waiting)},
          {"held_clients", std::to_string(held)},
          {"servers", std::to_string(servers)},
          {"busy_servers", std::to_string(busy)}};
}

AdminRows config_rows(const std::vector<config::SettingLine>& lines) {
  AdminRows rows;
  for (const auto& line : lines)
    rows.push_back({line.key, line.value, line.default_value, yes_or_no(line.reloads)});
  return rows;
}

}  // namespace tidemark::proxy

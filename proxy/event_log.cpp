#include "proxy/event_log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tidemark::proxy {

namespace {

constexpr std::chrono::seconds kSameLineInterval{1};
constexpr std::size_t kMaxKinds = 1000;

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::debug:
      return spdlog::level::debug;
    case config::LogLevel::info:
      return spdlog::level::info;
    case config::LogLevel::warning:
      return spdlog::level::warn;
    case config::LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view to_text(routing::NodeRole role) {
  switch (role) {
    case routing::NodeRole::unknown:
      return "unknown";
    case routing::NodeRole::primary:
      return "primary";
    case routing::NodeRole::replica:
      return "replica";
  }
  return "unknown";
}

std::string_view to_text(routing::NodeFault fault) {
  switch (fault) {
    case routing::NodeFault::none:
      return "none";
    case routing::NodeFault::unreachable:
      return "unreachable";
    case routing::NodeFault::other_cluster:
      return "other_cluster";
    case routing::NodeFault::older_timeline:
      return "older_timeline";
    case routing::NodeFault::duplicate_primary:
      return "duplicate_primary";
    case routing::NodeFault::not_following:
      return "not_following";
  }
  return "unknown";
}

/// Bytes that would break a line or a terminal become '?'.
std::string clean(std::string_view text) {
  std::string out(text.substr(0, 500));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"') c = c == '"' ? '\'' : ' ';
  }
  return out;
}

}  // namespace

void start_log(const config::LogSettings& settings) {
  auto logger = spdlog::stderr_logger_mt("tidemark");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->set_level(to_spdlog(settings.level));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

bool EventLog::allow(const std::string& kind, std::uint64_t& suppressed) {
  const auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  if (rates_.size() > kMaxKinds) rates_.clear();
  Rate& rate = rates_[kind];
  if (rate.last != std::chrono::steady_clock::time_point{} && now - rate.last < kSameLineInterval) {
    ++rate.suppressed;
    return false;
  }
  rate.last = now;
  suppressed = std::exchange(rate.suppressed, 0);
  return true;
}

void EventLog::view_changed(const routing::ClusterView& before, const routing::ClusterView& after) {
  for (std::size_t i = 0; i < after.nodes.size(); ++i) {
    const auto& node = after.nodes[i];
    const bool known = i < before.nodes.size();
    if (known && before.nodes[i].role == node.role && before.nodes[i].fault == node.fault &&
        before.nodes[i].timeline == node.timeline) {
      continue;
    }
    const auto level = node.fault == routing::NodeFault::none ? spdlog::level::info : spdlog::level::warn;
    spdlog::log(level, "event=node_changed node={} role={} fault={} timeline={} system_identifier={}",
                node.name, to_text(node.role), to_text(node.fault), node.timeline.value,
                node.system_identifier);
  }
  if (before.primary == after.primary) return;
  if (!after.primary) {
    spdlog::warn("event=primary_lost timeline={} text=\"new writes wait for a primary\"",
                 after.timeline.value);
    return;
  }
  const std::string& name = after.node(*after.primary).name;
  std::lock_guard lock(mutex_);
  if (!last_primary_.empty() && last_primary_ != name) {
    failovers_.fetch_add(1, std::memory_order_relaxed);
    spdlog::warn("event=failover from={} to={} timeline={}", last_primary_, name, after.timeline.value);
  } else {
    spdlog::info("event=primary_found node={} timeline={}", name, after.timeline.value);
  }
  last_primary_ = name;
}

void EventLog::probe_failed(std::string_view node, std::string_view why) {
  std::uint64_t suppressed = 0;
  if (!allow("probe " + std::string(node), suppressed)) return;
  spdlog::warn("event=probe_failed node={} suppressed={} why=\"{}\"", node, suppressed, clean(why));
}

void EventLog::server_failed(std::string_view node, std::string_view database, std::string_view user,
                             std::string_view why) {
  std::uint64_t suppressed = 0;
  if (!allow("server " + std::string(node) + std::string(why.substr(0, 40)), suppressed)) return;
  spdlog::warn("event=server_failed node={} database=\"{}\" user=\"{}\" suppressed={} why=\"{}\"", node,
               clean(database), clean(user), suppressed, clean(why));
}

void EventLog::catalog_failed(std::string_view database, std::string_view why) {
  std::uint64_t suppressed = 0;
  if (!allow("catalog " + std::string(database), suppressed)) return;
  spdlog::warn(
      "event=catalog_failed database=\"{}\" suppressed={} why=\"{}\" text=\"only built-in functions count as "
      "safe there\"",
      clean(database), suppressed, clean(why));
}

void EventLog::started(const config::Config& config, unsigned workers) {
  spdlog::info("event=listening address={} port={} workers={} nodes={}", config.listen.address,
               config.listen.port, workers, config.cluster.nodes.size());
}

void EventLog::trusting(const std::string& address) {
  spdlog::warn(
      "event=trust address={} text=\"auth.method is trust: whoever can connect is whoever they say they "
      "are\"",
      address);
}

void EventLog::stopping(std::string_view why) {
  spdlog::info("event=stopping why=\"{}\"", why);
}

void EventLog::problem(std::string_view what) {
  spdlog::error("event=problem text=\"{}\"", clean(what));
}

}  // namespace tidemark::proxy

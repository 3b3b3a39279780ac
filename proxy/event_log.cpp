#include "proxy/event_log.hpp"

#include <algorithm>

#include <spdlog/fmt/fmt.h>
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

/// Bytes that would break a line or a terminal become '?'.
std::string clean(std::string_view text) {
  std::string out(text.substr(0, 500));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"') c = c == '"' ? '\'' : ' ';
  }
  return out;
}

void log_node(const routing::NodeState& node, const routing::ClusterView& view) {
  const auto level = node.fault == routing::NodeFault::none ? spdlog::level::info : spdlog::level::warn;
  std::string more;
  if (node.fault == routing::NodeFault::other_cluster) {
    more = fmt::format(
        " cluster_system_identifier={} text=\"not used: its data is of another cluster than that of the "
        "first "
        "primary found; correct cluster.nodes, or build the node anew from the primary\"",
        view.system_identifier);
  }
  if (node.fault == routing::NodeFault::not_named)
    more = " text=\"fenced: writable, but not the primary that the authority names; nothing is sent there\"";
  spdlog::log(level, "event=node_changed node={} role={} fault={} timeline={} system_identifier={}{}",
              node.name, routing::to_string(node.role), routing::to_string(node.fault), node.timeline.value,
              node.system_identifier, more);
}

/// Where the timelines before the present one ended, the latest last.
void log_history(const routing::ClusterView& view) {
  constexpr std::size_t kMost = 10;
  const auto& ancestors = view.history.ancestors();
  std::string ends;
  for (std::size_t i = ancestors.size() > kMost ? ancestors.size() - kMost : 0; i < ancestors.size(); ++i) {
    ends += fmt::format("{}{}:{}", ends.empty() ? "" : " ", ancestors[i].timeline.value,
                        routing::to_string(ancestors[i].end));
  }
  const bool exact = !ancestors.empty() && view.history.is_exact();
  spdlog::log(exact ? spdlog::level::info : spdlog::level::warn,
              "event=timeline_history timeline={} exact={} ends=\"{}\"", view.timeline.value, exact, ends);
}

/// What of the node the alert is about, where it is not the node itself. Names come from the servers.
std::string subject_of(const pools::Finding& finding) {
  return finding.subject.empty() ? "" : fmt::format(" of=\"{}\"", clean(finding.subject));
}

std::size_t members(const routing::ClusterView& view) {
  return static_cast<std::size_t>(std::count_if(
      view.nodes.begin(), view.nodes.end(),
      [](const routing::NodeState& node) { return node.fault != routing::NodeFault::removed; }));
}

/// Out for its lag, and for nothing else.
bool is_out_for_lag(const routing::NodeState& node) {
  return node.lagging && node.fault == routing::NodeFault::none;
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
  authority_changed(before, after);
  if (before.paused != after.paused)
    spdlog::warn("event={}", after.paused ? "paused text=\"no transaction begins until RESUME\"" : "resumed");
  for (std::size_t i = 0; i < after.nodes.size(); ++i) {
    const auto& node = after.nodes[i];
    const bool known = i < before.nodes.size();
    if (known) lag_changed(before.nodes[i], node);
    if (known && before.nodes[i].flapping != node.flapping) {
      spdlog::warn(
          "event={} node={}{}", node.flapping ? "node_flaps" : "node_calm", node.name,
          node.flapping ? " text=\"lost too often of late: it gets no reads until it is calm\"" : "");
    }
    if (known && before.nodes[i].drained != node.drained)
      spdlog::warn("event={} node={}", node.drained ? "node_drained" : "node_undrained", node.name);
    if (known && before.nodes[i].role == node.role && before.nodes[i].fault == node.fault &&
        before.nodes[i].timeline == node.timeline) {
      continue;
    }
    log_node(node, after);
  }
  // Of timeline 1 there is nothing to tell.
  if (after.timeline.value > 1 && (before.timeline != after.timeline || before.history != after.history))
    log_history(after);
  if (!after.hand_overs.empty() &&
      (before.hand_overs.empty() || before.hand_overs.back().timeline != after.hand_overs.back().timeline)) {
    const routing::HandOver& over = after.hand_overs.back();
    spdlog::info("event=timeline_handed_over timeline={} end={} text=\"its primary was shut down in order\"",
                 over.timeline.value, routing::to_string(over.end));
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

void EventLog::authority_changed(const routing::ClusterView& before, const routing::ClusterView& after) {
  if (!after.authority) return;
  const routing::AuthorityState then = before.authority.value_or(routing::AuthorityState{});
  const routing::AuthorityState& now = *after.authority;
  for (std::size_t i = 0; i < after.nodes.size(); ++i) {
    const auto& node = after.nodes[i];
    const bool was = i < before.nodes.size() && before.nodes[i].fault != routing::NodeFault::removed;
    const bool is = node.fault != routing::NodeFault::removed;
    if (is && !was) spdlog::info("event=node_joined node={}", node.name);
    if (was && !is)
      spdlog::warn("event=node_left node={} text=\"the authority does not list it\"", node.name);
  }
  if (now.left_out > then.left_out) {
    spdlog::error(
        "event=problem text=\"{} members are left out: {} addresses were known since the start; restart\"",
        now.left_out, routing::ClusterView::kMostNodes);
  }
  if (now.reachable && !then.reachable) spdlog::info("event=discovery_found members={}", members(after));
  if (!now.reachable && then.reachable) {
    spdlog::warn(
        "event=discovery_lost text=\"what it said last stays; see cluster.discovery.when_unreachable\"");
  }
  if (now.named == then.named) return;
  if (!now.named) {
    spdlog::warn("event=no_primary_named text=\"the authority names no primary\"");
  } else {
    spdlog::info("event=primary_named node={}", after.node(*now.named).name);
  }
}

void EventLog::lag_changed(const routing::NodeState& before, const routing::NodeState& after) {
  const bool out = is_out_for_lag(after);
  if (out == is_out_for_lag(before)) return;
  if (!out && after.fault != routing::NodeFault::none) return;  // it is out all the same, and that is told
  // With a max_lag below the distance of the probes this can come and go many times a second.
  std::uint64_t suppressed = 0;
  if (!allow((out ? "out for lag " : "back from lag ") + after.name, suppressed)) return;
  const double lag = std::chrono::duration<double>(after.lag_time).count();
  if (out) {
    spdlog::warn(
        "event=replica_lags node={} lag_seconds={:.3f} suppressed={} text=\"gets no reads until its lag is "
        "back "
        "at four fifths of routing.max_lag\"",
        after.name, lag, suppressed);
  } else {
    spdlog::info("event=replica_caught_up node={} lag_seconds={:.3f} suppressed={}", after.name, lag,
                 suppressed);
  }
}

void EventLog::history_unreadable(std::string_view node, std::string_view why) {
  spdlog::warn(
      "event=timeline_history_unreadable node={} why=\"{}\" text=\"after a failover only a lower bound is "
      "known of "
      "what the new primary has, so it can stay unknown whether an acknowledged write was lost; make the "
      "function "
      "tidemark_timeline_history() in the monitor's database: README.md, What the monitor's role needs\"",
      node, clean(why));
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

void EventLog::sessions_fenced(std::string_view node, std::size_t count, std::string_view why) {
  spdlog::warn("event=sessions_fenced node={} sessions={} why=\"{}\"", node, count, why);
}

void EventLog::discovery_failed(std::string_view why) {
  std::uint64_t suppressed = 0;
  if (!allow("discovery", suppressed)) return;
  spdlog::warn("event=discovery_failed suppressed={} why=\"{}\"", suppressed, clean(why));
}

void EventLog::catalog_failed(std::string_view database, std::string_view why) {
  std::uint64_t suppressed = 0;
  if (!allow("catalog " + std::string(database), suppressed)) return;
  spdlog::warn(
      "event=catalog_failed database=\"{}\" suppressed={} why=\"{}\" text=\"only built-in functions count as "
      "safe there\"",
      clean(database), suppressed, clean(why));
}

void EventLog::alert_began(std::string_view node, const pools::Finding& finding) {
  spdlog::warn("event=alert alert={} node={}{} {} text=\"{}\"", to_string(finding.alert), node,
               subject_of(finding), finding.numbers, advice(finding.alert));
}

void EventLog::alert_ended(std::string_view node, const pools::Finding& finding, routing::Duration lasted,
                           bool known) {
  spdlog::log(known ? spdlog::level::info : spdlog::level::warn,
              "event=alert_ended alert={} node={}{} lasted_seconds={:.1f} text=\"{}\"",
              to_string(finding.alert), node, subject_of(finding),
              std::chrono::duration<double>(lasted).count(),
              known ? "it is over" : "unknown: the node does not tell of replication any more");
}

void EventLog::replication_unreadable(std::string_view node, std::string_view why) {
  spdlog::warn(
      "event=replication_unreadable node={} why=\"{}\" text=\"its alerts are unknown: the monitor's role "
      "needs "
      "pg_monitor, and the server must be PostgreSQL 14 or newer\"",
      node, clean(why));
}

void EventLog::write_lost(std::string_view database, std::string_view user, const Loss& loss) {
  std::uint64_t suppressed = 0;
  if (!allow("write_lost", suppressed)) return;
  spdlog::warn(
      "event=write_lost database=\"{}\" user=\"{}\" suppressed={} acknowledged={} position={} timeline={} "
      "branched_at={} text=\"the new primary's timeline may lack what this session has {}\"",
      clean(database), clean(user), suppressed, loss.written,
      loss.position ? routing::to_string(loss.position->lsn) : "unknown", loss.timeline.value,
      loss.branched ? routing::to_string(loss.branched->end) : "unknown", loss.written ? "written" : "read");
}

void EventLog::login_failed(const AuthFailure& failure) {
  const std::string& address = failure.facts.peer.text;
  std::uint64_t suppressed = 0;
  // One line per address and reason: whoever tries many names must not fill the log.
  if (!allow("login " + address + ' ' + std::string(to_string(failure.result)), suppressed)) return;
  spdlog::warn(
      "event=login_failed user=\"{}\" database=\"{}\" address={} tls={} method={} reason={} rule_line={} "
      "suppressed={} why=\"{}\"",
      clean(failure.facts.user), clean(failure.facts.database), address, failure.facts.encrypted,
      to_string(failure.method), to_string(failure.result), failure.rule_line, suppressed,
      clean(failure.why));
}

void EventLog::tls_failed(const std::string& address, std::string_view why) {
  std::uint64_t suppressed = 0;
  if (!allow("tls " + address + ' ' + std::string(why), suppressed)) return;
  spdlog::warn("event=tls_failed address={} suppressed={} why=\"{}\"", address, suppressed, clean(why));
}

void EventLog::started(const config::Config& config, unsigned workers) {
  spdlog::info("event=listening address={} port={} workers={} nodes={}", config.listen.address,
               config.listen.port, workers, config.cluster.nodes.size());
}

void EventLog::trusting(const config::Config& config) {
  constexpr std::string_view text = "whoever can connect is whoever they say they are";
  if (config.auth.rules.empty() && config.auth.method == config::AuthMethod::trust)
    spdlog::warn("event=trust address={} text=\"auth.method is trust: {}\"", config.listen.address, text);
  for (const auto& rule : config.auth.rules) {
    if (rule.method != config::AuthMethod::trust) continue;
    spdlog::warn("event=trust rule_line={} text=\"the rule's method is trust: {}\"", rule.line, text);
  }
}

void EventLog::stopping(std::string_view why) {
  spdlog::info("event=stopping why=\"{}\"", why);
}

void EventLog::reloaded(const Reloader::Outcome& outcome) {
  const auto level = outcome.applied ? spdlog::level::warn : spdlog::level::err;
  for (const auto& problem : outcome.problems) spdlog::log(level, "event=reload text=\"{}\"", clean(problem));
  if (!outcome.applied) {
    spdlog::error("event=reload_refused text=\"nothing has changed\"");
    return;
  }
  const auto join = [](const std::vector<std::string>& keys) {
    std::string text;
    for (const auto& key : keys) text += (text.empty() ? "" : ",") + key;
    return text;
  };
  spdlog::info("event=reloaded changed=\"{}\"", join(outcome.changed));
  if (!outcome.needs_restart.empty())
    spdlog::warn("event=reload_incomplete needs_restart=\"{}\"", join(outcome.needs_restart));
}

void EventLog::redis_lost(std::string_view why) {
  spdlog::warn("event=redis_lost why=\"{}\" text=\"reads of users with a key are strong until it is back\"",
               clean(why));
}

void EventLog::redis_found() {
  spdlog::info("event=redis_found");
}

void EventLog::redis_forgot() {
  spdlog::warn("event=redis_forgot text=\"it began anew: no user is known to have done nothing\"");
}

void EventLog::set_level(config::LogLevel level) {
  spdlog::set_level(to_spdlog(level));
}

void EventLog::warning(std::string_view what) {
  spdlog::warn("event=warning text=\"{}\"", clean(what));
}

void EventLog::problem(std::string_view what) {
  spdlog::error("event=problem text=\"{}\"", clean(what));
}

}  // namespace tidemark::proxy

#include "pools/replication_judge.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "pools/synchronous_names.hpp"

namespace tidemark::pools {

using routing::NodeFault;
using routing::NodeId;
using routing::NodeRole;

namespace {

using Seconds = std::chrono::duration<double>;

constexpr auto kConflictWindow = std::chrono::minutes(1);
constexpr double kRateSeconds = 30;

double seconds(auto duration) {
  return std::chrono::duration_cast<Seconds>(duration).count();
}

/// With one digit behind the point.
std::string print(double value) {
  const auto tenths = static_cast<std::uint64_t>(std::llround(std::clamp(value, 0.0, 1e15) * 10));
  return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10);
}

std::optional<routing::ByteLag> lag(std::optional<routing::Lsn> ahead, std::optional<routing::Lsn> behind) {
  if (!ahead || !behind) return std::nullopt;
  return routing::lag(*ahead, *behind);
}

std::string print(std::optional<routing::ByteLag> lag) {
  return lag ? std::to_string(lag->bytes) : "unknown";
}

bool has_slot(const NodeFacts& facts, const std::string& name) {
  return std::ranges::any_of(facts.slots, [&](const SlotFacts& slot) { return slot.name == name; });
}

}  // namespace

routing::Duration ReplicationJudge::longest_age() const {
  return 3 * settings_.interval + std::chrono::seconds(5);
}

bool ReplicationJudge::exceeds(Alert alert, NodeId node, double value, double limit,
                               const std::string& subject) const {
  if (limit <= 0) return false;
  return value > (raised_.contains({alert, node, subject}) ? limit * 4 / 5 : limit);
}

void ReplicationJudge::raise(Alert alert, NodeId node, std::string numbers, std::string subject) {
  found_.push_back({alert, node, std::move(subject), std::move(numbers), {}});
}

ReplicationHealth ReplicationJudge::judge(const routing::ClusterView& view,
                                          std::span<const NodeReading> readings, TimePoint now) {
  if (memory_.size() < view.nodes.size()) memory_.resize(view.nodes.size());
  found_.clear();
  const auto believed = [&](const routing::NodeState& node) -> const NodeReading* {
    const bool answers = node.fault != NodeFault::unreachable && node.fault != NodeFault::other_cluster &&
                         node.fault != NodeFault::removed;
    if (!answers || routing::index(node.id) >= readings.size()) return nullptr;
    const NodeReading& reading = readings[routing::index(node.id)];
    return reading.number != 0 && now - reading.at <= longest_age() ? &reading : nullptr;
  };
  std::vector<const NodeFacts*> facts;
  for (const auto& node : view.nodes) {
    const NodeReading* reading = believed(node);
    facts.push_back(reading == nullptr ? nullptr : &reading->facts);
  }
  auto upstreams = find_upstreams(view, facts);

  ReplicationHealth health;
  for (const auto& node : view.nodes) {
    auto upstream = std::move(upstreams[routing::index(node.id)]);
    health.nodes.push_back(describe(node, std::move(upstream), believed(node), now));
  }
  for (const auto& node : health.nodes) {
    if (!node.upstream.node || !node.upstream.standby) continue;
    health.nodes[routing::index(*node.upstream.node)].standbys[*node.upstream.standby].node = node.id;
  }
  for (const auto& node : view.nodes) {
    const ReplicationNode& described = health.nodes[routing::index(node.id)];
    const bool is_primary = view.primary == node.id;
    if (!is_primary) judge_streaming(view, health, node, now);
    if (is_primary) memory_[routing::index(node.id)].broken_since.reset();
    if (!described.known) continue;
    // Just promoted, its last answer can be a replica's.
    if (is_primary && !described.facts.in_recovery) judge_primary(health, described, *believed(node));
    if (described.facts.in_recovery) judge_replica(node, health, described, now);
    judge_strangers(described);
    judge_slots(described, now);
  }

  std::ranges::sort(found_, {}, [](const Finding& finding) {
    return std::tie(finding.alert, finding.node, finding.subject);
  });
  std::map<Key, TimePoint> raised;
  for (Finding& finding : found_) {
    const Key key{finding.alert, finding.node, finding.subject};
    const auto before = raised_.find(key);
    finding.since = before == raised_.end() ? now : before->second;
    raised.emplace(key, finding.since);
  }
  raised_ = std::move(raised);
  health.findings = found_;
  return health;
}

ReplicationNode ReplicationJudge::describe(const routing::NodeState& node, Upstream upstream,
                                           const NodeReading* reading, TimePoint now) {
  ReplicationNode described;
  described.id = node.id;
  described.name = node.name;
  described.upstream = std::move(upstream);
  if (reading == nullptr) return described;
  described.known = true;
  described.facts = reading->facts;
  NodeMemory& memory = memory_[routing::index(node.id)];
  for (auto& standby : described.facts.standbys) {
    StandbyHealth health;
    health.write_lag = lag(reading->facts.position, standby.write);
    health.flush_lag = lag(reading->facts.position, standby.flush);
    health.replay_lag = lag(reading->facts.position, standby.replay);
    health.facts = std::move(standby);
    described.standbys.push_back(std::move(health));
  }
  std::erase_if(memory.inactive_slots,
                [&](const auto& slot) { return !has_slot(reading->facts, slot.first); });
  for (auto& slot : described.facts.slots) {
    SlotHealth health;
    health.retained = lag(reading->facts.position, slot.restart);
    if (slot.active) {
      memory.inactive_slots.erase(slot.name);
    } else {
      health.inactive_since = memory.inactive_slots.try_emplace(slot.name, now).first->second;
    }
    health.facts = std::move(slot);
    described.slots.push_back(std::move(health));
  }
  described.facts.standbys.clear();
  described.facts.slots.clear();

  auto& conflicts = memory.conflicts;
  const std::uint64_t total = reading->facts.conflicts.total();
  if (!conflicts.empty() && total < conflicts.back().second) conflicts.clear();  // the statistics were reset
  if (conflicts.empty() || conflicts.back().first < reading->at) conflicts.emplace_back(reading->at, total);
  while (conflicts.size() > 1 && conflicts[1].first <= now - kConflictWindow) conflicts.pop_front();
  described.conflicts_last_minute = total - conflicts.front().second;
  return described;
}

void ReplicationJudge::judge_primary(ReplicationHealth& health, const ReplicationNode& primary,
                                     const NodeReading& reading) {
  health.primary = primary.id;
  std::vector<std::string_view> connected;
  std::size_t replicas = 0;
  for (const StandbyHealth& standby : primary.standbys) {
    const bool streams = standby.facts.streams();
    if (streams && standby.facts.flush) connected.push_back(standby.facts.application_name);
    if (streams && standby.facts.is_replica()) ++replicas;
  }
  if (settings_.min_replicas > replicas && health.nodes.size() > 1) {
    raise(Alert::too_few_replicas, primary.id,
          "replicas=" + std::to_string(replicas) + " wanted=" + std::to_string(settings_.min_replicas));
  }
  const auto wanted = parse_synchronous_names(primary.facts.synchronous_standby_names);
  if (wanted) {
    health.synchronous = {wanted->required, count_synchronous(*wanted, connected),
                          missing_names(*wanted, connected)};
    std::string missing;
    for (const std::string& name : health.synchronous->missing)
      missing += (missing.empty() ? "" : ",") + name;
    const std::string numbers = "connected=" + std::to_string(health.synchronous->connected) +
                                " required=" + std::to_string(wanted->required) + " missing=\"" + missing +
                                '"';
    if (settings_.synchronous_standbys && health.synchronous->connected < wanted->required) {
      raise(Alert::synchronous_standbys_short, primary.id, numbers);
    } else if (settings_.synchronous_standbys && !missing.empty()) {
      raise(Alert::synchronous_standby_missing, primary.id, numbers);
    }
  }
  estimate_loss(health, primary, reading);
}

void ReplicationJudge::estimate_loss(ReplicationHealth& health, const ReplicationNode& primary,
                                     const NodeReading& reading) {
  const routing::Lsn position = *primary.facts.position;
  if (primary_.node != primary.id || position < primary_.position) {
    primary_ = {};
    primary_.node = primary.id;
  }
  PrimaryMemory& memory = primary_;
  if (memory.number != 0 && memory.number != reading.number && reading.at > memory.at) {
    const double passed = seconds(reading.at - memory.at);
    const double rate = static_cast<double>(position.value - memory.position.value) / passed;
    const double weight = 1 - std::exp(-passed / kRateSeconds);
    memory.write_rate = memory.write_rate ? *memory.write_rate + weight * (rate - *memory.write_rate) : rate;
  }
  memory.number = reading.number;
  memory.at = reading.at;
  memory.position = position;

  const StandbyFacts* best = nullptr;
  for (const StandbyHealth& standby : primary.standbys) {
    if (!standby.facts.is_replica() || !standby.facts.flush) continue;
    if (best == nullptr || *standby.facts.flush > *best->flush) best = &standby.facts;
  }
  if (best != nullptr) {
    memory.had_replica = true;
    memory.flushed = *best->flush;
    memory.replica_seen = reading.at;
  }
  if (!memory.had_replica) return;
  LossWindow loss;
  loss.write_rate = memory.write_rate.value_or(0);
  loss.synchronous = primary.facts.commits_wait && health.synchronous && health.synchronous->required != 0;
  if (!loss.synchronous) {
    loss.bytes = routing::lag(position, memory.flushed).bytes;
    if (best == nullptr) {
      loss.time = std::chrono::duration_cast<std::chrono::microseconds>(reading.at - memory.replica_seen);
    } else if (best->flush_lag) {
      loss.time = *best->flush_lag;
      loss.bytes = std::max(loss.bytes, static_cast<std::uint64_t>(loss.write_rate * seconds(loss.time)));
    }
  }
  health.loss = loss;
  const bool large = exceeds(Alert::loss_window, primary.id, static_cast<double>(loss.bytes),
                             static_cast<double>(settings_.loss_window_bytes));
  const bool long_ago =
      exceeds(Alert::loss_window, primary.id, seconds(loss.time), seconds(settings_.loss_window));
  // An idle primary loses nothing, however long no replica was there.
  if (!large && (!long_ago || loss.bytes == 0)) return;
  raise(Alert::loss_window, primary.id,
        "bytes=" + std::to_string(loss.bytes) + " seconds=" + print(seconds(loss.time)) +
            " write_rate=" + print(loss.write_rate));
}

void ReplicationJudge::judge_streaming(const routing::ClusterView& view, const ReplicationHealth& health,
                                       const routing::NodeState& node, TimePoint now) {
  const ReplicationNode& described = health.nodes[routing::index(node.id)];
  auto& since = memory_[routing::index(node.id)].broken_since;
  std::string why;
  if (node.fault == NodeFault::other_cluster || node.fault == NodeFault::removed) return since.reset();
  if (node.fault == NodeFault::unreachable) {
    why = "it does not answer";
  } else if (node.role == NodeRole::primary) {
    why = "it is writable, and not the primary";
  } else if (!described.known) {
    if (!since) return;
    why = "it answers, and has not told yet whether it does";  // what was known goes on
  } else if (!described.facts.receiver) {
    why = "it has no WAL receiver";
  } else if (described.facts.receiver->status != "streaming") {
    why = "its WAL receiver is " + described.facts.receiver->status;
  } else if (described.upstream.standby) {
    const auto& sender = health.nodes[routing::index(*described.upstream.node)];
    const std::string& state = sender.standbys[*described.upstream.standby].facts.state;
    if (state != "streaming") why = "its sender's state is " + state;
  }
  if (why.empty()) return since.reset();
  if (!since) since = now;
  const auto lasted = now - *since;
  if (settings_.not_streaming.count() == 0 || lasted < settings_.not_streaming) return;
  const std::string upstream = described.upstream.address;
  raise(Alert::not_streaming, node.id,
        "for_seconds=" + print(seconds(lasted)) +
            " primary=" + (view.primary ? view.node(*view.primary).name : "none") +
            (upstream.empty() ? "" : " upstream=" + upstream) + " why=\"" + why + '"');
}

void ReplicationJudge::judge_replica(const routing::NodeState& state, const ReplicationHealth& health,
                                     const ReplicationNode& node, TimePoint now) {
  double lag_seconds = state.fault == NodeFault::none ? seconds(state.lag_time) : 0;
  std::optional<routing::ByteLag> lag_bytes;
  if (state.fault == NodeFault::none) lag_bytes = state.lag_bytes;
  if (node.upstream.standby) {
    const auto& row = health.nodes[routing::index(*node.upstream.node)].standbys[*node.upstream.standby];
    if (row.replay_lag && (!lag_bytes || *lag_bytes < *row.replay_lag)) lag_bytes = row.replay_lag;
    if (row.facts.replay_lag) lag_seconds = std::max(lag_seconds, seconds(*row.facts.replay_lag));
  }
  const bool late = exceeds(Alert::replay_lag, node.id, lag_seconds, seconds(settings_.replay_lag));
  const bool far = lag_bytes && exceeds(Alert::replay_lag, node.id, static_cast<double>(lag_bytes->bytes),
                                        static_cast<double>(settings_.replay_lag_bytes));
  if (late || far) {
    raise(Alert::replay_lag, node.id,
          "lag_seconds=" + print(lag_seconds) + " lag_bytes=" + print(lag_bytes) +
              " upstream=" + (node.upstream.address.empty() ? "unknown" : node.upstream.address));
  }
  auto& paused = memory_[routing::index(node.id)].paused_since;
  if (node.facts.pause_state.empty() || node.facts.pause_state == "not paused") {
    paused.reset();
  } else {
    if (!paused) paused = now;
    const auto lasted = now - *paused;
    if (settings_.replay_paused.count() != 0 && lasted >= settings_.replay_paused) {
      raise(Alert::replay_paused, node.id,
            "for_seconds=" + print(seconds(lasted)) + " state=\"" + node.facts.pause_state +
                "\" lag_bytes=" + print(lag_bytes));
    }
  }
  if (settings_.recovery_conflicts != 0 && node.conflicts_last_minute >= settings_.recovery_conflicts) {
    raise(Alert::recovery_conflicts, node.id,
          "last_minute=" + std::to_string(node.conflicts_last_minute) +
              " limit=" + std::to_string(settings_.recovery_conflicts));
  }
}

/// Standbys that are none of our nodes, or not certainly.
void ReplicationJudge::judge_strangers(const ReplicationNode& sender) {
  for (const StandbyHealth& standby : sender.standbys) {
    if (standby.node || !standby.facts.is_replica()) continue;
    const std::string& name = standby.facts.application_name;
    const double late = standby.facts.replay_lag ? seconds(*standby.facts.replay_lag) : 0;
    const double far = standby.replay_lag ? static_cast<double>(standby.replay_lag->bytes) : 0;
    const auto is = [&](double value, double limit) {
      return exceeds(Alert::replay_lag, sender.id, value, limit, name);
    };
    const auto bytes = static_cast<double>(settings_.replay_lag_bytes);
    if (!is(late, seconds(settings_.replay_lag)) && !is(far, bytes)) continue;
    const auto same = [&](const Finding& found) {
      return found.alert == Alert::replay_lag && found.node == sender.id && found.subject == name;
    };
    if (std::ranges::any_of(found_, same)) continue;  // several have one name
    raise(Alert::replay_lag, sender.id,
          "lag_seconds=" + print(late) + " lag_bytes=" + print(standby.replay_lag), name);
  }
}

void ReplicationJudge::judge_slots(const ReplicationNode& node, TimePoint now) {
  for (const SlotHealth& slot : node.slots) {
    const std::string& name = slot.facts.name;
    const std::string retained = "retained_bytes=" + print(slot.retained);
    if (slot.inactive_since) {
      const auto lasted = now - *slot.inactive_since;
      if (settings_.slot_inactive.count() != 0 && lasted >= settings_.slot_inactive) {
        raise(Alert::slot_inactive, node.id, "for_seconds=" + print(seconds(lasted)) + ' ' + retained, name);
      }
    }
    const auto bytes = slot.retained ? static_cast<double>(slot.retained->bytes) : 0;
    if (exceeds(Alert::slot_retains_wal, node.id, bytes, static_cast<double>(settings_.slot_retained_wal),
                name)) {
      raise(Alert::slot_retains_wal, node.id,
            retained + " active=" + (slot.facts.active ? "true" : "false") +
                " wal_status=" + slot.facts.wal_status,
            name);
    }
    const auto safe = slot.facts.safe_wal_size;
    const bool near = raised_.contains({Alert::slot_near_limit, node.id, name});
    // Over again a quarter above the limit, so that it does not come and go there.
    if (safe && *safe < (near ? settings_.slot_safe_wal_size / 4 * 5 : settings_.slot_safe_wal_size)) {
      raise(Alert::slot_near_limit, node.id, "safe_wal_size=" + std::to_string(*safe) + ' ' + retained, name);
    }
    const bool lost = slot.facts.wal_status == "lost" || slot.facts.wal_status == "unreserved";
    if (lost && settings_.slot_wal_lost) {
      raise(Alert::slot_wal_lost, node.id, "wal_status=" + slot.facts.wal_status + ' ' + retained, name);
    }
  }
}

}  // namespace tidemark::pools

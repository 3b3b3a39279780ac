#include "tests/consistency/history_checker.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace tidemark::consistency {
namespace {

std::optional<std::int64_t> bound_of(const Guarantee& guarantee) {
  if (guarantee.level != Level::bounded_staleness) return std::nullopt;
  return guarantee.bound;
}

bool of_one_user(ViolationKind kind) {
  return kind == ViolationKind::stale_read || kind == ViolationKind::step_back ||
         kind == ViolationKind::effect_before_cause;
}

}  // namespace

std::uint64_t Verdict::violations() const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < violation_kinds; ++i)
    if (forbids(guarantee, static_cast<ViolationKind>(i))) total += counts[i];
  return total;
}

HistoryJudge::HistoryJudge(const Settings& settings, std::unordered_map<std::uint32_t, std::int64_t> initial)
    : settings_(settings),
      initial_(std::move(initial)),
      sessions_(settings.soon),
      staleness_(bound_of(settings.guarantee)) {
  verdict_.guarantee = settings.guarantee;
}

HistoryJudge::Key& HistoryJudge::key_of(std::uint32_t key) {
  if (const auto found = keys_.find(key); found != keys_.end()) return found->second;
  const auto named = initial_.find(key);
  const std::int64_t version = named == initial_.end() ? 0 : named->second;
  return keys_
      .emplace(key, Key{KeyLedger(version), {}, WindowSample(version, settings_.comparison_stride), {}})
      .first->second;
}

void HistoryJudge::advance(std::int64_t until) {
  events_.advance(
      until, [this](OpenOperation& open) { on_start(open); }, [this](OpenOperation& open) { on_end(open); });
}

void HistoryJudge::on_start(OpenOperation& open) {
  const Operation& operation = open.operation;
  Key& key = key_of(operation.key);
  if (operation.kind == OperationKind::write || operation.kind == OperationKind::unknown_write)
    key.ledger.begin(operation);
  if (operation.kind == OperationKind::write) {
    if (const auto cause = sessions_.cause_of(operation)) key.ledger.note_cause(operation.version, *cause);
    key.running.push_back(operation);
  }
  open.writes_begun = key.ledger.writes_begun();
  sessions_.on_start(open);
  key.order.on_start(open, key.ledger);
  key.sample.on_start(operation, verdict_.comparison);
  if (operation.kind != OperationKind::read) return;
  staleness_.on_start(open, key.ledger);
  const std::optional<Operation>& written = key.order.written();
  if (written && written->user != operation.user && operation.start - written->end <= settings_.soon)
    ++verdict_.reads_soon_after_foreign_write;
}

void HistoryJudge::on_end(OpenOperation& open) {
  const Operation& operation = open.operation;
  Key& key = key_of(operation.key);
  bool possible = true;
  switch (operation.kind) {
    case OperationKind::read:
      possible = on_read_end(open, key);
      break;
    case OperationKind::write:
      possible = on_write_end(open, key);
      break;
    case OperationKind::unknown_write:
      ++verdict_.unknown_writes;
      break;
    case OperationKind::failed_write:
      ++verdict_.failed_writes;
      break;
    case OperationKind::failed_read:
      ++verdict_.failed_reads;
      break;
    case OperationKind::lost_write_told:
      ++verdict_.lost_writes_told;
      sessions_.on_end(open, nullptr);
      break;
  }
  key.sample.on_end(operation, possible);
}

bool HistoryJudge::on_read_end(const OpenOperation& open, Key& key) {
  const Operation& read = open.operation;
  ++verdict_.reads;
  ++verdict_.reads_by_node[read.node];
  decide(open, key);
  if (!key.ledger.possible(read.version)) {
    report({ViolationKind::impossible_version, read, key.ledger.most(), std::nullopt, std::nullopt});
    return false;  // an answer to another question binds nobody
  }
  key.ledger.show(read.version);
  key.order.on_end(read);
  sessions_.on_end(open, key.ledger.cause_of(read.version));
  return true;
}

bool HistoryJudge::on_write_end(const OpenOperation& open, Key& key) {
  const Operation& write = open.operation;
  ++verdict_.writes;
  ++verdict_.writes_by_node[write.node];
  if (verdict_.writes > 1)
    verdict_.longest_gap_between_writes =
        std::max(verdict_.longest_gap_between_writes, write.end - last_acknowledgement_);
  last_acknowledgement_ = write.end;
  std::erase_if(key.running, [&](const Operation& running) {
    return running.session == write.session && running.start == write.start &&
           running.version == write.version;
  });
  decide(open, key);
  if (!key.ledger.possible(write.version)) {
    report({ViolationKind::impossible_version, write, key.ledger.most(), std::nullopt, std::nullopt});
    return false;
  }
  key.ledger.show(write.version);
  std::optional<Operation> other;
  if (key.ledger.acknowledge(write, other))
    report({ViolationKind::lost_write, other.value_or(write), write.version, std::optional(write),
            std::nullopt});
  key.order.on_end(write);
  sessions_.on_end(open, nullptr);
  return true;
}

// What spoke against an operation when it started, now that it has ended.
void HistoryJudge::decide(const OpenOperation& open, const Key& key) {
  const bool excused = sessions_.excused(open.operation);
  if (!excused) {
    if (open.after_own_write) ++verdict_.reads_after_own_write;
    if (open.soon_after_own_write) ++verdict_.reads_soon_after_own_write;
    if (open.after_own_write_elsewhere) ++verdict_.reads_after_own_write_elsewhere;
    if (open.repeated) ++verdict_.repeated_reads;
    if (open.of_advancing_key) ++verdict_.reads_of_advancing_key;
    if (open.with_known_cause) ++verdict_.reads_with_known_cause;
  }
  for (Violation violation : open.suspected) {
    if (excused && of_one_user(violation.kind)) continue;
    const auto running = std::find_if(key.running.begin(), key.running.end(), [&](const Operation& write) {
      return write.version == violation.required;
    });
    if (running != key.running.end()) {
      violation.origin = *running;
      if (running->node == open.operation.node && forbids(settings_.guarantee, violation.kind))
        ++verdict_.before_acknowledgement;
    }
    report(std::move(violation));
  }
}

void HistoryJudge::find_lost_writes(const std::unordered_map<std::uint32_t, std::int64_t>& final) {
  for (const auto& [number, key] : keys_) {
    const auto found = final.find(number);
    if (found == final.end()) continue;
    const std::uint64_t lost = key.ledger.count_acknowledged_above(found->second);
    for (const std::int64_t version :
         key.ledger.acknowledged_above(found->second, settings_.max_described + 1)) {
      Operation write;
      write.key = number;
      write.version = version;
      write.kind = OperationKind::write;
      report({ViolationKind::lost_write, key.ledger.write_of(version).value_or(write), version, std::nullopt,
              std::nullopt},
             0);
    }
    verdict_.counts[static_cast<std::size_t>(ViolationKind::lost_write)] += lost;
  }
}

void HistoryJudge::report(Violation violation, std::uint64_t times) {
  verdict_.counts[static_cast<std::size_t>(violation.kind)] += times;
  if (!forbids(settings_.guarantee, violation.kind)) return;
  auto& first = verdict_.first;
  const auto earlier = [](const Violation& a, const Violation& b) {
    return std::tie(a.operation.start, a.kind) < std::tie(b.operation.start, b.kind);
  };
  const auto place = std::upper_bound(first.begin(), first.end(), violation, earlier);
  if (place == first.end() && first.size() >= settings_.max_described) return;
  first.insert(place, std::move(violation));
  if (first.size() > settings_.max_described) first.pop_back();
}

void HistoryJudge::state_what_is_missing() {
  const Demands& demands = settings_.demands;
  const auto demand = [this](std::uint64_t got, std::uint64_t wanted, const char* what) {
    if (got < wanted)
      verdict_.proves_nothing.push_back(std::string(what) + ": " + std::to_string(got) + ", and " +
                                        std::to_string(wanted) + " are needed");
  };
  demand(verdict_.reads, 1, "reads");
  demand(verdict_.reads_after_own_write, demands.reads_after_own_write, "reads after an own write");
  demand(verdict_.reads_of_advancing_key, demands.reads_of_advancing_key,
         "repeated reads of an advancing key");
  demand(verdict_.reads_after_own_write_elsewhere, demands.reads_after_own_write_elsewhere,
         "reads after an own write over another connection");
  demand(verdict_.reads_soon_after_foreign_write, demands.reads_soon_after_foreign_write,
         "reads soon after another user's write");
  const std::uint64_t nodes = verdict_.reads_by_node.size() - verdict_.reads_by_node.count(0);
  demand(nodes, demands.nodes, "servers that answered reads");
  if (verdict_.comparison.disagreements > 0)
    verdict_.proves_nothing.push_back("the two checks of linearizability disagree about " +
                                      std::to_string(verdict_.comparison.disagreements) + " pieces");
}

Verdict HistoryJudge::finish(const std::unordered_map<std::uint32_t, std::int64_t>& final) {
  events_.finish([this](OpenOperation& open) { on_start(open); },
                 [this](OpenOperation& open) { on_end(open); });
  for (auto& [number, key] : keys_) key.sample.finish(verdict_.comparison);
  find_lost_writes(final);
  verdict_.reads_behind = staleness_.reads_behind();
  verdict_.max_staleness = staleness_.max();
  state_what_is_missing();
  return std::move(verdict_);
}

Verdict judge(const History& history, const HistoryJudge::Settings& settings) {
  HistoryJudge judge(settings, history.initial);
  for (const Operation& operation : history.operations) judge.add(operation);
  return judge.finish(history.final);
}

}  // namespace tidemark::consistency

#include "tests/consistency/driver_report.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::consistency {
namespace {

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out + '"';
}

using Figures = std::vector<std::pair<std::string, std::string>>;

Figures figures(const Verdict& verdict, const Summary& summary, const Recorder& totals) {
  const auto count = [](std::uint64_t value) { return std::to_string(value); };
  const auto milliseconds = [](std::int64_t value) { return number(static_cast<double>(value) / 1e6); };
  Figures all = {
      {"seconds", number(summary.seconds())},
      {"reads", count(verdict.reads)},
      {"reads_per_second", number(static_cast<double>(verdict.reads) / std::max(summary.seconds(), 1e-9))},
      {"writes", count(verdict.writes)},
      {"unknown_writes", count(verdict.unknown_writes)},
      {"failed_reads", count(verdict.failed_reads)},
      {"failed_writes", count(verdict.failed_writes)},
      {"lost_writes_told", count(verdict.lost_writes_told)},
      {"explicit_transactions", count(totals.transactions)},
      {"pipelines", count(totals.pipelines)},
      {"tokens_carried", count(totals.tokens_carried)},
      {"reads_after_own_write", count(verdict.reads_after_own_write)},
      {"reads_soon_after_own_write", count(verdict.reads_soon_after_own_write)},
      {"reads_after_own_write_elsewhere", count(verdict.reads_after_own_write_elsewhere)},
      {"repeated_reads", count(verdict.repeated_reads)},
      {"reads_of_advancing_key", count(verdict.reads_of_advancing_key)},
      {"reads_with_known_cause", count(verdict.reads_with_known_cause)},
      {"reads_soon_after_foreign_write", count(verdict.reads_soon_after_foreign_write)},
  };
  for (std::size_t i = 0; i < violation_kinds; ++i)
    all.emplace_back(name_of(static_cast<ViolationKind>(i)), count(verdict.counts[i]));
  const Figures rest = {
      {"violations_before_acknowledgement", count(verdict.before_acknowledgement)},
      {"reads_behind", count(verdict.reads_behind)},
      {"max_staleness_ms", milliseconds(verdict.max_staleness)},
      {"pieces_compared", count(verdict.comparison.windows)},
      {"pieces_not_linearizable", count(verdict.comparison.not_linearizable)},
      {"pieces_undecided", count(verdict.comparison.undecided)},
      {"wrong_answers", count(totals.wrong_answers)},
      {"connections", count(totals.connections)},
      {"connect_failures", count(totals.connect_failures)},
      {"broken_busy", count(totals.broken_busy)},
      {"broken_idle", count(totals.broken_idle)},
      {"stuck", count(totals.stuck)},
      {"read_p50_ms", milliseconds(summary.reads().at(0.5))},
      {"read_p99_ms", milliseconds(summary.reads().at(0.99))},
      {"read_max_ms", milliseconds(summary.reads().max())},
      {"write_p50_ms", milliseconds(summary.writes().at(0.5))},
      {"write_p99_ms", milliseconds(summary.writes().at(0.99))},
      {"write_max_ms", milliseconds(summary.writes().max())},
      {"longest_gap_between_writes_ms", milliseconds(verdict.longest_gap_between_writes)},
      {"primary", count(summary.primary())},
      {"share_of_reads_elsewhere", number(summary.share_of_reads_elsewhere())},
  };
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

}  // namespace

void Summary::add(const Operation& operation) {
  if (operation.kind == OperationKind::read) reads_.add(operation.end - operation.start);
  if (operation.kind == OperationKind::write) writes_.add(operation.end - operation.start);
}

void Summary::finish(const Verdict& verdict, double seconds) {
  seconds_ = seconds;
  std::uint64_t most = 0;
  for (const auto& [node, count] : verdict.writes_by_node)
    if (count > most) {
      most = count;
      primary_ = node;
    }
  const auto at_primary = verdict.reads_by_node.find(primary_);
  const std::uint64_t there = at_primary == verdict.reads_by_node.end() ? 0 : at_primary->second;
  if (verdict.reads > 0)
    share_of_reads_elsewhere_ =
        static_cast<double>(verdict.reads - there) / static_cast<double>(verdict.reads);
}

std::string human_report(const Verdict& verdict, const Summary& summary, const Recorder& totals,
                         std::int64_t origin) {
  std::string text;
  for (const auto& [name, value] : figures(verdict, summary, totals))
    text += "  " + name + std::string(name.size() < 32 ? 32 - name.size() : 1, ' ') + value + "\n";
  text += "reads by node:\n";
  for (const auto& [node, count] : verdict.reads_by_node)
    text += "  " + std::to_string(node) + "  " + std::to_string(count) + "  " +
            number(100.0 * static_cast<double>(count) / static_cast<double>(verdict.reads)) + " %\n";
  if (!totals.errors.empty()) text += "errors:\n";
  for (const auto& [name, count] : totals.errors) {
    text += "  " + std::to_string(count) + " x " + name;
    if (const auto known = totals.error_texts.find(name); known != totals.error_texts.end())
      text += ": " + quoted(known->second);
    text += "\n";
  }
  if (!verdict.first.empty()) text += "first violations:\n";
  for (const Violation& violation : verdict.first) text += "  " + describe(violation, origin) + "\n";
  for (const std::string& missing : verdict.proves_nothing) text += "proves nothing: " + missing + "\n";
  text += std::string(name_of(verdict.guarantee.level)) + ": ";
  text += verdict.violations() > 0         ? "VIOLATED\n"
          : verdict.proves_nothing.empty() ? "held\n"
                                           : "PROVES NOTHING\n";
  return text;
}

std::string json_report(const Verdict& verdict, const Summary& summary, const Recorder& totals,
                        std::int64_t origin) {
  std::string text = "{";
  for (const auto& [name, value] : figures(verdict, summary, totals))
    text += quoted(name) + ": " + value + ", ";
  const auto list = [&text](const auto& items, const auto& print) {
    const char* separator = "";
    for (const auto& item : items) {
      text += separator + print(item);
      separator = ", ";
    }
  };
  text += "\"reads_by_node\": {";
  list(verdict.reads_by_node, [](const auto& item) {
    return quoted(std::to_string(item.first)) + ": " + std::to_string(item.second);
  });
  text += "}, \"errors\": {";
  list(totals.errors,
       [](const auto& item) { return quoted(item.first) + ": " + std::to_string(item.second); });
  text += "}, \"error_texts\": {";
  list(totals.error_texts, [](const auto& item) { return quoted(item.first) + ": " + quoted(item.second); });
  text += "}, \"first_violations\": [";
  list(verdict.first, [origin](const Violation& violation) { return quoted(describe(violation, origin)); });
  text += "], \"proves_nothing\": [";
  list(verdict.proves_nothing, [](const std::string& missing) { return quoted(missing); });
  text += "], \"violations\": " + std::to_string(verdict.violations());
  text += ", \"holds\": " + std::string(verdict.holds() ? "true" : "false") + "}";
  return text;
}

}  // namespace tidemark::consistency

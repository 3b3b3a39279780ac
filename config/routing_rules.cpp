#include "config/routing_rules.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "config/text.hpp"
#include "config/units.hpp"

namespace tidemark::config {
namespace {

using routing::RoutingRule;

struct Pattern {
  std::string_view path;
  std::string RoutingRule::* field;
};
constexpr std::array<Pattern, 5> patterns = {
    {{"routing.rule.match.database", &RoutingRule::database},
     {"routing.rule.match.user", &RoutingRule::user},
     {"routing.rule.match.application_name", &RoutingRule::application_name},
     {"routing.rule.match.relation", &RoutingRule::relation},
     {"routing.rule.match.statement", &RoutingRule::statement}}};

class RuleReader {
 public:
  RuleReader(const Document& document, const routing::RoutingPolicy& policy, std::string_view file_name,
             RoutingRulesReading& reading)
      : document_(document), policy_(policy), file_name_(file_name), reading_(reading) {}

  void read_all() {
    check_bound(document_, "routing.max_staleness");
    for (const Document& table : document_.list("routing.rule")) {
      ++number_;
      sound_ = true;
      RoutingRule rule = read(table);
      if (sound_) reading_.rules.push_back(std::move(rule));
    }
  }

 private:
  void report(Severity severity, Position where, std::string message) {
    reading_.problems.push_back({severity, std::string(file_name_), where, std::move(message)});
  }
  void error(Position where, std::string message) {
    sound_ = false;
    report(Severity::error, where, std::move(message));
  }

  RoutingRule read(const Document& table) {
    RoutingRule rule;
    read_name(table, rule);
    read_patterns(table, rule);
    const auto level = read_level(table);
    rule.consistency = level.value_or(rule.consistency);
    if (const auto* replay = table.get<bool>("routing.rule.replay")) rule.replay = *replay;
    read_bound(table, level, rule);
    return rule;
  }

  void read_name(const Document& table, RoutingRule& rule) {
    rule.name = std::to_string(number_);
    const Entry* entry = table.find("routing.rule.name");
    if (entry == nullptr) return;
    const auto* name = table.get<std::string>("routing.rule.name");
    if (name == nullptr) {
      sound_ = false;
      return;
    }
    rule.name = *name;
    const auto [first, fresh] = names_.try_emplace(*name, entry->value_at);
    if (!fresh) {
      error(entry->value_at, "routing rule " + in_quotes(*name) + " is named twice, first in line " +
                                 std::to_string(first->second.line));
    }
  }

  void read_patterns(const Document& table, RoutingRule& rule) {
    constexpr std::string_view match = "routing.rule.match";
    const std::string wanted = "at least one of database, user, application_name, relation, statement";
    const Entry* entry = table.find(match);
    if (entry == nullptr) {
      error(table.at, in_quotes(match) + " is missing: what is this rule for? It takes " + wanted);
      return;
    }
    if (table.get<Present>(match) == nullptr) {
      sound_ = false;
      return;
    }
    bool any = false;
    for (const Pattern& pattern : patterns) {
      if (table.find(pattern.path) == nullptr) continue;
      any = true;
      const auto* text = table.get<std::string>(pattern.path);
      if (text == nullptr) {
        sound_ = false;
      } else {
        rule.*pattern.field = *text;
      }
    }
    if (!any) {
      error(entry->key_at, in_quotes(match) + " has no pattern: it takes " + wanted);
      return;
    }
    check_relation(table, rule.relation);
    if (sound_) check_reached(table, rule);
  }

  void check_relation(const Document& table, const std::string& pattern) {
    if (pattern.empty()) return;
    const Position where = table.find("routing.rule.match.relation")->value_at;
    const std::string what = in_quotes("routing.rule.match.relation");
    if (pattern.find('"') != std::string::npos) {
      error(where, what + " takes no quotation marks: case does not count; found " + in_quotes(pattern));
    } else if (pattern.front() == '.' || pattern.back() == '.' ||
               std::count(pattern.begin(), pattern.end(), '.') > 1) {
      error(where,
            what + " must be a relation or a schema, a dot and a relation, found " + in_quotes(pattern));
    }
  }

  /// Of two rules with the same patterns the second would be there for nothing.
  void check_reached(const Document& table, const RoutingRule& rule) {
    std::string key;
    for (const Pattern& pattern : patterns)
      key += std::to_string((rule.*pattern.field).size()) + ':' + rule.*pattern.field;
    const auto [first, fresh] = patterns_seen_.try_emplace(std::move(key), table.at);
    if (fresh) return;
    report(Severity::warning, table.at,
           "this rule is never reached: that of line " + std::to_string(first->second.line) +
               " has the same patterns");
  }

  std::optional<routing::ConsistencyLevel> read_level(const Document& table) {
    constexpr std::string_view path = "routing.rule.consistency";
    if (table.find(path) == nullptr) error(table.at, in_quotes(path) + " is missing: which level?");
    const auto* text = table.get<std::string>(path);
    if (text == nullptr) sound_ = false;
    return text == nullptr ? std::nullopt : routing::parse_consistency(*text);
  }

  void read_bound(const Document& table, std::optional<routing::ConsistencyLevel> level, RoutingRule& rule) {
    constexpr std::string_view time_path = "routing.rule.max_staleness";
    constexpr std::string_view bytes_path = "routing.rule.max_staleness_bytes";
    for (const std::string_view path : {time_path, bytes_path}) {
      const Entry* entry = table.find(path);
      if (entry == nullptr || !level || *level == routing::ConsistencyLevel::bounded_staleness) continue;
      error(entry->key_at, in_quotes(path) +
                               " has a meaning for \"bounded_staleness\" only, and this rule's " +
                               "level is " + in_quotes(routing::to_string(*level)));
    }
    // What the rule does not say is as in [routing].
    routing::StalenessBound bound = policy_.max_staleness;
    const auto* time = table.get<std::chrono::nanoseconds>(time_path);
    const auto* bytes = table.get<std::int64_t>(bytes_path);
    if (time != nullptr) bound.time = *time;
    if (bytes != nullptr) bound.bytes = static_cast<std::uint64_t>(*bytes);
    if (time != nullptr || bytes != nullptr) rule.max_staleness = bound;
    check_bound(table, time_path);
  }

  /// More than max_lag allows is no contradiction, but it is not what will be.
  void check_bound(const Document& table, std::string_view path) {
    const auto* time = table.get<std::chrono::nanoseconds>(path);
    const Entry* lag = document_.find("routing.max_lag");
    const bool known = lag == nullptr || std::holds_alternative<std::chrono::nanoseconds>(lag->value);
    if (time == nullptr || !known || *time <= policy_.max_lag) return;
    report(Severity::warning, table.find(path)->value_at,
           in_quotes(path) + " (" + print_duration(*time) + ") is never reached: \"routing.max_lag\" is " +
               print_duration(policy_.max_lag));
  }

  const Document& document_;
  const routing::RoutingPolicy& policy_;
  std::string_view file_name_;
  RoutingRulesReading& reading_;
  std::size_t number_ = 0;
  bool sound_ = true;
  std::map<std::string, Position> names_;
  std::map<std::string, Position> patterns_seen_;
};

}  // namespace

RoutingRulesReading read_routing_rules(const Document& document, const routing::RoutingPolicy& policy,
                                       std::string_view file_name) {
  RoutingRulesReading reading;
  RuleReader(document, policy, file_name, reading).read_all();
  return reading;
}

}  // namespace tidemark::config

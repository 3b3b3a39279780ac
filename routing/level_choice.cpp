#include "routing/level_choice.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "routing/pattern.hpp"

namespace tidemark::routing {
namespace {

bool fits(std::string_view pattern, std::string_view text) {
  return pattern.empty() || matches(pattern, text);
}

bool is_about_text(const RoutingRule& rule) {
  return !rule.relation.empty() || !rule.statement.empty();
}

StalenessBound both(const StalenessBound& a, const StalenessBound& b) {
  StalenessBound bound = a;
  bound.time = std::min(a.time, b.time);
  if (b.bytes && (!a.bytes || *b.bytes < *a.bytes)) bound.bytes = b.bytes;
  return bound;
}

}  // namespace

std::string source_of(const LevelChoice& choice) {
  return choice.rule == nullptr ? "default" : "rule " + choice.rule->name;
}

LevelChoice strongest(const LevelChoice& a, const LevelChoice& b) {
  if (a.replay != b.replay) {
    LevelChoice one = a;
    LevelChoice other = b;
    one.replay = other.replay = false;
    return strongest(one, other);
  }
  LevelChoice result = b;
  result.level = stronger(a.level, b.level);
  if (result.level != ConsistencyLevel::bounded_staleness) {
    if (result.level == a.level) result.rule = a.rule;
    return result;
  }
  if (a.level == b.level) {
    result.max_staleness = both(a.max_staleness, b.max_staleness);
    if (result.max_staleness == a.max_staleness) result.rule = a.rule;
    return result;
  }
  return a.level == ConsistencyLevel::bounded_staleness ? a : b;
}

bool matches_relation(std::string_view pattern, const RelationName& relation) {
  const std::size_t dot = pattern.rfind('.');
  if (dot == std::string_view::npos) return matches_in_any_case(pattern, relation.name);
  return matches_in_any_case(pattern.substr(dot + 1), relation.name) &&
         (relation.schema.empty() || matches_in_any_case(pattern.substr(0, dot), relation.schema));
}

SessionRules::SessionRules(const RoutingPolicy& policy, std::string_view database, std::string_view user,
                           std::string_view application_name)
    : policy_(&policy) {
  for (const RoutingRule& rule : policy.rules) {
    if (!fits(rule.database, database) || !fits(rule.user, user) ||
        !fits(rule.application_name, application_name)) {
      continue;
    }
    rules_.push_back(&rule);
    if (!is_about_text(rule)) break;
    need_text_ = true;
  }
}

LevelChoice SessionRules::choice_of(const RoutingRule* rule) const {
  if (rule == nullptr) return {policy_->consistency, policy_->max_staleness, nullptr, policy_->replay};
  return {rule->consistency, rule->max_staleness.value_or(policy_->max_staleness), rule,
          rule->replay.value_or(policy_->replay)};
}

LevelChoice SessionRules::choose(std::string_view text) const {
  if (!need_text_) return choice_of(rules_.empty() ? nullptr : rules_.front());
  Rules rules;
  const RoutingRule* without_relation = nullptr;
  bool has_relations = false;
  for (const RoutingRule* rule : rules_) {
    if (!rule->statement.empty() && !matches_statement(rule->statement, text)) continue;
    rules.push_back(rule);
    has_relations = has_relations || !rule->relation.empty();
    if (rule->relation.empty()) {
      without_relation = rule;
      break;
    }
  }
  // What no relation can change.
  if (!has_relations) return choice_of(without_relation);

  StatementRelations relations(text);
  std::optional<LevelChoice> chosen;
  while (const auto relation = relations.next()) {
    const LevelChoice one = relation->unclear ? choose_any(rules) : choose(rules, *relation);
    chosen = chosen ? strongest(*chosen, one) : one;
    if (chosen->level == ConsistencyLevel::primary && !chosen->replay) break;
  }
  return chosen.value_or(choice_of(without_relation));
}

LevelChoice SessionRules::choose(const Rules& rules, const RelationName& relation) const {
  for (const RoutingRule* rule : rules) {
    if (rule->relation.empty() || matches_relation(rule->relation, relation)) return choice_of(rule);
  }
  return choice_of(nullptr);
}

// For a relation that may have any name: each of these rules may be its first.
LevelChoice SessionRules::choose_any(const Rules& rules) const {
  LevelChoice chosen = choice_of(rules.front());
  for (const RoutingRule* rule : rules) chosen = strongest(chosen, choice_of(rule));
  return rules.back()->relation.empty() ? chosen : strongest(chosen, choice_of(nullptr));
}

}  // namespace tidemark::routing

// What of a client's texts decides on a level, and what an operator's patterns meet there: hints, tokens,
// patterns, relations. Any bytes: no crash, no read outside of the text, an end, and what they give belongs
// to the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include "routing/hint.hpp"
#include "routing/level_choice.hpp"
#include "routing/pattern.hpp"
#include "routing/position_token.hpp"
#include "routing/statement_relations.hpp"
#include "routing/user_key.hpp"

namespace {

using namespace tidemark::routing;

void check(bool holds) {
  if (!holds) std::abort();
}

bool is_inside(std::string_view part, std::string_view text) {
  const std::less_equal<> before;
  return part.empty() ||
         (before(text.data(), part.data()) && before(part.data() + part.size(), text.data() + text.size()));
}

void read_hints(std::string_view text) {
  const HintReading reading = read_hint(text);
  if (!begins_with_comment(text)) check(std::holds_alternative<std::monostate>(reading));
  if (const auto* error = std::get_if<HintError>(&reading)) {
    const std::string told = to_string(*error);
    check(error->at.size() <= 64 && !told.empty() && told.find('\n') == std::string::npos);
  }
  if (const auto* hint = std::get_if<Hint>(&reading)) {
    check(is_inside(hint->user, text) && hint->user.size() <= kLongestHintUser);
    check(hint->user.empty() == !hint->user_key &&
          (!hint->user_key || *hint->user_key == user_key(hint->user)));
    check(!hint->token || (is_inside(*hint->token, text) && !hint->token->empty()));
    check(!hint->max_staleness || hint->max_staleness->count() >= 0);
    check(hint->consistency || hint->user_key || hint->max_staleness || hint->max_staleness_bytes ||
          hint->token || hint->primary);
  }
}

void read_token(std::string_view text) {
  const auto parsed = parse_position_token(text);
  if (const auto* position = std::get_if<WalPosition>(&parsed))
    check(print_position_token(*position) == text);
}

void match(std::string_view pattern, std::string_view text) {
  // The patterns are the operator's; long ones only cost time.
  pattern = pattern.substr(0, 64);
  if (matches(pattern, text)) check(matches_in_any_case(pattern, text));
  if (matches_in_any_case(pattern, text)) check(matches_in_any_case(std::string(pattern) + '*', text));
  (void)matches_statement(pattern, text);
  check(matches("*", text) && matches_statement("*", text));
}

void go_through_relations(std::string_view text) {
  StatementRelations relations(text);
  std::size_t seen = 0;
  while (const auto relation = relations.next()) {
    check(is_inside(relation->name, text) && is_inside(relation->schema, text));
    // Twice, where there are two readings.
    check(++seen <= 2 * text.size());
    (void)to_string(*relation);
  }
  check(!relations.next());
}

void choose(std::string_view pattern, std::string_view text) {
  RoutingPolicy policy;
  policy.consistency = ConsistencyLevel::eventual;
  RoutingRule rule;
  rule.name = "r";
  rule.relation = pattern.substr(0, 64);
  rule.consistency = ConsistencyLevel::primary;
  policy.rules.push_back(rule);
  rule.relation.clear();
  rule.statement = pattern.substr(0, 64);
  rule.consistency = ConsistencyLevel::session;
  policy.rules.push_back(rule);
  const auto level = SessionRules(policy, "d", "u", "a").choose(text).level;
  check(level == ConsistencyLevel::eventual || level == ConsistencyLevel::session ||
        level == ConsistencyLevel::primary);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_hints(text);
  read_token(text);
  go_through_relations(text);
  const std::size_t split = text.find('\n');
  if (split == std::string_view::npos) return 0;
  match(text.substr(0, split), text.substr(split + 1));
  choose(text.substr(0, split), text.substr(split + 1));
  return 0;
}

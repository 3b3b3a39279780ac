#include "config/routing_rules.hpp"

#include <chrono>
#include <optional>
#include <string>

#include <gmock/gmock.h>

#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using namespace std::chrono_literals;
using routing::ConsistencyLevel;
using routing::RoutingRule;
using routing::StalenessBound;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<RoutingRule> rules_of(const std::string& text) {
  const LoadResult result = load(std::string(minimum) + text);
  EXPECT_THAT(lines_of(result), IsEmpty());
  return result.config ? result.config->routing.rules : std::vector<RoutingRule>{};
}

TEST(RoutingRules, AreReadInTheirOrder) {
  const auto rules = rules_of(
      "[[routing.rule]]\nname = \"money\"\nconsistency = \"strong\"\n"
      "match = { database = \"shop\", user = \"app\", relation = \"payments\" }\n"
      "[[routing.rule]]\nconsistency = \"eventual\"\n[routing.rule.match]\napplication_name = \"report*\"\n"
      "[[routing.rule]]\nmatch.statement = \"select * from log*\"\nmatch.relation = \"audit.log\"\n"
      "consistency = \"primary\"\n");
  ASSERT_THAT(rules, SizeIs(3));
  EXPECT_EQ(rules[0].name, "money");
  EXPECT_EQ(rules[0].database, "shop");
  EXPECT_EQ(rules[0].user, "app");
  EXPECT_EQ(rules[0].application_name, "");
  EXPECT_EQ(rules[0].relation, "payments");
  EXPECT_EQ(rules[0].statement, "");
  EXPECT_EQ(rules[0].consistency, ConsistencyLevel::strong);
  EXPECT_EQ(rules[0].max_staleness, std::nullopt);
  EXPECT_EQ(rules[1].name, "2");
  EXPECT_EQ(rules[1].application_name, "report*");
  EXPECT_EQ(rules[1].consistency, ConsistencyLevel::eventual);
  EXPECT_EQ(rules[2].name, "3");
  EXPECT_EQ(rules[2].relation, "audit.log");
  EXPECT_EQ(rules[2].statement, "select * from log*");
  EXPECT_EQ(rules[2].consistency, ConsistencyLevel::primary);
}

TEST(RoutingRules, TakeFromRoutingTheBoundThatTheyDoNotSay) {
  const std::string head =
      "[routing]\nmax_staleness = \"3s\"\nmax_staleness_bytes = \"2MB\"\n"
      "[[routing.rule]]\nmatch.user = \"a\"\nconsistency = \"bounded_staleness\"\n";
  const auto bound = [&head](const std::string& text) {
    const auto rules = rules_of(head + text);
    return rules.empty() ? std::nullopt : rules.front().max_staleness;
  };
  EXPECT_EQ(bound(""), std::nullopt);
  EXPECT_EQ(bound("max_staleness = \"5s\"\n"), (StalenessBound{5s, 2U << 20U}));
  EXPECT_EQ(bound("max_staleness_bytes = \"4kB\"\n"), (StalenessBound{3s, 4096}));
  EXPECT_EQ(bound("max_staleness = \"5s\"\nmax_staleness_bytes = \"4kB\"\n"), (StalenessBound{5s, 4096}));
}

struct Case {
  std::string text;  ///< begins in line 4
  std::string problem;
};
class BadRoutingRules : public ::testing::TestWithParam<Case> {};

TEST_P(BadRoutingRules, AreToldWithTheirPlace) {
  EXPECT_THAT(problems_behind_minimum(GetParam().text), ElementsAre(GetParam().problem));
}

const std::string head = "[[routing.rule]]\n";
const std::string level = "consistency = \"strong\"\n";
const std::string match = "match.user = \"a\"\n";
const std::string takes = "t takes at least one of database, user, application_name, relation, statement";

INSTANTIATE_TEST_SUITE_P(
    Table, BadRoutingRules,
    ::testing::Values(
        Case{head + match, "t.toml:4:1: error: \"routing.rule.consistency\" is missing: which level?"},
        Case{head + level,
             "t.toml:4:1: error: \"routing.rule.match\" is missing: what is this rule for? I" + takes},
        Case{head + level + "match = {}\n",
             "t.toml:6:1: error: \"routing.rule.match\" has no pattern: i" + takes},
        Case{head + level + "[routing.rule.match]\n",
             "t.toml:6:15: error: \"routing.rule.match\" has no pattern: i" + takes},
        Case{head + level + "match = \"payments\"\n",
             "t.toml:6:9: error: \"routing.rule.match\" must be a table, found a string"},
        Case{head + level + "match.user = 3\n",
             "t.toml:6:14: error: \"routing.rule.match.user\" must be a string, found an integer"},
        Case{head + level + "match.user = \"\"\n",
             "t.toml:6:14: error: \"routing.rule.match.user\" must not be empty"},
        Case{head + level + "match = { usr = \"a\", user = \"b\" }\n",
             "t.toml:6:11: error: unknown key \"routing.rule.match.usr\"; did you mean "
             "\"routing.rule.match.user\"?"},
        Case{head + match + "consistency = \"stronk\"\n",
             "t.toml:6:15: error: unknown value \"stronk\" for \"routing.rule.consistency\"; allowed: "
             "\"strong\", \"session\", \"primary\", \"eventual\", \"monotonic_reads\", "
             "\"bounded_staleness\", \"read_your_writes\""},
        Case{
            head + match + level + "max_staleness = \"1s\"\n",
            "t.toml:7:1: error: \"routing.rule.max_staleness\" has a meaning for \"bounded_staleness\" only, "
            "and this rule's level is \"strong\""},
        Case{head + match + "  max_staleness_bytes = \"1kB\"\nconsistency = \"session\"\n",
             "t.toml:6:3: error: \"routing.rule.max_staleness_bytes\" has a meaning for "
             "\"bounded_staleness\" only, and this rule's level is \"session\""},
        Case{head + match + "consistency = \"bounded_staleness\"\nmax_staleness = \"20s\"\n",
             "t.toml:7:17: warning: \"routing.rule.max_staleness\" (20s) is never reached: "
             "\"routing.max_lag\" is 10s"},
        Case{"[routing]\nmax_lag = \"500ms\"\nmax_staleness = \"1s\"\n",
             "t.toml:6:17: warning: \"routing.max_staleness\" (1s) is never reached: \"routing.max_lag\" is "
             "500ms"},
        Case{
            head + level + "match.relation = \"shop.accounting.payments\"\n",
            "t.toml:6:18: error: \"routing.rule.match.relation\" must be a relation or a schema, a dot and a "
            "relation, found \"shop.accounting.payments\""},
        Case{
            head + level + "match.relation = \".payments\"\n",
            "t.toml:6:18: error: \"routing.rule.match.relation\" must be a relation or a schema, a dot and a "
            "relation, found \".payments\""},
        Case{head + level + "match.relation = '\"Payments\"'\n",
             "t.toml:6:18: error: \"routing.rule.match.relation\" takes no quotation marks: case does not "
             "count; found \"\\\"Payments\\\"\""},
        Case{head + "name = \"x\"\n" + level + match + head + "name = \"x\"\n" + level +
                 "match.user = \"b\"\n",
             "t.toml:9:8: error: routing rule \"x\" is named twice, first in line 5"},
        Case{head + level + match + head + match + "consistency = \"eventual\"\n",
             "t.toml:7:1: warning: this rule is never reached: that of line 4 has the same patterns"},
        Case{"[routing.rule]\n" + level + match,
             "t.toml:4:10: error: \"routing.rule\" must be a list of tables, each under [[routing.rule]], "
             "found a table"}));

TEST(RoutingRules, AreToldOfAllTheirMistakesAtOnce) {
  EXPECT_THAT(
      problems_behind_minimum(head + "name = \"\"\nmatch = { relation = \"a.\" }\n" + head +
                              "consistency = 1\nmatch = { database = \"a\" }\n"),
      ElementsAre("t.toml:4:1: error: \"routing.rule.consistency\" is missing: which level?",
                  "t.toml:5:8: error: \"routing.rule.name\" must not be empty",
                  "t.toml:6:22: error: \"routing.rule.match.relation\" must be a relation or a schema, "
                  "a dot and a relation, found \"a.\"",
                  "t.toml:8:15: error: \"routing.rule.consistency\" must be a string, found an integer"));
}

TEST(RoutingRules, ABoundOfALagThatWasRefusedIsNoFurtherMistake) {
  EXPECT_THAT(problems_behind_minimum("[routing]\nmax_lag = 5\nmax_staleness = \"20s\"\n"), SizeIs(1));
}

}  // namespace
}  // namespace tidemark::config

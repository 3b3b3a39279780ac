#include "routing/level_choice.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

using namespace std::chrono_literals;
using Level = ConsistencyLevel;

RoutingRule rule(std::string name, Level level) {
  RoutingRule made;
  made.name = std::move(name);
  made.consistency = level;
  return made;
}
RoutingRule of_relation(std::string pattern, Level level) {
  RoutingRule made = rule(pattern, level);
  made.relation = std::move(pattern);
  return made;
}
RoutingRule of_statement(std::string pattern, Level level) {
  RoutingRule made = rule(pattern, level);
  made.statement = std::move(pattern);
  return made;
}
RoutingRule bounded(RoutingRule made, std::chrono::nanoseconds time,
                    std::optional<std::uint64_t> bytes = std::nullopt) {
  made.consistency = Level::bounded_staleness;
  made.max_staleness = StalenessBound{time, bytes};
  return made;
}
RoutingPolicy policy(std::initializer_list<RoutingRule> rules, Level level = Level::session) {
  RoutingPolicy made;
  made.consistency = level;
  made.rules = rules;
  return made;
}

/// "strong: rule payments", with the bound where it counts.
std::string print(const LevelChoice& choice) {
  std::string text(to_string(choice.level));
  if (choice.level == Level::bounded_staleness) {
    text += ' ' + std::to_string(choice.max_staleness.time / 1ms) + "ms";
    if (choice.max_staleness.bytes) text += ' ' + std::to_string(*choice.max_staleness.bytes) + 'B';
  }
  return text + ": " + source_of(choice);
}
std::string chosen(const RoutingPolicy& policy, std::string_view text) {
  return print(SessionRules(policy, "shop", "app", "web").choose(text));
}

TEST(LevelChoice, WithoutRulesIsTheDefaultWithItsBound) {
  RoutingPolicy plain = policy({}, Level::bounded_staleness);
  plain.max_staleness = {250ms, 4096};
  const SessionRules rules(plain, "shop", "app", "");
  EXPECT_FALSE(rules.need_text());
  EXPECT_EQ(print(rules.choose("SELECT * FROM payments")), "bounded_staleness 250ms 4096B: default");
}

TEST(LevelChoice, GoesByWhoAsks) {
  RoutingRule by_database = rule("a", Level::strong);
  by_database.database = "shop_*";
  RoutingRule by_user = rule("b", Level::eventual);
  by_user.user = "report*";
  RoutingRule by_both = rule("c", Level::primary);
  by_both.database = "shop";
  by_both.user = "admin";
  RoutingRule by_application = rule("d", Level::read_your_writes);
  by_application.application_name = "psql";
  const RoutingPolicy all = policy({by_database, by_user, by_both, by_application});
  const struct {
    std::string_view database, user, application_name, expected;
  } cases[] = {
      {"shop", "app", "web", "session: default"},
      {"shop_eu", "app", "web", "strong: rule a"},
      {"shop_eu", "report", "psql", "strong: rule a"},
      {"shop", "reporting", "psql", "eventual: rule b"},
      {"shop", "admin", "psql", "primary: rule c"},
      {"shop", "Admin", "psql", "read_your_writes: rule d"},
      {"crm", "admin", "psql", "read_your_writes: rule d"},
      {"crm", "admin", "", "session: default"},
  };
  for (const auto& one : cases) {
    const SessionRules rules(all, one.database, one.user, one.application_name);
    EXPECT_FALSE(rules.need_text());
    EXPECT_EQ(print(rules.choose("SELECT * FROM a")), one.expected) << one.database << ' ' << one.user;
  }
}

TEST(LevelChoice, NeedsTheTextOnlyWhereARuleOfThisSessionIsAboutIt) {
  RoutingRule others = of_relation("payments", Level::strong);
  others.user = "web";
  const RoutingPolicy all = policy({others, rule("all", Level::eventual), of_statement("x*", Level::strong)});
  EXPECT_TRUE(SessionRules(all, "shop", "web", "").need_text());
  const SessionRules app(all, "shop", "app", "");
  EXPECT_FALSE(app.need_text()) << "behind a rule that matches everything nothing counts";
  EXPECT_EQ(print(app.choose("x FROM payments")), "eventual: rule all");
}

TEST(LevelChoice, GoesByTheStatement) {
  const RoutingPolicy all = policy(
      {of_statement("select * for report*", Level::eventual), of_statement("*audit*", Level::primary)});
  EXPECT_EQ(chosen(all, "SELECT a\nFOR  report 1;"), "eventual: rule select * for report*");
  EXPECT_EQ(chosen(all, "SELECT audit FOR report"), "eventual: rule select * for report*") << "the first";
  EXPECT_EQ(chosen(all, "SELECT 1 /* Audit */"), "primary: rule *audit*");
  EXPECT_EQ(chosen(all, "SELECT 1"), "session: default");
  EXPECT_EQ(chosen(all, ""), "session: default");
}

TEST(LevelChoice, LooksUpEachRelationAndTakesTheStrongest) {
  const RoutingPolicy all =
      policy({of_relation("payments", Level::strong), of_relation("log_*", Level::eventual),
              of_relation("accounts", Level::primary)},
             Level::session);
  const struct {
    std::string_view text, expected;
  } cases[] = {
      {"SELECT * FROM payments", "strong: rule payments"},
      {"SELECT * FROM Payments p JOIN users u ON true", "strong: rule payments"},
      {"SELECT * FROM users JOIN payments ON true", "strong: rule payments"},
      {"SELECT * FROM users", "session: default"},
      {"SELECT * FROM log_today", "eventual: rule log_*"},
      {"SELECT * FROM log_today, log_old", "eventual: rule log_*"},
      {"SELECT * FROM log_today, users", "session: default"},
      {"SELECT * FROM log_today, payments", "strong: rule payments"},
      {"SELECT * FROM payments, accounts, log_today", "primary: rule accounts"},
      {"SELECT * FROM log_today; SELECT * FROM payments", "strong: rule payments"},
      {"SELECT 1", "session: default"},
      {"SELECT payments FROM users", "session: default"},
      {"SELECT * FROM payments()", "session: default"},
      {"SELECT * FROM users WHERE id IN (SELECT id FROM payments)", "strong: rule payments"},
  };
  for (const auto& one : cases) EXPECT_EQ(chosen(all, one.text), one.expected) << one.text;
}

TEST(LevelChoice, OfARelationIsThatOfTheFirstRuleThatFits) {
  const RoutingPolicy all =
      policy({of_relation("payments_archive", Level::eventual), of_relation("payments*", Level::strong),
              rule("rest", Level::read_your_writes), of_relation("users", Level::primary)});
  EXPECT_EQ(chosen(all, "TABLE payments_archive"), "eventual: rule payments_archive");
  EXPECT_EQ(chosen(all, "TABLE payments_2"), "strong: rule payments*");
  EXPECT_EQ(chosen(all, "TABLE users"), "read_your_writes: rule rest") << "a rule without relation fits all";
  EXPECT_EQ(chosen(all, "SELECT 1"), "read_your_writes: rule rest") << "and a statement without any";
}

TEST(LevelChoice, OfARuleWithStatementAndRelationNeedsBoth) {
  RoutingRule both = of_relation("payments", Level::strong);
  both.statement = "select*for invoice*";
  const RoutingPolicy all = policy({both, of_relation("payments", Level::monotonic_reads)});
  EXPECT_EQ(chosen(all, "SELECT * FROM payments WHERE x FOR INVOICE"), "strong: rule payments");
  EXPECT_EQ(chosen(all, "SELECT * FROM payments"), "monotonic_reads: rule payments");
  EXPECT_EQ(chosen(all, "SELECT * FROM users FOR invoice"), "session: default");
}

TEST(LevelChoice, AddsUpWhatTwoRelationsAskFor) {
  const RoutingPolicy all =
      policy({of_relation("a", Level::monotonic_reads), of_relation("b", Level::read_your_writes),
              bounded(of_relation("c", {}), 5s, 4096), bounded(of_relation("d", {}), 2s, 8192),
              bounded(of_relation("e", {}), 3s)},
             Level::eventual);
  EXPECT_EQ(chosen(all, "SELECT FROM a, b"), "session: rule b");
  EXPECT_EQ(chosen(all, "SELECT FROM c, x"), "bounded_staleness 5000ms 4096B: rule c");
  EXPECT_EQ(chosen(all, "SELECT FROM x, c"), "bounded_staleness 5000ms 4096B: rule c");
  EXPECT_EQ(chosen(all, "SELECT FROM c, d"), "bounded_staleness 2000ms 4096B: rule d");
  EXPECT_EQ(chosen(all, "SELECT FROM d, e"), "bounded_staleness 2000ms 8192B: rule d");
  EXPECT_EQ(chosen(all, "SELECT FROM e, d"), "bounded_staleness 2000ms 8192B: rule d");
  EXPECT_EQ(chosen(all, "SELECT FROM e"), "bounded_staleness 3000ms: rule e");
  EXPECT_EQ(chosen(all, "SELECT FROM e, a"), "strong: rule a") << "a bound and a floor of one's own";
}

TEST(LevelChoice, TakesTheBoundOfThePolicyWhereTheRuleHasNone) {
  RoutingPolicy all = policy({of_relation("a", Level::bounded_staleness)});
  all.max_staleness = {700ms, 512};
  EXPECT_EQ(chosen(all, "TABLE a"), "bounded_staleness 700ms 512B: rule a");
}

TEST(LevelChoice, OfANameThatIsNotClearIsThatOfAnyRule) {
  RoutingPolicy all = policy({of_relation("log", Level::eventual), of_relation("payments", Level::strong)});
  EXPECT_EQ(chosen(all, "SELECT * FROM U&\"p\\0061yments\""), "strong: rule payments");
  all = policy({of_relation("log", Level::eventual), of_relation("x", Level::monotonic_reads)});
  EXPECT_EQ(chosen(all, "SELECT * FROM U&\"l\""), "session: default") << "or of none";
  all = policy({of_relation("log", Level::eventual), rule("rest", Level::eventual)});
  EXPECT_EQ(chosen(all, "SELECT * FROM U&\"l\""), "eventual: rule log");
}

TEST(LevelChoice, HoldsForMoreRulesThanFitInPlace) {
  RoutingPolicy all = policy({}, Level::eventual);
  for (int i = 0; i < 100; ++i) {
    std::string name = "t";
    name += std::to_string(i);
    all.rules.push_back(of_relation(name, i == 99 ? Level::strong : Level::session));
  }
  EXPECT_EQ(chosen(all, "SELECT * FROM t98"), "session: rule t98");
  EXPECT_EQ(chosen(all, "SELECT * FROM t98, t99"), "strong: rule t99");
  EXPECT_EQ(chosen(all, "SELECT * FROM t100"), "eventual: default");
}

bool fits(std::string_view pattern, std::string_view relation) {
  const std::string sql = "TABLE " + std::string(relation);
  StatementRelations relations(sql);
  const auto found = relations.next();
  return found && matches_relation(pattern, *found);
}

TEST(RelationPattern, FitsInAnySchemaUnlessItNamesOne) {
  const struct {
    std::string_view pattern, relation;
    bool expected;
  } cases[] = {
      {"payments", "payments", true},
      {"payments", "PAYMENTS", true},
      {"payments", "\"Payments\"", true},
      {"Payments", "payments", true},
      {"payments", "accounting.payments", true},
      {"payments", "shop.accounting.payments", true},
      {"payments", "payments2", false},
      {"payments", "payments.other", false},
      {"accounting.payments", "accounting.payments", true},
      {"Accounting.Payments", "\"ACCOUNTING\".payments", true},
      {"accounting.payments", "shop.accounting.payments", true},
      {"accounting.payments", "archive.payments", false},
      {"accounting.payments", "payments", true},
      {"accounting.payments", "U&\"x\".payments", true},
      {"accounting.payments", "accounting.users", false},
      {"accounting.*", "accounting.users", true},
      {"accounting.*", "users", true},
      {"accounting.*", "public.users", false},
      {"*.payments", "public.payments", true},
      {"pay*", "payments", true},
      {"*", "anything", true},
      {"accounting.payments", "\"accounting.payments\"", false},
  };
  for (const auto& one : cases)
    EXPECT_EQ(fits(one.pattern, one.relation), one.expected) << one.pattern << " / " << one.relation;
}

TEST(Strongest, GuaranteesWhatBothDo) {
  for (int a = 0; a <= static_cast<int>(Level::primary); ++a) {
    for (int b = 0; b <= static_cast<int>(Level::primary); ++b) {
      const LevelChoice one{static_cast<Level>(a), {2s, 100}, nullptr};
      const LevelChoice other{static_cast<Level>(b), {1s, std::nullopt}, nullptr};
      const LevelChoice both = strongest(one, other);
      EXPECT_EQ(both.level, stronger(one.level, other.level));
      if (both.level != Level::bounded_staleness) continue;
      EXPECT_EQ(both.max_staleness, strongest(other, one).max_staleness) << "whatever the order";
      if (one.level == Level::bounded_staleness) {
        EXPECT_LE(both.max_staleness.time, 2s);
        EXPECT_EQ(both.max_staleness.bytes, 100U);
      }
      if (other.level == Level::bounded_staleness) {
        EXPECT_EQ(both.max_staleness.time, 1s);
      }
    }
  }
}

TEST(LevelChoice, WhatIsExecutedAgainGoesByTheRuleElseByThePolicy) {
  RoutingRule again = of_relation("cart", Level::session);
  again.replay = true;
  RoutingRule never = of_relation("payments", Level::primary);
  never.replay = false;
  RoutingPolicy made = policy({again, never, of_relation("stock", Level::strong)});
  const auto replays = [&](std::string_view text) {
    return SessionRules(made, "shop", "app", "web").choose(text).replay;
  };
  EXPECT_TRUE(replays("select from cart"));
  EXPECT_FALSE(replays("select from payments"));
  EXPECT_FALSE(replays("select from stock"));
  EXPECT_FALSE(replays("select from other"));
  made.replay = true;
  EXPECT_FALSE(replays("select from payments"));
  EXPECT_TRUE(replays("select from stock"));
  EXPECT_TRUE(replays("select from other"));
  EXPECT_TRUE(replays("select from cart, stock"));
  for (const char* const text :
       {"select from cart, payments", "select from payments, cart", "select from stock, payments"})
    EXPECT_FALSE(replays(text)) << "only if all say so: " << text;
}

}  // namespace
}  // namespace tidemark::routing

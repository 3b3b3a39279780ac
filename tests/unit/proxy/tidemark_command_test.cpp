#include "proxy/tidemark_command.hpp"

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using Kind = TidemarkCommand::Kind;

/// Also: whatever is a command passes the quick look.
std::optional<TidemarkCommand> command(std::string_view sql) {
  auto found = tidemark_command(sql);
  EXPECT_TRUE(!found || may_be_tidemark_command(sql)) << sql;
  return found;
}

void expect_set(std::string_view sql, std::string_view name, std::string_view value, Kind kind = Kind::set) {
  SCOPED_TRACE(sql);
  const auto found = command(sql);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, kind);
  EXPECT_EQ(found->name, name);
  EXPECT_EQ(found->value, value);
  EXPECT_EQ(found->mistake, "");
}

TEST(TidemarkCommand, ReadsSetInAllItsForms) {
  expect_set("SET tidemark.consistency = 'strong'", "consistency", "strong");
  expect_set("set tidemark.consistency to strong;", "consistency", "strong");
  expect_set("  Set Session TIDEMARK.Consistency=\"strong\" ; -- so", "consistency", "strong");
  expect_set("/* why */ set tidemark . user = 'it''s'", "user", "it's");
  expect_set("set tidemark.user = 42", "user", "42");
  expect_set("set tidemark.trace = on", "trace", "on");
  expect_set("set local tidemark.max_staleness = '500 ms'", "max_staleness", "500 ms", Kind::set_local);
  expect_set("set tidemark.user = ''", "user", "");
}

TEST(TidemarkCommand, ToDefaultIsAReset) {
  const auto found = command("set tidemark.user to default");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, Kind::reset);
  EXPECT_EQ(found->name, "user");
}

TEST(TidemarkCommand, ReadsResetShowAndExplainRoute) {
  EXPECT_EQ(command("reset tidemark.user")->kind, Kind::reset);
  EXPECT_EQ(command("show tidemark.token;")->kind, Kind::show);
  EXPECT_EQ(command("SHOW Tidemark.Last_Route")->name, "last_route");
  const auto explain = command("explain route select 1");
  ASSERT_TRUE(explain);
  EXPECT_EQ(explain->kind, Kind::explain_route);
  EXPECT_EQ(explain->statement, " select 1");
}

TEST(TidemarkCommand, LeavesEverythingElseAlone) {
  for (const std::string_view sql : {"",
                                     ";",
                                     "select 1",
                                     "set search_path = tidemark",
                                     "set tidemark = 1",
                                     "set local_x.tidemark = 1",
                                     "show tidemark",
                                     "show all",
                                     "explain select 1",
                                     "explain (costs off) select 1",
                                     "explain analyze route",
                                     "reset all",
                                     "set other.tidemark = 1",
                                     "set session characteristics as transaction read only",
                                     "set local work_mem = '1MB'",
                                     "set time zone 'UTC'",
                                     "/* unfinished",
                                     "--",
                                     "set",
                                     "'set tidemark.user = 1'"})
    EXPECT_FALSE(command(sql)) << sql;
}

TEST(TidemarkCommand, WhatCannotBeReadIsAMistakeAndNotAnotherStatement) {
  for (const std::string_view sql :
       {"set tidemark.user", "set tidemark.user = ", "set tidemark.user = 'a", "set tidemark.user = 'a\\b'",
        "set tidemark.user = 'a', 'b'", "set tidemark.user = 'a'; select 1", "reset tidemark.user; select 1",
        "show tidemark.token; select 1", "explain route ", "explain route ; ",
        "set local tidemark.user to default"}) {
    const auto found = command(sql);
    ASSERT_TRUE(found) << sql;
    EXPECT_NE(found->mistake, "") << sql;
  }
}

TEST(TidemarkCommand, TheQuickLookPassesOrdinaryStatementsBy) {
  for (const std::string_view sql :
       {"select set", "insert into t values (1)", "begin", "update t set v = 1", "x"})
    EXPECT_FALSE(may_be_tidemark_command(sql)) << sql;
}

}  // namespace
}  // namespace tidemark::proxy

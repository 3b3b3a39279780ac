#include "proxy/unit_class.hpp"

#include <initializer_list>
#include <string_view>

#include <gtest/gtest.h>

#include "routing/statement_class.hpp"

namespace tidemark::proxy {
namespace {

using Kind = SessionUnit;

constexpr UnitPlace kIdle{};
constexpr UnitPlace kOpen{.in_transaction = true};
constexpr UnitPlace kHeld{.in_transaction = true, .begin_held = true};
constexpr UnitPlace kContinued{.continues = true};

UnitClass of(std::initializer_list<std::string_view> texts, UnitPlace place = kIdle, bool stays = false) {
  UnitClass unit;
  unit.begin(place.continues);
  for (const auto text : texts) unit.add(routing::classify(text, nullptr), place);
  unit.conclude(place, stays);
  return unit;
}

TEST(UnitClass, IsAReadIfAllItsStatementsAre) {
  EXPECT_TRUE(of({"select 1", "", "table t"}).is_read);
  EXPECT_EQ(of({"select 1"}).kind, Kind::read);
  EXPECT_FALSE(of({"select 1", "insert into t values (1)"}).is_read);
  EXPECT_FALSE(of({"insert into t values (1)", "select 1"}).is_read);
}

TEST(UnitClass, OneStatementMeansWhatItSays) {
  EXPECT_EQ(of({"insert into t values (1)"}).kind, Kind::write);
  EXPECT_EQ(of({"begin"}).kind, Kind::begin);
  EXPECT_EQ(of({"commit"}).kind, Kind::commit);
  EXPECT_EQ(of({"rollback"}).kind, Kind::rollback);
  EXPECT_EQ(of({"prepare transaction 'x'"}).kind, Kind::commit);
  EXPECT_EQ(of({"insert into t values (1)"}, kOpen).kind, Kind::in_transaction);
  EXPECT_EQ(of({"commit"}, kOpen).kind, Kind::commit);
  EXPECT_EQ(of({"rollback"}, kOpen).kind, Kind::rollback);
}

TEST(UnitClass, OfSeveralACommitDecides) {
  EXPECT_EQ(of({"begin", "insert into t values (1)", "commit"}).kind, Kind::commit);
  EXPECT_EQ(of({"commit", "begin"}).kind, Kind::commit);
  EXPECT_EQ(of({"insert into t values (1)", "commit"}, kOpen).kind, Kind::commit);
}

TEST(UnitClass, BeginAndRollbackCountOnlyAlone) {
  EXPECT_EQ(of({"begin", "insert into t values (1)"}).kind, Kind::opens);
  EXPECT_EQ(of({"insert into t values (1)", "begin"}).kind, Kind::opens);
  EXPECT_EQ(of({"insert into t values (1)", "insert into t values (2)"}).kind, Kind::write);
  EXPECT_EQ(of({"insert into t values (1)", "rollback"}).kind, Kind::write);
  EXPECT_EQ(of({"begin"}, kContinued).kind, Kind::opens);
}

TEST(UnitClass, SeveralStatementsInOneTextAreCommittedByThemselves) {
  constexpr std::string_view two = "insert into t values (1); insert into t values (2)";
  EXPECT_EQ(of({two}).kind, Kind::commit);
  EXPECT_FALSE(of({two}).may_open);
  EXPECT_EQ(of({two}, kOpen).kind, Kind::in_transaction);
  EXPECT_TRUE(of({"begin; insert into t values (1)"}).may_open);
  EXPECT_EQ(of({"call p()"}).kind, Kind::commit);
  EXPECT_FALSE(of({"call p()"}).may_open);
}

TEST(UnitClass, OnlySettingsGoAnywhereOutsideOfATransaction) {
  EXPECT_TRUE(of({"set work_mem = '1MB'"}).only_sets);
  EXPECT_TRUE(of({"set work_mem = '1MB'"}).is_read);
  EXPECT_TRUE(of({"set work_mem = '1MB'"}, kHeld).is_read);
  EXPECT_FALSE(of({"set work_mem = '1MB'"}, kOpen).is_read);
  EXPECT_FALSE(of({"set work_mem = '1MB'", "select 1"}).only_sets);
  EXPECT_FALSE(of({"select 1"}).only_sets);
  EXPECT_FALSE(of({""}).only_sets) << "nothing is set";
  EXPECT_TRUE(of({"set work_mem = '1MB'", ""}).only_sets);
}

TEST(UnitClass, BehindABeginReadOnlyThatIsHeldTheFirstReadMayGoAnywhere) {
  EXPECT_EQ(of({"select 1"}, kHeld).kind, Kind::read);
  EXPECT_EQ(of({"set local work_mem = '1MB'"}, kHeld).kind, Kind::read);
  EXPECT_EQ(of({"select 1"}, kOpen).kind, Kind::in_transaction);
  EXPECT_EQ(of({"set local work_mem = '1MB'"}, kOpen).kind, Kind::in_transaction);
  EXPECT_EQ(of({"insert into t values (1)"}, kHeld).kind, Kind::in_transaction);
  EXPECT_TRUE(of({"begin read only"}).begins_read_only);
  EXPECT_TRUE(of({"begin read only", "select 1"}).is_read);
}

TEST(UnitClass, AReadOnlyTransactionInOneUnitIsARead) {
  UnitClass unit;
  unit.begin(false);
  for (const auto* text : {"begin read only", "select 1", "commit"})
    unit.add(routing::classify(text, nullptr), kIdle);
  EXPECT_EQ(unit.kind, Kind::commit) << "by itself";
  unit.be_read_only_transaction();
  unit.conclude(kIdle, false);
  EXPECT_TRUE(unit.is_read);
  EXPECT_EQ(unit.kind, Kind::read);
}

TEST(UnitClass, WhatIsNotAloneAtItsServerIsNoRead) {
  EXPECT_EQ(of({"select 1"}, kIdle, true).kind, Kind::write);
  EXPECT_FALSE(of({"select 1"}, kIdle, true).is_read);
  EXPECT_EQ(of({"select 1"}, kContinued).kind, Kind::write);
  EXPECT_FALSE(of({"select 1"}, kContinued).is_read);
}

TEST(UnitClass, AContinuedSequenceKeepsWhatItsBeginningMayLeave) {
  UnitClass unit =
      of({"listen a", "create function f() returns int language sql as 'select 1'"}, kIdle, true);
  ASSERT_NE(unit.state, 0);
  ASSERT_TRUE(unit.changes_functions);
  const auto left = unit.state;
  unit.begin(true);
  EXPECT_TRUE(unit.is_read) << "what follows is looked at by itself";
  EXPECT_EQ(unit.state, left);
  EXPECT_TRUE(unit.changes_functions);
  unit.begin(false);
  EXPECT_EQ(unit.state, 0);
  EXPECT_FALSE(unit.changes_functions);
}

TEST(UnitClass, AFunctionOfAnotherSchemaIsTheCatalogsAndATemporaryOneIsNot) {
  EXPECT_TRUE(of({"create function f() returns int language sql as 'select 1'"}).changes_functions);
  EXPECT_FALSE(of({"create function pg_temp.f() returns int language sql as 'select 1'"}).changes_functions);
}

TEST(UnitClass, AFunctionCallIsAWrite) {
  UnitClass unit;
  unit.begin(false);
  unit.add_function_call();
  unit.conclude(kIdle, false);
  EXPECT_EQ(unit.kind, Kind::write);
  EXPECT_FALSE(unit.is_read);
  EXPECT_TRUE(unit.executes);
}

TEST(UnitClass, OfALongOneNothingGoodIsKnown) {
  UnitClass unit = of({"select 1"});
  unit.be_long(kIdle);
  EXPECT_EQ(unit.kind, Kind::write);
  EXPECT_FALSE(unit.is_read);
  EXPECT_TRUE(unit.executes);
  unit.be_long(kOpen);
  EXPECT_EQ(unit.kind, Kind::in_transaction);
}

TEST(UnitClass, OnlyReadsAndTheEndKeepATransactionReadOnly) {
  const auto keeps = [](std::string_view text) { return keeps_read_only(routing::classify(text, nullptr)); };
  EXPECT_TRUE(keeps("select 1"));
  EXPECT_TRUE(keeps("commit"));
  EXPECT_TRUE(keeps(""));
  EXPECT_FALSE(keeps("set transaction read write"));
  EXPECT_FALSE(keeps("select 1; commit"));
  EXPECT_FALSE(keeps("insert into t values (1)"));
}

}  // namespace
}  // namespace tidemark::proxy

#include "routing/safe_functions.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

FunctionKind kind_of(std::string_view name) {
  return built_in_function(name, WordKey::of(name));
}

// From a live PostgreSQL 15: name, whether any overload is volatile.
std::map<std::string, bool> volatility() {
  std::map<std::string, bool> result;
  std::ifstream file(TIDEMARK_TEST_DATA "/routing/pg_proc_15.tsv");
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    if (!line.starts_with('#') && tab != std::string::npos)
      result[line.substr(0, tab)] = line.substr(tab + 1) == "t";
  }
  return result;
}

TEST(SafeFunctions, NoNameOfTheNonVolatileListIsVolatileInPostgres) {
  const std::map<std::string, bool> facts = volatility();
  ASSERT_GT(facts.size(), 2000U);
  for (const std::string_view name : built_in_names(FunctionKind::non_volatile)) {
    const auto fact = facts.find(std::string(name));
    ASSERT_NE(fact, facts.end()) << name;
    EXPECT_FALSE(fact->second) << name;
  }
}

TEST(SafeFunctions, TheHarmlessListHoldsOnlyVolatileFunctions) {
  const std::map<std::string, bool> facts = volatility();
  for (const std::string_view name : built_in_names(FunctionKind::harmless)) {
    const auto fact = facts.find(std::string(name));
    // Some are younger than version 15.
    if (fact != facts.end()) {
      EXPECT_TRUE(fact->second) << name;
    }
  }
}

TEST(SafeFunctions, EveryNameIsFoundAsWhatItIsListed) {
  for (const FunctionKind kind :
       {FunctionKind::non_volatile, FunctionKind::harmless, FunctionKind::syntax, FunctionKind::primary_only,
        FunctionKind::set_config, FunctionKind::setting, FunctionKind::advisory_lock, FunctionKind::unaskable,
        FunctionKind::ends_state, FunctionKind::sequence_state}) {
    const auto names = built_in_names(kind);
    ASSERT_FALSE(names.empty());
    EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
    for (const std::string_view name : names) {
      EXPECT_EQ(kind_of(name), kind) << name;
      std::string upper(name);
      for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      EXPECT_EQ(kind_of(upper), kind) << upper;
    }
  }
}

TEST(SafeFunctions, NamesOfTheListAreKnownByTheirStoredForm) {
  EXPECT_TRUE(is_listed_function("lower"));
  EXPECT_TRUE(is_listed_function("random"));
  EXPECT_FALSE(is_listed_function("Lower"));
  EXPECT_FALSE(is_listed_function("my_function"));
  EXPECT_FALSE(is_listed_function("pg\x7fsleep"));
  EXPECT_FALSE(is_listed_function(""));
}

TEST(SafeFunctions, WhatWritesOrDependsOnTheSessionIsNotSafe) {
  for (const std::string_view name :
       {"nextval", "setval", "currval", "lastval", "lo_create", "pg_notify", "dblink", "txid_current",
        "pg_advisory_xact_lock", "set_config", "setseed", "pg_advisory_lock", "query_to_xml", "ts_stat",
        "pg_terminate_backend", "pg_export_snapshot", "", "a", "no_such_function"}) {
    const FunctionKind kind = kind_of(name);
    EXPECT_NE(kind, FunctionKind::non_volatile) << name;
    EXPECT_NE(kind, FunctionKind::harmless) << name;
  }
}

}  // namespace
}  // namespace tidemark::routing

#include "proxy/tidemark_settings.hpp"

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using Level = routing::ConsistencyLevel;
using Scope = TidemarkSettings::Scope;

class TidemarkSettingsTest : public testing::Test {
 protected:
  void set(std::string_view name, std::string_view value, bool in_transaction = false,
           Scope scope = Scope::session) {
    EXPECT_EQ(settings_.set(name, value, scope, in_transaction), "");
  }
  std::string user() { return settings_.show("user", {}); }
  TidemarkSettings settings_;
};

TEST_F(TidemarkSettingsTest, ShowsWhatWasSetElseTheDefault) {
  EXPECT_EQ(settings_.show("consistency", {}), "session");
  EXPECT_EQ(settings_.show("max_staleness", {}), "1s");
  EXPECT_EQ(settings_.show("max_staleness_bytes", {}), "");
  EXPECT_EQ(settings_.show("node", {}), "any");
  EXPECT_EQ(settings_.show("trace", {}), "off");
  set("consistency", "STRONG");
  set("max_staleness", "500ms");
  set("max_staleness_bytes", "64kB");
  set("node", "primary");
  set("trace", "1");
  EXPECT_EQ(settings_.show("consistency", {}), "strong");
  EXPECT_EQ(settings_.now().consistency, Level::strong);
  EXPECT_EQ(settings_.show("max_staleness", {}), "500ms");
  EXPECT_EQ(settings_.show("max_staleness_bytes", {}), "64kB");
  EXPECT_EQ(settings_.show("node", {}), "primary");
  EXPECT_EQ(settings_.show("trace", {}), "on");
}

TEST_F(TidemarkSettingsTest, AUserHasAKeyAndNobodyHasNone) {
  EXPECT_EQ(settings_.now().user_key, 0);
  set("user", "u1");
  const auto key = settings_.now().user_key;
  EXPECT_NE(key, 0);
  set("user", "u2");
  EXPECT_NE(settings_.now().user_key, key);
  set("user", "");
  EXPECT_EQ(settings_.now().user_key, 0);
}

TEST_F(TidemarkSettingsTest, WhatIsWrongChangesNothing) {
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, const char*>>{{"consistency", "none"},
                                                                  {"max_staleness", "soon"},
                                                                  {"max_staleness_bytes", "x"},
                                                                  {"node", "b"},
                                                                  {"trace", "maybe"}}) {
    EXPECT_NE(settings_.set(name, value, Scope::session, false), "") << name;
  }
  EXPECT_NE(settings_.set("user", std::string(257, 'x'), Scope::session, false), "");
  EXPECT_EQ(settings_.now(), TidemarkValues{});
}

TEST_F(TidemarkSettingsTest, ACommitKeepsWhatItsTransactionSet) {
  set("user", "u1", true);
  EXPECT_EQ(user(), "u1");
  EXPECT_TRUE(settings_.changed_in_transaction());
  settings_.end_transaction(true);
  EXPECT_EQ(user(), "u1");
  EXPECT_FALSE(settings_.changed_in_transaction());
}

TEST_F(TidemarkSettingsTest, ARollbackTakesItBack) {
  set("user", "u0");
  set("user", "u1", true);
  settings_.end_transaction(false);
  EXPECT_EQ(user(), "u0");
}

TEST_F(TidemarkSettingsTest, LocalEndsWithTheTransactionEitherWay) {
  set("user", "u0");
  set("user", "u1", true, Scope::local);
  EXPECT_EQ(user(), "u1");
  settings_.end_transaction(true);
  EXPECT_EQ(user(), "u0");
}

TEST_F(TidemarkSettingsTest, ASetBehindASetLocalOutlivesTheTransaction) {
  set("user", "u1", true, Scope::local);
  set("user", "u2", true);
  set("user", "u3", true, Scope::local);
  settings_.end_transaction(true);
  EXPECT_EQ(user(), "u2");
}

TEST_F(TidemarkSettingsTest, ResetGoesBackToTheStart) {
  EXPECT_EQ(settings_.set_at_startup("user", "u7"), "");
  EXPECT_EQ(user(), "u7");
  set("user", "u8");
  set("trace", "on");
  settings_.reset("user", false);
  EXPECT_EQ(user(), "u7");
  EXPECT_TRUE(settings_.now().trace);
  settings_.reset_all(false);
  EXPECT_FALSE(settings_.now().trace);
}

TEST_F(TidemarkSettingsTest, AResetInATransactionThatFailsIsTakenBack) {
  set("user", "u8");
  settings_.reset_all(true);
  EXPECT_EQ(user(), "");
  settings_.end_transaction(false);
  EXPECT_EQ(user(), "u8");
}

}  // namespace
}  // namespace tidemark::proxy

#include "proxy/state_tracker.hpp"

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

namespace state = routing::session_state;
using Step = StateTracker::Step;
using Values = std::vector<std::pair<std::string, std::string>>;

pools::SessionSettings settings(Values values) {
  return {std::move(values)};
}

void note(StateTracker& tracker, std::string_view sql, bool direct) {
  tracker.note_unit(state::settings, false, setting_commands(sql), direct);
}

TEST(StateTrackerTest, NothingIsAskedOfASessionThatChangesNothing) {
  StateTracker tracker;
  EXPECT_EQ(tracker.at_idle(true), Step::nothing);
  EXPECT_EQ(tracker.at_idle(false), Step::nothing);
  tracker.note_unit(0, true, {}, false);  // it ends what is not there
  EXPECT_EQ(tracker.at_idle(true), Step::nothing);
}

TEST(StateTrackerTest, AConstantThatWasSetAloneIsKnown) {
  StateTracker tracker;
  note(tracker, "SET work_mem = '1MB'; RESET jit", true);
  ASSERT_EQ(tracker.at_idle(true), Step::known);
  const auto now = tracker.apply_known(settings({{"jit", "on"}}), settings({{"jit", "off"}}));
  EXPECT_EQ(now.server.values, (Values{{"work_mem", "1MB"}}));
  EXPECT_EQ(now.session.values, (Values{{"jit", "off"}, {"work_mem", "1MB"}}));
  EXPECT_EQ(tracker.at_idle(true), Step::nothing);
}

TEST(StateTrackerTest, ResetAllGoesBackToTheSessionsBeginning) {
  StateTracker tracker;
  note(tracker, "RESET ALL", true);
  ASSERT_EQ(tracker.at_idle(true), Step::known);
  const auto now = tracker.apply_known(settings({{"a", "1"}, {"b", "2"}}), settings({{"b", "3"}}));
  EXPECT_TRUE(now.server.values.empty());
  EXPECT_EQ(now.session.values, (Values{{"b", "3"}}));
}

TEST(StateTrackerTest, WhatFailedOrRanInATransactionIsAsked) {
  StateTracker tracker;
  note(tracker, "SET work_mem = 1", true);
  EXPECT_EQ(tracker.at_idle(false), Step::ask);
  tracker.forget();
  note(tracker, "SET work_mem = 1", false);
  EXPECT_EQ(tracker.at_idle(true), Step::ask);
  tracker.forget();
  EXPECT_EQ(tracker.at_idle(true), Step::nothing);
}

TEST(StateTrackerTest, AListIsAskedByItsNameOnly) {
  StateTracker tracker;
  note(tracker, "SET search_path = a, b", true);
  ASSERT_EQ(tracker.at_idle(true), Step::ask);
  EXPECT_EQ(tracker.question(true, {}, "app"),
            "SELECT 'setting', E'search_path', pg_catalog.current_setting(E'search_path', true)");
  tracker.on_row("setting", "search_path", "a, b");
  const auto now = tracker.settle({}, {});
  EXPECT_EQ(now.session.values, (Values{{"search_path", "a, b"}}));
  EXPECT_EQ(now.server.values, now.session.values);
  EXPECT_FALSE(tracker.pinned());
}

TEST(StateTrackerTest, AfterATransactionTheAnswerIsTheWholeTruth) {
  StateTracker tracker;
  note(tracker, "SET work_mem = 1", false);
  note(tracker, "RESET datestyle", false);
  const auto before = settings({{"datestyle", "German"}, {"my.own", "x"}, {"work_mem", "2"}});
  const std::string question = tracker.question(true, before, "app");
  EXPECT_NE(question.find("pg_settings"), std::string::npos);
  EXPECT_NE(question.find("current_setting(E'my.own', true)"), std::string::npos);
  EXPECT_EQ(question.find("pg_locks"), std::string::npos);
  tracker.on_row("setting", "work_mem", "1");
  tracker.on_row("setting", "my.own", std::nullopt);
  const auto now = tracker.settle(before, settings({{"datestyle", "SQL"}}));
  EXPECT_EQ(now.server.values, (Values{{"work_mem", "1"}}));
  EXPECT_EQ(now.session.values, (Values{{"datestyle", "SQL"}, {"work_mem", "1"}}));
}

TEST(StateTrackerTest, PinsAreWhatTheServerSays) {
  StateTracker tracker;
  tracker.note_unit(state::listen, false, {}, false);
  ASSERT_EQ(tracker.at_idle(true), Step::ask);
  EXPECT_NE(tracker.question(true, {}, "o'neil").find("session_user OPERATOR(pg_catalog.<>) E'o''neil'"),
            std::string::npos);
  tracker.on_row("listen", "", std::nullopt);
  tracker.on_row("advisory_lock", "", std::nullopt);
  (void)tracker.settle({}, {});
  EXPECT_EQ(tracker.pins(), state::listen | state::advisory_lock);
  EXPECT_EQ(pin_reasons(tracker.pins()), "LISTEN, advisory locks");

  EXPECT_EQ(tracker.at_idle(true), Step::nothing);
  tracker.note_unit(0, true, {}, false);
  ASSERT_EQ(tracker.at_idle(true), Step::ask);
  (void)tracker.question(true, {}, "app");
  (void)tracker.settle({}, {});
  EXPECT_FALSE(tracker.pinned());
}

TEST(StateTrackerTest, WhatNobodyTellsOfStays) {
  StateTracker tracker;
  tracker.note_unit(state::unaskable, false, {}, false);
  (void)tracker.question(true, {}, "app");
  (void)tracker.settle({}, {});
  EXPECT_EQ(tracker.pins(), state::unaskable);
  tracker.note_unit(0, true, {}, false);
  (void)tracker.question(true, {}, "app");
  (void)tracker.settle({}, {});
  EXPECT_EQ(tracker.pins(), state::unaskable);
}

TEST(StateTrackerTest, ANameThatTheTextDoesNotTellPinsUntilAllIsReset) {
  StateTracker tracker;
  note(tracker, "SELECT set_config($1, $2, false)", false);
  (void)tracker.question(true, {}, "app");
  (void)tracker.settle({}, {});
  EXPECT_EQ(tracker.pins(), state::unknown);
  tracker.note_unit(state::settings, true, setting_commands("DISCARD ALL"), true);
  ASSERT_EQ(tracker.at_idle(true), Step::ask);
  (void)tracker.question(true, {}, "app");
  (void)tracker.settle({}, {});
  EXPECT_FALSE(tracker.pinned());
}

TEST(StateTrackerTest, AParameterThatARoutineMayHaveSetIsAskedByName) {
  const auto ask = [](std::string_view value, const pools::SessionSettings& before) {
    StateTracker tracker;
    tracker.note_unit(state::unknown, true, {{SettingCommand::Kind::perhaps, "shop.tenant", std::nullopt}},
                      false);
    EXPECT_EQ(tracker.at_idle(true), Step::ask);
    const std::string question = tracker.question(true, before, "app");
    EXPECT_NE(question.find("current_setting(E'shop.tenant', true)"), std::string::npos);
    EXPECT_NE(question.find("ALL ('{transaction_deferrable,transaction_isolation,transaction_read_only}')"),
              std::string::npos);
    tracker.on_row("setting", "shop.tenant", value);
    return tracker.settle(before, {}).session.values;
  };
  EXPECT_EQ(ask("42", {}), (Values{{"shop.tenant", "42"}}));
  // What others had set is empty here, and missing elsewhere.
  EXPECT_EQ(ask("", {}), Values{});
  EXPECT_EQ(ask("", settings({{"shop.tenant", "42"}})), (Values{{"shop.tenant", ""}}));
}

TEST(StateTrackerTest, AQuestionWithoutAnAnswerPins) {
  StateTracker tracker;
  tracker.note_unit(state::temporary, false, {}, false);
  (void)tracker.question(true, {}, "app");
  tracker.settle_unanswered();
  EXPECT_EQ(tracker.pins(), state::temporary | state::unaskable);
}

TEST(StateTrackerTest, APinnedSessionIsAskedOnlyWhenThatMayEndOrForAnotherReason) {
  StateTracker tracker;
  tracker.pin(state::prepared);
  tracker.note_unit(state::unknown, false, {}, false);
  EXPECT_EQ(tracker.at_idle(true), Step::later);
  tracker.postpone();
  note(tracker, "SELECT set_config('my.a', f(), false)", false);
  EXPECT_EQ(tracker.at_idle(true), Step::later);
  tracker.postpone();
  tracker.note_unit(state::listen, false, {}, false);
  EXPECT_EQ(tracker.at_idle(true), Step::ask);
  tracker.postpone();
  tracker.note_unit(0, true, {}, false);
  ASSERT_EQ(tracker.at_idle(true), Step::ask);
  const std::string question = tracker.question(true, {}, "app");
  EXPECT_NE(question.find("pg_settings"), std::string::npos);
  EXPECT_NE(question.find("current_setting(E'my.a', true)"), std::string::npos);
}

}  // namespace
}  // namespace tidemark::proxy

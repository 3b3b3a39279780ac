#include "pools/session_settings.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

SessionSettings settings(std::vector<std::pair<std::string, std::string>> values) {
  return {std::move(values)};
}

TEST(SettingsTableTest, EqualSetsAreOneObject) {
  SettingsTable table;
  const auto first = table.intern(settings({{"datestyle", "ISO"}}));
  EXPECT_EQ(table.intern(settings({{"datestyle", "ISO"}})), first);
  EXPECT_NE(table.intern(settings({{"datestyle", "German"}})), first);
  EXPECT_NE(table.intern(settings({{"datestyle", "ISO"}, {"timezone", "UTC"}})), first);
}

TEST(SettingsTableTest, TheEmptySetIsNone) {
  SettingsTable table;
  EXPECT_EQ(table.intern({}), table.none());
  EXPECT_TRUE(table.none()->values.empty());
}

TEST(SettingsTableTest, ASetThatNobodyUsesIsMadeAnew) {
  SettingsTable table;
  std::weak_ptr<const SessionSettings> gone = table.intern(settings({{"a", "1"}}));
  EXPECT_TRUE(gone.expired());
  const auto again = table.intern(settings({{"a", "1"}}));
  EXPECT_EQ(again->values.front().second, "1");
  EXPECT_EQ(table.intern(settings({{"a", "1"}})), again);
}

TEST(SettingsTableTest, SurvivesManySetsThatComeAndGo) {
  SettingsTable table;
  const auto kept = table.intern(settings({{"a", "kept"}}));
  for (int i = 0; i < 10'000; ++i) (void)table.intern(settings({{"a", std::to_string(i)}}));
  EXPECT_EQ(table.intern(settings({{"a", "kept"}})), kept);
}

TEST(ParameterNameTest, LettersDigitsAndDots) {
  for (const std::string name :
       {"a", "DateStyle", "search_path", "my.setting", "a.b.c", "_x", "x1", "x$1", "a._b"}) {
    EXPECT_TRUE(is_parameter_name(name)) << name;
  }
  for (const std::string name :
       {"", "1a", ".a", "a.", "a..b", "a b", "a;b", "a'b", "a\"b", "a-b", "$a", "a.1b", "a\n", "ä"}) {
    EXPECT_FALSE(is_parameter_name(name)) << name;
  }
  EXPECT_FALSE(is_parameter_name(std::string_view("a\0b", 3)));
  EXPECT_TRUE(is_parameter_name(std::string(127, 'a')));
  EXPECT_FALSE(is_parameter_name(std::string(128, 'a')));
}

TEST(SettingsChangeTest, NothingBetweenEqualSets) {
  EXPECT_TRUE(settings_change({}, {}).empty());
  const auto both = settings({{"a", "1"}, {"b", "2"}});
  EXPECT_TRUE(settings_change(both, both).empty());
}

TEST(SettingsChangeTest, SetsResetsAndLeavesTheRest) {
  const auto from = settings({{"gone", "1"}, {"kept", "2"}, {"other", "3"}});
  const auto to = settings({{"kept", "2"}, {"new", "4"}, {"other", "5"}});
  EXPECT_EQ(settings_change(from, to),
            std::vector<std::string>{"SELECT pg_catalog.set_config(E'gone',NULL,false),"
                                     "pg_catalog.set_config(E'new',E'4',false),"
                                     "pg_catalog.set_config(E'other',E'5',false)"});
  EXPECT_EQ(settings_change(settings({{"gone", "1"}}), {}),
            std::vector<std::string>{"SELECT pg_catalog.set_config(E'gone',NULL,false)"});
}

TEST(SettingsChangeTest, TheEncodingIsChangedBeforeAnyTextInIt) {
  const auto to = settings({{"application_name", "x"}, {"client_encoding", "LATIN1"}});
  EXPECT_EQ(settings_change({}, to),
            (std::vector<std::string>{"SELECT pg_catalog.set_config(E'client_encoding',E'LATIN1',false)",
                                      "SELECT pg_catalog.set_config(E'application_name',E'x',false)"}));
  EXPECT_EQ(settings_change(to, settings({{"application_name", "x"}})),
            std::vector<std::string>{"SELECT pg_catalog.set_config(E'client_encoding',NULL,false)"});
}

TEST(SettingsChangeTest, ADateStyleKeepsNoPartOfAnothers) {
  EXPECT_EQ(settings_change(settings({{"datestyle", "German"}}), settings({{"datestyle", "euro"}})),
            std::vector<std::string>{"SELECT pg_catalog.set_config(E'datestyle',NULL,false),"
                                     "pg_catalog.set_config(E'datestyle',E'euro',false)"});
  EXPECT_EQ(settings_change({}, settings({{"datestyle", "euro"}})),
            std::vector<std::string>{"SELECT pg_catalog.set_config(E'datestyle',E'euro',false)"});
}

TEST(SettingsChangeTest, NoValueLeavesItsLiteral) {
  EXPECT_EQ(settings_change({}, settings({{"a", "'); DROP TABLE t; --"}})),
            std::vector<std::string>{"SELECT pg_catalog.set_config(E'a',E'''); DROP TABLE t; --',false)"});
  EXPECT_EQ(settings_change({}, settings({{"a", "\\'"}})),
            std::vector<std::string>{"SELECT pg_catalog.set_config(E'a',E'\\\\''',false)"});
}

}  // namespace
}  // namespace tidemark::pools

#include "proxy/setting_commands.hpp"

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using Kind = SettingCommand::Kind;

struct Case {
  const char* sql;
  std::vector<SettingCommand> commands;
};

TEST(SettingCommandsTest, SaysWhatIsSet) {
  const std::vector<Case> cases = {
      {"SET work_mem = '64MB'", {{Kind::set, "work_mem", "64MB"}}},
      {"set session work_mem to 64", {{Kind::set, "work_mem", "64"}}},
      {"SET Enable_SeqScan TO Off;", {{Kind::set, "enable_seqscan", "off"}}},
      {"SET \"TimeZone\" TO 'Europe/Berlin'", {{Kind::set, "timezone", "Europe/Berlin"}}},
      {"SET TIME ZONE 'UTC'", {{Kind::set, "timezone", "UTC"}}},
      {"SET TIME ZONE -7", {{Kind::set, "timezone", "-7"}}},
      {"SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", {{Kind::set, "timezone", {}}}},
      {"SET TIME ZONE LOCAL", {{Kind::reset, "timezone", {}}}},
      {"SET SESSION TIME ZONE DEFAULT", {{Kind::reset, "timezone", {}}}},
      {"SET NAMES 'latin1'", {{Kind::set, "client_encoding", "latin1"}}},
      {"SET NAMES", {{Kind::reset, "client_encoding", {}}}},
      {"SET SCHEMA 'x'", {{Kind::set, "search_path", {}}}},
      {"SET search_path TO a, \"B\"", {{Kind::set, "search_path", {}}}},
      {"SET search_path = public", {{Kind::set, "search_path", {}}}},
      {"SET DateStyle = ISO, DMY", {{Kind::set, "datestyle", {}}}},
      {"SET DateStyle = 'ISO, DMY'", {{Kind::set, "datestyle", "ISO, DMY"}}},
      {"SET DateStyle = 'DMY'", {{Kind::set, "datestyle", {}}}},
      {"SET my.value = 'it''s'", {{Kind::set, "my.value", "it's"}}},
      {"SET my.value = E'a\\nb'", {{Kind::set, "my.value", {}}}},
      {"SET my.value = 'a\\nb'", {{Kind::set, "my.value", {}}}},
      {"SET my.value = $tag$ a ' b $tag$", {{Kind::set, "my.value", " a ' b "}}},
      {"SET x TO DEFAULT", {{Kind::reset, "x", {}}}},
      {"SET local.x = 1", {{Kind::unknown, {}, {}}}},
      {"SET XML OPTION DOCUMENT", {{Kind::set, "xmloption", {}}}},
      {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
       {{Kind::set, "default_transaction_isolation", {}},
        {Kind::set, "default_transaction_read_only", {}},
        {Kind::set, "default_transaction_deferrable", {}}}},
      {"RESET work_mem", {{Kind::reset, "work_mem", {}}}},
      {"RESET TIME ZONE", {{Kind::reset, "timezone", {}}}},
      {"RESET ALL", {{Kind::reset_all, {}, {}}}},
      {"DISCARD ALL", {{Kind::reset_all, {}, {}}}},
      {"SET a.b = 1; RESET c; SET d = 'x;y'",
       {{Kind::set, "a.b", "1"}, {Kind::reset, "c", {}}, {Kind::set, "d", "x;y"}}},
      {"/* a */ SET -- b\n x /* c */ = 1", {{Kind::set, "x", "1"}}},
      {"SELECT set_config('A.b', 'c', false)", {{Kind::set, "a.b", {}}}},
      {"SELECT 1, pg_catalog . set_config('x', f(1, true), false) FROM t", {{Kind::set, "x", {}}}},
      {"SELECT set_config('x', 'y', $1)", {{Kind::set, "x", {}}}},
      {"SELECT set_config($1, $2, false)", {{Kind::unknown, {}, {}}}},
      {"SELECT set_config('a' || 'b', 'c', false)", {{Kind::unknown, {}, {}}}},
      {"SET x = 1 2", {{Kind::set, "x", {}}}},
      {"SET x", {{Kind::unknown, {}, {}}}},
      {"SET", {{Kind::unknown, {}, {}}}},
  };
  for (const auto& each : cases) EXPECT_EQ(setting_commands(each.sql), each.commands) << each.sql;
}

TEST(SettingCommandsTest, LeavesOutWhatEndsWithTheTransaction) {
  for (const char* sql :
       {"SET LOCAL work_mem = 1", "SET TRANSACTION READ ONLY", "SET CONSTRAINTS ALL DEFERRED",
        "SELECT set_config('x', 'y', true)", "SET ROLE x", "SET SESSION AUTHORIZATION x", "RESET ROLE",
        "RESET SESSION AUTHORIZATION", "DISCARD TEMP", "SELECT 'set x = 1'", "SELECT \"set_config\"", "",
        "-- set x = 1", "SELECT $$; set x = 1;$$"}) {
    EXPECT_TRUE(setting_commands(sql).empty()) << sql;
  }
}

TEST(SettingCommandsTest, ReadsWhateverIsCutOffAnywhere) {
  const std::string_view whole =
      "SET TIME ZONE 'a''b'; SET \"X\".y = -1; SELECT set_config($q$a$q$, (1, 2), false); RESET E'\\'' /* */";
  for (std::size_t size = 0; size <= whole.size(); ++size)
    EXPECT_LE(setting_commands(whole.substr(0, size)).size(), 4U);
}

}  // namespace
}  // namespace tidemark::proxy

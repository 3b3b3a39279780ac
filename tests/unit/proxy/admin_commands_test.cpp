#include "proxy/admin_commands.hpp"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace tidemark::proxy {
namespace {

using Kind = AdminCommand::Kind;
using ::testing::HasSubstr;

TEST(AdminCommands, AreReadInAnyCaseWithBlanksAndSemicolon) {
  for (const std::string text : {"show nodes", "SHOW NODES;", "  Show\tNodes ; ", "show nodes -- all of them",
                                 "/* now */ show nodes;;"}) {
    EXPECT_EQ(parse_admin_command(text), (AdminCommand{Kind::show_nodes, {}})) << text;
  }
  EXPECT_EQ(parse_admin_command("show lists").kind, Kind::show_state);
  EXPECT_EQ(parse_admin_command("Pause").kind, Kind::pause);
  EXPECT_EQ(parse_admin_command("resume;").kind, Kind::resume);
  EXPECT_EQ(parse_admin_command("RELOAD").kind, Kind::reload);
}

TEST(AdminCommands, TakeANodeInAnyQuotesOrNone) {
  for (const std::string text : {"drain '10.0.0.1:5432'", "DRAIN \"10.0.0.1:5432\";", "drain 10.0.0.1:5432",
                                 "drain 10.0.0.1:5432;  "}) {
    EXPECT_EQ(parse_admin_command(text), (AdminCommand{Kind::drain, "10.0.0.1:5432"})) << text;
  }
  EXPECT_EQ(parse_admin_command("undrain '[::1]:5432'"), (AdminCommand{Kind::undrain, "[::1]:5432"}));
  EXPECT_EQ(parse_admin_command("undrain 'it''s:1'"), (AdminCommand{Kind::undrain, "it's:1"}));
}

TEST(AdminCommands, OfNothingAreEmpty) {
  for (const std::string text : {"", " ", ";", " ; ; ", "-- nothing", "/* nothing */"})
    EXPECT_EQ(parse_admin_command(text).kind, Kind::empty) << text;
}

TEST(AdminCommands, SayWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"select 1", "unknown command: \"select 1\""},
      {"show", "no such thing to show"},
      {"show tables", "no such thing to show: \"show tables\""},
      {"show nodes now", "nothing may follow the command: \" now\""},
      {"show nodes; show pools", "nothing may follow"},
      {"pause shop", "nothing may follow"},
      {"drain", "DRAIN needs a node"},
      {"drain ;", "DRAIN needs a node"},
      {"drain 'a:1", "DRAIN needs a node"},
      {"drain ''", "DRAIN needs a node"},
      {"undrain a:1 b:2", "nothing may follow the node"},
      {"begin", "use autocommit"},
      {"set work_mem = 1", "nothing can be set"},
      {"$1", "unknown command"},
  };
  for (const auto& [text, what] : cases) {
    const auto command = parse_admin_command(text);
    EXPECT_EQ(command.kind, Kind::mistake) << text;
    EXPECT_THAT(command.argument, HasSubstr(what)) << text;
  }
}

TEST(AdminCommands, LetDriversSetWhatTheySetWhenTheyConnect) {
  EXPECT_EQ(parse_admin_command("SET extra_float_digits = 3").kind, Kind::set);
  EXPECT_EQ(parse_admin_command("set session DateStyle to 'ISO'").kind, Kind::set);
  EXPECT_EQ(parse_admin_command("SET application_name = 'PostgreSQL JDBC Driver'").kind, Kind::set);
}

TEST(AdminCommands, ThatOnlyShowAreForWhoMayOnlyLook) {
  for (const std::string text : {"", "show nodes", "show config", "set timezone = 'UTC'", "nonsense"})
    EXPECT_TRUE(parse_admin_command(text).only_shows()) << text;
  for (const std::string text : {"pause", "resume", "reload", "drain a:1", "undrain a:1"})
    EXPECT_FALSE(parse_admin_command(text).only_shows()) << text;
}

TEST(AdminCommands, SurviveAnyBytesAndRepeatNoControlCharacters) {
  std::minstd_rand random(1);
  const std::string alphabet("show drain'\";:/*-\0\n\x7f\xc3\xa9", 25);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (auto size = random() % 40; size > 0; --size) text += alphabet[random() % alphabet.size()];
    if (round % 3 == 0) text.insert(0, "drain ");
    const auto command = parse_admin_command(text);
    if (command.kind != Kind::mistake) continue;
    for (const char c : command.argument) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << text;
  }
  EXPECT_LT(parse_admin_command(std::string(100'000, 'x')).argument.size(), 200U);
}

TEST(AdminCommands, AreAllInTheHelp) {
  const std::string list = admin_command_list();
  for (const auto& help : admin_help()) {
    std::string text(help.command);
    if (const auto at = text.find('<'); at != std::string::npos) text.replace(at, 11, "a:1");
    EXPECT_NE(parse_admin_command(text).kind, Kind::mistake) << text;
    EXPECT_THAT(list, HasSubstr(std::string(help.command)));
  }
}

}  // namespace
}  // namespace tidemark::proxy

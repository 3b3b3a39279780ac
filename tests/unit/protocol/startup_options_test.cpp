#include "protocol/startup_options.hpp"

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

constexpr std::string_view kInvalid = "invalid command-line argument for server process: ";

TEST(StartupOptions, AllFormsOfASetting) {
  const OptionsResult result =
      parse_options(" -c geqo=off\t-cwork_mem=4MB  --search-path=a,b --x=\n-c y=1=2 ");
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(
      result.settings,
      (ParameterList{{"geqo", "off"}, {"work_mem", "4MB"}, {"search_path", "a,b"}, {"x", ""}, {"y", "1=2"}}));
}

TEST(StartupOptions, ABackslashTakesTheNextCharacter) {
  const OptionsResult result = parse_options(R"(-c a=x\ y -c b=\\z -c c=\)");
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.settings, (ParameterList{{"a", "x y"}, {"b", "\\z"}, {"c", ""}}));
}

TEST(StartupOptions, NothingIsNothingAndTheLastValueWins) {
  EXPECT_TRUE(parse_options("").settings.empty());
  EXPECT_EQ(parse_options("").error, "");
  EXPECT_EQ(parse_options(" \t ").error, "");
  EXPECT_EQ(parse_options("--").error, "");
  EXPECT_EQ(parse_options("--a=1 --a=2").settings, (ParameterList{{"a", "2"}}));
}

struct Meaning {
  std::string_view options;
  ParameterList settings;
};

TEST(StartupOptions, EverySwitchThatStandsForASetting) {
  const std::vector<Meaning> meanings = {
      {"-B 10", {{"shared_buffers", "10"}}},
      {"-d0", {{"log_min_messages", "notice"}}},
      {"-d x", {{"log_min_messages", "notice"}}},
      {"-d -3", {{"log_min_messages", "notice"}}},
      {"-d 1", {{"log_min_messages", "debug1"}}},
      {"-d5",
       {{"log_min_messages", "debug5"},
        {"log_statement", "all"},
        {"debug_print_parse", "true"},
        {"debug_print_plan", "true"},
        {"debug_print_rewritten", "true"}}},
      {"-e", {{"datestyle", "euro"}}},
      {"-F", {{"fsync", "false"}}},
      {"-fb -fh -fi -fm -fn -fo -fs -ft",
       {{"enable_bitmapscan", "false"},
        {"enable_hashjoin", "false"},
        {"enable_indexscan", "false"},
        {"enable_mergejoin", "false"},
        {"enable_nestloop", "false"},
        {"enable_indexonlyscan", "false"},
        {"enable_seqscan", "false"},
        {"enable_tidscan", "false"}}},
      {"-h host", {{"listen_addresses", "host"}}},
      {"-i", {{"listen_addresses", "*"}}},
      {"-k /tmp", {{"unix_socket_directories", "/tmp"}}},
      {"-l", {{"ssl", "true"}}},
      {"-N 5", {{"max_connections", "5"}}},
      {"-O", {{"allow_system_table_mods", "true"}}},
      {"-P", {{"ignore_system_indexes", "true"}}},
      {"-p1", {{"port", "1"}}},
      {"-S 5120", {{"work_mem", "5120"}}},
      {"-s", {{"log_statement_stats", "true"}}},
      {"-tpa -tplanner -te",
       {{"log_parser_stats", "true"}, {"log_planner_stats", "true"}, {"log_executor_stats", "true"}}},
      {"-W 1", {{"post_auth_delay", "1"}}},
      {"-b -C x -D /tmp -E -j -n -r file -T -v 3", {}},
      {"-seS5120", {{"log_statement_stats", "true"}, {"datestyle", "euro"}, {"work_mem", "5120"}}},
      {"-fseqscan", {{"enable_seqscan", "false"}}},
      {"-s-work-mem=1", {{"log_statement_stats", "true"}, {"work_mem", "1"}}},
      {"-S -s", {{"work_mem", "-s"}}},
  };
  for (const auto& [options, settings] : meanings) {
    const OptionsResult result = parse_options(options);
    EXPECT_EQ(result.error, "") << options;
    EXPECT_EQ(result.settings, settings) << options;
  }
}

TEST(StartupOptions, WhatIsNoSwitchIsToldAsGetoptLeavesIt) {
  const std::vector<std::pair<std::string_view, std::string_view>> wrong = {
      {"-Z", "-Z"},
      {"-sZ", "-sZ"},
      {"-Zs", "postgres"},
      {"-s -Zs", "-s"},
      {"-S 1 -Zs", "1"},
      {"word -Zs", "word"},
      {"-f", "-f"},
      {"-fx", "-fx"},
      {"-f x", "x"},
      {"-tp", "-tp"},
      {"-t x", "x"},
      {"word", "word"},
      {"word -s", "word"},
      {"-s one two", "one"},
      {"-- -s", "-s"},
      {"-", "-"},
      {"geqo=off", "geqo=off"},
      {"one -s two", "one"},
      {"one -- two", "one"},
      {"-:", "-:"},
      {"-c", "-c"},
      {"-B", "-B"},
      {R"(\)", ""},
      {"one -s -Zs", "one"},
  };
  for (const auto& [options, word] : wrong) {
    const OptionsResult result = parse_options(options);
    EXPECT_EQ(result.error, std::string(kInvalid).append(word)) << options;
    EXPECT_EQ(result.code.text(), "42601") << options;
    EXPECT_EQ(result.hint, "Try \"postgres --help\" for more information.") << options;
  }
}

TEST(StartupOptions, ASettingNeedsAValue) {
  EXPECT_EQ(parse_options("-c geqo").error, "-c geqo requires a value");
  EXPECT_EQ(parse_options("-cwork-mem").error, "-c work-mem requires a value");
  EXPECT_EQ(parse_options("--no-such-thing -Z").error, "--no-such-thing requires a value");
  EXPECT_EQ(parse_options("--geqo").hint, "");
  EXPECT_EQ(parse_options("-c =x").error, "") << "that there is no such parameter is for others to say";
}

TEST(StartupOptions, AnyBytesAreRead) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto left = random() % 12; left > 0; --left) text += "-- \\=:cSfdtZs\n"[random() % 14];
    const OptionsResult result = parse_options(text);
    EXPECT_TRUE(result.error.empty() || result.error.starts_with(kInvalid) ||
                result.error.ends_with("value"));
  }
}

}  // namespace
}  // namespace tidemark::protocol

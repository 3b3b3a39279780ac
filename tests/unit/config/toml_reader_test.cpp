#include "config/toml_reader.hpp"

#include <array>
#include <ostream>
#include <string>

#include <gmock/gmock.h>

#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

struct Case {
  std::string_view text;  ///< begins in line 4
  std::string_view problem;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.text;
}

class OneMistake : public ::testing::TestWithParam<Case> {};

TEST_P(OneMistake, IsReportedAloneWithItsPlace) {
  EXPECT_THAT(problems_behind_minimum(GetParam().text), ElementsAre(std::string(GetParam().problem)));
}

INSTANTIATE_TEST_SUITE_P(
    UnknownKeys, OneMistake,
    ::testing::Values(
        Case{"[routing]\nconsistancy = \"session\"\n",
             "t.toml:5:1: error: unknown key \"routing.consistancy\"; did you mean \"routing.consistency\"?"},
        Case{"[ruoting]\nconsistency = \"session\"\n",
             "t.toml:4:2: error: unknown key \"ruoting\"; did you mean \"routing\"?"},
        Case{"[pool]\n  max_lag = \"1s\"\n",
             "t.toml:5:3: error: unknown key \"pool.max_lag\"; did you mean \"routing.max_lag\"?"},
        Case{"pool.sise = 3\n", "t.toml:4:6: error: unknown key \"pool.sise\"; did you mean \"pool.size\"?"},
        Case{"colour = 3\n", "t.toml:4:1: error: unknown key \"colour\""},
        Case{"\"listen.port\" = 1\n",
             "t.toml:4:1: error: unknown key \"listen.port\": in quotes the dot is part of the name"},
        Case{"\"a\\nb\" = 1\n", "t.toml:4:1: error: unknown key \"a\\nb\""},
        Case{"[[routing.rule]]\nconsistency = \"strong\"\nmatch = { user = \"a\", databse = \"b\" }\n",
             "t.toml:6:23: error: unknown key \"routing.rule.match.databse\"; did you mean "
             "\"routing.rule.match.database\"?"},
        Case{"[[cluster.node]]\naddress = \"a:5432\"\nwieght = 2\n",
             "t.toml:6:1: error: unknown key \"cluster.node.wieght\"; did you mean "
             "\"cluster.node.weight\"?"}));

INSTANTIATE_TEST_SUITE_P(
    WrongTypes, OneMistake,
    ::testing::Values(
        Case{"listen.port = \"6432\"\n",
             "t.toml:4:15: error: \"listen.port\" must be an integer, found a string"},
        Case{"listen.port = 64.0\n", "t.toml:4:15: error: \"listen.port\" must be an integer, found a float"},
        Case{"listen.port = [1]\n", "t.toml:4:15: error: \"listen.port\" must be an integer, found an array"},
        Case{"listen.port = 1979-05-27\n",
             "t.toml:4:15: error: \"listen.port\" must be an integer, found a date or time"},
        Case{"[listen.port]\n", "t.toml:4:9: error: \"listen.port\" must be an integer, found a table"},
        Case{"http.enabled = 1\n",
             "t.toml:4:16: error: \"http.enabled\" must be true or false, found an integer"},
        Case{"listen.address = true\n",
             "t.toml:4:18: error: \"listen.address\" must be a string, found a boolean"},
        Case{"log.level = 3\n", "t.toml:4:13: error: \"log.level\" must be a string, found an integer"},
        Case{"listen = 5\n", "t.toml:4:10: error: \"listen\" must be a table, found an integer"},
        Case{"[[listen]]\n", "t.toml:4:1: error: \"listen\" must be a table, found an array"},
        Case{"[cluster.node]\naddress = \"a:5432\"\n",
             "t.toml:4:10: error: \"cluster.node\" must be a list of tables, each under [[cluster.node]], "
             "found a "
             "table"},
        Case{"cluster.node = [{address = \"a:5432\"}, 3]\n",
             "t.toml:4:39: error: an element of \"cluster.node\" must be a table, found an integer"},
        Case{"routing.replica_wait = 5\n",
             "t.toml:4:24: error: \"routing.replica_wait\" must be a duration with its unit, such as "
             "\"5ms\", found "
             "an integer"}));

INSTANTIATE_TEST_SUITE_P(
    BadValues, OneMistake,
    ::testing::Values(
        Case{"routing.replica_wait = \"5 mss\"\n",
             "t.toml:4:24: error: \"routing.replica_wait\" must be a duration with its unit, such as "
             "\"5ms\", found "
             "\"5 mss\": unknown unit \"mss\", allowed are ms, us, s, min, h"},
        Case{"listen.port = 0\n", "t.toml:4:15: error: \"listen.port\" must be between 1 and 65535, found 0"},
        Case{"listen.port = 65536\n",
             "t.toml:4:15: error: \"listen.port\" must be between 1 and 65535, found 65536"},
        Case{"listen.port = -1\n",
             "t.toml:4:15: error: \"listen.port\" must be between 1 and 65535, found -1"},
        Case{"workers.threads = 257\n",
             "t.toml:4:19: error: \"workers.threads\" must be between 0 and 256, found 257"},
        Case{"cluster.probe_interval = \"1us\"\n",
             "t.toml:4:26: error: \"cluster.probe_interval\" must be between \"10ms\" and \"1min\", found "
             "\"1us\""},
        Case{"cluster.on_lost_write = \"never\"\n",
             "t.toml:4:25: error: unknown value \"never\" for \"cluster.on_lost_write\"; allowed: \"error\", "
             "\"warn\", \"ignore\""},
        Case{"routing.consistency = \"stron\"\n",
             "t.toml:4:23: error: unknown value \"stron\" for \"routing.consistency\"; allowed: \"strong\", "
             "\"session\", \"eventual\", \"primary\", \"monotonic_reads\", \"bounded_staleness\", "
             "\"read_your_writes\""},
        Case{"routing.fallback = \"wiat\"\n",
             "t.toml:4:20: error: unknown value \"wiat\" for \"routing.fallback\"; allowed: \"wait\", "
             "\"primary\", "
             "\"error\""},
        Case{"log.level = \"INFO\"\n",
             "t.toml:4:13: error: unknown value \"INFO\" for \"log.level\"; allowed: \"info\", \"debug\", "
             "\"error\", "
             "\"warning\""},
        Case{"cluster.monitor_user = \"\"\n",
             "t.toml:4:24: error: \"cluster.monitor_user\" must not be empty"},
        Case{"cluster.monitor_user = \"a\\u0000b\"\n",
             "t.toml:4:24: error: \"cluster.monitor_user\" must not contain control characters"},
        Case{"cluster.monitor_user = \"0123456789012345678901234567890123456789012345678901234567890123\"\n",
             "t.toml:4:24: error: \"cluster.monitor_user\" is too long: at most 63 bytes"}));

INSTANTIATE_TEST_SUITE_P(
    NotInThisVersion, OneMistake,
    ::testing::Values(
        Case{"routing.load_balance = \"random\"\n",
             "t.toml:4:24: error: routing.load_balance = \"random\" is not supported by this version; "
             "allowed: "
             "\"pinned\""},
        Case{
            "cluster.server_tls.mode = \"allow\"\n",
            "t.toml:4:27: error: cluster.server_tls.mode = \"allow\" is not supported: it would encrypt only "
            "where a server refuses plain text, which protects nothing; use \"prefer\""},
        Case{"[[cluster.node]]\naddress = \"a:5432\"\nregion = \"eu\"\n",
             "t.toml:6:1: error: \"cluster.node.region\" is not supported by this version"}));

TEST(Reader, ReportsOneSyntaxErrorWithItsPlace) {
  const auto problems = lines_of(load("[listen]\nport = \n[pool]\nsize = x\n"));
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_THAT(problems.front(), HasSubstr("t.toml:2:8: error: syntax error: "));
}

TEST(Reader, ASyntaxErrorTakesOneLineWhateverStoodThere) {
  const auto problems = lines_of(load("[http]\nenabled = tru\n[log]\n"));
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_THAT(problems.front(), Not(HasSubstr("\n")));
}

TEST(Reader, ReportsAKeyThatIsSetTwice) {
  const auto problems = problems_behind_minimum("pool.size = 1\npool.size = 2\n");
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_THAT(problems.front(), HasSubstr("t.toml:5:"));
}

TEST(Reader, ReportsFiveMistakesAtOnceAndNothingElse) {
  const auto problems =
      lines_of(load("[listen]\n"
                    "port = 70000\n"
                    "[auth]\n"
                    "method = \"trust\"\n"
                    "[cluster]\n"
                    "nodes = [\"a:5432\", \"b\"]\n"
                    "probe_interval = 200\n"
                    "[routing]\n"
                    "consistancy = \"session\"\n"
                    "fallback = \"primry\"\n"));
  EXPECT_THAT(
      problems,
      ElementsAre(
          "t.toml:2:8: error: \"listen.port\" must be between 1 and 65535, found 70000",
          "t.toml:6:20: error: node \"b\": the port is missing, as in \"host:5432\"",
          "t.toml:7:18: error: \"cluster.probe_interval\" must be a duration with its unit, such as \"5ms\", "
          "found an integer",
          "t.toml:9:1: error: unknown key \"routing.consistancy\"; did you mean \"routing.consistency\"?",
          "t.toml:10:12: error: unknown value \"primry\" for \"routing.fallback\"; allowed: \"primary\", "
          "\"error\", \"wait\""));
}

TEST(Reader, AnInlineTableMeansTheSameAsAHeader) {
  const LoadResult result = load(std::string(minimum) + "pool = { size = 7 }\n");
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->pool.size, 7U);
}

TEST(Reader, CountsColumnsInCharacters) {
  EXPECT_THAT(problems_behind_minimum("log = { \"é\" = 1, level = 2 }\n"),
              ElementsAre("t.toml:4:9: error: unknown key \"log.é\"",
                          "t.toml:4:26: error: \"log.level\" must be a string, found an integer"));
}

TEST(Reader, SizesAreReadInBytesWithTheirLimits) {
  static constexpr std::array<Key, 1> keys = {{{"buffer", Type::size, "", "", 1024, 65'536}}};
  const Schema schema{keys, false};
  const Reading good = read_toml("buffer = \"64kB\"", "t.toml", schema);
  EXPECT_THAT(good.problems, IsEmpty());
  ASSERT_NE(good.document.get<std::int64_t>("buffer"), nullptr);
  EXPECT_EQ(*good.document.get<std::int64_t>("buffer"), 65'536);
  const Reading bad = read_toml("buffer = \"1MB\"", "t.toml", schema);
  ASSERT_THAT(bad.problems, SizeIs(1));
  EXPECT_EQ(bad.problems[0].message, "\"buffer\" must be between \"1kB\" and \"64kB\", found \"1MB\"");
}

TEST(Reader, DeepNestingIsAnErrorAndNoCrash) {
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) dotted += ".a";
  for (const std::string& text : {dotted + " = 1\n", "[" + dotted + "]\n", "a = " + std::string(200'000, '['),
                                  "pool.size = { " + dotted + " = 1 }\n"}) {
    const LoadResult result = load(text);
    EXPECT_FALSE(result.config);
    ASSERT_THAT(result.problems, SizeIs(1));
    EXPECT_THAT(result.problems[0].message, HasSubstr("syntax error"));
  }
  std::string spaced = "a";
  for (int i = 0; i < 200'000; ++i) spaced += " . \"a\"";
  EXPECT_FALSE(load(spaced + " = 1\n").config);
}

TEST(Reader, ManyDotsThatAreNoKeyAreFine) {
  std::string text = "# " + std::string(300, '.') + "\ncluster.nodes = [\"10.0.0.1:1\"";
  for (int port = 2; port <= 100; ++port) text += ", \"10.0.0.1:" + std::to_string(port) + "\"";
  text += "]\nauth.method = \"trust\"\n";
  EXPECT_THAT(lines_of(load(text)), IsEmpty());
}

TEST(Reader, CharactersBeyondAsciiStandInCommentsAndStringsOnly) {
  const std::string fault =
      ": error: syntax error: only comments and strings may hold characters beyond ASCII";
  EXPECT_THAT(lines_of(load("a = 1\n é = 1\n")), ElementsAre("t.toml:2:2" + fault));
  EXPECT_THAT(lines_of(load("a = \"\\\"é\" é\n")), ElementsAre("t.toml:1:11" + fault));
  EXPECT_THAT(lines_of(load("a = '\\' é\n")), ElementsAre("t.toml:1:9" + fault));
  EXPECT_THAT(lines_of(load("a = \"\"\"x\"\"\"\"\" é\n")), ElementsAre("t.toml:1:15" + fault));
  EXPECT_THAT(lines_of(load("a = \"\" # \"\né\n")), ElementsAre("t.toml:2:1" + fault));
  EXPECT_THAT(
      lines_of(load("a = \"\"\"\n\\\"\"\" é\"\"\"\n")),
      ElementsAre("t.toml:2:6: error: syntax error: strings of several lines must not hold characters beyond "
                  "ASCII"));
  const LoadResult good = load(std::string(minimum) +
                               "cluster.monitor_user = \"jürgen\" # für\ncluster.monitor_database = 'ä\"'\n");
  ASSERT_TRUE(good.config);
  EXPECT_EQ(good.config->cluster.monitor_user, "jürgen");
}

TEST(Reader, AByteOrderMarkIsSkipped) {
  EXPECT_TRUE(load("\xef\xbb\xbf" + std::string(minimum)).config);
}

TEST(Reader, ATruncatedFileNeverBreaksIt) {
  const std::string text =
      "[listen]\naddress = \"127.0.0.1\"\n[[cluster.node]]\naddress = \"é:1\"\n[pool]\nsize = 20\nmode = "
      "'t'\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    for (const Problem& problem : load(text.substr(0, size)).problems) EXPECT_FALSE(problem.message.empty());
  }
}

TEST(Reader, TooManyNodesAreRefused) {
  std::string text = "auth.method = \"trust\"\ncluster.nodes = [";
  for (int port = 1; port <= 257; ++port) text += "\"a:" + std::to_string(port) + "\",";
  EXPECT_THAT(lines_of(load(text + "]\n")),
              ElementsAre("t.toml:2:17: error: \"cluster.nodes\" has too many elements: at most 256"));
}

TEST(Reader, AListElementOfAnotherTypeIsReportedAtItsPlace) {
  EXPECT_THAT(
      lines_of(load("auth.method = \"trust\"\ncluster.nodes = [\"a:5432\",\n  5432]\n")),
      ElementsAre("t.toml:3:3: error: an element of \"cluster.nodes\" must be a string, found an integer"));
}

}  // namespace
}  // namespace tidemark::config

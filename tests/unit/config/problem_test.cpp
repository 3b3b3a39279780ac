#include "config/problem.hpp"

#include <gmock/gmock.h>

#include "config/text.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;

TEST(Problem, IsPrintedAsCompilersDo) {
  EXPECT_EQ(to_string({Severity::error, "a.toml", {12, 5}, "no"}), "a.toml:12:5: error: no");
  EXPECT_EQ(to_string({Severity::warning, "a.toml", {12, 0}, "no"}), "a.toml:12: warning: no");
  EXPECT_EQ(to_string({Severity::error, "a.toml", {}, "no"}), "a.toml: error: no");
}

TEST(Problem, SortsByPlaceWithinFilesInTheirFirstOrder) {
  std::vector<Problem> problems = {
      {Severity::error, "z", {9, 1}, "1"},    {Severity::error, "a", {1, 1}, "2"},
      {Severity::error, "z", {10, 1}, "3"},   {Severity::error, "z", {9, 1}, "4"},
      {Severity::warning, "z", {2, 30}, "5"}, {Severity::error, "z", {2, 4}, "6"}};
  sort_problems(problems);
  std::vector<std::string> order;
  for (const Problem& problem : problems) order.push_back(problem.message);
  EXPECT_THAT(order, ElementsAre("6", "5", "1", "4", "3", "2"));
}

TEST(Problem, WarningsAreNoErrors) {
  EXPECT_FALSE(has_errors({{Severity::warning, "a", {}, ""}}));
  EXPECT_TRUE(has_errors({{Severity::warning, "a", {}, ""}, {Severity::error, "a", {}, ""}}));
}

TEST(InQuotes, KeepsATerminalSafe) {
  EXPECT_EQ(in_quotes("a\n\t\x1b[0m\"\\"), "\"a\\n\\t\\x1b[0m\\\"\\\\\"");
  EXPECT_EQ(in_quotes(std::string(81, 'a')), "\"" + std::string(80, 'a') + "…\"");
  EXPECT_EQ(in_quotes(std::string(79, 'a') + "é"), "\"" + std::string(79, 'a') + "…\"");
}

}  // namespace
}  // namespace tidemark::config

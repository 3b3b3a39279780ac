// What the driver decides without a server: options, what a connection says of itself, what its user does.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/consistency/driver_identity.hpp"
#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_roles.hpp"

namespace tidemark::consistency {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::optional<DriverOptions> parsed(std::vector<std::string> arguments, std::string* error = nullptr) {
  std::vector<char*> pointers = {nullptr};
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  std::string ignored;
  return parse_options(static_cast<int>(pointers.size()), pointers.data(), error ? *error : ignored);
}

TEST(DriverOptions, SayWhatIsWrong) {
  std::string error;
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--users", "3"},
                                             {"--conninfo", "x", "--judge", "bounded_staleness"},
                                             {"--conninfo", "x", "--identify", "shouting"},
                                             {"--conninfo", "x", "--tokens", "1.5"},
                                             {"--conninfo", "x", "--users", "1", "--counters", "0"},
                                             {"--conninfo", "x", "--protocol", "pipelines"},
                                             {"--conninfo", "x", "--seed"}}) {
    error.clear();
    EXPECT_FALSE(parsed(arguments, &error)) << arguments.back();
    EXPECT_NE(error, "");
  }
  EXPECT_TRUE(parsed({"--conninfo", "x"}));
}

TEST(DriverOptions, DemandWhatIsAtStake) {
  EXPECT_EQ(parsed({"--conninfo", "x"})->demands.reads_after_own_write_elsewhere, 0U);
  EXPECT_EQ(parsed({"--conninfo", "x", "--users", "2"})->demands.reads_after_own_write_elsewhere, 1000U);
  EXPECT_EQ(parsed({"--conninfo", "x", "--users", "2", "--min-reads-elsewhere", "0"})
                ->demands.reads_after_own_write_elsewhere,
            0U);
  EXPECT_EQ(parsed({"--conninfo", "x", "--judge", "strong"})->demands.reads_soon_after_foreign_write, 1000U);
}

DriverOptions asking(Saying identify, Saying level_by) {
  DriverOptions options;
  options.identify = identify;
  options.level_by = level_by;
  options.level = "bounded_staleness";
  options.max_staleness = "500ms";
  return options;
}

TEST(DriverIdentity, IsSaidInTheWayThatIsAskedFor) {
  const Introduction set = introduce(asking(Saying::set, Saying::set), "u17", 0);
  EXPECT_THAT(set.statements,
              ElementsAre("set tidemark.user = 'u17'", "set tidemark.consistency = 'bounded_staleness'",
                          "set tidemark.max_staleness = '500ms'"));
  EXPECT_EQ(set.startup + set.hint, "");
  const Introduction startup = introduce(asking(Saying::startup, Saying::startup), "u17", 0);
  EXPECT_EQ(startup.startup,
            "-c tidemark.user=u17 -c tidemark.consistency=bounded_staleness -c tidemark.max_staleness=500ms");
  EXPECT_THAT(startup.statements, IsEmpty());
  const Introduction hint = introduce(asking(Saying::hint, Saying::hint), "u17", 0);
  EXPECT_EQ(hint.hint, "/* tidemark: user=u17, consistency=bounded_staleness, max_staleness=500ms */ ");
  const Introduction both = introduce(asking(Saying::hint, Saying::startup), "u17", 0);
  EXPECT_EQ(both.hint, "/* tidemark: user=u17 */ ");
}

TEST(DriverIdentity, SaysNothingThatThereIsNot) {
  const Introduction none = introduce(DriverOptions{}, "", 0);
  EXPECT_THAT(none.statements, IsEmpty());
  EXPECT_EQ(none.startup + none.hint, "");
  EXPECT_EQ(introduce(asking(Saying::nothing, Saying::hint), "u17", 0).hint,
            "/* tidemark: consistency=bounded_staleness, max_staleness=500ms */ ");
}

TEST(DriverIdentity, MixedWaysMeetEachOther) {
  const DriverOptions options = asking(Saying::mixed, Saying::mixed);
  std::vector<std::string> met;
  for (std::uint32_t turn = 0; turn < 9; ++turn) {
    const Introduction one = introduce(options, "u17", turn);
    std::string ways;
    for (const std::string name : {"user", "consistency"}) {
      if (one.startup.find(name) != std::string::npos) ways += name + " by startup ";
      if (one.hint.find(name) != std::string::npos) ways += name + " by hint ";
      for (const std::string& statement : one.statements)
        if (statement.find("." + name) != std::string::npos) ways += name + " by set ";
    }
    met.push_back(ways);
  }
  std::sort(met.begin(), met.end());
  EXPECT_EQ(std::unique(met.begin(), met.end()), met.end()) << "nine turns, nine pairs of ways";
}

TEST(DriverIdentity, QuotesWhatASessionIsGiven) {
  EXPECT_EQ(sql_literal("it's"), "'it''s'");
}

std::string shape(const Unit& unit) {
  std::string text = unit.pipelined ? "|" : "";
  for (const Step& step : unit.steps) {
    switch (step.kind) {
      case StepKind::begin:
        text += "B";
        break;
      case StepKind::begin_read_only:
        text += "O";
        break;
      case StepKind::read:
        text += "r";
        break;
      case StepKind::write:
        text += "w";
        break;
      case StepKind::commit:
        text += "C";
        break;
      default:
        text += "?";
    }
  }
  return text;
}

TEST(DriverRoles, AUserReadsBackFirstWhatItWrote) {
  DriverOptions options;
  options.transactions = 0;
  RolePlayer user(Role::user, 99, options, 1);
  for (int round = 0; round < 20; ++round) {
    const Unit write = user.next(false);
    ASSERT_EQ(shape(write), "w");
    const Unit back = user.next(false);
    ASSERT_EQ(shape(back), "r");
    EXPECT_EQ(back.steps[0].key, write.steps[0].key);
    for (int more = 0; more < 3; ++more) EXPECT_EQ(shape(user.next(false)), "r");
  }
}

TEST(DriverRoles, AllKindsOfTransactionsAreMade) {
  DriverOptions options;
  options.transactions = 0.5;
  options.reads_among_writes = 0.5;
  std::set<std::string> shapes;
  for (const bool pipelines : {false, true}) {
    RolePlayer user(Role::user, 99, options, 1);
    for (int i = 0; i < 2000; ++i) shapes.insert(shape(user.next(pipelines)));
  }
  for (const char* wanted :
       {"r", "w", "OrrC", "OrrrC", "BwC", "BrwC", "|r", "|rrr", "|w", "|rw", "|OrrC", "|BrwC", "|BwC"})
    EXPECT_TRUE(shapes.contains(wanted)) << wanted;
  options.reads_among_writes = 0;
  RolePlayer user(Role::user, 99, options, 1);
  for (int i = 0; i < 2000; ++i)
    EXPECT_THAT((std::set<std::string>{"BrwC", "|rw", "|BrwC"}), Not(Contains(shape(user.next(true)))));
  EXPECT_FALSE(shapes.contains("rw")) << "without a pipeline, what is not in a transaction stands alone";
}

}  // namespace
}  // namespace tidemark::consistency

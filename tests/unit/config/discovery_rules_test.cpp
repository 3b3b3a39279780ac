#include "config/discovery_rules.hpp"

#include <string>

#include <gmock/gmock.h>

#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kTrust = "auth.method = \"trust\"\n";

std::vector<std::string> problems(const std::string& text) {
  return lines_of(load(kTrust + text));
}

TEST(Discovery, EveryKeyReachesItsField) {
  const auto patroni =
      load(std::string(kTrust) +
           "[cluster.discovery]\ntype = \"patroni\"\ninterval = \"3s\"\ntimeout = \"4s\"\n"
           "when_unreachable = \"timeline\"\npatroni = [\"http://a:8008\", \"http://[::1]:8009/\"]\n");
  ASSERT_TRUE(patroni.config) << ::testing::PrintToString(lines_of(patroni));
  const pools::DiscoverySettings& first = patroni.config->cluster.discovery;
  EXPECT_EQ(first.type, pools::DiscoveryType::patroni);
  EXPECT_EQ(first.interval, 3s);
  EXPECT_EQ(first.timeout, 4s);
  EXPECT_TRUE(first.timeline_proves);
  EXPECT_THAT(first.patroni,
              ElementsAre(pools::ServiceAddress{"a", 8008}, pools::ServiceAddress{"::1", 8009}));

  const auto failover =
      load(std::string(kTrust) +
               "[cluster.discovery]\ntype = \"pg_auto_failover\"\nmonitor = \"m:5\"\n"
               "monitor_user = \"u\"\nmonitor_password_file = \"pw\"\nmonitor_database = \"d\"\n"
               "formation = \"f\"\ngroup = 6\n",
           {{"/etc/tidemark/pw", file_with("s3cret\n")}});
  ASSERT_TRUE(failover.config) << ::testing::PrintToString(lines_of(failover));
  const pools::DiscoverySettings& second = failover.config->cluster.discovery;
  EXPECT_EQ(second.type, pools::DiscoveryType::pg_auto_failover);
  EXPECT_EQ(second.monitor, (pools::ServiceAddress{"m", 5}));
  EXPECT_EQ(second.monitor_user, "u");
  EXPECT_EQ(second.monitor_password, "s3cret");
  EXPECT_EQ(second.monitor_database, "d");
  EXPECT_EQ(second.formation, "f");
  EXPECT_EQ(second.group, 6U);
}

TEST(Discovery, TheSchemasDefaultsAreTheStructs) {
  const pools::DiscoverySettings expected;
  const auto result = load(std::string(kTrust) +
                           "[cluster.discovery]\ntype = \"pg_auto_failover\"\nmonitor = \"m:5\"\n"
                           "interval = \"1s\"\ntimeout = \"1s\"\nwhen_unreachable = \"keep\"\n"
                           "monitor_user = \"autoctl_node\"\nmonitor_database = \"pg_auto_failover\"\n"
                           "formation = \"default\"\ngroup = 0\n");
  ASSERT_TRUE(result.config);
  const pools::DiscoverySettings& found = result.config->cluster.discovery;
  EXPECT_EQ(found.interval, expected.interval);
  EXPECT_EQ(found.timeout, expected.timeout);
  EXPECT_EQ(found.timeline_proves, expected.timeline_proves);
  EXPECT_EQ(found.monitor_user, expected.monitor_user);
  EXPECT_EQ(found.monitor_database, expected.monitor_database);
  EXPECT_EQ(found.formation, expected.formation);
  EXPECT_EQ(found.group, expected.group);
}

TEST(Discovery, NodesAreRequiredOfTheStaticKindOnly) {
  EXPECT_THAT(problems(""),
              ElementsAre("t.toml: error: \"cluster.nodes\" is missing: name at least one server, such "
                          "as nodes = [\"127.0.0.1:5432\"]"));
  const std::string patroni = "[cluster.discovery]\ntype = \"patroni\"\npatroni = [\"http://a:1\"]\n";
  EXPECT_THAT(problems(patroni), IsEmpty());
  EXPECT_THAT(problems(patroni + "[[cluster.node]]\naddress = \"not.known.yet:5432\"\nweight = 2\n"),
              IsEmpty());
}

TEST(Discovery, NeedsToKnowWhomToAsk) {
  EXPECT_THAT(
      problems("[cluster.discovery]\ntype = \"patroni\"\n"),
      ElementsAre(
          "t.toml:3:8: error: \"cluster.discovery.patroni\" is missing: name the REST API of at least "
          "one member, such as patroni = [\"http://10.0.0.1:8008\"]"));
  EXPECT_THAT(
      problems("[cluster.discovery]\ntype = \"pg_auto_failover\"\n"),
      ElementsAre("t.toml:3:8: error: \"cluster.discovery.monitor\" is missing: name the monitor's server, "
                  "such as monitor = \"10.0.0.1:5432\""));
}

TEST(Discovery, KeysOfAnotherKindAreErrors) {
  EXPECT_THAT(
      problems_behind_minimum(
          "[cluster.discovery]\ntype = \"static\"\npatroni = [\"http://a:1\"]\ngroup = 1\ninterval "
          "= \"2s\"\n"),
      ElementsAre("t.toml:6:1: error: \"cluster.discovery.patroni\" is for \"cluster.discovery.type\" = "
                  "\"patroni\" only",
                  "t.toml:7:1: error: \"cluster.discovery.group\" is for \"cluster.discovery.type\" = "
                  "\"pg_auto_failover\" only",
                  "t.toml:8:1: error: \"cluster.discovery.interval\" is for \"cluster.discovery.type\" = "
                  "\"patroni\" or "
                  "\"pg_auto_failover\" only"));
  EXPECT_THAT(
      problems("[cluster.discovery]\ntype = \"patroni\"\npatroni = [\"http://a:1\"]\nmonitor = \"m:1\"\n"),
      ElementsAre("t.toml:5:1: error: \"cluster.discovery.monitor\" is for \"cluster.discovery.type\" = "
                  "\"pg_auto_failover\" only"));
}

TEST(Discovery, AnAddressThatIsNoneIsAnErrorWhereItStands) {
  const auto url = [](const std::string& text) {
    return problems("[cluster.discovery]\ntype = \"patroni\"\npatroni = [\"http://a:1\", \"" + text +
                    "\"]\n");
  };
  const std::string begin = "t.toml:4:26: error: \"cluster.discovery.patroni\" ";
  EXPECT_THAT(
      url("https://a:1"),
      ElementsAre(begin + "\"https://a:1\": https is not supported by this version: it must begin with "
                          "\"http://\""));
  EXPECT_THAT(url("a:1"),
              ElementsAre(begin + "\"a:1\": it must begin with \"http://\", as \"http://10.0.0.1:8008\""));
  EXPECT_THAT(url("http://a"), ElementsAre(begin + "\"http://a\": the port is missing, as in \"host:5432\""));
  EXPECT_THAT(
      url("http://a:1/patroni"),
      ElementsAre(begin +
                  "\"http://a:1/patroni\": nothing may follow the port: the path is always /cluster"));
  EXPECT_THAT(
      problems("[cluster.discovery]\ntype = \"pg_auto_failover\"\nmonitor = \"/tmp:1\"\n"),
      ElementsAre(
          "t.toml:4:11: error: \"cluster.discovery.monitor\" \"/tmp:1\": it must be a host and a port, "
          "not a socket's folder"));
}

}  // namespace
}  // namespace tidemark::config

#include "config/validate.hpp"

#include <string>

#include <gmock/gmock.h>

#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view trusting = "auth.method = \"trust\"\n";

std::vector<std::string> problems(std::string_view text) {
  return lines_of(load(text));
}
std::vector<std::string> trusted(std::string_view text) {
  return problems(std::string(trusting) + std::string(text));
}

TEST(Nodes, AreRequired) {
  const std::string missing =
      "error: \"cluster.nodes\" is missing: name at least one server, such as nodes = [\"127.0.0.1:5432\"]";
  EXPECT_THAT(trusted(""), ElementsAre("t.toml: " + missing));
  EXPECT_THAT(trusted("[cluster]\n"), ElementsAre("t.toml:2:2: " + missing));
  EXPECT_THAT(trusted("cluster.nodes = []\n"), ElementsAre("t.toml:2:17: " + missing));
}

TEST(Nodes, OfTheWrongTypeAreReportedOnce) {
  EXPECT_THAT(trusted("cluster.nodes = \"a:5432\"\n"),
              ElementsAre("t.toml:2:17: error: \"cluster.nodes\" must be a list of strings, found a string"));
  EXPECT_THAT(trusted("cluster = 3\n"),
              ElementsAre("t.toml:2:11: error: \"cluster\" must be a table, found an integer"));
}

TEST(Nodes, AreNamedOnce) {
  EXPECT_THAT(trusted("cluster.nodes = [\"a:5432\",\n \"b:1\",\n \"A:5432\"]\n"),
              ElementsAre("t.toml:4:2: error: node \"A:5432\" is named twice, first in line 2"));
}

TEST(Nodes, ADescribedNodeMustBeInTheList) {
  EXPECT_THAT(
      trusted("cluster.nodes = [\"db1:5432\"]\n[[cluster.node]]\naddress = \"db2:5432\"\n"),
      ElementsAre("t.toml:4:11: error: node \"db2:5432\" is not one of \"cluster.nodes\"; did you mean "
                  "\"db1:5432\"?"));
}

TEST(Nodes, AreDescribedOnceAndByAddress) {
  EXPECT_THAT(
      trusted("cluster.nodes = [\"a:1\"]\n[[cluster.node]]\naddress = \"a:1\"\n[[cluster.node]]\naddress = "
              "\"a:1\"\n[[cluster.node]]\nweight = 2\n[[cluster.node]]\naddress = \"a\"\n"),
      ElementsAre("t.toml:6:11: error: node \"a:1\" is described twice, first in line 4",
                  "t.toml:7:1: error: \"cluster.node.address\" is missing: which node is this?",
                  "t.toml:10:11: error: node \"a\": the port is missing, as in \"host:5432\""));
}

TEST(Auth, ScramNeedsAUsersFile) {
  EXPECT_THAT(
      problems("cluster.nodes = [\"a:1\"]\n"),
      ElementsAre(
          "t.toml: error: \"auth.users_file\" is missing: \"scram-sha-256\" needs to know the users; or let "
          "\"auth.query\" ask the cluster for them"));
  EXPECT_THAT(problems("cluster.nodes = [\"a:1\"]\n[auth]\nmethod = \"scram-sha-256\"\n"),
              ElementsAre(HasSubstr("t.toml:3:10: error: \"auth.users_file\" is missing")));
}

TEST(Auth, TrustIsForLoopbackOnly) {
  for (const std::string address : {"0.0.0.0", "::", "10.0.0.1", "192.168.1.1"}) {
    EXPECT_THAT(trusted("cluster.nodes = [\"a:1\"]\nlisten.address = \"" + address + "\"\n"),
                ElementsAre(HasSubstr("t.toml:1:15: error: \"auth.method\" = \"trust\" lets everybody in")));
  }
  for (const std::string address : {"127.0.0.1", "127.1.2.3", "::1"}) {
    EXPECT_THAT(trusted("cluster.nodes = [\"a:1\"]\nlisten.address = \"" + address + "\"\n"), IsEmpty());
  }
}

TEST(Listeners, TakeNumericAddressesOnly) {
  EXPECT_THAT(
      trusted("cluster.nodes = [\"a:1\"]\nlisten.address = \"localhost\"\nhttp.address = \"[::1]\"\n"),
      ElementsAre("t.toml:3:18: error: \"listen.address\" must be a numeric IPv4 or IPv6 address without "
                  "brackets, found \"localhost\"",
                  "t.toml:4:16: error: \"http.address\" must be a numeric IPv4 or IPv6 address without "
                  "brackets, found \"[::1]\""));
}

TEST(Listeners, DoNotShareAPort) {
  const std::string nodes = "cluster.nodes = [\"a:1\"]\n";
  const std::string clash = "error: [listen] and [http] both want port 6432 of the same address";
  EXPECT_THAT(trusted(nodes + "http.port = 6432\n"), ElementsAre("t.toml:3:13: " + clash));
  EXPECT_THAT(trusted(nodes + "http.port = 6432\nhttp.address = \"0.0.0.0\"\n"),
              ElementsAre("t.toml:3:13: " + clash));
  EXPECT_THAT(trusted(nodes + "http.port = 6432\nhttp.address = \"127.0.0.2\"\n"), IsEmpty());
  EXPECT_THAT(trusted(nodes + "http.port = 6432\nhttp.enabled = false\n"), IsEmpty());
  EXPECT_THAT(trusted(nodes + "listen.port = 9432\n"),
              ElementsAre(HasSubstr("t.toml:3:15: error: [listen] and [http]")));
}

TEST(Pool, IsNotLargerThanTheNodeAllows) {
  const std::string nodes = "cluster.nodes = [\"a:1\"]\n";
  EXPECT_THAT(trusted(nodes + "pool.size = 201\n"),
              ElementsAre("t.toml:3:13: error: \"pool.size\" (201) must not be greater than "
                          "\"pool.max_server_connections\" (200)"));
  EXPECT_THAT(trusted(nodes + "[pool]\nmax_server_connections = 19\n"),
              ElementsAre(HasSubstr("t.toml:4:26: error: \"pool.size\" (20)")));
  EXPECT_THAT(trusted(nodes + "pool.size = 200\n"), IsEmpty());
  EXPECT_THAT(trusted(nodes + "[pool]\nsize = 9\nmax_user_server_connections = 8\n"),
              ElementsAre("t.toml:5:31: warning: \"pool.size\" (9) is never reached: "
                          "\"pool.max_user_server_connections\" is 8"));
  EXPECT_THAT(trusted(nodes + "[pool]\nsize = 9\nmax_database_server_connections = 8\n"),
              ElementsAre(HasSubstr("\"pool.max_database_server_connections\" is 8")));
  EXPECT_THAT(trusted(nodes + "[pool]\nmax_user_server_connections = 8\n"), IsEmpty()) << "a default";
}

TEST(FailoverHold, ThatCannotBeOfUseIsWarnedOf) {
  const std::string nodes = "cluster.nodes = [\"a:1\"]\n";
  const LoadResult result = load(std::string(trusting) + nodes + "cluster.failover_hold = \"100ms\"\n");
  EXPECT_TRUE(result.config);
  EXPECT_THAT(lines_of(result),
              ElementsAre(HasSubstr("t.toml:3:25: warning: \"cluster.failover_hold\" (100ms) is "
                                    "shorter than \"cluster.probe_interval\" (200ms)")));
  EXPECT_THAT(trusted(nodes + "cluster.failover_hold = \"500ms\"\n"),
              ElementsAre(HasSubstr("is shorter than \"cluster.probe_timeout\" (1s)")));
  EXPECT_THAT(trusted(nodes + "cluster.failover_hold = \"0s\"\n"), IsEmpty());
}

}  // namespace
}  // namespace tidemark::config

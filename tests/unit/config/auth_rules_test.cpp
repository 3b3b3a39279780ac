#include "config/auth_rules.hpp"

#include <string>

#include <gmock/gmock.h>

#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view head =
    "cluster.nodes = [\"a:5432\"]\n"
    "auth.users_file = \"u.toml\"\n";

LoadResult load_rules(std::string_view text) {
  return load(std::string(head) + std::string(text),
              {{"/etc/tidemark/u.toml", file_with("[[user]]\nname = \"app\"\npassword = \"pencil\"\n")}});
}
std::vector<std::string> problems(std::string_view text) {
  return lines_of(load_rules(text));
}

TEST(AuthRules, AreReadInTheirOrder) {
  const LoadResult result = load_rules(
      "[[auth.rule]]\ntype = \"local\"\nmethod = \"trust\"\n"
      "[[auth.rule]]\ntype = \"hostssl\"\ndatabase = [\"shop\", \"sameuser\"]\nuser = [\"app\", \"web\"]\n"
      "address = \"10.0.0.0/8\"\nmethod = \"cert\"\nmap = \"m\"\nclientname = \"DN\"\n"
      "[[auth.user_map]]\nname = \"m\"\nsystem_user = \"/^(.*)@example$\"\ndatabase_user = \"\\\\1\"\n");
  ASSERT_TRUE(result.config) << ::testing::PrintToString(lines_of(result));
  const AuthSettings& auth = result.config->auth;
  ASSERT_THAT(auth.rules, SizeIs(2));
  EXPECT_EQ(auth.rules[0].type, ConnectionType::local);
  EXPECT_THAT(auth.rules[0].databases, ElementsAre("all"));
  EXPECT_THAT(auth.rules[0].users, ElementsAre("all"));
  EXPECT_EQ(auth.rules[0].method, AuthMethod::trust);
  EXPECT_EQ(auth.rules[0].line, 3U);
  EXPECT_EQ(auth.rules[1].type, ConnectionType::hostssl);
  EXPECT_THAT(auth.rules[1].databases, ElementsAre("shop", "sameuser"));
  EXPECT_THAT(auth.rules[1].users, ElementsAre("app", "web"));
  EXPECT_EQ(auth.rules[1].address.prefix, 8);
  EXPECT_EQ(auth.rules[1].method, AuthMethod::cert);
  EXPECT_EQ(auth.rules[1].map, "m");
  EXPECT_EQ(auth.rules[1].client_name, CertificateName::distinguished_name);
  ASSERT_THAT(auth.user_maps, SizeIs(1));
  EXPECT_EQ(auth.user_maps[0].system_user, "/^(.*)@example$");
  EXPECT_EQ(auth.user_maps[0].database_user, "\\1");
}

TEST(AuthRules, NeedAUsersFileOrAQueryForPasswords) {
  const std::string rule = "[[auth.rule]]\ntype = \"host\"\naddress = \"all\"\nmethod = \"md5\"\n";
  EXPECT_THAT(lines_of(load("cluster.nodes = [\"a:5432\"]\n" + rule)),
              ElementsAre(HasSubstr("t.toml:5:10: error: \"auth.users_file\" is missing: \"md5\" needs")));
  EXPECT_THAT(lines_of(load("cluster.nodes = [\"a:5432\"]\nauth.query = \"select 1\"\n" + rule)), IsEmpty());
  EXPECT_THAT(lines_of(load("cluster.nodes = [\"a:5432\"]\n[[auth.rule]]\ntype = \"local\"\nmethod = "
                            "\"trust\"\n")),
              IsEmpty());
}

struct Case {
  std::string rule;
  std::string problem;
};
class BadRules : public ::testing::TestWithParam<Case> {};

TEST_P(BadRules, AreToldWithTheirPlace) {
  EXPECT_THAT(problems(GetParam().rule), ElementsAre(HasSubstr(GetParam().problem)));
}

const std::string host = "[[auth.rule]]\ntype = \"host\"\nmethod = \"scram-sha-256\"\n";
const std::string map_head = "[[auth.user_map]]\nname = \"m\"\n";

INSTANTIATE_TEST_SUITE_P(
    Table, BadRules,
    ::testing::Values(
        Case{"[[auth.rule]]\nmethod = \"reject\"\naddress = \"all\"\n",
             "t.toml:3:1: error: \"auth.rule.type\" is missing"},
        Case{"[[auth.rule]]\ntype = \"local\"\n", "t.toml:3:1: error: \"auth.rule.method\" is missing"},
        Case{host, "t.toml:3:1: error: \"auth.rule.address\" is missing"},
        Case{host + "address = \"db1\"\n", "t.toml:6:11: error: address \"db1\": it must be"},
        Case{host + "address = \"all\"\nuser = []\n", "t.toml:7:8: error: \"auth.rule.user\" names nobody"},
        Case{host + "address = \"all\"\nuser = [\"app\", \"+staff\"]\n",
             "t.toml:7:16: error: \"+staff\" in \"auth.rule.user\": groups"},
        Case{host + "address = \"all\"\ndatabase = [\"/^a\"]\n", "\"/^a\" in \"auth.rule.database\""},
        Case{host + "address = \"all\"\ndatabase = [\"samerole\"]\n", "\"samerole\" is not supported"},
        Case{host + "address = \"all\"\ndatabase = [\"replication\"]\n", "\"replication\" is not supported"},
        Case{"[[auth.rule]]\ntype = \"local\"\naddress = \"all\"\nmethod = \"reject\"\n",
             "t.toml:5:1: error: \"auth.rule.address\" has no meaning for \"local\""},
        Case{"[[auth.rule]]\ntype = \"host\"\naddress = \"all\"\nmethod = \"trust\"\n",
             "t.toml:6:10: error: \"trust\" lets everybody in"},
        Case{"[[auth.rule]]\ntype = \"host\"\naddress = \"10.0.0.0/8\"\nmethod = \"trust\"\n",
             "t.toml:6:10: error: \"trust\" lets everybody in"},
        Case{"[[auth.rule]]\ntype = \"host\"\naddress = \"all\"\nmethod = \"cert\"\n",
             "t.toml:6:10: error: \"cert\" needs a certificate"},
        Case{host + "address = \"all\"\nmap = \"m\"\n" + map_head +
                 "system_user = \"a\"\ndatabase_user = \"b\"\n",
             "\"auth.rule.map\" has a meaning for method \"cert\" only"},
        Case{"[[auth.rule]]\ntype = \"hostssl\"\naddress = \"all\"\nmethod = \"cert\"\nmap = \"m\"\n",
             "t.toml:7:7: error: there is no [[auth.user_map]] of the name \"m\""},
        Case{map_head + "system_user = \"a\"\n",
             "t.toml:3:1: error: \"auth.user_map.database_user\" is missing"},
        Case{map_head + "system_user = \"/(\"\ndatabase_user = \"b\"\n",
             "t.toml:5:15: error: not a regular expression"},
        Case{map_head + "system_user = \"/^a\"\ndatabase_user = \"\\\\1\"\n", "needs a group in parentheses"},
        Case{map_head + "system_user = \"a\"\ndatabase_user = \"\\\\1\"\n",
             "needs a \"system_user\" that is a regular expression"},
        Case{"auth.method = \"md5\"\n" + host + "address = \"all\"\n",
             "t.toml:3:15: warning: \"auth.method\" has no effect"}));

TEST(AuthRules, TrustOnlyThisMachine) {
  for (const std::string address : {"127.0.0.1/32", "127.0.0.0/8", "::1", "samehost"}) {
    EXPECT_THAT(
        problems("[[auth.rule]]\ntype = \"host\"\naddress = \"" + address + "\"\nmethod = \"trust\"\n"),
        IsEmpty())
        << address;
  }
}

}  // namespace
}  // namespace tidemark::config

#include "pools/membership.hpp"

#include <string>

#include <gmock/gmock.h>

namespace tidemark::pools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string why(const MembershipAnswer& answer) {
  const auto* bad = std::get_if<BadAnswer>(&answer);
  return bad == nullptr ? "(it was taken)" : bad->why;
}
/// One member with these fields, as text inside the braces.
std::string of_member(const std::string& fields) {
  return why(parse_patroni_cluster("{\"members\": [{" + fields + "}]}"));
}

// As Patroni 3.0.2 answered.
constexpr const char* kCluster = R"({"members": [
  {"name": "node0", "role": "replica", "state": "running", "api_url": "http://10.0.0.1:8008/patroni",
   "host": "10.0.0.1", "port": 5432, "timeline": 2, "lag": 0},
  {"name": "node1", "role": "leader", "state": "running", "api_url": "http://[::1]:8009/patroni",
   "host": "DB-1.example", "port": 5433, "timeline": 2, "pending_restart": true},
  {"name": "node2", "role": "sync_standby", "state": "creating replica", "api_url": "https://10.0.0.3:8008/patroni",
   "host": "::1", "port": 5434, "lag": "unknown", "tags": {"nofailover": true}},
  {"name": "node3", "role": "replica", "state": "", "api_url": "http://10.0.0.4:8008/patroni"}],
  "scope": "shop", "pause": true})";

TEST(Patroni, TellsWhereTheMembersListenAndWhichOneLeads) {
  const auto answer = parse_patroni_cluster(kCluster);
  ASSERT_EQ(why(answer), "(it was taken)");
  const auto& membership = std::get<Membership>(answer);
  EXPECT_THAT(membership.nodes,
              ElementsAre(ServiceAddress{"10.0.0.1", 5432}, ServiceAddress{"DB-1.example", 5433},
                          ServiceAddress{"::1", 5434}));
  EXPECT_EQ(membership.primary, 1U);
  EXPECT_THAT(membership.services, ElementsAre(ServiceAddress{"10.0.0.1", 8008}, ServiceAddress{"::1", 8009}))
      << "those that can be asked without TLS";
}

TEST(Patroni, MayNameNoLeaderOrOneThatFollowsAnotherCluster) {
  const auto none = parse_patroni_cluster(R"({"members":[{"role":"replica","host":"a","port":1}]})");
  EXPECT_EQ(std::get<Membership>(none).primary, std::nullopt);
  const auto standby = parse_patroni_cluster(R"({"members":[{"role":"standby_leader","host":"a"}]})");
  EXPECT_EQ(std::get<Membership>(standby).primary, 0U);
  EXPECT_THAT(std::get<Membership>(standby).nodes, ElementsAre(ServiceAddress{"a", 5432}));
}

TEST(Patroni, AnAnswerThatMakesNoSenseIsRefusedWithTheReason) {
  EXPECT_THAT(why(parse_patroni_cluster("")), HasSubstr("no JSON"));
  EXPECT_THAT(why(parse_patroni_cluster("<html>")), HasSubstr("no JSON"));
  EXPECT_THAT(why(parse_patroni_cluster("{\"members\": [")), HasSubstr("no JSON"));
  EXPECT_THAT(why(parse_patroni_cluster(std::string(100'000, '['))), HasSubstr("no JSON"));
  EXPECT_EQ(why(parse_patroni_cluster("[]")), "the answer has no list of members");
  EXPECT_EQ(why(parse_patroni_cluster("{\"members\": {}}")), "the answer has no list of members");
  EXPECT_EQ(why(parse_patroni_cluster("{\"members\": [1]}")), "a member is no object");
  EXPECT_EQ(why(parse_patroni_cluster("{\"members\": []}")), "no member tells where it listens");
  EXPECT_EQ(of_member(R"("host": "a")"), "a member has no role");
  EXPECT_EQ(of_member(R"("role": 1, "host": "a")"), "a member has no role");
  EXPECT_EQ(of_member(R"("role": "leader")"), "no member tells where it listens");
  for (const char* host :
       {R"("")", R"("a b")", R"("a\nb")", R"("a\u0000")", R"("a\"b")", R"("/tmp")", "7", "null"})
    EXPECT_EQ(of_member(std::string(R"("role": "replica", "host": )") + host),
              "a member has a host that cannot be one");
  EXPECT_EQ(of_member(R"("role": "replica", "host": ")" + std::string(254, 'a') + '"'),
            "a member has a host that cannot be one");
  for (const char* port : {"0", "65536", "-1", "1.5", R"("5432")", "null", "99999999999999999999"})
    EXPECT_EQ(of_member(std::string(R"("role": "replica", "host": "a", "port": )") + port),
              "a member has no port between 1 and 65535");
  EXPECT_EQ(of_member(R"("role": "leader", "host": "a"}, {"role": "leader", "host": "b")"),
            "two members are the leader");
  std::string many = R"("role": "replica", "host": "a")";
  for (std::size_t i = 0; i < kMostMembers; ++i) many += R"(}, {"role": "replica", "host": "a")";
  EXPECT_EQ(of_member(many), "the answer has more than 256 members");
}

TEST(Patroni, AnAddressOfItsOwnThatMakesNoSenseIsLeftOut) {
  for (const char* url : {"http://a", "http://a:", "http://a:0", "http://a:65536", "http://a:1x", "http://:1",
                          "ftp://a:1", "http://a b:1", ""}) {
    const auto answer = parse_patroni_cluster(
        std::string(R"({"members":[{"role":"leader","host":"a","api_url":")") + url + "\"}]}");
    EXPECT_TRUE(std::get<Membership>(answer).services.empty()) << url;
  }
}

FormationRow row(const char* host, const char* port, const char* reported, const char* goal) {
  return {host, port, reported, goal};
}

TEST(Formation, ThePrimaryIsWhoTakesWritesAndIsToTakeThem) {
  for (const char* state : {"single", "wait_primary", "primary", "join_primary", "apply_settings"}) {
    const auto answer =
        parse_formation({row("a", "1", "secondary", "secondary"), row("b", "2", state, "primary")});
    EXPECT_EQ(std::get<Membership>(answer).primary, 1U) << state;
    EXPECT_THAT(std::get<Membership>(answer).nodes,
                ElementsAre(ServiceAddress{"a", 1}, ServiceAddress{"b", 2}));
  }
}

TEST(Formation, WhoIsBeingDemotedOrPromotedIsNotNamed) {
  const auto answer = parse_formation(
      {row("a", "1", "primary", "draining"), row("b", "2", "prepare_promotion", "prepare_promotion"),
       row("c", "3", "stop_replication", "wait_primary"), row("d", "4", "demoted", "catchingup"),
       row("e", "5", "init", "single")});
  ASSERT_EQ(why(answer), "(it was taken)");
  EXPECT_EQ(std::get<Membership>(answer).primary, std::nullopt);
  EXPECT_EQ(std::get<Membership>(answer).nodes.size(), 5U);
}

TEST(Formation, ANodeThatIsDroppedIsNoMember) {
  const auto answer =
      parse_formation({row("a", "1", "single", "single"), row("b", "2", "secondary", "dropped")});
  EXPECT_THAT(std::get<Membership>(answer).nodes, ElementsAre(ServiceAddress{"a", 1}));
}

TEST(Formation, AnAnswerThatMakesNoSenseIsRefusedWithTheReason) {
  EXPECT_THAT(why(parse_formation({})), HasSubstr("there is no node in this formation and group"));
  EXPECT_EQ(why(parse_formation({{"a", "1", "primary", std::nullopt}})),
            "a node of the formation has no host, port or state");
  EXPECT_EQ(why(parse_formation({row("a b", "1", "primary", "primary")})),
            "a node of the formation has a host that cannot be one");
  for (const char* port : {"", "0", "65536", "-1", "1 "})
    EXPECT_EQ(why(parse_formation({row("a", port, "primary", "primary")})),
              "a node of the formation has no port between 1 and 65535");
  EXPECT_EQ(why(parse_formation({row("a", "1", "primary", "primary"), row("b", "1", "single", "single")})),
            "two nodes of the formation are to be the primary");
  EXPECT_EQ(why(parse_formation(
                std::vector<FormationRow>(kMostMembers + 1, row("a", "1", "secondary", "secondary")))),
            "the formation has more than 256 nodes");
}

TEST(Membership, ANodeHasOneNameHoweverItIsSpelled) {
  EXPECT_EQ(name_of({"DB1.Example", 5432}), "db1.example:5432");
  EXPECT_EQ(name_of({"::1", 5432}), "[::1]:5432");
}

}  // namespace
}  // namespace tidemark::pools

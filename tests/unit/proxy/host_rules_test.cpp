#include "proxy/host_rules.hpp"

#include <string>

#include <gmock/gmock.h>

#include "config/address_range.hpp"

namespace tidemark::proxy {
namespace {

using config::AuthMethod;
using config::AuthRule;
using config::ConnectionType;
using ::testing::HasSubstr;

AuthRule rule(ConnectionType type, std::vector<std::string> databases, std::vector<std::string> users,
              const std::string& address = "all") {
  AuthRule made;
  made.type = type;
  made.databases = std::move(databases);
  made.users = std::move(users);
  made.address = std::get<config::AddressRange>(config::parse_address_range(address));
  return made;
}

ClientFacts client(const std::string& address, bool encrypted, std::string database, std::string user) {
  ClientFacts facts;
  facts.peer.local = address.empty();
  if (!address.empty()) facts.peer.address = *config::parse_ip_address(address);
  facts.peer.same_host = !address.empty() && facts.peer.address.is_loopback();
  facts.peer.text = address.empty() ? "[local]" : address;
  facts.encrypted = encrypted;
  facts.database = std::move(database);
  facts.user = std::move(user);
  return facts;
}

struct Case {
  std::string what;
  AuthRule rule;
  ClientFacts facts;
  bool matches;
};

class HostRules : public ::testing::TestWithParam<Case> {};

TEST_P(HostRules, MatchAsLinesOfPgHba) {
  const std::vector<AuthRule> rules{GetParam().rule};
  EXPECT_EQ(first_match(rules, GetParam().facts) != nullptr, GetParam().matches) << GetParam().what;
}

const ClientFacts plain = client("10.1.2.3", false, "shop", "app");
const ClientFacts tls = client("10.1.2.3", true, "shop", "app");
const ClientFacts unix_socket = client("", false, "shop", "app");
using Type = ConnectionType;

INSTANTIATE_TEST_SUITE_P(
    Table, HostRules,
    ::testing::Values(
        Case{"host takes plain text", rule(Type::host, {"all"}, {"all"}), plain, true},
        Case{"host takes TLS", rule(Type::host, {"all"}, {"all"}), tls, true},
        Case{"host takes no Unix socket", rule(Type::host, {"all"}, {"all"}), unix_socket, false},
        Case{"hostssl wants TLS", rule(Type::hostssl, {"all"}, {"all"}), plain, false},
        Case{"hostssl", rule(Type::hostssl, {"all"}, {"all"}), tls, true},
        Case{"hostssl takes no Unix socket", rule(Type::hostssl, {"all"}, {"all"}), unix_socket, false},
        Case{"hostnossl", rule(Type::hostnossl, {"all"}, {"all"}), plain, true},
        Case{"hostnossl takes no TLS", rule(Type::hostnossl, {"all"}, {"all"}), tls, false},
        Case{"hostnossl takes no Unix socket", rule(Type::hostnossl, {"all"}, {"all"}), unix_socket, false},
        Case{"local", rule(Type::local, {"all"}, {"all"}), unix_socket, true},
        Case{"local takes no TCP", rule(Type::local, {"all"}, {"all"}), plain, false},
        Case{"a database by name", rule(Type::host, {"shop"}, {"all"}), plain, true},
        Case{"another database", rule(Type::host, {"store"}, {"all"}), plain, false},
        Case{"one of several databases", rule(Type::host, {"store", "shop"}, {"all"}), plain, true},
        Case{"names are case sensitive", rule(Type::host, {"Shop"}, {"all"}), plain, false},
        Case{"no name is the start of another", rule(Type::host, {"sho"}, {"ap"}), plain, false},
        Case{"a user by name", rule(Type::host, {"all"}, {"app"}), plain, true},
        Case{"another user", rule(Type::host, {"all"}, {"web"}), plain, false},
        Case{"one of several users", rule(Type::host, {"all"}, {"web", "app"}), plain, true},
        Case{"both must match", rule(Type::host, {"shop"}, {"web"}), plain, false},
        Case{"sameuser", rule(Type::host, {"sameuser"}, {"all"}), client("10.1.2.3", false, "app", "app"),
             true},
        Case{"not sameuser", rule(Type::host, {"sameuser"}, {"all"}), plain, false},
        Case{"sameuser is no word for users", rule(Type::host, {"all"}, {"sameuser"}), plain, false},
        Case{"all among others", rule(Type::host, {"x", "all"}, {"y", "all"}), plain, true},
        Case{"an address", rule(Type::host, {"all"}, {"all"}, "10.0.0.0/8"), plain, true},
        Case{"another network", rule(Type::host, {"all"}, {"all"}, "10.2.0.0/16"), plain, false},
        Case{"samehost", rule(Type::host, {"all"}, {"all"}, "samehost"),
             client("127.0.0.1", false, "shop", "app"), true},
        Case{"not samehost", rule(Type::host, {"all"}, {"all"}, "samehost"), plain, false},
        Case{"IPv6", rule(Type::host, {"all"}, {"all"}, "2001:db8::/32"),
             client("2001:db8::7", false, "shop", "app"), true}),
    [](const auto& test) {
      std::string name;
      for (const char c : test.param.what) {
        if (c != ' ') name += c;
      }
      return name;
    });

TEST(HostRulesInOrder, TheFirstDecides) {
  std::vector<AuthRule> rules{rule(Type::host, {"shop"}, {"web"}), rule(Type::host, {"all"}, {"app"}),
                              rule(Type::host, {"all"}, {"all"})};
  EXPECT_EQ(first_match(rules, plain), &rules[1]);
  EXPECT_EQ(first_match(rules, client("10.1.2.3", false, "shop", "web")), &rules[0]);
  EXPECT_EQ(first_match(rules, client("10.1.2.3", false, "store", "web")), &rules[2]);
  EXPECT_EQ(first_match(rules, unix_socket), nullptr);
  EXPECT_EQ(first_match({}, plain), nullptr);
}

TEST(HostRulesTold, NameTheClientAndTheRemedy) {
  const ClientError none = no_rule_matches(tls);
  EXPECT_EQ(none.code.text(), "28000");
  EXPECT_EQ(none.message,
            "no host rule for host \"10.1.2.3\", user \"app\", database \"shop\", SSL encryption");
  EXPECT_THAT(none.hint, HasSubstr("[[auth.rule]]"));
  const ClientError rejected = rule_rejects(unix_socket);
  EXPECT_EQ(rejected.code.text(), "28000");
  EXPECT_THAT(rejected.message,
              HasSubstr("host \"[local]\", user \"app\", database \"shop\", no encryption"));
}

}  // namespace
}  // namespace tidemark::proxy

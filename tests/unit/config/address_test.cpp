#include <array>
#include <string>

#include <gmock/gmock.h>

#include "config/ip_address.hpp"
#include "config/node_address.hpp"

namespace tidemark::config {
namespace {

using ::testing::HasSubstr;

TEST(IpAddress, TakesWhatIsAnAddress) {
  for (const std::string_view text :
       {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "1::", "fe80::1:2", "1:2:3:4:5:6:7:8",
        "::ffff:10.0.0.1", "1:2:3:4:5:6:1.2.3.4", "2001:DB8::A", "1:2:3:4:5:6:7::"}) {
    EXPECT_TRUE(parse_ip_address(text)) << text;
  }
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const std::string_view text : {"",
                                      "localhost",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "01.2.3.4",
                                      "1..2.3",
                                      "1.2.3.4 ",
                                      "1.2.3.-4",
                                      ":",
                                      ":::",
                                      "1:2",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7::8",
                                      "::1::",
                                      "12345::",
                                      "g::",
                                      "[::1]",
                                      "::1%lo",
                                      "1.2.3.4::",
                                      "::1.2.3",
                                      ":1:2:3:4:5:6:7:8",
                                      "1:2:3:4:5:6:7:",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "*"}) {
    EXPECT_FALSE(parse_ip_address(text)) << text;
  }
}

TEST(IpAddress, KnowsLoopbackAndEveryInterface) {
  for (const std::string_view text : {"127.0.0.1", "127.255.0.9", "::1", "0:0::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(parse_ip_address(text)->is_loopback()) << text;
  }
  for (const std::string_view text : {"128.0.0.1", "0.0.0.0", "::", "::2", "1::1", "::ffff:10.0.0.1"}) {
    EXPECT_FALSE(parse_ip_address(text)->is_loopback()) << text;
  }
  EXPECT_TRUE(parse_ip_address("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(parse_ip_address("::")->is_unspecified());
  EXPECT_FALSE(parse_ip_address("::1")->is_unspecified());
}

TEST(NodeAddress, SplitsHostAndPort) {
  struct Case {
    std::string_view text;
    std::string_view host;
    std::uint16_t port;
  };
  for (const Case& c : std::array<Case, 6>{{{"127.0.0.1:5432", "127.0.0.1", 5432},
                                            {"db-1.example:1", "db-1.example", 1},
                                            {"[::1]:65535", "::1", 65535},
                                            {"/var/run/postgresql:5433", "/var/run/postgresql", 5433},
                                            {"/a:b:5433", "/a:b", 5433},
                                            {"my_host:5432", "my_host", 5432}}}) {
    const auto parsed = parse_node_address(c.text);
    ASSERT_TRUE(std::holds_alternative<pools::NodeAddress>(parsed)) << c.text;
    const auto& address = std::get<pools::NodeAddress>(parsed);
    EXPECT_EQ(address.name, c.text);
    EXPECT_EQ(address.host, c.host);
    EXPECT_EQ(address.port, c.port);
    EXPECT_EQ(address.weight, 1);
  }
}

TEST(NodeAddress, RefusesWithTheReason) {
  struct Case {
    std::string text;
    std::string_view reason;
  };
  const std::vector<Case> cases = {{"", "empty"},
                                   {"db1", "port is missing"},
                                   {"db1:", "between 1 and 65535"},
                                   {"db1:0", "between 1 and 65535"},
                                   {"db1:65536", "between 1 and 65535"},
                                   {"db1:54x", "between 1 and 65535"},
                                   {"db1:-1", "between 1 and 65535"},
                                   {":5432", "host is missing"},
                                   {"[]:5432", "host is missing"},
                                   {"[::1", "closing bracket"},
                                   {"[::1]", "port is missing"},
                                   {"[::1]5432", "colon must follow"},
                                   {"[db1]:5432", "no IPv6 address in the brackets"},
                                   {"[127.0.0.1]:5432", "no IPv6 address in the brackets"},
                                   {"::1", "written in brackets"},
                                   {"::1:5432", "written in brackets"},
                                   {"fe80::1%eth0:5432", "written in brackets"},
                                   {"300.1.1.1:5432", "no IPv4 address"},
                                   {"1.2.3:5432", "no IPv4 address"},
                                   {"a,b:5432", "letters, digits"},
                                   {"a b:5432", "letters, digits"},
                                   {"postgres://a:5432", "written in brackets"},
                                   {"/a,/b:5432", "comma"},
                                   {"/a\nb:5432", "control characters"},
                                   {"/" + std::string(90, 'a') + ":5432", "too long"},
                                   {std::string(254, 'a') + ":5432", "too long"}};
  for (const Case& c : cases) {
    const auto parsed = parse_node_address(c.text);
    ASSERT_TRUE(std::holds_alternative<BadAddress>(parsed)) << c.text;
    EXPECT_THAT(std::get<BadAddress>(parsed).reason, HasSubstr(std::string(c.reason))) << c.text;
  }
}

TEST(NodeAddress, TwoSpellingsHaveOneIdentity) {
  const auto id = [](std::string_view text) {
    return identity(std::get<pools::NodeAddress>(parse_node_address(text)));
  };
  EXPECT_EQ(id("DB1:5432"), id("db1:5432"));
  EXPECT_EQ(id("[::1]:5432"), id("[0:0:0::1]:5432"));
  EXPECT_NE(id("/A:5432"), id("/a:5432"));
  EXPECT_NE(id("a:5432"), id("a:5433"));
}

}  // namespace
}  // namespace tidemark::config

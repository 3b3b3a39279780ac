#include "config/address_range.hpp"

#include <string>

#include <gmock/gmock.h>

namespace tidemark::config {
namespace {

AddressRange range(std::string_view text) {
  const auto parsed = parse_address_range(text);
  EXPECT_TRUE(std::holds_alternative<AddressRange>(parsed)) << text;
  return std::holds_alternative<AddressRange>(parsed) ? std::get<AddressRange>(parsed) : AddressRange{};
}

struct Case {
  std::string range;
  std::string address;
  bool holds;
};

class Ranges : public ::testing::TestWithParam<Case> {};

TEST_P(Ranges, HoldTheAddressesOfTheirNetwork) {
  const auto address = parse_ip_address(GetParam().address);
  ASSERT_TRUE(address);
  EXPECT_EQ(range(GetParam().range).contains(*address, false), GetParam().holds)
      << GetParam().range << ' ' << GetParam().address;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Ranges,
    ::testing::Values(Case{"10.0.0.0/8", "10.255.255.255", true}, Case{"10.0.0.0/8", "11.0.0.0", false},
                      Case{"10.0.0.0/8", "9.255.255.255", false}, Case{"10.1.2.3/8", "10.9.9.9", true},
                      Case{"10.0.0.0/9", "10.127.0.1", true}, Case{"10.0.0.0/9", "10.128.0.1", false},
                      Case{"10.0.0.128/25", "10.0.0.127", false}, Case{"10.0.0.128/25", "10.0.0.128", true},
                      Case{"10.0.0.7/31", "10.0.0.6", true}, Case{"10.0.0.7/32", "10.0.0.6", false},
                      Case{"10.0.0.7", "10.0.0.7", true}, Case{"10.0.0.7", "10.0.0.8", false},
                      Case{"0.0.0.0/0", "203.0.113.9", true}, Case{"0.0.0.0/0", "::1", false},
                      Case{"::/0", "2001:db8::1", true}, Case{"::/0", "10.0.0.1", false},
                      Case{"2001:db8::/32", "2001:db8:ffff::1", true},
                      Case{"2001:db8::/32", "2001:db9::1", false},
                      Case{"2001:db8::/33", "2001:db8:8000::", false},
                      Case{"2001:db8::1/127", "2001:db8::", true}, Case{"::1", "::1", true},
                      Case{"::1", "::2", false}, Case{"::ffff:10.0.0.0/104", "10.200.0.1", true},
                      Case{"::ffff:10.0.0.0/104", "11.0.0.1", false},
                      Case{"::ffff:10.0.0.7", "10.0.0.7", true}, Case{"all", "10.0.0.1", true},
                      Case{"all", "2001:db8::1", true}, Case{"samehost", "10.0.0.1", false}));

TEST(Range, SameHostIsWhatTheCallerSays) {
  const auto address = parse_ip_address("10.0.0.1");
  EXPECT_TRUE(range("samehost").contains(*address, true));
  EXPECT_FALSE(range("10.0.0.2").contains(*address, true));
}

TEST(Range, KnowsWhichNoOtherMachineCanBeIn) {
  for (const char* text : {"127.0.0.0/8", "127.0.0.1/32", "127.0.0.1", "127.1.0.0/16", "::1", "::1/128",
                           "samehost", "::ffff:127.0.0.1", "::ffff:127.0.0.0/104"}) {
    EXPECT_TRUE(range(text).is_this_machine_only()) << text;
  }
  for (const char* text : {"all", "127.0.0.0/7", "0.0.0.0/0", "::1/127", "::/0", "10.0.0.1", "fe80::1"}) {
    EXPECT_FALSE(range(text).is_this_machine_only()) << text;
  }
}

TEST(Range, RefusesWhatIsNone) {
  for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", "::1/129",
                           "10.0.0/8", "db1.example", ".example.com", "samenet", "10.0.0.0/255.0.0.0", "ALL",
                           "10.0.0.0/+8", "10.0.0.0/8/8"}) {
    EXPECT_TRUE(std::holds_alternative<BadRange>(parse_address_range(text))) << text;
  }
}

}  // namespace
}  // namespace tidemark::config

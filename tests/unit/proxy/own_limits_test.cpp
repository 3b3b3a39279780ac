#include "proxy/own_limits.hpp"

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using namespace std::chrono_literals;

TEST(OwnLimits, ATimeAsServersReadIt) {
  EXPECT_EQ(parse_time_setting("50"), 50ms);
  EXPECT_EQ(parse_time_setting("50ms"), 50ms);
  EXPECT_EQ(parse_time_setting(" 5 s "), 5s);
  EXPECT_EQ(parse_time_setting("1.5min"), 90s);
  EXPECT_EQ(parse_time_setting("2h"), 2h);
  EXPECT_EQ(parse_time_setting("1d"), 24h);
  EXPECT_EQ(parse_time_setting("1500us"), 2ms) << "rounded to milliseconds";
}

TEST(OwnLimits, WhatIsNoTimeIsNoLimit) {
  for (const auto* text : {"", "0", "-1", "off", "5 x", "ms", "1e300", "inf", "nan", "30d 1", "99999d"})
    EXPECT_EQ(parse_time_setting(text), 0ns) << text;
}

TEST(OwnLimits, OnlyTheTwoIdleTimesOfTheSession) {
  pools::SessionSettings settings;
  EXPECT_EQ(own_idle_limits(settings).client_idle_timeout, 0ns);
  EXPECT_EQ(own_idle_limits(settings).idle_transaction_timeout, 0ns);
  settings.set("idle_session_timeout", "50ms");
  settings.set("idle_in_transaction_session_timeout", "1min");
  settings.set("statement_timeout", "1s");
  const auto limits = own_idle_limits(settings);
  EXPECT_EQ(limits.client_idle_timeout, 50ms);
  EXPECT_EQ(limits.idle_transaction_timeout, 1min);
  EXPECT_EQ(limits.query_timeout, 0ns);
}

}  // namespace
}  // namespace tidemark::proxy

#include "proxy/secret_cache.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using namespace std::chrono_literals;
using Time = SecretCache::TimePoint;

UserSecret secret(const std::string& password) {
  const auto credential = protocol::Credential::plain(password);
  return {std::make_shared<const UserCredentials>(UserCredentials{credential, credential}), std::nullopt,
          true};
}

std::string found(SecretCache& cache, std::string_view user, Time now) {
  const auto known = cache.find(user, now);
  return known ? *known->credentials->for_servers.password() : "(nothing)";
}

constexpr Time start{1000s};

TEST(SecretCache, BelievesAnAnswerForItsTime) {
  SecretCache cache(10, 10s);
  EXPECT_EQ(found(cache, "app", start), "(nothing)");
  cache.put("app", secret("a"), start);
  EXPECT_EQ(found(cache, "app", start), "a");
  EXPECT_EQ(found(cache, "app", start + 10s - 1ns), "a");
  EXPECT_EQ(found(cache, "app", start + 10s), "(nothing)");
  EXPECT_EQ(found(cache, "web", start), "(nothing)");
  cache.put("app", secret("b"), start + 11s);
  EXPECT_EQ(found(cache, "app", start + 20s), "b");
}

TEST(SecretCache, WithoutALifetimeBelievesNothing) {
  SecretCache cache(10, 0s);
  cache.put("app", secret("a"), start);
  EXPECT_EQ(found(cache, "app", start), "(nothing)");
}

TEST(SecretCache, DropsTheOldestAnswer) {
  SecretCache cache(3, 1h);
  for (const char* user : {"a", "b", "c"}) cache.put(user, secret(user), start);
  cache.put("a", secret("a2"), start + 1s);
  cache.put("d", secret("d"), start + 2s);
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(found(cache, "a", start + 3s), "a2");
  EXPECT_EQ(found(cache, "b", start + 3s), "(nothing)");
  EXPECT_EQ(found(cache, "c", start + 3s), "c");
  EXPECT_EQ(found(cache, "d", start + 3s), "d");
  for (int i = 0; i < 1000; ++i) cache.put("user" + std::to_string(i), secret("x"), start + 4s);
  EXPECT_EQ(cache.size(), 3U);
}

TEST(SecretCache, WithoutRoomKeepsNothing) {
  SecretCache cache(0, 1h);
  cache.put("app", secret("a"), start);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(SecretCache, ADoubtfulAnswerIsAskedAnewOnce) {
  SecretCache cache(10, 1h);
  cache.put("app", secret("a"), start);
  cache.doubt("app", start + 1ms);
  EXPECT_EQ(found(cache, "app", start + 1ms), "(nothing)");
  cache.put("app", secret("b"), start + 2ms);
  EXPECT_EQ(found(cache, "app", start + 2ms), "b");
  // Whoever goes on guessing does not make every guess a question.
  cache.doubt("app", start + 1s);
  EXPECT_EQ(found(cache, "app", start + 1s), "b");
  cache.doubt("app", start + 1s + 1ms);
  EXPECT_EQ(found(cache, "app", start + 1s + 1ms), "(nothing)");
  cache.doubt("nobody", start);
}

TEST(ValidUntil, IsReadAsPostgresqlPrintsIt) {
  using std::chrono::sys_days;
  using std::chrono::year;
  const auto at = [](std::string_view text) {
    const ValidUntil parsed = parse_valid_until(text);
    EXPECT_TRUE(parsed.ok) << text;
    EXPECT_TRUE(parsed.at) << text;
    return parsed.at.value_or(std::chrono::sys_time<std::chrono::microseconds>{});
  };
  const sys_days day{year{2026} / 11 / 21};
  EXPECT_EQ(at("2026-11-21 02:03:04+00"), day + 2h + 3min + 4s);
  EXPECT_EQ(at("2026-11-21 02:03:04.5+00"), day + 2h + 3min + 4s + 500ms);
  EXPECT_EQ(at("2026-11-21 02:03:04.000123+00"), day + 2h + 3min + 4s + 123us);
  EXPECT_EQ(at("2026-11-21 00:00:00"), day);
  EXPECT_EQ(at("2026-11-21"), day);
  EXPECT_EQ(at("1999-12-31 23:59:59+00"), sys_days{year{1999} / 12 / 31} + 23h + 59min + 59s);
  EXPECT_LT(at("-infinity"), sys_days{year{1000} / 1 / 1});
  EXPECT_LT(at("0044-03-15 00:00:00+00 BC"), sys_days{year{1000} / 1 / 1});
  EXPECT_TRUE(parse_valid_until("infinity").ok);
  EXPECT_FALSE(parse_valid_until("infinity").at);
  EXPECT_TRUE(parse_valid_until("294276-12-31 23:59:59+00").ok);
  EXPECT_FALSE(parse_valid_until("294276-12-31 23:59:59+00").at);
}

TEST(ValidUntil, IsComparedAlsoWhereNanosecondsWouldOverflow) {
  const std::chrono::system_clock::time_point now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};
  const auto expired = [&](std::string_view text) {
    UserSecret some = secret("a");
    some.valid_until = parse_valid_until(text).at;
    return is_expired(some, now);
  };
  for (const char* text :
       {"-infinity", "0001-01-01 00:00:00+00", "1677-01-01 00:00:00+00", "2026-11-20", "2026-11-21"})
    EXPECT_TRUE(expired(text)) << text;
  for (const char* text : {"2026-11-21 00:00:00.000001+00", "2262-12-31", "2400-01-01", "2900-01-01",
                           "9999-12-31", "32767-12-31", "294276-12-31", "infinity"})
    EXPECT_FALSE(expired(text)) << text;
}

TEST(ValidUntil, IsNothingElse) {
  for (const char* text :
       {"", "tomorrow", "2026", "2026-11", "2026-13-01 00:00:00+00", "2026-02-30 00:00:00+00",
        "2026-11-21 02:03", "2026-11-21 02:03:04+01", "2026-11-21 02:03:04+00:30", "2026-11-21 25:00:00+00",
        "2026-11-21 02:61:00+00", "2026-11-21 02:03:04.+00", "2026-11-21 02:03:04.1234567+00", "-2026-11-21",
        "2026-11-21 02:03:04+00 AD", "21.11.2026 02:03:04", "Sat Nov 21 02:03:04 2026 UTC", "t", "1"}) {
    EXPECT_FALSE(parse_valid_until(text).ok) << text;
  }
}

}  // namespace
}  // namespace tidemark::proxy

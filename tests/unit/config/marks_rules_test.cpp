#include "config/marks_rules.hpp"

#include <string>

#include <gmock/gmock.h>

#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Marks, OutliveTheLagOfAReplica) {
  const std::string forgotten = "): a mark would be forgotten that a replica still lacks";
  EXPECT_THAT(
      problems_behind_minimum("marks.ttl = \"9s\"\n"),
      ElementsAre("t.toml:4:13: error: \"marks.ttl\" (9s) must not be less than \"routing.max_lag\" (10s" +
                  forgotten));
  EXPECT_THAT(problems_behind_minimum("routing.max_lag = \"20min\"\n"), IsEmpty())
      << "what is not asked for is as long as it has to be";
  EXPECT_THAT(problems_behind_minimum("marks.ttl = \"10s\"\n"), IsEmpty());
  EXPECT_THAT(problems_behind_minimum("marks.ttl = \"20min\"\nrouting.max_lag = \"20min\"\n"), IsEmpty());
}

TEST(Marks, OfAWrongTypeAreReportedOnce) {
  EXPECT_THAT(
      problems_behind_minimum("marks.ttl = 9\n"),
      ElementsAre("t.toml:4:13: error: \"marks.ttl\" must be a duration with its unit, such as \"5ms\", "
                  "found an integer"));
  EXPECT_THAT(problems_behind_minimum("marks = 9\nrouting.max_lag = \"20min\"\n"),
              ElementsAre("t.toml:4:9: error: \"marks\" must be a table, found an integer"));
  EXPECT_THAT(
      problems_behind_minimum("marks.store = \"disk\"\nmarks.redis_user = \"a\"\n"),
      ElementsAre("t.toml:4:15: error: unknown value \"disk\" for \"marks.store\"; allowed: \"redis\", "
                  "\"memory\""));
}

TEST(Marks, InRedisNeedAnAddressThatIsOne) {
  const auto problem = [](const std::string& address) {
    return problems_behind_minimum("marks.store = \"redis\"\nmarks.redis = \"" + address + "\"\n");
  };
  EXPECT_THAT(problem("redis.example:6379"), IsEmpty());
  EXPECT_THAT(problem("[::1]:6379"), IsEmpty());
  EXPECT_THAT(problem("redis.example"),
              ElementsAre("t.toml:5:15: error: \"marks.redis\" \"redis.example\": the port is missing, as in "
                          "\"host:5432\""));
  EXPECT_THAT(problem("/run/redis:6379"),
              ElementsAre("t.toml:5:15: error: \"marks.redis\" \"/run/redis:6379\": it must be a host and a "
                          "port, as in \"127.0.0.1:6379\""));
}

TEST(Marks, InRedisNeedAPasswordForTheirUser) {
  EXPECT_THAT(problems_behind_minimum("[marks]\nstore = \"redis\"\nredis_user = \"a\"\n"),
              ElementsAre("t.toml:6:1: error: \"marks.redis_user\" needs \"marks.redis_password_file\""));
}

TEST(Marks, InMemoryMakeNoUseOfRedis) {
  const auto warning = [](const std::string& key) {
    return "warning: \"marks." + key + "\" has no effect: \"marks.store\" is \"memory\"";
  };
  EXPECT_THAT(
      problems_behind_minimum("[marks]\nredis = \"a:1\"\nredis_user = \"a\"\nredis_password_file = \"x\"\n"
                              "redis_database = 1\nredis_timeout = \"1s\"\nredis_prefix = \"a\"\n"),
      ElementsAre("t.toml:5:1: " + warning("redis"), "t.toml:6:1: " + warning("redis_user"),
                  "t.toml:7:1: " + warning("redis_password_file"), "t.toml:8:1: " + warning("redis_database"),
                  "t.toml:9:1: " + warning("redis_timeout"), "t.toml:10:1: " + warning("redis_prefix")));
}

}  // namespace
}  // namespace tidemark::config

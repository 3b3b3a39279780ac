#include "proxy/limits.hpp"

#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "config/schema.hpp"

namespace tidemark::proxy {
namespace {

using namespace std::chrono_literals;
using pools::Hold;

constexpr LimitSubject kSubject{.user = "app", .database = "shop", .node = "db1:5432"};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(LimitsTest, EveryLimitIsAKeyOfTheConfiguration) {
  std::set<std::string_view> keys;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Limit::count); ++i) {
    const auto limit = static_cast<Limit>(i);
    EXPECT_NE(config::main_schema().find(key_of(limit)), nullptr) << key_of(limit);
    EXPECT_TRUE(keys.insert(key_of(limit)).second) << key_of(limit);
    EXPECT_TRUE(text_of(limit, {}).starts_with(std::string(key_of(limit)) + " = "));
  }
}

TEST(LimitsTest, EachClientsLimitHasItsOwnTextAndCode) {
  config::Config config;
  config.pool.max_user_client_connections = 7;
  config.pool.max_database_client_connections = 8;
  config.pool.idle_transaction_timeout = 3s;
  config.pool.client_idle_timeout = 4s;
  config.pool.query_timeout = 1500ms;
  config.pool.max_client_statements = 9;
  config.pool.max_client_statement_memory = 2048;
  config.cluster.max_held_statements = 10;
  config.cluster.max_held_memory = 11 * 1024 * 1024;
  struct Case {
    Limit limit;
    std::string_view code, message, detail;
  };
  const Case cases[] = {
      {Limit::clients, "53300", "sorry, too many clients already", "pool.max_client_connections = 10000"},
      {Limit::user_clients, "53300", "too many connections for role \"app\"",
       "pool.max_user_client_connections = 7"},
      {Limit::database_clients, "53300", "too many connections for database \"shop\"",
       "pool.max_database_client_connections = 8"},
      {Limit::login_timeout, "57014", "canceling authentication due to timeout", "auth.timeout = 1min"},
      {Limit::query_timeout, "57014", "canceling statement due to query timeout",
       "pool.query_timeout = 1500ms"},
      {Limit::idle_transaction_timeout, "25P03", "terminating connection due to idle-in-transaction timeout",
       "pool.idle_transaction_timeout = 3s"},
      {Limit::client_idle_timeout, "57P05", "terminating connection due to idle-session timeout",
       "pool.client_idle_timeout = 4s"},
      {Limit::client_statements, "54000", "too many prepared statements", "pool.max_client_statements = 9"},
      {Limit::client_statement_memory, "54000", "the prepared statements take too much memory",
       "pool.max_client_statement_memory = 2kB"},
      {Limit::held_statements, "53300",
       "no primary server is available, and too many statements wait for one",
       "cluster.max_held_statements = 10"},
      {Limit::held_memory, "53200",
       "no primary server is available, and the statements that wait for one take too much memory",
       "cluster.max_held_memory = 11MB"},
  };
  for (const auto& [limit, code, message, detail] : cases) {
    const ClientError error = limit_error(limit, config, kSubject);
    EXPECT_EQ(error.code.text(), code);
    EXPECT_EQ(error.message, message);
    EXPECT_TRUE(contains(error.detail, detail)) << error.detail;
  }
}

TEST(LimitsTest, AQueueThatTookTooLongNamesTheLimitThatWasReached) {
  config::Config config;
  config.pool.max_user_server_connections = 5;
  config.pool.max_database_server_connections = 6;
  struct Case {
    Hold hold;
    std::string_view limit, whose;
  };
  const Case cases[] = {
      {Hold::pool_full, "pool.size = 20", "of user \"app\" to database \"shop\" at node db1:5432"},
      {Hold::node_full, "pool.max_server_connections = 200", "to node db1:5432"},
      {Hold::user_full, "pool.max_user_server_connections = 5", "of user \"app\" at node db1:5432"},
      {Hold::database_full, "pool.max_database_server_connections = 6",
       "to database \"shop\" at node db1:5432"},
  };
  for (const auto& [hold, limit, whose] : cases) {
    const ClientError error = queue_error(hold, "an old failure", config, kSubject);
    EXPECT_EQ(error.code.text(), "53300");
    EXPECT_EQ(error.message, "no server connection became free within pool.queue_timeout = 10s");
    EXPECT_TRUE(contains(error.detail, limit)) << error.detail;
    EXPECT_TRUE(contains(error.detail, whose)) << error.detail;
    EXPECT_FALSE(contains(error.detail, "failure"));
    EXPECT_TRUE(contains(error.hint, "not executed"));
    const ClientError notice = queue_notice(hold, {.waited = 2s, .before = 3}, config, kSubject);
    EXPECT_TRUE(contains(notice.detail, limit)) << notice.detail;
    EXPECT_TRUE(contains(notice.detail, "3 clients are before this one")) << notice.detail;
  }
}

TEST(LimitsTest, AQueueThatNoLimitHeldUpSaysWhatDid) {
  const config::Config config;
  EXPECT_TRUE(contains(queue_error(Hold::connecting, {}, config, kSubject).detail, "db1:5432"));
  EXPECT_TRUE(contains(queue_error(Hold::connecting, "too many clients", config, kSubject).detail,
                       "too many clients"));
  EXPECT_TRUE(contains(queue_error(Hold::refused, "too many clients", config, kSubject).detail,
                       "lastly with: too many clients"));
  EXPECT_EQ(limit_of(Hold::refused), Limit::queue_timeout);
}

TEST(LimitsTest, NoticesAreTimesThatAPersonReads) {
  const config::Config config;
  const auto message = [&](std::chrono::nanoseconds waited) {
    return queue_notice(Hold::pool_full, {.waited = waited, .before = 1}, config, kSubject).message;
  };
  EXPECT_EQ(message(1234567891ns), "waiting for a server connection since 1s");
  EXPECT_EQ(message(212345678ns), "waiting for a server connection since 212ms");
  EXPECT_TRUE(contains(queue_notice(Hold::pool_full, {.waited = 1s, .before = 1}, config, kSubject).detail,
                       "1 client is before this one"));
  const ClientError primary = primary_notice(4500ms, Failure::no_primary, config);
  EXPECT_EQ(primary.message, "waiting for a primary server since 4s");
  EXPECT_EQ(primary.code.text(), "57P03");
  EXPECT_TRUE(contains(primary.hint, "cluster.failover_hold = 30s"));
}

TEST(LimitsTest, NoticesComeAtDistancesThatDouble) {
  EXPECT_EQ(notices_due(0s, 1s), 0U);
  EXPECT_EQ(notices_due(-5s, 1s), 0U);
  EXPECT_EQ(notices_due(999ms, 1s), 0U);
  EXPECT_EQ(notices_due(1s, 1s), 1U);
  EXPECT_EQ(notices_due(2999ms, 1s), 1U);
  EXPECT_EQ(notices_due(3s, 1s), 2U);
  EXPECT_EQ(notices_due(6999ms, 1s), 2U);
  EXPECT_EQ(notices_due(7s, 1s), 3U);
  EXPECT_EQ(notices_due(15s, 1s), 4U);
  EXPECT_EQ(notices_due(1h, 0s), 0U) << "switched off";
}

}  // namespace
}  // namespace tidemark::proxy

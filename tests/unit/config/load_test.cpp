#include "config/load.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include <gmock/gmock.h>

#include "config/schema.hpp"
#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

const std::filesystem::path room = std::filesystem::path(TIDEMARK_SOURCE_DIR) / "config";

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!Printable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);

/// A folder of its own, gone with the test.
class OnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tidemark_config_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const std::string& text, std::filesystem::perms mode) {
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path) << text;
    std::filesystem::permissions(path, mode);
    return path;
  }

  static constexpr auto private_mode =
      std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;
  static constexpr auto open_mode = private_mode | std::filesystem::perms::others_read;
  std::filesystem::path folder_;
};

TEST(Load, TheMinimumGetsTheDefaults) {
  const LoadResult result = load(minimum);
  EXPECT_THAT(lines_of(result), IsEmpty());
  ASSERT_TRUE(result.config);
  const Config& config = *result.config;
  EXPECT_EQ(config.listen.address, "127.0.0.1");
  EXPECT_EQ(config.listen.port, 6432);
  EXPECT_TRUE(config.http.enabled);
  EXPECT_EQ(config.http.address, "127.0.0.1");
  EXPECT_EQ(config.http.port, 9432);
  EXPECT_EQ(config.auth.method, AuthMethod::trust);
  EXPECT_TRUE(config.auth.users_file.empty());
  EXPECT_THAT(config.users, IsEmpty());
  ASSERT_EQ(config.cluster.nodes.size(), 1U);
  EXPECT_EQ(config.cluster.nodes[0].name, "a:5432");
  EXPECT_EQ(config.cluster.monitor_user, "tidemark");
  EXPECT_FALSE(config.cluster.monitor_password);
  EXPECT_EQ(config.cluster.monitor_database, "postgres");
  EXPECT_EQ(config.cluster.probe_interval, 200ms);
  EXPECT_EQ(config.cluster.probe_timeout, 1s);
  EXPECT_EQ(config.cluster.failover_hold, 30s);
  EXPECT_EQ(config.cluster.position_interval, 1ms);
  EXPECT_EQ(config.pool.size, 20U);
  EXPECT_EQ(config.pool.max_server_connections, 200U);
  EXPECT_EQ(config.pool.max_client_connections, 10'000U);
  EXPECT_EQ(config.pool.queue_timeout, 10s);
  EXPECT_EQ(config.pool.connect_timeout, 5s);
  EXPECT_EQ(config.pool.server_idle_timeout, 10min);
  EXPECT_EQ(config.pool.server_lifetime, 1h);
  EXPECT_EQ(config.pool.max_prepared_statements, 200U);
  EXPECT_EQ(config.routing.consistency, routing::ConsistencyLevel::session);
  EXPECT_EQ(config.routing.max_lag, 10s);
  EXPECT_EQ(config.routing.replica_wait, 5ms);
  EXPECT_EQ(config.routing.position_interval, 1ms);
  EXPECT_EQ(config.routing.fallback, routing::Fallback::primary);
  EXPECT_EQ(config.routing.load_balance, routing::LoadBalance::pinned);
  EXPECT_EQ(config.routing.observation_max_age, 1s);
  EXPECT_EQ(config.routing.max_staleness, (routing::StalenessBound{1s, std::nullopt}));
  EXPECT_THAT(config.routing.rules, IsEmpty());
  EXPECT_EQ(config.on_lost_write, OnLostWrite::error);
  EXPECT_FALSE(config.lossless_failover);
  EXPECT_EQ(config.marks.store, MarkStore::memory);
  EXPECT_EQ(config.marks.ttl, 10min);
  EXPECT_EQ(config.marks.kept_for, 10min + 1s);
  EXPECT_EQ(config.marks.max_users, 100'000U);
  EXPECT_EQ(config.marks.redis_host, "127.0.0.1");
  EXPECT_EQ(config.marks.redis_port, 6379);
  EXPECT_EQ(config.marks.redis_user, "");
  EXPECT_FALSE(config.marks.redis_password);
  EXPECT_EQ(config.marks.redis_database, 0U);
  EXPECT_EQ(config.marks.redis_timeout, 50ms);
  EXPECT_EQ(config.marks.redis_prefix, "tidemark");
  EXPECT_EQ(config.workers.threads, 0U);
  EXPECT_EQ(config.log.level, LogLevel::info);
}

TEST(Load, EveryKeyReachesItsField) {
  const LoadResult result = load(
      "[listen]\naddress = \"::1\"\nport = 1\ntls.mode = \"disable\"\n"
      "[http]\nenabled = false\naddress = \"127.0.0.3\"\nport = 2\n"
      "[auth]\nmethod = \"scram-sha-256\"\nusers_file = \"u.toml\"\n"
      "[cluster]\nnodes = [\"a:1\", \"[::1]:2\"]\nmonitor_user = \"m\"\nmonitor_password_file = \"pw\"\n"
      "monitor_database = \"d\"\nprobe_interval = \"3s\"\nprobe_timeout = \"4s\"\nfailover_hold = \"5s\"\n"
      "on_lost_write = \"ignore\"\nlossless_failover = true\nmax_held_statements = 43\nflap_losses = "
      "48\nmax_held_memory = \"44MB\"\n"
      "[cluster.server_tls]\nmode = \"disable\"\n[cluster.discovery]\ntype = \"static\"\n"
      "[[cluster.node]]\naddress = \"[0::1]:2\"\nweight = 9\n"
      "[pool]\nmode = \"transaction\"\nsize = 11\nmax_server_connections = 12\nmax_client_connections = 13\n"
      "queue_timeout = \"14s\"\nconnect_timeout = \"15s\"\nserver_idle_timeout = \"16s\"\nserver_lifetime = "
      "\"17s\"\n"
      "max_client_statements = 41\nmax_client_statement_memory = \"42kB\"\nmax_prepared_statements = "
      "18\nmax_user_server_connections = 31\nmax_database_server_connections = 32\n"
      "max_user_client_connections = 33\nmax_database_client_connections = 34\nqueue_notice = \"35s\"\n"
      "query_timeout = \"36s\"\nidle_transaction_timeout = \"37s\"\nclient_idle_timeout = \"38s\"\n"
      "[replay]\ntransactions = true\nmax_size = \"45kB\"\nmax_attempts = 46\ntimeout = \"47s\"\n"
      "[routing]\nconsistency = \"read_your_writes\"\nmax_lag = \"19s\"\nreplica_wait = \"20ms\"\n"
      "position_interval = \"21ms\"\nfallback = \"wait\"\nload_balance = \"pinned\"\n"
      "max_staleness = \"18s\"\nmax_staleness_bytes = \"43kB\"\n"
      "[marks]\nstore = \"redis\"\nttl = \"44s\"\nmax_users = 45\nredis = \"[::1]:46\"\n"
      "redis_user = \"r\"\nredis_password_file = \"rpw\"\nredis_database = 7\nredis_timeout = "
      "\"48ms\"\nredis_prefix = \"p\"\n"
      "[workers]\nthreads = 22\n[log]\nlevel = \"warning\"\n",
      {{"/etc/tidemark/u.toml", file_with("[[user]]\nname = \"app\"\npassword = \"x\"\n")},
       {"/etc/tidemark/pw", file_with("s3cret\n")},
       {"/etc/tidemark/rpw", file_with("r3dis\n")}});
  EXPECT_THAT(lines_of(result), IsEmpty());
  ASSERT_TRUE(result.config);
  const Config& config = *result.config;
  EXPECT_EQ(config.listen.address, "::1");
  EXPECT_EQ(config.listen.port, 1);
  EXPECT_FALSE(config.http.enabled);
  EXPECT_EQ(config.http.address, "127.0.0.3");
  EXPECT_EQ(config.http.port, 2);
  EXPECT_EQ(config.auth.method, AuthMethod::scram_sha_256);
  EXPECT_EQ(config.auth.users_file, "/etc/tidemark/u.toml");
  ASSERT_EQ(config.users.size(), 1U);
  EXPECT_EQ(config.users[0].name, "app");
  ASSERT_EQ(config.cluster.nodes.size(), 2U);
  EXPECT_EQ(config.cluster.nodes[0].weight, 1);
  EXPECT_EQ(config.cluster.nodes[1].name, "[::1]:2");
  EXPECT_EQ(config.cluster.nodes[1].host, "::1");
  EXPECT_EQ(config.cluster.nodes[1].weight, 9);
  EXPECT_EQ(config.cluster.monitor_user, "m");
  EXPECT_EQ(config.cluster.monitor_password, "s3cret");
  EXPECT_EQ(config.cluster.monitor_database, "d");
  EXPECT_EQ(config.cluster.probe_interval, 3s);
  EXPECT_EQ(config.cluster.probe_timeout, 4s);
  EXPECT_EQ(config.cluster.failover_hold, 5s);
  EXPECT_EQ(config.cluster.max_held_statements, 43U);
  EXPECT_EQ(config.cluster.flap_losses, 48U);
  EXPECT_EQ(config.cluster.max_held_memory, 44 * 1024 * 1024);
  EXPECT_TRUE(config.routing.replay);
  EXPECT_EQ(config.replay.max_size, 45 * 1024);
  EXPECT_EQ(config.replay.max_attempts, 46U);
  EXPECT_EQ(config.replay.timeout, 47s);
  EXPECT_EQ(config.pool.size, 11U);
  EXPECT_EQ(config.pool.max_server_connections, 12U);
  EXPECT_EQ(config.pool.max_client_connections, 13U);
  EXPECT_EQ(config.pool.queue_timeout, 14s);
  EXPECT_EQ(config.pool.connect_timeout, 15s);
  EXPECT_EQ(config.pool.server_idle_timeout, 16s);
  EXPECT_EQ(config.pool.server_lifetime, 17s);
  EXPECT_EQ(config.pool.max_client_statements, 41U);
  EXPECT_EQ(config.pool.max_client_statement_memory, 42 * 1024);
  EXPECT_EQ(config.pool.max_prepared_statements, 18U);
  EXPECT_EQ(config.pool.max_user_server_connections, 31U);
  EXPECT_EQ(config.pool.max_database_server_connections, 32U);
  EXPECT_EQ(config.pool.max_user_client_connections, 33U);
  EXPECT_EQ(config.pool.max_database_client_connections, 34U);
  EXPECT_EQ(config.pool.queue_notice, 35s);
  EXPECT_EQ(config.pool.query_timeout, 36s);
  EXPECT_EQ(config.pool.idle_transaction_timeout, 37s);
  EXPECT_EQ(config.pool.client_idle_timeout, 38s);
  EXPECT_EQ(config.routing.consistency, routing::ConsistencyLevel::read_your_writes);
  EXPECT_EQ(config.routing.max_lag, 19s);
  EXPECT_EQ(config.routing.replica_wait, 20ms);
  EXPECT_EQ(config.routing.position_interval, 21ms);
  EXPECT_EQ(config.cluster.position_interval, 21ms);
  EXPECT_EQ(config.cluster.max_lag, 19s);
  EXPECT_EQ(config.routing.observation_max_age, 15s);
  EXPECT_EQ(config.routing.fallback, routing::Fallback::wait);
  EXPECT_EQ(config.routing.max_staleness, (routing::StalenessBound{18s, 43 * 1024}));
  EXPECT_EQ(config.on_lost_write, OnLostWrite::ignore);
  EXPECT_TRUE(config.lossless_failover);
  EXPECT_EQ(config.marks.store, MarkStore::redis);
  EXPECT_EQ(config.marks.ttl, 44s);
  EXPECT_EQ(config.marks.kept_for, 44s + 15s);
  EXPECT_EQ(config.marks.max_users, 45U);
  EXPECT_EQ(config.marks.redis_host, "::1");
  EXPECT_EQ(config.marks.redis_port, 46);
  EXPECT_EQ(config.marks.redis_user, "r");
  ASSERT_TRUE(config.marks.redis_password);
  EXPECT_EQ(config.marks.redis_password->reveal(), "r3dis");
  EXPECT_EQ(config.marks.redis_database, 7U);
  EXPECT_EQ(config.marks.redis_timeout, 48ms);
  EXPECT_EQ(config.marks.redis_prefix, "p");
  EXPECT_EQ(config.workers.threads, 22U);
  EXPECT_EQ(config.log.level, LogLevel::warning);
}

TEST(Load, EverySupportedChoiceIsAccepted) {
  for (const Key& key : main_schema().keys) {
    for (const Choice& choice : key.choices) {
      if (!choice.supported || key.path == "auth.method" || key.path.starts_with("auth.rule.") ||
          key.path.starts_with("routing.rule.") || key.path.starts_with("cluster.discovery."))
        continue;
      if (key.path.ends_with("tls.mode") && choice.text != "disable") continue;  // they need certificates
      const auto problems =
          problems_behind_minimum(std::string(key.path) + " = \"" + std::string(choice.text) + "\"\n");
      for (const std::string& problem : problems) EXPECT_THAT(problem, Not(HasSubstr("error")));
    }
  }
  for (const std::string_view level : {"eventual", "bounded_staleness", "monotonic_reads", "read_your_writes",
                                       "session", "strong", "primary"}) {
    const LoadResult result =
        load(std::string(minimum) + "routing.consistency = \"" + std::string(level) + "\"\n");
    ASSERT_TRUE(result.config) << level;
    EXPECT_EQ(routing::to_string(result.config->routing.consistency), level);
  }
}

TEST(Load, TheSchemasDefaultsAreTheStructsDefaults) {
  const auto print = [](const Config& c) {
    std::string text = c.listen.address + ' ' + c.http.address + ' ' + c.cluster.monitor_user + ' ' +
                       c.cluster.monitor_database + ' ' + c.marks.redis_host + ' ' + c.marks.redis_user +
                       ' ' + c.marks.redis_prefix;
    for (const std::int64_t n : {std::int64_t{c.listen.port},
                                 std::int64_t{c.http.port},
                                 std::int64_t{c.http.enabled},
                                 std::int64_t{c.pool.size},
                                 std::int64_t{c.pool.max_server_connections},
                                 std::int64_t{c.pool.max_client_connections},
                                 std::int64_t{c.pool.max_prepared_statements},
                                 std::int64_t{c.pool.max_client_statements},
                                 c.pool.max_client_statement_memory,
                                 std::int64_t{c.pool.max_user_server_connections},
                                 std::int64_t{c.pool.max_database_server_connections},
                                 std::int64_t{c.pool.max_user_client_connections},
                                 std::int64_t{c.pool.max_database_client_connections},
                                 c.pool.queue_notice.count(),
                                 c.pool.query_timeout.count(),
                                 c.pool.idle_transaction_timeout.count(),
                                 c.pool.client_idle_timeout.count(),
                                 c.pool.queue_timeout.count(),
                                 c.pool.connect_timeout.count(),
                                 c.pool.server_idle_timeout.count(),
                                 c.pool.server_lifetime.count(),
                                 c.cluster.probe_interval.count(),
                                 c.cluster.probe_timeout.count(),
                                 c.cluster.failover_hold.count(),
                                 std::int64_t{c.cluster.max_held_statements},
                                 std::int64_t{c.cluster.flap_losses},
                                 c.cluster.max_held_memory,
                                 std::int64_t{c.routing.replay},
                                 c.replay.max_size,
                                 std::int64_t{c.replay.max_attempts},
                                 c.replay.timeout.count(),
                                 c.cluster.position_interval.count(),
                                 c.auth.query.timeout.count(),
                                 c.auth.query_cache.count(),
                                 std::int64_t{c.auth.query_cache_size},
                                 c.routing.max_lag.count(),
                                 c.routing.replica_wait.count(),
                                 c.routing.position_interval.count(),
                                 c.routing.observation_max_age.count(),
                                 c.routing.max_staleness.time.count(),
                                 static_cast<std::int64_t>(c.on_lost_write),
                                 std::int64_t{c.lossless_failover},
                                 static_cast<std::int64_t>(c.marks.store),
                                 c.marks.ttl.count(),
                                 c.marks.kept_for.count(),
                                 std::int64_t{c.marks.max_users},
                                 std::int64_t{c.marks.redis_port},
                                 std::int64_t{c.marks.redis_database},
                                 c.marks.redis_timeout.count(),
                                 std::int64_t{c.workers.threads},
                                 static_cast<std::int64_t>(c.log.level),
                                 static_cast<std::int64_t>(c.routing.consistency),
                                 static_cast<std::int64_t>(c.routing.fallback)}) {
      text += ' ' + std::to_string(n);
    }
    return text;
  };
  std::string text(minimum);
  for (const Key& key : main_schema().keys) {
    if (key.default_text.empty() || key.path == "auth.method" || key.path.starts_with("cluster.node.") ||
        key.path.starts_with("cluster.discovery.") || key.path.starts_with("auth.rule."))
      continue;
    text += std::string(key.path) + " = " + std::string(key.default_text) + '\n';
  }
  const LoadResult spelt_out = load(text);
  const LoadResult silent = load(minimum);
  ASSERT_TRUE(spelt_out.config) << ::testing::PrintToString(lines_of(spelt_out));
  ASSERT_TRUE(silent.config);
  EXPECT_EQ(print(*spelt_out.config), print(*silent.config));
  EXPECT_EQ(AuthSettings{}.method, AuthMethod::scram_sha_256);
}

TEST(Load, FilesThatAreNamedAndMissingAreErrors) {
  EXPECT_THAT(
      lines_of(
          load("cluster.nodes = [\"a:1\"]\nauth.users_file = \"u.toml\"\ncluster.monitor_password_file = "
               "\"/run/pw\"\n")),
      ElementsAre("t.toml:2:19: error: cannot read \"/etc/tidemark/u.toml\": No such file or directory",
                  "t.toml:3:33: error: cannot read \"/run/pw\": No such file or directory"));
}

TEST(Load, FilesThatEverybodyMayReadAreWarnedOf) {
  const LoadResult result = load(
      "cluster.nodes = [\"a:1\"]\nauth.users_file = \"u.toml\"\ncluster.monitor_password_file = \"pw\"\n",
      {{"/etc/tidemark/u.toml", {"[[user]]\nname = \"a\"\npassword = \"hunter2\"\n", "", true}},
       {"/etc/tidemark/pw", {"hunter3", "", true}}});
  EXPECT_TRUE(result.config);
  EXPECT_THAT(lines_of(result),
              ElementsAre(HasSubstr("t.toml:2:19: warning: \"/etc/tidemark/u.toml\" holds secrets"),
                          HasSubstr("t.toml:3:33: warning: \"/etc/tidemark/pw\" holds secrets")));
}

TEST(Load, ProblemsOfTheUsersFileCarryItsName) {
  EXPECT_THAT(
      lines_of(
          load("bad = 1\ncluster.nodes = [\"a:1\"]\nauth.users_file = \"u.toml\"\n",
               {{"/etc/tidemark/u.toml", file_with("[[user]]\nnaem = \"a\"\npassword = \"hunter2\"\n")}})),
      ElementsAre("t.toml:1:1: error: unknown key \"bad\"",
                  "/etc/tidemark/u.toml:1:1: error: \"user.name\" is missing",
                  "/etc/tidemark/u.toml:2:1: error: unknown key \"user.naem\"; did you mean \"user.name\"?"));
}

TEST(MonitorPassword, LosesOneLineEndOnly) {
  const auto password = [](const std::string& content) {
    const LoadResult result = load(std::string(minimum) + "cluster.monitor_password_file = \"pw\"\n",
                                   {{"/etc/tidemark/pw", file_with(content)}});
    return result.config ? result.config->cluster.monitor_password : std::nullopt;
  };
  EXPECT_EQ(password("a b "), "a b ");
  EXPECT_EQ(password("s3cret\n"), "s3cret");
  EXPECT_EQ(password("s3cret\r\n"), "s3cret");
  EXPECT_EQ(password("s3cret\n\n"), std::nullopt);
  EXPECT_EQ(password("s3cret\nmore\n"), std::nullopt);
  EXPECT_EQ(password("\n"), std::nullopt);
  EXPECT_EQ(password(""), std::nullopt);
}

TEST(RedisPassword, IsReadWhereRedisIsUsedAndNeverShown) {
  const std::string marks = std::string(minimum) + "[marks]\nredis_password_file = \"rpw\"\n";
  const LoadResult unused = load(marks, {});
  ASSERT_TRUE(unused.config);
  EXPECT_FALSE(unused.config->marks.redis_password);
  EXPECT_THAT(
      lines_of(load(marks + "store = \"redis\"\n", {})),
      ElementsAre("t.toml:5:23: error: cannot read \"/etc/tidemark/rpw\": No such file or directory"));
  EXPECT_THAT(
      lines_of(load(marks + "store = \"redis\"\n", {{"/etc/tidemark/rpw", file_with("hunter2\nhunter2\n")}})),
      ElementsAre("t.toml:5:23: error: \"/etc/tidemark/rpw\" holds more than one line: it should hold the "
                  "password for Redis alone"));
}

TEST(MonitorPassword, IsNeverShown) {
  for (const char* content : {"hunter2\nhunter2\n", "hunter2\x01"}) {
    const LoadResult result = load(std::string(minimum) + "cluster.monitor_password_file = \"pw\"\n",
                                   {{"/etc/tidemark/pw", file_with(content)}});
    EXPECT_FALSE(result.config);
    for (const std::string& line : lines_of(result)) EXPECT_THAT(line, Not(HasSubstr("hunter2")));
  }
  for (const std::string& line : problems_behind_minimum("cluster.monitor_password = \"hunter2\"\n")) {
    EXPECT_THAT(line, Not(HasSubstr("hunter2")));
  }
}

TEST_F(OnDisk, PathsAreRelativeToTheConfigurationsFolder) {
  write("u.toml", "[[user]]\nname = \"app\"\npassword = \"x\"\n", private_mode);
  const auto path =
      write("t.toml", "cluster.nodes = [\"a:1\"]\nauth.users_file = \"u.toml\"\n", private_mode);
  const LoadResult result = load_file(path);
  EXPECT_THAT(lines_of(result), IsEmpty());
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->auth.users_file, folder_ / "u.toml");
}

TEST_F(OnDisk, ModesAreSeen) {
  EXPECT_FALSE(read_disk_file(write("a", "", private_mode)).others_may_read);
  EXPECT_TRUE(read_disk_file(write("b", "", open_mode)).others_may_read);
}

TEST_F(OnDisk, WhatCannotBeReadIsAClearError) {
  const std::string missing = (folder_ / "none.toml").string();
  EXPECT_THAT(lines_of(load_file(missing)),
              ElementsAre(missing + ": error: cannot read this file: No such file or directory"));
  EXPECT_THAT(lines_of(load_file(folder_)),
              ElementsAre(folder_.string() + ": error: cannot read this file: it is a directory"));
  EXPECT_THAT(lines_of(load_file("/dev/zero")),
              ElementsAre("/dev/zero: error: cannot read this file: it is not a regular file"));
  write("big.toml", "", private_mode);
  std::filesystem::resize_file(folder_ / "big.toml", (16U << 20U) + 1);
  EXPECT_THAT(lines_of(load_file(folder_ / "big.toml")), ElementsAre(HasSubstr("larger than 16 MiB")));
}

TEST_F(OnDisk, TheExampleLoadsWithoutAnyProblem) {
  for (const auto& [from, to] :
       {std::pair("tidemark.example.toml", "tidemark.toml"), std::pair("users.example.toml", "users.toml")}) {
    std::filesystem::copy_file(room / from, folder_ / to);
    std::filesystem::permissions(folder_ / to, private_mode);
  }
  const LoadResult result = load_file(folder_ / "tidemark.toml");
  EXPECT_THAT(lines_of(result), IsEmpty());
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->cluster.nodes.size(), 3U);
}

}  // namespace
}  // namespace tidemark::config

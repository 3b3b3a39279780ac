#include "config/schema.hpp"

#include <algorithm>
#include <array>

namespace tidemark::config {
namespace {

constexpr std::int64_t us = 1'000;
constexpr std::int64_t ms = 1'000 * us;
constexpr std::int64_t s = 1'000 * ms;
constexpr std::int64_t min = 60 * s;
constexpr std::int64_t h = 60 * min;

constexpr std::int64_t longest_name = 63;  // NAMEDATALEN - 1, as PostgreSQL is built by default
constexpr std::int64_t longest_path = 4095;
constexpr std::int64_t longest_address = 45;  // INET6_ADDRSTRLEN - 1
constexpr std::int64_t longest_secret = 1024;

constexpr auto listen_tls_modes =
    std::to_array<Choice>({{"disable"}, {"allow", false}, {"require", false}, {"verify-full", false}});
constexpr auto server_tls_modes = std::to_array<Choice>({{"disable"},
                                                         {"allow", false},
                                                         {"prefer", false},
                                                         {"require", false},
                                                         {"verify-ca", false},
                                                         {"verify-full", false}});
constexpr auto auth_methods =
    std::to_array<Choice>({{"scram-sha-256"}, {"trust"}, {"md5", false}, {"cert", false}});
constexpr auto lost_write_choices = std::to_array<Choice>({{"error"}, {"warn"}, {"ignore"}});
constexpr auto discovery_types =
    std::to_array<Choice>({{"static"}, {"patroni", false}, {"pg_auto_failover", false}});
constexpr auto pool_modes =
    std::to_array<Choice>({{"transaction"}, {"session", false}, {"statement", false}});
constexpr auto consistency_levels = std::to_array<Choice>({{"eventual"},
                                                           {"bounded_staleness", false},
                                                           {"monotonic_reads"},
                                                           {"read_your_writes"},
                                                           {"session"},
                                                           {"strong", false},
                                                           {"primary"}});
constexpr auto fallbacks = std::to_array<Choice>({{"primary"}, {"wait"}, {"error"}});
constexpr auto load_balances = std::to_array<Choice>(
    {{"pinned"}, {"least_connections", false}, {"round_robin", false}, {"random", false}});
constexpr auto log_levels = std::to_array<Choice>({{"debug"}, {"info"}, {"warning"}, {"error"}});

constexpr Reload applicable = Reload::applicable;
constexpr Reload restart = Reload::restart;
constexpr Support refused = Support::refused;
constexpr std::span<const Choice> any = {};

constexpr auto main_keys = std::to_array<Key>({
    {"listen", Type::table, "", "Where clients connect."},
    {"listen.address", Type::string, R"("127.0.0.1")",
     "Numeric IPv4 or IPv6 address; `0.0.0.0` and `::` are every interface.", 1, longest_address},
    {"listen.port", Type::integer, "6432", "TCP port.", 1, 65'535},
    {"listen.tls", Type::table, "", "Encryption between clients and Tidemark."},
    {"listen.tls.mode", Type::choice, R"("disable")", "Whether clients may or must encrypt.", 0, 0,
     listen_tls_modes},
    {"listen.tls.cert", Type::string, "", "The server's certificate.", 1, longest_path, any, restart,
     refused},
    {"listen.tls.key", Type::string, "", "The key of the certificate.", 1, longest_path, any, restart,
     refused},
    {"listen.tls.client_ca", Type::string, "", "Who may sign clients' certificates.", 1, longest_path, any,
     restart, refused},

    {"http", Type::table, "", "Metrics and health."},
    {"http.enabled", Type::boolean, "true", "Whether the HTTP port is opened at all."},
    {"http.address", Type::string, R"("127.0.0.1")", "As `listen.address`.", 1, longest_address},
    {"http.port", Type::integer, "9432", "TCP port.", 1, 65'535},

    {"auth", Type::table, "", "How clients prove who they are."},
    {"auth.method", Type::choice, R"("scram-sha-256")",
     "`trust` asks for nothing and is accepted only with a loopback `listen.address`.", 0, 0, auth_methods,
     applicable},
    {"auth.users_file", Type::string, "",
     "The file of users, relative to this file's folder. Needed for `scram-sha-256`.", 1, longest_path, any,
     applicable},
    {"auth.auth_query", Type::string, "", "Asks the cluster for a user's verifier.", 1, longest_path, any,
     restart, refused},

    {"cluster", Type::table, "", "The servers, and how they are watched."},
    {"cluster.nodes", Type::string_list, "",
     "Every server of the cluster, as `host:port`, `[::1]:port` or `/socket/folder:port`. Roles are "
     "discovered. "
     "Required.",
     1, 256},
    {"cluster.monitor_user", Type::string, R"("tidemark")", "The user that probes log in as.", 1,
     longest_name},
    {"cluster.monitor_password_file", Type::string, "",
     "A file that holds the monitor user's password and nothing else, relative to this file's folder.", 1,
     longest_path},
    {"cluster.monitor_database", Type::string, R"("postgres")", "The database that probes connect to.", 1,
     longest_name},
    {"cluster.probe_interval", Type::duration, R"("200ms")",
     "How often each node is asked for its role and state.", 10 * ms, 1 * min, any, applicable},
    {"cluster.probe_timeout", Type::duration, R"("1s")",
     "A probe that is not answered by then counts as a node that is gone.", 10 * ms, 1 * min, any,
     applicable},
    {"cluster.failover_hold", Type::duration, R"("30s")", "How long a new write waits for a primary.", 0,
     1 * h, any, applicable},
    {"cluster.on_lost_write", Type::choice, R"("error")",
     "What a session is told whose acknowledged write a failover may have lost. Has no effect in this "
     "version.",
     0, 0, lost_write_choices, applicable, Support::inert},
    {"cluster.server_tls", Type::table, "", "Encryption between Tidemark and the servers."},
    {"cluster.server_tls.mode", Type::choice, R"("disable")", "As libpq's `sslmode`.", 0, 0,
     server_tls_modes},
    {"cluster.discovery", Type::table, "", "Where the list of nodes comes from."},
    {"cluster.discovery.type", Type::choice, R"("static")", "`static`: from `cluster.nodes`.", 0, 0,
     discovery_types},
    {"cluster.node", Type::table_list, "", "Optional: what a bare address cannot say of a node."},
    {"cluster.node.address", Type::string, "", "The node, as in `cluster.nodes`. Required.", 1, longest_path},
    {"cluster.node.weight", Type::integer, "1", "This node's share of the reads, relative to the others'.", 1,
     1'000, any, applicable},
    {"cluster.node.region", Type::string, "", "Where the node stands.", 1, longest_name, any, restart,
     refused},

    {"pool", Type::table, "", "Connections to the servers, and who may wait for one."},
    {"pool.mode", Type::choice, R"("transaction")", "How long a client keeps a server connection.", 0, 0,
     pool_modes},
    {"pool.size", Type::integer, "20", "Server connections per node, user and database.", 1, 10'000, any,
     applicable},
    {"pool.max_server_connections", Type::integer, "200", "Server connections per node.", 1, 100'000, any,
     applicable},
    {"pool.max_client_connections", Type::integer, "10000", "Client connections of the whole process.", 1,
     1'000'000, any, applicable},
    {"pool.queue_timeout", Type::duration, R"("10s")", "How long a client waits for a server connection.",
     1 * ms, 1 * h, any, applicable},
    {"pool.connect_timeout", Type::duration, R"("5s")", "Connecting and logging in to a server.", 1 * ms,
     10 * min, any, applicable},
    {"pool.server_idle_timeout", Type::duration, R"("10min")",
     "A server connection that nobody used for so long is closed.", 1 * s, 720 * h, any, applicable},
    {"pool.server_lifetime", Type::duration, R"("1h")",
     "An older server connection is closed when it is next idle.", 1 * s, 720 * h, any, applicable},
    {"pool.max_prepared_statements", Type::integer, "200",
     "Prepared statements kept per server connection; the least recently used is closed first.", 1, 100'000,
     any, applicable},

    {"routing", Type::table, "", "Which node may serve a statement."},
    {"routing.consistency", Type::choice, R"("session")", "What a session is guaranteed.", 0, 0,
     consistency_levels, applicable},
    {"routing.max_lag", Type::duration, R"("10s")", "A replica that is further behind gets no reads.", 1 * ms,
     24 * h, any, applicable},
    {"routing.replica_wait", Type::duration, R"("5ms")",
     "How long a read may wait for a replica that is fresh enough; `0s`: never.", 0, 1 * min, any,
     applicable},
    {"routing.position_interval", Type::duration, R"("1ms")",
     "Least distance between two position questions to one node.", 100 * us, 1 * s, any, applicable},
    {"routing.fallback", Type::choice, R"("primary")", "Where a read goes that no replica may serve in time.",
     0, 0, fallbacks, applicable},
    {"routing.load_balance", Type::choice, R"("pinned")",
     "How to choose among replicas that may serve a read.", 0, 0, load_balances, applicable},
    {"routing.rule", Type::table_list, "", "Other consistency for some databases, users or relations.", 0, 0,
     any, restart, refused},

    {"workers", Type::table, "", "The threads that serve clients."},
    {"workers.threads", Type::integer, "0", "How many; `0`: one per core.", 0, 256},

    {"log", Type::table, "", "What is written to the log."},
    {"log.level", Type::choice, R"("info")", "The least severe line that is written.", 0, 0, log_levels,
     applicable},
});

constexpr auto users_keys = std::to_array<Key>({
    {"user", Type::table_list, "", "One user."},
    {"user.name", Type::string, "", "The name that the client gives. Required.", 1, longest_name, any,
     applicable},
    {"user.password", Type::string, "",
     "The password, or a `SCRAM-SHA-256$…` verifier or md5 hash as in `pg_authid.rolpassword`. Required.", 1,
     longest_secret, any, applicable},
});

}  // namespace

const Key* Schema::find(std::string_view path) const {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.path == path; });
  return found == keys.end() ? nullptr : &*found;
}

const Schema& main_schema() {
  static constexpr Schema schema{main_keys, false};
  return schema;
}

const Schema& users_schema() {
  static constexpr Schema schema{users_keys, true};
  return schema;
}

std::string_view parent_path(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

std::string_view leaf_name(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

}  // namespace tidemark::config

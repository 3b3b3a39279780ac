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
constexpr std::int64_t longest_socket_dir = 107 - 16;  // sockaddr_un, less /.s.PGSQL.65535 and its end
constexpr std::int64_t longest_address = 45;           // INET6_ADDRSTRLEN - 1
constexpr std::int64_t longest_secret = 1024;
constexpr std::int64_t longest_query = 16'384;
constexpr std::int64_t longest_pattern = 1024;
constexpr std::int64_t most_wal = std::int64_t{1} << 50;

constexpr auto listen_tls_modes =
    std::to_array<Choice>({{"disable"}, {"allow"}, {"require"}, {"verify-full"}});
constexpr auto server_tls_modes = std::to_array<Choice>(
    {{"disable"},
     {"allow", false,
      "it would encrypt only where a server refuses plain text, which protects nothing; use \"prefer\""},
     {"prefer"},
     {"require"},
     {"verify-ca"},
     {"verify-full"}});
constexpr auto tls_versions = std::to_array<Choice>({{"TLSv1.2"}, {"TLSv1.3"}});
constexpr auto auth_methods = std::to_array<Choice>({{"scram-sha-256"}, {"md5"}, {"cert"}, {"trust"}});
constexpr auto rule_methods =
    std::to_array<Choice>({{"scram-sha-256"}, {"md5"}, {"cert"}, {"trust"}, {"reject"}});
constexpr auto connection_types = std::to_array<Choice>({{"local"}, {"host"}, {"hostssl"}, {"hostnossl"}});
constexpr auto certificate_names = std::to_array<Choice>({{"CN"}, {"DN"}});
constexpr auto lost_write_choices = std::to_array<Choice>({{"error"}, {"warn"}, {"ignore"}});
constexpr auto discovery_types = std::to_array<Choice>({{"static"}, {"patroni"}, {"pg_auto_failover"}});
constexpr auto when_unreachable_choices = std::to_array<Choice>({{"keep"}, {"timeline"}});
constexpr auto pool_modes = std::to_array<Choice>({{"transaction"}, {"session"}, {"statement"}});
constexpr auto consistency_levels = std::to_array<Choice>({{"eventual"},
                                                           {"bounded_staleness"},
                                                           {"monotonic_reads"},
                                                           {"read_your_writes"},
                                                           {"session"},
                                                           {"strong"},
                                                           {"primary"}});
constexpr auto fallbacks = std::to_array<Choice>({{"primary"}, {"wait"}, {"error"}});
constexpr auto load_balances = std::to_array<Choice>(
    {{"pinned"}, {"least_connections", false}, {"round_robin", false}, {"random", false}});
constexpr auto mark_stores = std::to_array<Choice>({{"memory"}, {"redis"}});
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
    {"listen.unix_socket_dir", Type::string, "",
     "The folder of a Unix-domain socket to listen on, too: `.s.PGSQL.` and the port. An absolute path.", 1,
     longest_socket_dir},
    {"listen.unix_socket_permissions", Type::string, R"("0777")",
     "Who may connect there: the right to write, in octal as `chmod` takes it.", 3, 4},
    {"listen.tls", Type::table, "", "Encryption between clients and Tidemark."},
    {"listen.tls.mode", Type::choice, R"("disable")",
     "Whether clients may (`allow`) or must encrypt; with `verify-full` they must also show a certificate "
     "that `client_ca` has signed.",
     0, 0, listen_tls_modes, applicable},
    {"listen.tls.cert", Type::string, "",
     "Our certificate in PEM form, intermediate ones behind it; like all files here, relative to this file's "
     "folder.",
     1, longest_path, any, applicable},
    {"listen.tls.key", Type::string, "",
     "Its key, without a passphrase. Only its owner may read the file, or root's group if root owns it.", 1,
     longest_path, any, applicable},
    {"listen.tls.client_ca", Type::string, "",
     "Who may sign clients' certificates. With it a certificate is asked for in every mode, and one that is "
     "shown must be good.",
     1, longest_path, any, applicable},
    {"listen.tls.crl", Type::string, "",
     "Revoked certificates of clients. If there is a list, every CA of a chain needs one in this file.", 1,
     longest_path, any, applicable},
    {"listen.tls.min_version", Type::choice, R"("TLSv1.2")", "The oldest version that is spoken.", 0, 0,
     tls_versions, applicable},
    {"listen.tls.ciphers", Type::string, "",
     "OpenSSL's list of ciphers for TLS 1.2; without it, OpenSSL's own choice.", 1, longest_secret, any,
     applicable},

    {"http", Type::table, "", "Metrics and health."},
    {"http.enabled", Type::boolean, "true", "Whether the HTTP port is opened at all."},
    {"http.address", Type::string, R"("127.0.0.1")", "As `listen.address`.", 1, longest_address},
    {"http.port", Type::integer, "9432", "TCP port.", 1, 65'535},

    {"auth", Type::table, "", "How clients prove who they are."},
    {"auth.method", Type::choice, R"("scram-sha-256")",
     "How every client proves itself, unless there are rules. `trust` asks for nothing and is accepted only "
     "with a loopback `listen.address`.",
     0, 0, auth_methods, applicable},
    {"auth.timeout", Type::duration, R"("1min")",
     "How long a login may take, from the connection to its end; as PostgreSQL's `authentication_timeout`.",
     1 * s, 10 * min},
    {"auth.users_file", Type::string, "",
     "The file of users, relative to this file's folder. `scram-sha-256` and `md5` need it, or `auth.query`.",
     1, longest_path, any, applicable},
    {"auth.query", Type::string, "",
     "Asks the cluster, as `cluster.monitor_user`, for the secret of a user whom the users file does not "
     "name: `$1` is the user; columns: name, secret, and if there is a third, until when it is valid.",
     1, longest_query, any, applicable},
    {"auth.query_database", Type::string, "",
     "The database that is asked; without it, that of `cluster.monitor_database`.", 1, longest_name, any,
     applicable},
    {"auth.query_timeout", Type::duration, R"("5s")", "How long a client waits for that answer.", 10 * ms,
     1 * min, any, applicable},
    {"auth.query_cache", Type::duration, R"("10s")",
     "How long an answer is believed; that there is no such user, a second at most. `0s`: every login asks.",
     0, 1 * h, any, applicable},
    {"auth.query_cache_size", Type::integer, "10000", "Users whose answers are kept.", 1, 1'000'000, any,
     applicable},
    {"auth.rule", Type::table_list, "",
     "Who may log in from where, and how: the first rule that matches decides, and whom none matches is "
     "refused. As lines of `pg_hba.conf`."},
    {"auth.rule.type", Type::choice, "",
     "`local`: a Unix socket; `host`: TCP, with TLS (`hostssl`), without (`hostnossl`), or either. Required.",
     0, 0, connection_types, applicable},
    {"auth.rule.database", Type::string_list, "",
     "Names of databases; `all`, which is also meant if the key is not there; `sameuser`: the one named like "
     "the user.",
     1, 1'000, any, applicable},
    {"auth.rule.user", Type::string_list, "",
     "Names of users, or `all`, which is also meant if the key is not there.", 1, 1'000, any, applicable},
    {"auth.rule.address", Type::string, "",
     "`10.0.0.0/8`, `2001:db8::/32`, one address, `samehost` or `all`. Required, but not for `local`.", 1,
     longest_address + 4, any, applicable},
    {"auth.rule.method", Type::choice, "",
     "`trust` is for Unix sockets and this machine's addresses only, `cert` for `hostssl`. Required.", 0, 0,
     rule_methods, applicable},
    {"auth.rule.map", Type::string, "",
     "With `cert`: the `[[auth.user_map]]` that says who may log in as whom. Without it, the certificate "
     "names the user.",
     1, longest_name, any, applicable},
    {"auth.rule.clientname", Type::choice, R"("CN")",
     "With `cert`: the certificate's common name, or its whole subject as RFC 2253 writes it.", 0, 0,
     certificate_names, applicable},
    {"auth.user_map", Type::table_list, "",
     "Which certificates may log in as which users. As lines of `pg_ident.conf`."},
    {"auth.user_map.name", Type::string, "", "The map that this line belongs to. Required.", 1, longest_name,
     any, applicable},
    {"auth.user_map.system_user", Type::string, "",
     "What the certificate says, or `/` and a regular expression (ECMAScript's) for it. Required.", 1,
     longest_secret, any, applicable},
    {"auth.user_map.database_user", Type::string, "",
     "The user to log in as; `\\1` is the first group of the regular expression. Required.", 1, longest_name,
     any, applicable},

    {"cluster", Type::table, "", "The servers, and how they are watched."},
    {"cluster.nodes", Type::string_list, "",
     "Every server of the cluster, as `host:port`, `[::1]:port` or `/socket/folder:port`. Roles are "
     "discovered. "
     "Required with `static`; otherwise it holds until the first answer of the authority.",
     1, 256},
    {"cluster.monitor_user", Type::string, R"("tidemark")", "The user that probes log in as.", 1,
     longest_name},
    {"cluster.monitor_password_file", Type::string, "",
     "A file that holds the monitor user's password and nothing else, relative to this file's folder.", 1,
     longest_path},
    {"cluster.monitor_database", Type::string, R"("postgres")", "The database that probes connect to.", 1,
     longest_name},
    {"cluster.probe_interval", Type::duration, R"("200ms")",
     "How often each node is asked for its role and state.", 10 * ms, 1 * min},
    {"cluster.probe_timeout", Type::duration, R"("1s")",
     "A probe that is not answered by then counts as a node that is gone.", 10 * ms, 1 * min},
    {"cluster.flap_losses", Type::integer, "5",
     "A replica that is lost so often within a minute gets no reads until it has been there for ten seconds; "
     "`0`: never.",
     0, 1'000},
    {"cluster.failover_hold", Type::duration, R"("30s")",
     "How long a new write waits for a primary, and a read for a commit that waits for its standby.", 0,
     1 * h},
    {"cluster.max_held_statements", Type::integer, "10000",
     "Statements that wait for a primary, in the whole process; a further one is refused at once.", 1,
     1'000'000},
    {"cluster.max_held_memory", Type::size, R"("256MB")", "What their clients have sent, together.",
     1024 * 1024, std::int64_t{1} << 40},
    {"cluster.on_lost_write", Type::choice, R"("error")",
     "What a session is told whose acknowledged write a failover may have lost.", 0, 0, lost_write_choices},
    {"cluster.lossless_failover", Type::boolean, "false",
     "Promise that only a node is promoted that has every acknowledged synchronous commit, as Patroni's "
     "`synchronous_mode_strict` sees to it: then nobody is told that such a write may be lost."},
    {"cluster.server_tls", Type::table, "", "Encryption between Tidemark and the servers."},
    {"cluster.server_tls.mode", Type::choice, R"("disable")",
     "As libpq's `sslmode`, also for the monitor and for cancel requests. Unix sockets are never encrypted.",
     0, 0, server_tls_modes},
    {"cluster.server_tls.ca", Type::string, "",
     "Who may sign the servers' certificates; for `verify-ca` and `verify-full`. Like all files here, in PEM "
     "form and relative to this file's folder.",
     1, longest_path},
    {"cluster.server_tls.crl", Type::string, "",
     "Revoked certificates of servers. If there is a list, every CA of a chain needs one in this file.", 1,
     longest_path},
    {"cluster.server_tls.cert", Type::string, "",
     "Our certificate, for servers that ask for one. PostgreSQL lets it in as the users that it names.", 1,
     longest_path},
    {"cluster.server_tls.key", Type::string, "", "Its key, as `listen.tls.key`.", 1, longest_path},
    {"cluster.server_tls.min_version", Type::choice, R"("TLSv1.2")", "The oldest version that is spoken.", 0,
     0, tls_versions},
    {"cluster.discovery", Type::table, "",
     "Where the list of nodes comes from, and the word about which is the primary."},
    {"cluster.discovery.type", Type::choice, R"("static")",
     "`static`: from `cluster.nodes`, and the nodes alone say which is the primary; else Patroni or "
     "pg_auto_failover is the authority.",
     0, 0, discovery_types},
    {"cluster.discovery.interval", Type::duration, R"("1s")",
     "How often the authority is asked; ten times a second in the first minute without a primary.", 50 * ms,
     1 * min},
    {"cluster.discovery.timeout", Type::duration, R"("1s")", "How long each attempt to ask it may take.",
     10 * ms, 1 * min},
    {"cluster.discovery.when_unreachable", Type::choice, R"("keep")",
     "While it does not answer, what it said last stays, and no other node is trusted as primary; with "
     "`timeline`, a writable node on a higher timeline is.",
     0, 0, when_unreachable_choices},
    {"cluster.discovery.patroni", Type::string_list, "",
     "With `patroni`: REST APIs of members, as `http://host:8008`, asked in this order until one answers; "
     "then "
     "the others of which it tells. Required.",
     1, 64},
    {"cluster.discovery.monitor", Type::string, "",
     "With `pg_auto_failover`: the monitor's server, as `host:port`. Required.", 1, longest_path},
    {"cluster.discovery.monitor_user", Type::string, R"("autoctl_node")", "The user that asks the monitor.",
     1, longest_name},
    {"cluster.discovery.monitor_password_file", Type::string, "", "As `cluster.monitor_password_file`.", 1,
     longest_path},
    {"cluster.discovery.monitor_database", Type::string, R"("pg_auto_failover")", "The monitor's database.",
     1, longest_name},
    {"cluster.discovery.formation", Type::string, R"("default")", "The formation that is served.", 1,
     longest_name},
    {"cluster.discovery.group", Type::integer, "0", "The group of the formation.", 0, 1'000'000},
    {"cluster.node", Type::table_list, "", "Optional: what a bare address cannot say of a node."},
    {"cluster.node.address", Type::string, "", "The node, as in `cluster.nodes`. Required.", 1, longest_path},
    {"cluster.node.weight", Type::integer, "1", "This node's share of the reads, relative to the others'.", 1,
     1'000},
    {"cluster.node.region", Type::string, "", "Where the node stands.", 1, longest_name, any, restart,
     refused},

    {"pool", Type::table, "", "Connections to the servers, and who may wait for one."},
    {"pool.mode", Type::choice, R"("transaction")", "How long a client keeps a server connection.", 0, 0,
     pool_modes},
    {"pool.size", Type::integer, "20", "Server connections per node, user and database.", 1, 10'000},
    {"pool.max_server_connections", Type::integer, "200", "Server connections per node.", 1, 100'000},
    {"pool.max_user_server_connections", Type::integer, "0",
     "Server connections per node as one user, over all databases; `0`: no limit of its own.", 0, 100'000},
    {"pool.max_database_server_connections", Type::integer, "0",
     "Server connections per node to one database, over all users; `0`: no limit of its own.", 0, 100'000},
    {"pool.max_client_connections", Type::integer, "10000", "Client connections of the whole process.", 1,
     1'000'000},
    {"pool.max_user_client_connections", Type::integer, "0",
     "Client connections of one user; `0`: no limit of its own.", 0, 1'000'000},
    {"pool.max_database_client_connections", Type::integer, "0",
     "Client connections to one database; `0`: no limit of its own.", 0, 1'000'000},
    {"pool.queue_timeout", Type::duration, R"("10s")", "How long a client waits for a server connection.",
     1 * ms, 1 * h},
    {"pool.queue_notice", Type::duration, R"("1s")",
     "A client that has waited so long is told by a NOTICE what it waits for, and again at growing "
     "distances; `0s`: never.",
     0, 1 * h},
    {"pool.query_timeout", Type::duration, R"("0s")",
     "A statement that has run so long, its wait included, is cancelled; `0s`: never.", 0, 720 * h},
    {"pool.idle_transaction_timeout", Type::duration, R"("0s")",
     "A client that does nothing for so long in an open transaction is closed, and its transaction rolled "
     "back; `0s`: never.",
     0, 720 * h},
    {"pool.client_idle_timeout", Type::duration, R"("0s")",
     "A client that does nothing for so long outside of a transaction is closed; `0s`: never.", 0, 720 * h},
    {"pool.connect_timeout", Type::duration, R"("5s")", "Connecting and logging in to a server.", 1 * ms,
     10 * min},
    {"pool.server_idle_timeout", Type::duration, R"("10min")",
     "A server connection that nobody used for so long is closed.", 1 * s, 720 * h},
    {"pool.server_lifetime", Type::duration, R"("1h")",
     "An older server connection is closed when it is next idle; each at a time of its own in the last "
     "tenth.",
     1 * s, 720 * h},
    {"pool.max_client_statements", Type::integer, "10000",
     "Named prepared statements that one client may keep; a further one is refused.", 1, 10'000'000},
    {"pool.max_client_statement_memory", Type::size, R"("64MB")", "The names and texts of these together.",
     1024, std::int64_t{1} << 40},
    {"pool.max_prepared_statements", Type::integer, "200",
     "Prepared statements kept per server connection; the least recently used is closed first.", 1, 100'000},

    {"routing", Type::table, "", "Which node may serve a statement."},
    {"routing.consistency", Type::choice, R"("session")", "What a session is guaranteed.", 0, 0,
     consistency_levels},
    {"routing.max_staleness", Type::duration, R"("1s")",
     "How old may be what a read shows at the level `bounded_staleness`.", 1 * ms, 24 * h},
    {"routing.max_staleness_bytes", Type::size, "",
     "The same in bytes of the write-ahead log, and both hold; without it, any number.", 1024,
     std::int64_t{1} << 40},
    {"routing.max_lag", Type::duration, R"("10s")", "A replica that is further behind gets no reads.", 1 * ms,
     24 * h},
    {"routing.replica_wait", Type::duration, R"("5ms")",
     "How long a read may wait for a replica that is fresh enough; `0s`: never.", 0, 1 * min},
    {"routing.position_interval", Type::duration, R"("1ms")",
     "Least distance between two position questions to one node.", 100 * us, 1 * s},
    {"routing.fallback", Type::choice, R"("primary")", "Where a read goes that no replica may serve in time.",
     0, 0, fallbacks},
    {"routing.load_balance", Type::choice, R"("pinned")",
     "How to choose among replicas that may serve a read.", 0, 0, load_balances},
    {"routing.rule", Type::table_list, "",
     "Another level for some databases, users, applications, relations or statements: the first rule that "
     "matches counts."},
    {"routing.rule.name", Type::string, "", "What `explain` calls the rule; without it, its number.", 1,
     longest_name},
    {"routing.rule.consistency", Type::choice, "", "What is guaranteed where it matches. Required.", 0, 0,
     consistency_levels},
    {"routing.rule.max_staleness", Type::duration, "",
     "As `routing.max_staleness`, which is meant without it; with `bounded_staleness` only.", 1 * ms, 24 * h},
    {"routing.rule.max_staleness_bytes", Type::size, "", "As `routing.max_staleness_bytes`, likewise.", 1024,
     std::int64_t{1} << 40},
    {"routing.rule.replay", Type::boolean, "", "As `replay.transactions`, which is meant without it."},
    {"routing.rule.match", Type::table, "",
     "What the rule is for: patterns, in which `*` stands for any text; at least one, and all must match."},
    {"routing.rule.match.database", Type::string, "", "The session's database.", 1, longest_pattern},
    {"routing.rule.match.user", Type::string, "", "The session's user.", 1, longest_pattern},
    {"routing.rule.match.application_name", Type::string, "", "The session's `application_name`.", 1,
     longest_pattern},
    {"routing.rule.match.relation", Type::string, "",
     "A table or view that the statement names, in any case: `payments` in any schema, or "
     "`accounting.payments`, which is also meant by a name without a schema. Of several relations the "
     "strongest "
     "level counts.",
     1, longest_pattern},
    {"routing.rule.match.statement", Type::string, "",
     "The statement's text, in any case; a run of white space is one blank.", 1, longest_pattern},

    {"replay", Type::table, "",
     "Transactions that lose their server before COMMIT was sent are executed again on another one."},
    {"replay.transactions", Type::boolean, "false",
     "Whether, where no rule says so: the client goes on if every result is the same again, and gets 40001 "
     "if "
     "not."},
    {"replay.max_size", Type::size, R"("1MB")", "What a client may have sent in such a transaction.", 1024,
     std::int64_t{1} << 30},
    {"replay.max_attempts", Type::integer, "3",
     "How often one transaction is executed again; an attempt that meets a dying server is not counted.", 1,
     100},
    {"replay.timeout", Type::duration, R"("1min")", "How long after it first lost its server.", 1 * ms,
     1 * h},

    {"marks", Type::table, "", "What is remembered of users whom several connections share."},
    {"marks.store", Type::choice, R"("memory")",
     "Where: in this process, or in a Redis that several proxies share.", 0, 0, mark_stores},
    {"marks.ttl", Type::duration, R"("10min")",
     "A mark that was not used for so long is forgotten; not less than `routing.max_lag`, which is meant if "
     "it is longer and this key is not there.",
     1 * s, 24 * h},
    {"marks.max_users", Type::integer, "100000", "Users whose marks are kept.", 1, 100'000'000},
    {"marks.redis", Type::string, R"("127.0.0.1:6379")", "The Redis server, as `host:port`.", 1,
     longest_path},
    {"marks.redis_user", Type::string, "", "The user to log in as; without it, Redis's default user.", 1,
     longest_secret},
    {"marks.redis_password_file", Type::string, "",
     "A file that holds the password and nothing else, relative to this file's folder.", 1, longest_path},
    {"marks.redis_database", Type::integer, "0", "The number of the database.", 0, 15},
    {"marks.redis_timeout", Type::duration, R"("50ms")", "An answer that takes longer counts as none.",
     1 * ms, 10 * s},
    {"marks.redis_prefix", Type::string, R"("tidemark")", "What the names of all keys begin with.", 1,
     longest_name},

    {"alerts", Type::table, "",
     "From where on the state of replication is an alert, in the log and as `tidemark_alert`. A limit of 0, "
     "or `false`: never."},
    {"alerts.interval", Type::duration, R"("5s")",
     "How often each node is asked, no more than every 10 ms; `0s`: never, and nothing is told of "
     "replication.",
     0, 1 * h, any, applicable},
    {"alerts.min_replicas", Type::integer, "1",
     "`too_few_replicas`: fewer than that stream from the primary. Not in a cluster of one node.", 0, 1'000,
     any, applicable},
    {"alerts.not_streaming", Type::duration, R"("10s")",
     "`not_streaming`: for so long a node that is not the primary has not streamed.", 0, 24 * h, any,
     applicable},
    {"alerts.replay_lag", Type::duration, R"("1min")", "`replay_lag`: a replica is further behind than that.",
     0, 24 * h, any, applicable},
    {"alerts.replay_lag_bytes", Type::size, R"("1GB")", "The same in bytes of WAL; either is enough.", 0,
     most_wal, any, applicable},
    {"alerts.synchronous_standbys", Type::boolean, "true",
     "`synchronous_standbys_short`: fewer are connected than `synchronous_standby_names` asks for; "
     "`synchronous_standby_missing`: enough, but one that it names is not.",
     0, 0, any, applicable},
    {"alerts.slot_inactive", Type::duration, R"("10min")",
     "`slot_inactive`: for so long nobody has used a replication slot.", 0, 720 * h, any, applicable},
    {"alerts.slot_retained_wal", Type::size, R"("10GB")",
     "`slot_retains_wal`: the server keeps more than that for a slot.", 0, most_wal, any, applicable},
    {"alerts.slot_safe_wal_size", Type::size, R"("1GB")",
     "`slot_near_limit`: a slot's `safe_wal_size` is less than that.", 0, most_wal, any, applicable},
    {"alerts.slot_wal_lost", Type::boolean, "true",
     "`slot_wal_lost`: a slot's `wal_status` is `unreserved` or `lost`.", 0, 0, any, applicable},
    {"alerts.replay_paused", Type::duration, R"("1min")",
     "`replay_paused`: for so long a replica's replay has been paused.", 0, 24 * h, any, applicable},
    {"alerts.recovery_conflicts", Type::integer, "10",
     "`recovery_conflicts`: so many queries of a replica were cancelled by recovery within a minute.", 0,
     1'000'000'000, any, applicable},
    {"alerts.loss_window", Type::duration, R"("30s")",
     "`loss_window`: the best replica of an asynchronous cluster has flushed nothing younger than that.", 0,
     24 * h, any, applicable},
    {"alerts.loss_window_bytes", Type::size, R"("256MB")", "The same in bytes of WAL; either is enough.", 0,
     most_wal, any, applicable},
    {"admin", Type::table, "",
     "Who may use the admin console, the database `tidemark` of the proxy itself; nobody, if nobody is "
     "named."},
    {"admin.users", Type::string_list, "", "Users who may give every command.", 0, 1'000},
    {"admin.stats_users", Type::string_list, "", "Users who may only look (`SHOW`).", 0, 1'000},

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

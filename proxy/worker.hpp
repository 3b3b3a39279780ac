#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "config/config.hpp"
#include "pools/cluster_monitor.hpp"
#include "pools/pool.hpp"
#include "pools/reactor.hpp"
#include "pools/read_buffer.hpp"
#include "pools/server_limits.hpp"
#include "proxy/admin_status.hpp"
#include "proxy/authenticator.hpp"
#include "proxy/cancel_registry.hpp"
#include "proxy/client_limits.hpp"
#include "proxy/event_log.hpp"
#include "proxy/held_statements.hpp"
#include "proxy/statement_cache.hpp"
#include "proxy/worker_metrics.hpp"
#include "routing/function_catalog.hpp"

namespace tidemark::proxy {

/// Tells by its end, on whichever thread, that a cancel has been delivered or that there was nothing to
/// cancel.
using CancelDone = std::shared_ptr<void>;

class AdminSession;
struct AdminControl;
class CancelSender;
class Handshake;
class ServerCleaner;
class MarksStore;
class RedisMarks;
struct RedisShared;
class Session;
class Worker;

/// What all workers share; owned by the app, which outlives them. Everything in here is safe for any thread.
struct Shared {
  const config::Config& config;
  Authenticator& authenticator;
  pools::ClusterMonitor& monitor;
  pools::ServerLimits& limits;
  ClientLimits& client_limits;
  const pools::Snapshot<pools::TlsSetup>& tls;
  EventLog& events;
  CancelRegistry& cancels;
  MarksStore& marks;
  HeldStatements& held;
  const AdminControl& admin;
  RedisShared* redis;  ///< null: the marks are this process's alone
  /// In the whole process, handshakes included, but for those of clients that are refused.
  std::atomic<std::uint32_t>& clients;
  std::vector<std::unique_ptr<Worker>>& workers;
};

/// One database as one user, on this worker: a pool per node, and what a login needs to be answered.
struct PoolGroup {
  std::string database;
  std::string user;
  std::shared_ptr<const pools::LoginIdentity> identity;
  const routing::FunctionCatalog* catalog =
      nullptr;  ///< of the database; never null, outdated until it is read
  std::vector<std::unique_ptr<pools::Pool>> pools;  ///< by node
  std::uint32_t sessions = 0;                       ///< of clients that use it
  /// Since when nobody does; groups that nobody uses are forgotten.
  std::optional<pools::Reactor::TimePoint> unused_since;
  /// ParameterStatus values that a client with these settings is greeted with, once learned.
  std::map<pools::SettingsPointer, std::shared_ptr<const protocol::ParameterList>> welcomes;
  protocol::ParameterList first_parameters;  ///< that the first server's login told; empty: none yet
  /// What has left nothing in its session, though its text does not tell: by Session::called_routine, how
  /// often.
  absl::flat_hash_map<std::string, std::uint8_t> harmless_calls;
  bool reads_sequences = false;  ///< some session asked for lastval or currval
};

/// One thread: its reactor, its clients, and its share of the server connections. Everything is called on its
/// own thread unless marked (any thread).
class Worker final : public pools::PoolHost, public pools::EventHandler {
 public:
  /// `listeners` outlive the worker.
  Worker(Shared shared, unsigned number, std::vector<const pools::Socket*> listeners);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// (after the threads have ended) Drops clients and servers: of all workers before the first is destroyed.
  void clear();
  /// Runs until `stop`.
  void run();
  /// (any thread) Takes no more clients, lets open transactions end until `deadline`, then ends `run`.
  void drain(pools::Reactor::TimePoint deadline);
  /// (any thread) The monitor has published something; `topology` is the view's.
  void published(std::uint64_t topology);
  /// (any thread) Takes over an accepted client.
  void adopt_client(pools::Socket socket);
  /// (any thread) Cancels what the session of that serial number runs, if it still runs.
  void cancel(std::uint64_t serial, CancelDone done);
  /// (any thread)
  [[nodiscard]] std::uint32_t client_count() const { return client_count_.load(std::memory_order_relaxed); }
  [[nodiscard]] const WorkerMetrics& metrics() const { return metrics_; }

  /// Connections of one pool, for metrics.
  struct PoolFigures {
    pools::PoolKey key;
    std::string node_name;
    std::size_t active = 0, idle = 0, connecting = 0, waiting = 0;
  };
  /// (any thread) As of the last time the worker looked, at most a second ago.
  [[nodiscard]] std::vector<PoolFigures> pool_figures() const;

  /// (any thread) Has `answer` called on this worker's thread; never if its loop has ended.
  void tell_status(Detail detail, std::function<void(WorkerStatus)> answer);

  // For handshakes and sessions.
  [[nodiscard]] const Shared& shared() const { return shared_; }
  [[nodiscard]] const routing::ClusterView& view() const { return *view_; }
  /// Grows whenever the functions of some database were read anew.
  [[nodiscard]] std::uint64_t catalog_generation() const { return catalog_generation_; }
  /// A statement that changes functions of the group's database is about to be sent, or has been committed:
  /// what is classified from now on knows.
  void functions_changed(const PoolGroup& group);
  [[nodiscard]] PoolGroup& group(std::string_view database, std::string_view user);
  /// Clients of this user and database ask for lastval or currval: all workers are told.
  void learn_that_sequences_are_read(PoolGroup& group);
  [[nodiscard]] pools::SettingsTable& settings() { return settings_; }
  [[nodiscard]] StatementCache& statements() { return statements_; }
  [[nodiscard]] pools::BlockPool& blocks() { return blocks_; }
  [[nodiscard]] WorkerMetrics& counters() { return metrics_; }
  /// One large block that any handler may use until it returns.
  static constexpr std::size_t kScratchSize = 128 * 1024;
  [[nodiscard]] char* scratch() { return scratch_.get(); }
  [[nodiscard]] std::string& own_bytes() { return own_bytes_; }
  /// Texts of simple queries that a replica refused. Bounded; forgetting one costs a retry.
  [[nodiscard]] bool is_refused(std::string_view sql) const;
  void remember_refused(std::string_view sql);
  /// Keeps a cancel under way; `forget` ends it.
  void keep(std::unique_ptr<CancelSender> sender);
  void forget(CancelSender& sender);
  /// The same for a server connection that is being cleaned.
  void keep(std::unique_ptr<ServerCleaner> cleaner);
  void forget(ServerCleaner& cleaner);
  void close_handshake(Handshake& handshake);
  void begin_session(Handshake& handshake);
  void close_session(Session& session);
  void close_admin(AdminSession& session);
  /// Sessions that wait for a publication; see Session::on_published.
  std::list<Session*>::iterator add_waiting(Session& session);
  void remove_waiting(std::list<Session*>::iterator place);
  [[nodiscard]] bool draining() const { return draining_; }
  /// Null: the marks of users are this process's alone.
  [[nodiscard]] RedisMarks* redis() { return redis_.get(); }

  // pools::PoolHost
  pools::Reactor& reactor() override { return reactor_; }
  pools::Events& events() override { return shared_.events; }
  pools::SocketAddress address_of(routing::NodeId node) override;
  /// For new clients, too.
  std::shared_ptr<const pools::TlsSetup> tls() override;
  std::string nonce() override;
  void bury(std::unique_ptr<pools::ServerConnection> server) override;
  void hand_over(const pools::PoolKey& key, unsigned worker,
                 std::unique_ptr<pools::ServerConnection> server) override;
  void ask_for_idle(const pools::PoolKey& key) override;
  void ask_to_shed(const pools::ShedRequest& request) override;
  [[nodiscard]] unsigned worker_number() const override { return number_; }

  /// A listener is ready.
  void on_events(pools::IoEvents events) override;

 private:
  void share_marks();
  void before_events();
  void refresh_catalogs();
  [[nodiscard]] const routing::FunctionCatalog* catalog_of(std::string_view database) const;
  void after_events();
  void on_topology();
  [[nodiscard]] bool is_deposed(const routing::NodeState& node) const;
  /// Makes pools for the nodes that the view has and the group has not.
  void grow(PoolGroup& group);
  /// The group's pool for a node of which another worker may have heard first; null: gone before we heard.
  [[nodiscard]] pools::Pool* pool_of(PoolGroup& group, routing::NodeId node);
  /// `why`: a fence_reason(), told to the clients and the log; empty: neither is told.
  void fence_sessions(std::string_view why, const std::function<bool(const Session&)>& which);
  void every_second();
  void forget_groups(pools::Reactor::TimePoint now);
  void check_timeouts();
  void send_notices();
  [[nodiscard]] bool is_admitted(Session& session);
  void begin_drain(pools::Reactor::TimePoint deadline);
  void begin_admin(Handshake& handshake);
  [[nodiscard]] WorkerStatus status(Detail detail) const;
  void accept_clients();
  void accept_clients(const pools::Socket& listener);
  void listen();
  void stop_listening();
  void take_client(pools::Socket socket);
  void client_ended(bool counted);
  void end_if_drained();

  Shared shared_;
  const unsigned number_;
  const std::vector<const pools::Socket*> listeners_;
  pools::Reactor reactor_;
  pools::BlockPool blocks_;
  std::unique_ptr<char[]> scratch_{new char[kScratchSize]};
  std::string own_bytes_;
  pools::SnapshotReader<routing::ClusterView> view_;
  pools::SnapshotReader<routing::FunctionCatalogs> catalogs_;
  pools::SnapshotReader<pools::TlsSetup> tls_;
  std::uint64_t catalog_generation_ = 1;
  std::uint64_t topology_ = 0;
  std::optional<routing::NodeId> primary_;
  pools::SettingsTable settings_;
  StatementCache statements_;
  WorkerMetrics metrics_;
  absl::flat_hash_set<std::string, routing::StringHash, std::equal_to<>> refused_;
  std::map<std::string, std::unique_ptr<PoolGroup>> groups_;
  std::unique_ptr<RedisMarks> redis_;
  std::list<Session*> waiting_;
  std::atomic<bool> has_waiting_{false};
  std::atomic<std::uint64_t> published_topology_{0};
  std::atomic<bool> publish_pending_{false};
  std::map<Handshake*, std::unique_ptr<Handshake>> handshakes_;
  std::map<std::uint64_t, std::unique_ptr<Session>> sessions_;
  std::map<std::uint64_t, std::unique_ptr<AdminSession>> admins_;
  std::vector<std::unique_ptr<AdminSession>> dead_admins_;
  std::vector<std::unique_ptr<CancelSender>> cancel_senders_;
  std::vector<std::unique_ptr<CancelSender>> dead_cancel_senders_;
  std::vector<std::unique_ptr<ServerCleaner>> cleaners_;
  std::vector<std::unique_ptr<ServerCleaner>> dead_cleaners_;
  std::vector<std::unique_ptr<Handshake>> dead_handshakes_;
  std::vector<std::unique_ptr<Session>> dead_sessions_;
  std::vector<std::unique_ptr<pools::ServerConnection>> dead_servers_;
  std::atomic<std::uint32_t> client_count_{0};
  std::uint64_t next_serial_ = 1;
  const Session* not_admitted_ = nullptr;  ///< is being refused: it was not counted
  mutable std::mutex figures_mutex_;
  std::vector<PoolFigures> figures_;
  pools::Reactor::Timer second_;
  pools::Reactor::Timer drain_end_;
  pools::Reactor::Timer accept_again_;
  pools::Reactor::Timer timeouts_;  ///< armed if some time limit is set
  pools::Reactor::Timer notices_;   ///< armed while somebody waits
  pools::Reactor::TimePoint noticed_at_{};
  absl::flat_hash_set<const Handshake*> refused_handshakes_;  ///< not counted as clients
  bool listening_ = false;
  bool draining_ = false;
};

}  // namespace tidemark::proxy

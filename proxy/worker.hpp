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

#include <absl/container/flat_hash_set.h>

#include "config/config.hpp"
#include "pools/cluster_monitor.hpp"
#include "pools/pool.hpp"
#include "pools/reactor.hpp"
#include "pools/read_buffer.hpp"
#include "pools/server_limits.hpp"
#include "proxy/authenticator.hpp"
#include "proxy/cancel_registry.hpp"
#include "proxy/statement_cache.hpp"
#include "proxy/worker_metrics.hpp"
#include "routing/function_catalog.hpp"

namespace tidemark::proxy {

class CancelSender;
class Handshake;
class Session;
class Worker;

/// What all workers share; owned by the app, which outlives them. Everything in here is safe for any thread.
struct Shared {
  const config::Config& config;
  const Authenticator& authenticator;
  pools::ClusterMonitor& monitor;
  pools::ServerLimits& limits;
  pools::Events& events;
  CancelRegistry& cancels;
  std::atomic<std::uint32_t>& clients;  ///< in the whole process, handshakes included
  std::vector<std::unique_ptr<Worker>>& workers;
};

/// One database as one user, on this worker: a pool per node, and what a login needs to be answered.
struct PoolGroup {
  std::string database;
  std::string user;
  std::shared_ptr<const pools::LoginIdentity> identity;
  const routing::FunctionCatalog* catalog = nullptr;  ///< of the database; null while it is not known
  std::vector<std::unique_ptr<pools::Pool>> pools;    ///< by node
  /// ParameterStatus values that a client with these settings is greeted with, once learned.
  std::map<pools::SettingsPointer, std::shared_ptr<const protocol::ParameterList>> welcomes;
};

/// One thread: its reactor, its clients, and its share of the server connections. Everything is called on its
/// own thread unless marked (any thread).
class Worker final : public pools::PoolHost, public pools::EventHandler {
 public:
  Worker(Shared shared, unsigned number, const pools::Socket& listener);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Runs until `stop`.
  void run();
  /// (any thread) Takes no more clients, lets open transactions end until `deadline`, then ends `run`.
  void drain(pools::Reactor::TimePoint deadline);
  /// (any thread) The monitor has published something; `topology` is the view's.
  void published(std::uint64_t topology);
  /// (any thread) Takes over an accepted client.
  void adopt_client(pools::Socket socket);
  /// (any thread) Cancels what the session of that serial number runs, if it still runs.
  void cancel(std::uint64_t serial);
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

  // For handshakes and sessions.
  [[nodiscard]] const Shared& shared() const { return shared_; }
  [[nodiscard]] const routing::ClusterView& view() const { return *view_; }
  /// Grows whenever the functions of some database were read anew.
  [[nodiscard]] std::uint64_t catalog_generation() const { return catalog_generation_; }
  [[nodiscard]] PoolGroup& group(std::string_view database, std::string_view user,
                                 std::optional<protocol::ScramKeys> keys);
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
  void close_handshake(Handshake& handshake);
  void begin_session(Handshake& handshake);
  void close_session(Session& session);
  /// Sessions that wait for a publication; see Session::on_published.
  std::list<Session*>::iterator add_waiting(Session& session);
  void remove_waiting(std::list<Session*>::iterator place);
  [[nodiscard]] bool draining() const { return draining_; }

  // pools::PoolHost
  pools::Reactor& reactor() override { return reactor_; }
  pools::Events& events() override { return shared_.events; }
  pools::SocketAddress address_of(routing::NodeId node) override;
  std::string nonce() override;
  void bury(std::unique_ptr<pools::ServerConnection> server) override;
  void hand_over(const pools::PoolKey& key, unsigned worker,
                 std::unique_ptr<pools::ServerConnection> server) override;
  void ask_for_idle(const pools::PoolKey& key) override;
  void ask_to_shed(routing::NodeId node) override;
  [[nodiscard]] unsigned worker_number() const override { return number_; }

  /// The listener is ready.
  void on_events(pools::IoEvents events) override;

 private:
  void before_events();
  void after_events();
  void on_topology();
  void fence_sessions(const std::function<bool(const Session&)>& which);
  void every_second();
  void begin_drain(pools::Reactor::TimePoint deadline);
  void accept_clients();
  void take_client(pools::Socket socket);
  void client_ended();
  void end_if_drained();

  Shared shared_;
  const unsigned number_;
  const pools::Socket& listener_;
  pools::Reactor reactor_;
  pools::BlockPool blocks_;
  std::unique_ptr<char[]> scratch_{new char[kScratchSize]};
  std::string own_bytes_;
  pools::SnapshotReader<routing::ClusterView> view_;
  pools::SnapshotReader<routing::FunctionCatalogs> catalogs_;
  std::uint64_t catalog_generation_ = 1;
  std::uint64_t topology_ = 0;
  std::optional<routing::NodeId> primary_;
  pools::SettingsTable settings_;
  StatementCache statements_;
  WorkerMetrics metrics_;
  absl::flat_hash_set<std::string, routing::StringHash, std::equal_to<>> refused_;
  std::map<std::string, std::unique_ptr<PoolGroup>> groups_;
  std::list<Session*> waiting_;
  std::atomic<bool> has_waiting_{false};
  std::atomic<std::uint64_t> published_topology_{0};
  std::atomic<bool> publish_pending_{false};
  std::map<Handshake*, std::unique_ptr<Handshake>> handshakes_;
  std::map<std::uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<std::unique_ptr<CancelSender>> cancel_senders_;
  std::vector<std::unique_ptr<CancelSender>> dead_cancel_senders_;
  std::vector<std::unique_ptr<Handshake>> dead_handshakes_;
  std::vector<std::unique_ptr<Session>> dead_sessions_;
  std::vector<std::unique_ptr<pools::ServerConnection>> dead_servers_;
  std::atomic<std::uint32_t> client_count_{0};
  std::uint64_t next_serial_ = 1;
  mutable std::mutex figures_mutex_;
  std::vector<PoolFigures> figures_;
  pools::Reactor::Timer second_;
  pools::Reactor::Timer drain_end_;
  pools::Reactor::Timer accept_again_;
  bool listening_ = false;
  bool draining_ = false;
};

}  // namespace tidemark::proxy

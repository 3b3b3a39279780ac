#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "pools/events.hpp"
#include "pools/login_secrets.hpp"
#include "pools/pool_settings.hpp"
#include "pools/reactor.hpp"
#include "pools/server_connection.hpp"
#include "pools/server_limits.hpp"

namespace tidemark::pools {

/// Whom a pool logs in as; shared by the pools of all nodes.
struct LoginIdentity {
  std::string user;
  std::string database;
  std::shared_ptr<LoginSecrets> secrets = std::make_shared<LoginSecrets>();
};

/// What keeps a pool's clients waiting at the moment.
enum class Hold : std::uint8_t {
  connecting,     ///< nothing: a connection is being opened
  pool_full,      ///< pool.size
  node_full,      ///< pool.max_server_connections
  user_full,      ///< pool.max_user_server_connections
  database_full,  ///< pool.max_database_server_connections
  refused,        ///< logins to the node fail; the next one is spaced
};

/// A client that waits for a server connection. Leaves the queue when destroyed.
class Waiter {
 public:
  Waiter() = default;
  virtual ~Waiter() { leave(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  /// A connection is yours; it is already leased to you.
  virtual void on_server_ready(ServerConnection& server) = 0;
  /// The pool cannot connect to its node now. The waiter has left the queue.
  virtual void on_server_unavailable(const protocol::LoginFailure& failure) = 0;
  /// Another node may serve it: it need not wait for one that cannot be connected to.
  [[nodiscard]] virtual bool can_go_elsewhere() const { return true; }
  [[nodiscard]] virtual ServerHolder& holder() = 0;

  void leave();
  [[nodiscard]] bool waiting() const { return queue_ != nullptr; }

 private:
  friend class Pool;
  std::list<Waiter*>* queue_ = nullptr;
  std::list<Waiter*>::iterator place_;
};

class Pool;

/// Idle connections that a pool would like to see closed, because they take up the limit that it waits for.
struct ShedRequest {
  PoolKey asker;
  ServerLimits::Refusal limit = ServerLimits::Refusal::node_full;
  /// Whether closing one of `key`'s helps. Not the asker's own: those are handed over.
  [[nodiscard]] bool concerns(const PoolKey& key) const {
    if (key.node != asker.node || key == asker) return false;
    if (limit == ServerLimits::Refusal::user_full) return key.user == asker.user;
    return limit != ServerLimits::Refusal::database_full || key.database == asker.database;
  }
};

/// What pools need of the thread they live on and of its neighbours.
class PoolHost {
 public:
  virtual Reactor& reactor() = 0;
  virtual Events& events() = 0;
  /// The node's address; empty host while it is unknown.
  virtual SocketAddress address_of(routing::NodeId node) = 0;
  /// What new connections to servers begin with. Never null.
  [[nodiscard]] virtual std::shared_ptr<const TlsSetup> tls() = 0;
  /// Fresh random bytes for a login.
  virtual std::string nonce() = 0;
  /// Keeps a closed connection until no handler is on the stack.
  virtual void bury(std::unique_ptr<ServerConnection> server) = 0;
  /// Gives an idle connection, detached, to the same pool of another worker.
  virtual void hand_over(const PoolKey& key, unsigned worker, std::unique_ptr<ServerConnection> server) = 0;
  /// Asks the other workers for an idle connection of this pool.
  virtual void ask_for_idle(const PoolKey& key) = 0;
  /// Asks the workers, of which one is enough, to close an idle connection that nobody waits for.
  virtual void ask_to_shed(const ShedRequest& request) = 0;
  [[nodiscard]] virtual unsigned worker_number() const = 0;

 protected:
  ~PoolHost() = default;
};

/// One worker's share of the server connections to one node as one user in one database. Idle ones are taken
/// last in, first out, so that a lull lets the rest grow old and close. One thread.
class Pool final : public ServerHolder, public LoginObserver {
 public:
  Pool(PoolHost& host, const PoolSettings& settings, ServerLimits& limits, PoolKey key, std::string node_name,
       std::shared_ptr<const LoginIdentity> identity);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// An idle connection established no later than `vouched_until`, leased to `holder`; null if there is none.
  /// Prefers one whose settings are already `settings`.
  [[nodiscard]] ServerConnection* take_idle(ServerHolder& holder, Reactor::TimePoint vouched_until,
                                            const SettingsPointer& settings);
  /// Idle connections exist, whatever their age.
  [[nodiscard]] bool has_idle() const { return !idle_.empty(); }

  /// Queues `waiter`, who is served in order, and opens a connection as the limits allow. The waiter bounds
  /// its own patience.
  void wait(Waiter& waiter);

  /// Returns a clean connection: ReadyForQuery idle, nothing expected, nothing pinned.
  void give_back(ServerConnection& server);
  /// Closes a leased connection for good.
  void discard(ServerConnection& server);

  void adopt(std::unique_ptr<ServerConnection> server);
  /// Gives an idle connection to `worker` if there is one nobody here waits for.
  void offer_idle_to(unsigned worker);
  /// Closes one idle connection if nobody waits here; true if it did.
  bool shed_one();
  void close_idle();
  /// Keeps no connection that nobody holds, until `drained` is false again: whoever holds one gives it back
  /// to be closed, and idle ones are closed now.
  void set_drained(bool drained);
  /// Closes idle connections that are too old.
  void maintain(Reactor::TimePoint now);
  /// Calls for each connection, of whatever state.
  void for_each(const std::function<void(const ServerConnection&)>& visit) const;
  /// Calls for each connection that a session holds.
  void for_each_leased(const std::function<void(ServerConnection&)>& visit);

  [[nodiscard]] const PoolKey& key() const { return key_; }
  [[nodiscard]] std::size_t idle() const { return idle_.size(); }
  [[nodiscard]] std::size_t open() const { return all_.size(); }
  [[nodiscard]] std::size_t connecting() const { return connecting_; }
  [[nodiscard]] std::size_t waiting() const { return waiters_.size(); }
  /// No connection, and nobody who wants one.
  [[nodiscard]] bool unused() const { return all_.empty() && waiters_.empty(); }
  /// What those wait for who wait.
  [[nodiscard]] Hold hold() const { return hold_; }
  /// The last failed login, until one succeeds.
  [[nodiscard]] const std::optional<protocol::LoginFailure>& last_failure() const { return last_failure_; }
  /// Calls for each waiter with the number of those before it, in order. A call may end any of them.
  void for_each_waiter(const std::function<void(Waiter&, std::size_t before)>& visit);

  void on_server_events(ServerConnection& server, IoEvents events) override;
  void on_login_ready(ServerConnection& server) override;
  void on_login_failed(ServerConnection& server, const protocol::LoginFailure& failure) override;

 private:
  void open_as_needed();
  void open_one(const SocketAddress& address);
  void serve_or_idle(ServerConnection& server);
  bool give_to_neighbour(ServerConnection& server);
  void on_tick();
  void note_hunger();
  void note_refusal(ServerLimits::Refusal refusal);
  void end_starving();
  void remove(ServerConnection& server);
  void forget_idle(ServerConnection& server);
  void note_idle() { idle_count_.store(static_cast<std::uint32_t>(idle_.size()), std::memory_order_relaxed); }
  [[nodiscard]] bool is_too_old(const ServerConnection& server, Reactor::TimePoint now) const;
  void fail_waiters(const protocol::LoginFailure& failure, bool all);
  [[nodiscard]] std::unique_ptr<ServerConnection> release_ownership(ServerConnection& server);

  PoolHost& host_;
  const PoolSettings& settings_;
  ServerLimits& limits_;
  PoolKey key_;
  std::atomic<std::uint32_t> idle_count_{0};  ///< for the neighbours: idle_.size()
  ServerLimits::PoolCount& count_;
  std::string node_name_;
  std::shared_ptr<const LoginIdentity> identity_;
  std::vector<std::unique_ptr<ServerConnection>> all_;
  std::vector<ServerConnection*> idle_;
  std::list<Waiter*> waiters_;
  std::size_t connecting_ = 0;
  bool generous_turn_ = false;
  bool drained_ = false;
  bool serving_ = false;           ///< serve_or_idle is on the stack
  bool asked_neighbours_ = false;  ///< since the queue was last empty
  Hold hold_ = Hold::connecting;
  std::chrono::milliseconds backoff_{0};
  Reactor::TimePoint retry_at_{};
  std::optional<protocol::LoginFailure> last_failure_;
  unsigned failures_in_row_ = 0;
  /// When the shared limit was first met without a connection of this pool's anywhere.
  std::optional<Reactor::TimePoint> hungry_since_;
  ServerLimits::Refusal starves_for_ = ServerLimits::Refusal::none;
  std::minstd_rand random_;
  Reactor::Timer tick_;  ///< armed while somebody waits
};

}  // namespace tidemark::pools

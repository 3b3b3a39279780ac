#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "pools/events.hpp"
#include "pools/pool_settings.hpp"
#include "pools/reactor.hpp"
#include "pools/server_connection.hpp"
#include "pools/server_limits.hpp"

namespace tidemark::pools {

/// What a pool knows of the user it logs in as; shared by the pools of all nodes, replaced when it changes.
struct LoginIdentity {
  std::string user;
  std::string database;
  std::optional<protocol::Credential> credential;
  std::optional<protocol::ScramKeys> scram_keys;
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
  [[nodiscard]] virtual ServerHolder& holder() = 0;

  void leave();
  [[nodiscard]] bool waiting() const { return queue_ != nullptr; }

 private:
  friend class Pool;
  std::list<Waiter*>* queue_ = nullptr;
  std::list<Waiter*>::iterator place_;
};

class Pool;

/// What pools need of the thread they live on and of its neighbours.
class PoolHost {
 public:
  virtual Reactor& reactor() = 0;
  virtual Events& events() = 0;
  /// The node's address; empty host while it is unknown.
  virtual SocketAddress address_of(routing::NodeId node) = 0;
  /// Fresh random bytes for a login.
  virtual std::string nonce() = 0;
  /// Keeps a closed connection until no handler is on the stack.
  virtual void bury(std::unique_ptr<ServerConnection> server) = 0;
  /// Gives an idle connection, detached, to the same pool of another worker.
  virtual void hand_over(const PoolKey& key, unsigned worker, std::unique_ptr<ServerConnection> server) = 0;
  /// Asks the other workers for an idle connection of this pool.
  virtual void ask_for_idle(const PoolKey& key) = 0;
  /// Asks all workers to close an idle connection to this node that nobody waits for.
  virtual void ask_to_shed(routing::NodeId node) = 0;
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

  void set_identity(std::shared_ptr<const LoginIdentity> identity) { identity_ = std::move(identity); }
  void adopt(std::unique_ptr<ServerConnection> server);
  /// Gives an idle connection to `worker` if there is one nobody here waits for.
  void offer_idle_to(unsigned worker);
  /// Closes one idle connection if nobody waits here; true if it did.
  bool shed_one();
  void close_idle();
  /// Closes idle connections that are too old.
  void maintain(Reactor::TimePoint now);
  /// Calls for each connection that a session holds.
  void for_each_leased(const std::function<void(ServerConnection&)>& visit);

  [[nodiscard]] const PoolKey& key() const { return key_; }
  [[nodiscard]] std::size_t idle() const { return idle_.size(); }
  [[nodiscard]] std::size_t open() const { return all_.size(); }
  [[nodiscard]] std::size_t connecting() const { return connecting_; }
  [[nodiscard]] std::size_t waiting() const { return waiters_.size(); }

  void on_server_events(ServerConnection& server, IoEvents events) override;
  void on_login_ready(ServerConnection& server) override;
  void on_login_failed(ServerConnection& server, const protocol::LoginFailure& failure) override;

 private:
  void open_as_needed();
  void open_one(const SocketAddress& address);
  void serve_or_idle(ServerConnection& server);
  void note_hunger();
  void remove(ServerConnection& server);
  void fail_waiters(const protocol::LoginFailure& failure);
  [[nodiscard]] std::unique_ptr<ServerConnection> release_ownership(ServerConnection& server);

  PoolHost& host_;
  const PoolSettings& settings_;
  ServerLimits& limits_;
  ServerLimits::PoolCount& count_;
  PoolKey key_;
  std::string node_name_;
  std::shared_ptr<const LoginIdentity> identity_;
  std::vector<std::unique_ptr<ServerConnection>> all_;
  std::vector<ServerConnection*> idle_;
  std::list<Waiter*> waiters_;
  std::size_t connecting_ = 0;
  bool generous_turn_ = false;
  bool serving_ = false;  ///< serve_or_idle is on the stack
  std::chrono::milliseconds backoff_{0};
  Reactor::TimePoint retry_at_{};
  Reactor::Timer retry_;
};

}  // namespace tidemark::pools

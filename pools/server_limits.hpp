#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "pools/login_breaker.hpp"
#include "routing/cluster_view.hpp"

namespace tidemark::pools {

/// Which pool: server connections of one key serve the same clients.
struct PoolKey {
  routing::NodeId node{};
  std::string database;
  std::string user;
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

/// How many server connections there may be to one node; 0 for users and databases: no limit.
struct ServerLimitSettings {
  std::uint32_t per_pool = 20;
  std::uint32_t per_node = 200;
  std::uint32_t per_user = 0;
  std::uint32_t per_database = 0;
};

/// Counts of server connections in the whole process, across worker threads (pool.size and the
/// pool.max_…server_connections), and what the pools of one node have in common. Thread-safe; on the path of
/// a transaction it costs two relaxed loads.
class ServerLimits {
 public:
  /// One limit that several pools share: all connections to a node, or those of one user or database there.
  struct Share {
    explicit Share(std::uint32_t most = 0) : limit(most) {}
    const std::uint32_t limit;
    std::atomic<std::uint32_t> open{0};
    /// Pools that have had to wait for this limit without a single connection of their own.
    std::atomic<std::uint32_t> starving{0};
  };

  struct PoolCount {
    std::atomic<std::uint32_t> open{0};
    /// One bit per worker that has waiting clients and no connection for them.
    std::atomic<std::uint64_t> hungry_workers{0};

   private:
    friend class ServerLimits;
    Share* node_ = nullptr;
    Share* user_ = nullptr;                                ///< null: no limit
    Share* database_ = nullptr;                            ///< null: no limit
    std::vector<const std::atomic<std::uint32_t>*> idle_;  ///< of each worker's pool; under mutex_
    PoolKey key_;
  };
  static constexpr unsigned kMaxWorkers = 64;  ///< bits of hungry_workers

  ServerLimits(std::size_t nodes, const ServerLimitSettings& settings);
  ServerLimits(std::size_t nodes, std::uint32_t per_pool, std::uint32_t per_node)
      : ServerLimits(nodes, ServerLimitSettings{.per_pool = per_pool, .per_node = per_node}) {}

  /// The count of `key`, made on first use.
  [[nodiscard]] PoolCount& pool(const PoolKey& key);
  /// The same for one worker's pool, which keeps the number of its idle connections in `idle`, until `leave`.
  [[nodiscard]] PoolCount& join(const PoolKey& key, const std::atomic<std::uint32_t>& idle);
  /// The worker's pool is gone. The count goes with the last one, when nothing is open.
  void leave(PoolCount& pool, const std::atomic<std::uint32_t>& idle);
  /// Idle connections that the other workers' pools hold.
  [[nodiscard]] std::uint32_t idle_elsewhere(const PoolCount& pool, const std::atomic<std::uint32_t>& own);

  enum class Refusal : std::uint8_t { none, pool_full, node_full, user_full, database_full };
  /// Reserves one connection, or says which limit forbids it. While pools starve for a limit, what comes free
  /// under it is for those that do (`starving`).
  [[nodiscard]] Refusal acquire(PoolCount& pool, routing::NodeId node, bool starving = false);
  void release(PoolCount& pool, routing::NodeId node);
  /// Connections to the node in the whole process, those that are being opened included.
  [[nodiscard]] std::uint32_t open(routing::NodeId node) const {
    return nodes_[routing::index(node)]->open.load(std::memory_order_relaxed);
  }

  /// A pool without any connection waits for the limit that `refusal` names: others make room as soon as
  /// they can. Ends with `fed` of the same refusal.
  void starve(PoolCount& pool, Refusal refusal);
  void fed(PoolCount& pool, Refusal refusal);
  /// A connection that has come free under `pool` is to be closed rather than kept, for a pool that starves.
  [[nodiscard]] bool must_yield(const PoolCount& pool) const {
    return starving_.load(std::memory_order_relaxed) != 0 && is_wanted(pool);
  }

  [[nodiscard]] LoginBreaker& breaker(routing::NodeId node) { return breakers_[routing::index(node)]; }
  [[nodiscard]] const LoginBreaker& breaker(routing::NodeId node) const {
    return breakers_[routing::index(node)];
  }
  [[nodiscard]] std::size_t nodes() const { return breakers_.size(); }
  /// Pools that are counted, for tests.
  [[nodiscard]] std::size_t known_pools();

 private:
  using ShareKey = std::pair<routing::NodeId, std::string>;
  [[nodiscard]] PoolCount& find_pool(const PoolKey& key);  ///< under mutex_
  [[nodiscard]] static Share* share(PoolCount& pool, Refusal refusal);
  [[nodiscard]] static bool is_wanted(const PoolCount& pool);

  const ServerLimitSettings settings_;
  std::vector<std::unique_ptr<Share>> nodes_;
  std::vector<LoginBreaker> breakers_;
  std::atomic<std::uint32_t> starving_{0};
  std::mutex mutex_;
  std::map<PoolKey, std::unique_ptr<PoolCount>> pools_;
  /// Kept for good: a name that only clients which have logged in can make, and a handful of bytes.
  std::map<ShareKey, std::unique_ptr<Share>> users_;
  std::map<ShareKey, std::unique_ptr<Share>> databases_;
};

}  // namespace tidemark::pools

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "routing/cluster_view.hpp"

namespace tidemark::pools {

/// Which pool: server connections of one key serve the same clients.
struct PoolKey {
  routing::NodeId node{};
  std::string database;
  std::string user;
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

/// Counts of server connections in the whole process, across worker threads (pool.size and
/// max_server_connections). Thread-safe; on the path of a transaction it costs at most one relaxed load.
class ServerLimits {
 public:
  struct PoolCount {
    std::atomic<std::uint32_t> open{0};
    /// One bit per worker that has waiting clients and no connection for them.
    std::atomic<std::uint64_t> hungry_workers{0};
  };
  static constexpr unsigned kMaxWorkers = 64;  ///< bits of hungry_workers

  ServerLimits(std::size_t nodes, std::uint32_t per_pool, std::uint32_t per_node);

  /// The count of `key`, made on first use; lives as long as this object.
  [[nodiscard]] PoolCount& pool(const PoolKey& key);

  enum class Refusal : std::uint8_t { none, pool_full, node_full };
  /// Reserves one connection, or says which limit forbids it.
  [[nodiscard]] Refusal acquire(PoolCount& pool, routing::NodeId node);
  void release(PoolCount& pool, routing::NodeId node);

  [[nodiscard]] std::uint32_t per_pool() const { return per_pool_; }
  [[nodiscard]] std::uint32_t per_node() const { return per_node_; }

 private:
  const std::uint32_t per_pool_;
  const std::uint32_t per_node_;
  std::vector<std::atomic<std::uint32_t>> nodes_;
  std::mutex mutex_;
  std::map<PoolKey, std::unique_ptr<PoolCount>> pools_;
};

}  // namespace tidemark::pools

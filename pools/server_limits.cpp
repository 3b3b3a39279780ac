#include "pools/server_limits.hpp"

namespace tidemark::pools {

namespace {
bool acquire_below(std::atomic<std::uint32_t>& count, std::uint32_t limit) {
  std::uint32_t value = count.load(std::memory_order_relaxed);
  while (value < limit) {
    if (count.compare_exchange_weak(value, value + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}
}  // namespace

ServerLimits::ServerLimits(std::size_t nodes, std::uint32_t per_pool, std::uint32_t per_node)
    : per_pool_(per_pool), per_node_(per_node), nodes_(nodes) {}

ServerLimits::PoolCount& ServerLimits::pool(const PoolKey& key) {
  std::lock_guard lock(mutex_);
  auto& count = pools_[key];
  if (!count) count = std::make_unique<PoolCount>();
  return *count;
}

ServerLimits::Refusal ServerLimits::acquire(PoolCount& pool, routing::NodeId node) {
  if (!acquire_below(pool.open, per_pool_)) return Refusal::pool_full;
  if (acquire_below(nodes_[routing::index(node)], per_node_)) return Refusal::none;
  pool.open.fetch_sub(1, std::memory_order_acq_rel);
  return Refusal::node_full;
}

void ServerLimits::release(PoolCount& pool, routing::NodeId node) {
  nodes_[routing::index(node)].fetch_sub(1, std::memory_order_acq_rel);
  pool.open.fetch_sub(1, std::memory_order_acq_rel);
}

}  // namespace tidemark::pools

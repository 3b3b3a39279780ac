#include "pools/server_limits.hpp"

#include <algorithm>

namespace tidemark::pools {

namespace {

bool acquire_below(std::atomic<std::uint32_t>& count, std::uint32_t limit) {
  std::uint32_t value = count.load(std::memory_order_relaxed);
  while (value < limit) {
    if (count.compare_exchange_weak(value, value + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

bool acquire_share(ServerLimits::Share* share, bool starving) {
  if (share == nullptr) return true;
  if (!starving && share->starving.load(std::memory_order_acquire) != 0) return false;
  return acquire_below(share->open, share->limit);
}

void release_share(ServerLimits::Share* share) {
  if (share != nullptr) share->open.fetch_sub(1, std::memory_order_acq_rel);
}

ServerLimits::Share* find_or_make(
    std::map<std::pair<routing::NodeId, std::string>, std::unique_ptr<ServerLimits::Share>>& shares,
    routing::NodeId node, const std::string& name, std::uint32_t limit) {
  if (limit == 0) return nullptr;
  auto& share = shares[{node, name}];
  if (!share) share = std::make_unique<ServerLimits::Share>(limit);
  return share.get();
}

}  // namespace

ServerLimits::ServerLimits(std::size_t nodes, const ServerLimitSettings& settings)
    : settings_(settings), breakers_(nodes) {
  for (std::size_t i = 0; i < nodes; ++i) nodes_.push_back(std::make_unique<Share>(settings.per_node));
}

ServerLimits::PoolCount& ServerLimits::pool(const PoolKey& key) {
  std::lock_guard lock(mutex_);
  return find_pool(key);
}

ServerLimits::PoolCount& ServerLimits::find_pool(const PoolKey& key) {
  auto& count = pools_[key];
  if (!count) {
    count = std::make_unique<PoolCount>();
    count->key_ = key;
    count->node_ = nodes_[routing::index(key.node)].get();
    count->user_ = find_or_make(users_, key.node, key.user, settings_.per_user);
    count->database_ = find_or_make(databases_, key.node, key.database, settings_.per_database);
  }
  return *count;
}

ServerLimits::PoolCount& ServerLimits::join(const PoolKey& key, const std::atomic<std::uint32_t>& idle) {
  std::lock_guard lock(mutex_);
  PoolCount& count = find_pool(key);
  count.idle_.push_back(&idle);
  return count;
}

void ServerLimits::leave(PoolCount& pool, const std::atomic<std::uint32_t>& idle) {
  std::lock_guard lock(mutex_);
  std::erase(pool.idle_, &idle);
  // A connection on its way from one worker to another is counted as open.
  if (!pool.idle_.empty() || pool.open.load(std::memory_order_acquire) != 0) return;
  const PoolKey key = pool.key_;
  pools_.erase(key);
}

std::uint32_t ServerLimits::idle_elsewhere(const PoolCount& pool, const std::atomic<std::uint32_t>& own) {
  std::lock_guard lock(mutex_);
  std::uint32_t sum = 0;
  for (const auto* idle : pool.idle_) {
    if (idle != &own) sum += idle->load(std::memory_order_relaxed);
  }
  return sum;
}

ServerLimits::Refusal ServerLimits::acquire(PoolCount& pool, routing::NodeId node, bool starving) {
  if (!acquire_below(pool.open, settings_.per_pool)) return Refusal::pool_full;
  Refusal refusal = Refusal::none;
  if (!acquire_share(pool.user_, starving)) {
    refusal = Refusal::user_full;
  } else if (!acquire_share(pool.database_, starving)) {
    release_share(pool.user_);
    refusal = Refusal::database_full;
  } else if (!acquire_share(nodes_[routing::index(node)].get(), starving)) {
    release_share(pool.user_);
    release_share(pool.database_);
    refusal = Refusal::node_full;
  }
  if (refusal != Refusal::none) pool.open.fetch_sub(1, std::memory_order_acq_rel);
  return refusal;
}

void ServerLimits::release(PoolCount& pool, routing::NodeId node) {
  release_share(nodes_[routing::index(node)].get());
  release_share(pool.user_);
  release_share(pool.database_);
  pool.open.fetch_sub(1, std::memory_order_acq_rel);
}

ServerLimits::Share* ServerLimits::share(PoolCount& pool, Refusal refusal) {
  switch (refusal) {
    case Refusal::node_full:
      return pool.node_;
    case Refusal::user_full:
      return pool.user_;
    case Refusal::database_full:
      return pool.database_;
    case Refusal::none:
    case Refusal::pool_full:
      break;
  }
  return nullptr;
}

void ServerLimits::starve(PoolCount& pool, Refusal refusal) {
  Share* wanted = share(pool, refusal);
  if (wanted == nullptr) return;
  wanted->starving.fetch_add(1, std::memory_order_acq_rel);
  starving_.fetch_add(1, std::memory_order_acq_rel);
}

void ServerLimits::fed(PoolCount& pool, Refusal refusal) {
  Share* wanted = share(pool, refusal);
  if (wanted == nullptr) return;
  wanted->starving.fetch_sub(1, std::memory_order_acq_rel);
  starving_.fetch_sub(1, std::memory_order_acq_rel);
}

bool ServerLimits::is_wanted(const PoolCount& pool) {
  const auto wanted = [](const Share* share) {
    return share != nullptr && share->starving.load(std::memory_order_acquire) != 0 &&
           share->open.load(std::memory_order_relaxed) >= share->limit;
  };
  return wanted(pool.node_) || wanted(pool.user_) || wanted(pool.database_);
}

std::size_t ServerLimits::known_pools() {
  std::lock_guard lock(mutex_);
  return pools_.size();
}

}  // namespace tidemark::pools

#include "proxy/redis_health.hpp"

#include "proxy/event_log.hpp"

namespace tidemark::proxy {

/// What was told may be forgotten, and what the others did may not have been told.
void RedisHealth::doubt() {
  const auto now = Clock::now();
  life_.fetch_add(1, std::memory_order_acq_rel);
  doubtful_until_.store((now + ttl_).time_since_epoch().count(), std::memory_order_release);
  trusted_from_.store((now + grace_).time_since_epoch().count(), std::memory_order_release);
}

void RedisHealth::lost(bool was_up, std::string_view why) {
  failed();
  const std::lock_guard lock(mutex_);
  if (was_up) up_.fetch_sub(1, std::memory_order_relaxed);
  doubt();
  if (std::exchange(told_lost_, true)) return;
  EventLog::redis_lost(why);
}

void RedisHealth::found() {
  const std::lock_guard lock(mutex_);
  trusted_from_.store((Clock::now() + grace_).time_since_epoch().count(), std::memory_order_release);
  if (up_.fetch_add(1, std::memory_order_relaxed) + 1 < connections_) return;
  if (std::exchange(told_lost_, false)) EventLog::redis_found();
}

void RedisHealth::remembers_since(std::uint64_t epoch) {
  const std::uint64_t before = epoch_.exchange(epoch, std::memory_order_acq_rel);
  if (before == epoch || before == 0) return;
  const std::lock_guard lock(mutex_);
  doubt();
  EventLog::redis_forgot();
}

}  // namespace tidemark::proxy

#include "pools/login_breaker.hpp"

namespace tidemark::pools {

bool is_passing(const protocol::LoginFailure& failure) {
  if (failure.kind == protocol::LoginFailureKind::no_credential ||
      failure.kind == protocol::LoginFailureKind::unsupported_authentication) {
    return false;
  }
  if (failure.kind != protocol::LoginFailureKind::server_error) return true;
  const auto code = failure.code.code_class();
  return code != "28" && code != "3D" && code != "42" && code != "22" && code != "0A";
}

bool LoginBreaker::may_try(TimePoint now) {
  if (!is_open()) return true;
  auto next = next_try_.load(std::memory_order_acquire);
  const auto at = now.time_since_epoch().count();
  const auto then = (now + kInterval).time_since_epoch().count();
  if (at >= next && next_try_.compare_exchange_strong(next, then, std::memory_order_acq_rel)) return true;
  deferred_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void LoginBreaker::failed(TimePoint now) {
  failures_.fetch_add(1, std::memory_order_relaxed);
  if (failures_in_row_.fetch_add(1, std::memory_order_acq_rel) + 1 == kFailures) {
    next_try_.store((now + kInterval).time_since_epoch().count(), std::memory_order_release);
  }
}

}  // namespace tidemark::pools

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "protocol/login_machine.hpp"

namespace tidemark::pools {

/// Whether a failed login says something of the node and this moment (it is down, starting, full, or ends
/// sessions for recovery) rather than of who logs in, where to, or with what: no other time and no other node
/// would answer that otherwise.
[[nodiscard]] bool is_passing(const protocol::LoginFailure& failure);

/// Bounds how often a node that refuses logins is tried, over all pools and threads: a standby in recovery
/// conflict, a server that starts or is full, would else be asked by every pool anew. Any thread; reads no
/// clock.
class LoginBreaker {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  /// So many failures without a success between them, and the node is tried only every kInterval.
  static constexpr std::uint32_t kFailures = 5;
  static constexpr std::chrono::milliseconds kInterval{100};

  LoginBreaker() = default;

  /// Whether a login may begin now; each yes counts as the attempt.
  [[nodiscard]] bool may_try(TimePoint now);
  void succeeded() { failures_in_row_.store(0, std::memory_order_relaxed); }
  void failed(TimePoint now);

  [[nodiscard]] bool is_open() const { return failures_in_row_.load(std::memory_order_relaxed) >= kFailures; }
  [[nodiscard]] std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
  /// How often may_try() said no.
  [[nodiscard]] std::uint64_t deferred() const { return deferred_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> failures_in_row_{0};
  std::atomic<std::chrono::steady_clock::rep> next_try_{0};  ///< since the clock's epoch
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> deferred_{0};
};

}  // namespace tidemark::pools

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "proxy/limits.hpp"
#include "routing/decide.hpp"
#include "routing/statement_class.hpp"

namespace tidemark::proxy {

/// A count that one thread raises and others read: no locked instruction on the path of a transaction.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Upper bounds, in seconds, of the buckets of both histograms; the last bucket has none.
inline constexpr std::array<double, 14> kWaitBuckets{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                     0.025,  0.05,    0.1,    0.5,   1,      5,     10};

struct WaitHistogram {
  std::array<Counter, kWaitBuckets.size() + 1> buckets;
  Counter sum_nanoseconds;
  void observe(std::chrono::nanoseconds waited) {
    const double seconds = std::chrono::duration<double>(waited).count();
    std::size_t i = 0;
    while (i < kWaitBuckets.size() && seconds > kWaitBuckets[i]) ++i;
    buckets[i].add();
    sum_nanoseconds.add(static_cast<std::uint64_t>(waited.count()));
  }
};

enum class RoutedClass : std::uint8_t { read, write, count };
enum class Retry : std::uint8_t {
  read_refused,
  recovery_conflict,
  server_lost,
  not_begun,
  prepared_anew,
  transaction_replayed,
  count
};

/// What one worker counts. Written by its thread, read by the thread that answers /metrics.
struct WorkerMetrics {
  static constexpr std::size_t kReasons = static_cast<std::size_t>(routing::Reason::count);
  explicit WorkerMetrics(std::size_t nodes) : routed(nodes) {}

  using ByReason = std::array<std::array<Counter, kReasons>, static_cast<std::size_t>(RoutedClass::count)>;
  std::vector<ByReason> routed;  ///< by node, class, reason
  std::array<Counter, static_cast<std::size_t>(Retry::count)> retries;
  WaitHistogram pool_wait;
  WaitHistogram position_wait;
  Counter clients_active;
  Counter clients_waiting;
  Counter clients;
  Counter held_statements;
  Counter logins;
  /// Sessions that keep their server, by bit of StateTracker::pins; one may have several reasons.
  static constexpr std::size_t kPinBits = 15;
  std::array<Counter, kPinBits> pinned;

  Counter lost_writes;  ///< sessions that were told, or would have been
  Counter queue_notices;
  /// Refusals by limit, and sessions or statements that a time limit ended.
  std::array<Counter, static_cast<std::size_t>(Limit::count)> by_limit;

  Counter& rejected(Limit limit) { return by_limit[static_cast<std::size_t>(limit)]; }
  Counter& routed_to(routing::NodeId node, bool read, routing::Reason reason) {
    return routed[routing::index(node)][static_cast<std::size_t>(
        read ? RoutedClass::read : RoutedClass::write)][static_cast<std::size_t>(reason)];
  }
};

}  // namespace tidemark::proxy

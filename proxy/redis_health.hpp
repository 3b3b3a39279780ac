#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace tidemark::proxy {

/// What the process knows of Redis, over the connections of all its workers. Any thread.
class RedisHealth {
 public:
  using Clock = std::chrono::steady_clock;
  using TimePoint = Clock::time_point;

  /// `grace`: how long after Redis was found the others may take to find it, too, and to tell what they did
  /// meanwhile. `ttl`: of marks.
  RedisHealth(unsigned connections, Clock::duration grace, Clock::duration ttl)
      : connections_(connections), grace_(grace), ttl_(ttl) {}

  /// One connection was lost, or could not be made.
  void lost(bool was_up, std::string_view why);
  void found();
  /// An answer told when Redis began to remember.
  void remembers_since(std::uint64_t epoch);
  void failed() { failures_.fetch_add(1, std::memory_order_relaxed); }

  /// Grows whenever Redis may have forgotten something, or others may have done something untold.
  [[nodiscard]] std::uint64_t life() const { return life_.load(std::memory_order_acquire); }
  /// What Redis does not say has not happened: not so right after an outage.
  [[nodiscard]] bool is_trusted(TimePoint now) const {
    return now.time_since_epoch().count() >= trusted_from_.load(std::memory_order_acquire);
  }
  /// Something that is remembered for `ttl` may have gone untold.
  [[nodiscard]] bool is_doubtful(TimePoint now, std::chrono::milliseconds remembered_for) const {
    return remembered_for < ttl_ ||
           now.time_since_epoch().count() < doubtful_until_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool up() const { return up_.load(std::memory_order_relaxed) == connections_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

 private:
  void doubt();

  const unsigned connections_;
  const Clock::duration grace_;
  const Clock::duration ttl_;
  std::atomic<unsigned> up_{0};
  std::atomic<std::uint64_t> life_{1};
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<Clock::rep> trusted_from_{Clock::duration::max().count()};
  std::atomic<Clock::rep> doubtful_until_{0};
  std::mutex mutex_;
  bool told_lost_ = false;
};

}  // namespace tidemark::proxy

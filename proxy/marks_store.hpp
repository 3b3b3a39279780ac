#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>

#include <absl/container/flat_hash_map.h>

#include "proxy/shared_user.hpp"

namespace tidemark::proxy {

/// The marks of users whom a key names (routing/README.md, rule 7), shared by all workers. Any thread; a lock
/// per shard is held for the length of one visit. Bounded: who was not seen for `ttl` is forgotten, and with
/// too many users the one who was not seen for longest. Nobody is forgotten in error: a user who is unknown
/// counts as one who has just written, unless everyone who did anything within `ttl` is known.
class MarksStore {
 public:
  using TimePoint = routing::TimePoint;
  using Duration = routing::Duration;

  /// `ttl`: what a user did longer ago needs no mark, because no replica that is further behind serves reads.
  /// `start`: when the process, or what other processes' marks are kept in, began to remember.
  MarksStore(Duration ttl, std::size_t max_users, TimePoint start);

  /// Calls `function(UserMarks&)` for the user of this key. `asked` as for TideMark::raise: what an unknown
  /// user may have done is bounded by a later answer. `function` must not block.
  template <class Function>
  decltype(auto) visit(std::uint64_t user, std::uint64_t asked, TimePoint now, const Function& function) {
    Shard& shard = shards_[user >> 60U & (kShards - 1)];
    const std::lock_guard lock(shard.mutex);
    return function(find(shard, user, asked, now).marks);
  }
  /// … function(UserMarks&, SharedUser&), for those who share marks with other processes.
  template <class Function>
  decltype(auto) visit_shared(std::uint64_t user, std::uint64_t asked, TimePoint now,
                              const Function& function) {
    Shard& shard = shards_[user >> 60U & (kShards - 1)];
    const std::lock_guard lock(shard.mutex);
    Entry& entry = find(shard, user, asked, now);
    return function(entry.marks, entry.shared);
  }

  [[nodiscard]] std::size_t users() const { return users_.load(std::memory_order_relaxed); }
  /// Users forgotten within their ttl because there were too many.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    std::uint64_t user = 0;
    TimePoint last_used{};
    UserMarks marks;
    SharedUser shared;
  };
  struct Shard {
    std::mutex mutex;
    std::list<Entry> entries;  // the least recently used first
    absl::flat_hash_map<std::uint64_t, std::list<Entry>::iterator> places;
  };
  static constexpr std::size_t kShards = 16;

  Entry& find(Shard& shard, std::uint64_t user, std::uint64_t asked, TimePoint now);
  void forget_oldest(Shard& shard, TimePoint now);

  const Duration ttl_;
  const std::size_t max_per_shard_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::size_t> users_{0};
  std::atomic<std::uint64_t> evicted_{0};
  /// Until then an unknown user may be one who was forgotten; in ticks of the clock.
  std::atomic<Duration::rep> doubtful_until_;
};

}  // namespace tidemark::proxy

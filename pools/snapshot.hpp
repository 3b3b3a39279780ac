#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace tidemark::pools {

/// One writer publishes immutable values, many threads read them. A reader keeps its own pointer and asks
/// `generation()` (one load) whether to take a new one, so that reading costs neither lock nor count.
template <class T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> initial) : value_(std::move(initial)) {}

  void publish(std::shared_ptr<const T> next) {
    {
      std::lock_guard lock(mutex_);
      value_.swap(next);
    }
    generation_.fetch_add(1, std::memory_order_release);
  }
  [[nodiscard]] std::shared_ptr<const T> load() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  [[nodiscard]] std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
  std::atomic<std::uint64_t> generation_{1};
};

/// One thread's view of a Snapshot. Not shared between threads.
template <class T>
class SnapshotReader {
 public:
  explicit SnapshotReader(const Snapshot<T>& source) : source_(source) { refresh(); }
  /// Takes the newest value if there is one; true if it did.
  bool refresh() {
    const auto generation = source_.generation();
    if (generation == generation_) return false;
    generation_ = generation;
    value_ = source_.load();
    return true;
  }
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  [[nodiscard]] const std::shared_ptr<const T>& pointer() const { return value_; }

 private:
  const Snapshot<T>& source_;
  std::uint64_t generation_ = 0;
  std::shared_ptr<const T> value_;
};

}  // namespace tidemark::pools

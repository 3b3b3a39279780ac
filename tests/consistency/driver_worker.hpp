#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <utility>
#include <vector>

#include "tests/consistency/driver_actor.hpp"
#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_recorder.hpp"

namespace tidemark::consistency {

// What the threads of one run share.
struct RunState {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint32_t> connected{0};  // sessions that have been connected at least once
};

// Operations that have ended, on their way from a worker to the judge.
class Outbox {
 public:
  // Takes the operations out of `operations`; all those that are put later start at `complete_until` (ns) or
  // after it.
  void put(std::vector<Operation>& operations, std::int64_t complete_until);
  // Adds what has been put to `operations`; returns the last `complete_until`.
  std::int64_t take(std::vector<Operation>& operations);

 private:
  std::mutex mutex_;
  std::vector<Operation> operations_;
  std::int64_t complete_until_ = 0;
};

// One thread's users, on one epoll descriptor. Everything but `state` and the outbox is used by that thread
// alone.
class Worker {
 public:
  // `actors`: of all threads together.
  Worker(const DriverOptions& options, RunState& state, std::vector<ActorPlan> plans, std::uint32_t actors);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Returns when state.stop is set and the running statements have ended, or after `grace` seconds more; the
  // outbox is complete then.
  void run(double grace);

  // Without operations: they go into the outbox.
  const Recorder& recorder() const { return recorder_; }
  Outbox& outbox() { return outbox_; }

 private:
  using Due = std::pair<std::int64_t, std::size_t>;
  // A connection as epoll knows it.
  struct Watched {
    std::size_t actor{};
    Connection* connection{};
    int descriptor = -1;
    std::uint32_t events = 0;
    bool counted = false;
  };
  struct Member {
    std::unique_ptr<Actor> actor;
    std::size_t first{};  // of its connections in watched_
    std::size_t count{};
    std::int64_t due = 0;
  };

  void update(std::size_t actor);
  void watch(std::size_t index);
  void run_timers(std::int64_t now);
  void hand_over(std::int64_t now);
  int next_timeout(std::int64_t now) const;
  bool all_done() const;

  RunState& state_;
  Recorder recorder_;
  Outbox outbox_;
  std::vector<Member> members_;
  std::vector<Watched> watched_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> timers_;
  std::int64_t next_deadline_check_ = 0;
  std::int64_t next_hand_over_ = 0;
  std::uint64_t reads_told_ = 0;
  int epoll_ = -1;
};

}  // namespace tidemark::consistency

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include "tests/consistency/driver_session.hpp"

namespace tidemark::consistency {

// What the threads of one run share.
struct RunState {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint32_t> connected{0};  // sessions that have been connected at least once
};

// One thread's sessions, on one epoll descriptor. Everything but `state` is used by that thread alone.
class Worker {
 public:
  Worker(const DriverOptions& options, RunState& state, const std::vector<SessionPlan>& plans);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Returns when state.stop is set and the running statements have ended, or after `grace` seconds more.
  void run(double grace);

  Recorder& recorder() { return recorder_; }

 private:
  using Due = std::pair<std::int64_t, std::size_t>;
  struct Watched {
    std::unique_ptr<Session> session;
    int descriptor = -1;
    std::uint32_t events = 0;
    std::int64_t due = 0;
    bool counted = false;
  };

  void update(std::size_t index);
  void run_timers(std::int64_t now);
  int next_timeout(std::int64_t now) const;
  bool all_done() const;

  const DriverOptions& options_;
  RunState& state_;
  Recorder recorder_;
  std::vector<Watched> sessions_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> timers_;
  std::int64_t next_deadline_check_ = 0;
  std::uint64_t reads_told_ = 0;
  int epoll_ = -1;
};

}  // namespace tidemark::consistency

#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <map>

namespace tidemark::soak {

using Clock = std::chrono::steady_clock;

/// Wakes coroutines when a descriptor is ready or a time has come. One thread; at most one wait per
/// descriptor.
class Loop {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// What co_await on a wait gives: true when the descriptor is ready, false when the time has come.
  class Wait {
   public:
    Wait(Loop& loop, int descriptor, std::uint32_t events, Clock::time_point deadline)
        : loop_(loop), descriptor_(descriptor), events_(events), deadline_(deadline) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting);
    bool await_resume() const noexcept { return ready_; }

   private:
    friend class Loop;
    Loop& loop_;
    int descriptor_;
    std::uint32_t events_;
    Clock::time_point deadline_;
    std::coroutine_handle<> waiting_;
    std::multimap<Clock::time_point, Wait*>::iterator timer_;
    bool ready_ = false;
  };

  /// `events`: EPOLLIN, EPOLLOUT or both. To be awaited where it is made.
  [[nodiscard]] Wait ready(int descriptor, std::uint32_t events, Clock::time_point deadline) {
    return {*this, descriptor, events, deadline};
  }
  [[nodiscard]] Wait until(Clock::time_point time) { return {*this, -1, 0, time}; }

  /// To be called once for a descriptor before it is waited for. Closing it is enough to forget it.
  void add(int descriptor) const;
  /// Waits for whatever comes next, at most 100 ms, and wakes who waited for it.
  void turn();

 private:
  int epoll_;
  std::multimap<Clock::time_point, Wait*> timers_;
};

}  // namespace tidemark::soak

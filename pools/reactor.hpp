#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace tidemark::pools {

/// What epoll reports for one descriptor, once per edge.
struct IoEvents {
  bool readable = false;  ///< bytes, or the end of the stream
  bool writable = false;
  bool peer_closed = false;  ///< the peer will send no more (EPOLLRDHUP)
  bool broken = false;       ///< error or both directions closed (EPOLLERR, EPOLLHUP)
};

/// Receives a descriptor's events on the reactor's thread.
class EventHandler {
 public:
  virtual void on_events(IoEvents events) = 0;

 protected:
  ~EventHandler() = default;
};

/// One thread's event loop over edge-triggered epoll, with timers. Everything but `post` and `stop` is called
/// on the thread that runs it. The transaction path uses this instead of an io_context because the style of
/// I/O decides the proxy's cost: no registration call and no allocation per operation (README.md, decisions).
class Reactor {
 public:
  using Clock = std::chrono::steady_clock;
  using TimePoint = Clock::time_point;

  /// A single-shot timer; its destruction or `cancel` disarms it. Lives no longer than the reactor.
  class Timer {
   public:
    Timer(Reactor& reactor, std::function<void()> callback);
    ~Timer() { cancel(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    /// Arms the timer anew. A time already past fires in this or the next turn, never from within this call.
    void expires_at(TimePoint when);
    void cancel();
    [[nodiscard]] bool armed() const { return armed_; }

   private:
    friend class Reactor;
    Reactor& reactor_;
    std::function<void()> callback_;
    std::multimap<TimePoint, Timer*>::iterator position_;
    bool armed_ = false;
  };

  /// Throws std::system_error when the kernel refuses (start-up only).
  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Watches `descriptor` for all events, edge-triggered; `handler` stays valid until `remove`.
  /// False when the kernel refuses.
  [[nodiscard]] bool add(int descriptor, EventHandler& handler);
  /// Level-triggered and exclusive among the threads that watch the same listening socket.
  [[nodiscard]] bool add_listener(int descriptor, EventHandler& handler);
  /// Gives a watched descriptor to another handler, which hears of the present state anew.
  [[nodiscard]] bool rebind(int descriptor, EventHandler& from, EventHandler& to);
  /// Stops watching; events of this turn that were already collected for `handler` are dropped.
  void remove(int descriptor, EventHandler& handler);

  /// Runs until `stop`. `before_events` is called once a turn, after waking and before any handler;
  /// `after_events` at the end of each turn, when no handler is on the stack.
  void run(const std::function<void()>& before_events, const std::function<void()>& after_events);

  /// (any thread) Runs `task` on the reactor's thread, soon.
  void post(std::function<void()> task);
  /// (any thread) Wakes the loop for one turn, without a task.
  void wake();
  /// (any thread) Ends `run` after the current turn.
  void stop();

  /// Time at which this turn began.
  [[nodiscard]] TimePoint now() const { return now_; }

 private:
  void fire_timers();
  void run_posted();
  [[nodiscard]] int timeout_milliseconds() const;

  int epoll_ = -1;
  int wake_fd_ = -1;
  TimePoint now_ = Clock::now();
  std::multimap<TimePoint, Timer*> timers_;
  bool firing_ = false;
  std::vector<EventHandler*> batch_;  ///< handlers of this turn's events; null once removed
  std::atomic<bool> stopped_{false};
  std::atomic<bool> wake_pending_{false};
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace tidemark::pools

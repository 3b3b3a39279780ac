#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <list>
#include <thread>

#include "pools/reactor.hpp"

namespace tidemark::pools {

/// A reactor on a thread of its own, which a test drives from outside: `call` runs something there,
/// `eventually` waits for the end of a turn at which something holds. The time limit only bounds a failure.
class ReactorThread {
 public:
  static constexpr std::chrono::seconds kLimit{20};

  ReactorThread() : thread_([this] { reactor_.run([] {}, [this] { end_of_turn(); }); }) {}
  ~ReactorThread() { stop(); }
  ReactorThread(const ReactorThread&) = delete;
  ReactorThread& operator=(const ReactorThread&) = delete;

  [[nodiscard]] Reactor& reactor() { return reactor_; }
  /// (reactor's thread) Runs `task` at the end of a turn, soon, when no handler is on the stack.
  void at_end_of_turn(std::function<void()> task) {
    endings_.push_back(std::move(task));
    reactor_.wake();  // one that comes while the endings run belongs to the next turn
  }

  template <typename Function>
  auto call(Function function) {
    using Result = std::invoke_result_t<Function>;
    std::packaged_task<Result()> task(std::move(function));
    auto result = task.get_future();
    reactor_.post([&task] { task(); });
    return result.get();
  }

  /// True as soon as `holds` is true at the end of a turn. `holds` is called on the reactor's thread.
  [[nodiscard]] bool eventually(std::function<bool()> holds) {
    Check check{std::move(holds), {}};
    auto done = check.done.get_future();
    const auto place = call([&] { return checks_.insert(checks_.end(), &check); });
    if (done.wait_for(kLimit) == std::future_status::ready) return true;
    return call([&] {
      if (done.wait_for(std::chrono::seconds(0)) == std::future_status::ready) return true;
      checks_.erase(place);
      return false;
    });
  }

  void stop() {
    if (!thread_.joinable()) return;
    reactor_.stop();
    thread_.join();
  }

 private:
  struct Check {
    std::function<bool()> holds;
    std::promise<void> done;
  };
  void end_of_turn() {
    std::list<std::function<void()>> endings;
    endings.swap(endings_);
    for (auto& task : endings) task();
    for (auto place = checks_.begin(); place != checks_.end();) {
      Check& check = **place;
      if (!check.holds()) {
        ++place;
        continue;
      }
      place = checks_.erase(place);
      check.done.set_value();
    }
  }

  Reactor reactor_;
  std::list<Check*> checks_;
  std::list<std::function<void()>> endings_;
  std::thread thread_;
};

}  // namespace tidemark::pools

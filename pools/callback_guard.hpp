#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace tidemark::pools {

/// Wraps the completion handlers of objects that refer to each other by plain pointers, so that closing is
/// synchronous: no handler runs at the same time as another or as close(), and none runs after close() has
/// returned, whoever runs the io_context. Handlers may outlive the objects; they then do nothing.
class CallbackGuard {
 public:
  CallbackGuard() : state_(std::make_shared<State>()) {}
  ~CallbackGuard() = default;
  CallbackGuard(const CallbackGuard&) = delete;
  CallbackGuard& operator=(const CallbackGuard&) = delete;

  /// (any thread) `handler`, to be called only while the guard is open.
  template <class Handler>
  [[nodiscard]] auto wrap(Handler handler) const {
    return [state = state_, handler = std::move(handler)](auto&&... arguments) mutable {
      std::lock_guard lock(state->mutex);
      if (!state->closed) handler(std::forward<decltype(arguments)>(arguments)...);
    };
  }
  /// (any thread, also inside a handler) Runs `once` if the guard was still open, then no handler any more.
  template <class Function>
  void close(Function once) {
    std::lock_guard lock(state_->mutex);
    if (state_->closed) return;
    state_->closed = true;
    once();
  }
  /// Inside a handler: whether a callback made meanwhile has closed the guard.
  [[nodiscard]] bool closed() const { return state_->closed; }

 private:
  struct State {
    std::recursive_mutex mutex;  // recursive: a callback may close the guard that called it
    bool closed = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace tidemark::pools

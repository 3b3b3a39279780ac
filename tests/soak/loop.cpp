#include "tests/soak/loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <sys/epoll.h>
#include <unistd.h>

namespace tidemark::soak {

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Loop::~Loop() {
  ::close(epoll_);
}

void Loop::add(int descriptor) const {
  epoll_event event{};
  event.events = EPOLLONESHOT;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void Loop::Wait::await_suspend(std::coroutine_handle<> waiting) {
  waiting_ = waiting;
  timer_ = loop_.timers_.emplace(deadline_, this);
  if (descriptor_ < 0) return;
  epoll_event event{};
  event.events = events_ | EPOLLONESHOT;
  event.data.ptr = this;
  if (::epoll_ctl(loop_.epoll_, EPOLL_CTL_MOD, descriptor_, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void Loop::turn() {
  using std::chrono::milliseconds;
  auto pause = milliseconds(100);
  if (!timers_.empty()) {
    const auto next = std::chrono::ceil<milliseconds>(timers_.begin()->first - Clock::now());
    pause = std::clamp(next, milliseconds(0), pause);
  }
  std::array<epoll_event, 256> events{};
  const int count =
      ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(pause.count()));
  for (int i = 0; i < count; ++i) {
    auto* wait = static_cast<Wait*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (wait == nullptr) continue;  // a hang-up before anybody waited
    timers_.erase(wait->timer_);
    wait->ready_ = true;
    wait->waiting_.resume();
  }
  const auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Wait* wait = timers_.begin()->second;
    timers_.erase(timers_.begin());
    if (wait->descriptor_ >= 0) {
      epoll_event event{};
      event.events = EPOLLONESHOT;
      ::epoll_ctl(epoll_, EPOLL_CTL_MOD, wait->descriptor_, &event);
    }
    wait->waiting_.resume();
  }
}

}  // namespace tidemark::soak

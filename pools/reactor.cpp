#include "pools/reactor.hpp"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace tidemark::pools {

namespace {
constexpr std::size_t kEventsPerTurn = 128;
}

Reactor::Timer::Timer(Reactor& reactor, std::function<void()> callback)
    : reactor_(reactor), callback_(std::move(callback)) {}

void Reactor::Timer::expires_at(TimePoint when) {
  cancel();
  // Behind those due now: a callback that arms a past time is served in the next turn.
  if (reactor_.firing_ && when <= reactor_.now_) when = reactor_.now_ + Clock::duration(1);
  position_ = reactor_.timers_.emplace(when, this);
  armed_ = true;
}

void Reactor::Timer::cancel() {
  if (!armed_) return;
  reactor_.timers_.erase(position_);
  armed_ = false;
}

Reactor::Reactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  wake_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd_ < 0) {
    const int error = errno;
    ::close(epoll_);
    throw std::system_error(error, std::generic_category(), "eventfd");
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd_, &event) != 0) {
    const int error = errno;
    ::close(wake_fd_);
    ::close(epoll_);
    throw std::system_error(error, std::generic_category(), "epoll_ctl");
  }
}

Reactor::~Reactor() {
  ::close(wake_fd_);
  ::close(epoll_);
}

bool Reactor::add(int descriptor, EventHandler& handler) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &handler;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool Reactor::add_listener(int descriptor, EventHandler& handler) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  event.data.ptr = &handler;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool Reactor::rebind(int descriptor, EventHandler& from, EventHandler& to) {
  for (EventHandler*& pending : batch_) {
    if (pending == &from) pending = nullptr;
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &to;
  return ::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) == 0;
}

void Reactor::remove(int descriptor, EventHandler& handler) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  for (EventHandler*& pending : batch_) {
    if (pending == &handler) pending = nullptr;
  }
}

int Reactor::timeout_milliseconds() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first - Clock::now();
  if (left <= Clock::duration::zero()) return 0;
  // Rounded up: waking early would spin until the timer is due.
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return milliseconds > 60'000 ? 60'000 : static_cast<int>(milliseconds);
}

void Reactor::fire_timers() {
  firing_ = true;
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    Timer* timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->armed_ = false;
    timer->callback_();
  }
  firing_ = false;
}

void Reactor::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

void Reactor::run(const std::function<void()>& before_events, const std::function<void()>& after_events) {
  std::array<epoll_event, kEventsPerTurn> events;
  batch_.reserve(kEventsPerTurn);
  while (!stopped_.load(std::memory_order_acquire)) {
    const int count =
        ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_milliseconds());
    now_ = Clock::now();
    batch_.clear();
    bool woken = false;
    for (int i = 0; i < count; ++i) {
      auto* handler = static_cast<EventHandler*>(events[static_cast<std::size_t>(i)].data.ptr);
      batch_.push_back(handler);
      if (handler == nullptr) woken = true;
    }
    if (woken) {
      std::uint64_t ignored = 0;
      [[maybe_unused]] const auto got = ::read(wake_fd_, &ignored, sizeof ignored);
      // An exchange, so that what was done before a wake() that wrote nothing is seen from here on.
      wake_pending_.exchange(false, std::memory_order_seq_cst);
    }
    before_events();
    if (woken) run_posted();
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      EventHandler* handler = batch_[i];
      if (handler == nullptr) continue;
      const std::uint32_t bits = events[i].events;
      handler->on_events({.readable = (bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                          .writable = (bits & EPOLLOUT) != 0,
                          .peer_closed = (bits & EPOLLRDHUP) != 0,
                          .broken = (bits & (EPOLLERR | EPOLLHUP)) != 0});
    }
    fire_timers();
    after_events();
  }
}

void Reactor::wake() {
  if (wake_pending_.exchange(true, std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

void Reactor::post(std::function<void()> task) {
  {
    std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  wake();
}

void Reactor::stop() {
  stopped_.store(true, std::memory_order_release);
  wake();
}

}  // namespace tidemark::pools

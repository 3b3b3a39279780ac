#include "tests/consistency/driver_worker.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

#include <sys/epoll.h>
#include <unistd.h>

namespace tidemark::consistency {

Worker::Worker(const DriverOptions& options, RunState& state, const std::vector<SessionPlan>& plans)
    : options_(options), state_(state), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::runtime_error("epoll_create1 failed");
  for (const SessionPlan& plan : plans) {
    Watched watched;
    watched.session = std::make_unique<Session>(plan, options_, recorder_);
    sessions_.push_back(std::move(watched));
  }
}

Worker::~Worker() {
  close(epoll_);
}

void Worker::run(double grace) {
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    sessions_[i].session->open(monotonic_now());
    update(i);
  }
  std::array<epoll_event, 64> events;
  std::int64_t give_up = 0;
  while (true) {
    std::int64_t now = monotonic_now();
    if (state_.stop && give_up == 0) {
      give_up = now + static_cast<std::int64_t>(grace * 1e9);
      for (Watched& watched : sessions_) watched.session->stop();
    }
    if (give_up != 0 && (all_done() || now > give_up)) break;
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), next_timeout(now));
    if (ready < 0 && errno != EINTR) throw std::runtime_error("epoll_wait failed");
    for (int i = 0; i < ready; ++i) {
      const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
      sessions_[index].session->on_ready();
      update(index);
    }
    run_timers(monotonic_now());
    state_.reads += recorder_.reads - reads_told_;
    reads_told_ = recorder_.reads;
  }
  const std::int64_t now = monotonic_now();
  for (Watched& watched : sessions_) watched.session->abandon(now);
}

void Worker::update(std::size_t index) {
  Watched& watched = sessions_[index];
  Session& session = *watched.session;
  if (!watched.counted && session.connected_once()) {
    watched.counted = true;
    ++state_.connected;
  }
  const int descriptor = session.descriptor();
  const std::uint32_t wanted = session.wanted_events();
  // While a connection is being made libpq may close a socket and open another of the same number, and a
  // closed socket leaves the epoll set by itself: only the kernel knows whether this one is in it.
  const bool settled = !session.connecting() && descriptor == watched.descriptor && wanted == watched.events;
  if (descriptor >= 0 && !settled) {
    epoll_event event{};
    event.events = wanted;
    event.data.u64 = index;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0)
      epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }
  watched.descriptor = descriptor;
  watched.events = wanted;
  if (session.due() != 0 && session.due() != watched.due) timers_.emplace(session.due(), index);
  watched.due = session.due();
}

void Worker::run_timers(std::int64_t now) {
  if (now >= next_deadline_check_) {
    next_deadline_check_ = now + 500'000'000;
    for (std::size_t i = 0; i < sessions_.size(); ++i) {
      const std::int64_t deadline = sessions_[i].session->deadline();
      if (deadline == 0 || now < deadline) continue;
      sessions_[i].session->on_deadline(now);
      update(i);
    }
  }
  while (!timers_.empty() && timers_.top().first <= now) {
    const auto [due, index] = timers_.top();
    timers_.pop();
    if (sessions_[index].session->due() != due) continue;
    sessions_[index].session->on_timer(now);
    update(index);
  }
}

int Worker::next_timeout(std::int64_t now) const {
  constexpr std::int64_t longest = 50;  // ms, so that a stop is noticed soon
  if (timers_.empty()) return static_cast<int>(longest);
  const std::int64_t milliseconds = (timers_.top().first - now + 999'999) / 1'000'000;
  return static_cast<int>(std::clamp<std::int64_t>(milliseconds, 0, longest));
}

bool Worker::all_done() const {
  return std::all_of(sessions_.begin(), sessions_.end(), [](const Watched& w) { return w.session->done(); });
}

}  // namespace tidemark::consistency

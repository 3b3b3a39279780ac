#include "tests/consistency/driver_worker.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <stdexcept>

#include <sys/epoll.h>
#include <unistd.h>

namespace tidemark::consistency {
namespace {

constexpr std::int64_t millisecond = 1'000'000;

}  // namespace

void Outbox::put(std::vector<Operation>& operations, std::int64_t complete_until) {
  const std::lock_guard lock(mutex_);
  operations_.insert(operations_.end(), operations.begin(), operations.end());
  complete_until_ = complete_until;
  operations.clear();
}

std::int64_t Outbox::take(std::vector<Operation>& operations) {
  const std::lock_guard lock(mutex_);
  operations.insert(operations.end(), operations_.begin(), operations_.end());
  operations_.clear();
  return complete_until_;
}

Worker::Worker(const DriverOptions& options, RunState& state, std::vector<ActorPlan> plans,
               std::uint32_t actors)
    : state_(state), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::runtime_error("epoll_create1 failed");
  for (ActorPlan& plan : plans) {
    Member member;
    member.actor = std::make_unique<Actor>(std::move(plan), actors, options, recorder_);
    member.first = watched_.size();
    member.count = member.actor->connections().size();
    for (const auto& connection : member.actor->connections())
      watched_.push_back({members_.size(), connection.get(), -1, 0, false});
    members_.push_back(std::move(member));
  }
}

Worker::~Worker() {
  close(epoll_);
}

void Worker::run(double grace) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i].actor->open(monotonic_now());
    update(i);
  }
  std::array<epoll_event, 64> events;
  std::int64_t give_up = 0;
  while (true) {
    std::int64_t now = monotonic_now();
    if (state_.stop && give_up == 0) {
      give_up = now + static_cast<std::int64_t>(grace * 1e9);
      for (Member& member : members_) member.actor->stop();
    }
    if (give_up != 0 && (all_done() || now > give_up)) break;
    if (now >= next_hand_over_) hand_over(now);
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), next_timeout(now));
    if (ready < 0 && errno != EINTR) throw std::runtime_error("epoll_wait failed");
    for (int i = 0; i < ready; ++i) {
      Watched& watched = watched_[events[static_cast<std::size_t>(i)].data.u64];
      watched.connection->on_ready();
      members_[watched.actor].actor->advance(monotonic_now());
      update(watched.actor);
    }
    run_timers(monotonic_now());
    state_.reads += recorder_.reads - reads_told_;
    reads_told_ = recorder_.reads;
  }
  const std::int64_t now = monotonic_now();
  for (Member& member : members_) member.actor->abandon(now);
  outbox_.put(recorder_.operations, std::numeric_limits<std::int64_t>::max());
}

void Worker::hand_over(std::int64_t now) {
  next_hand_over_ = now + 10 * millisecond;
  std::int64_t complete_until = now;
  for (const Member& member : members_)
    if (const auto start = member.actor->oldest_start()) complete_until = std::min(complete_until, *start);
  outbox_.put(recorder_.operations, complete_until);
}

void Worker::update(std::size_t actor) {
  Member& member = members_[actor];
  for (std::size_t i = 0; i < member.count; ++i) watch(member.first + i);
  const std::int64_t due = member.actor->due();
  if (due != 0 && due != member.due) timers_.emplace(due, actor);
  member.due = due;
}

void Worker::watch(std::size_t index) {
  Watched& watched = watched_[index];
  Connection& connection = *watched.connection;
  if (!watched.counted && connection.lives() > 0) {
    watched.counted = true;
    ++state_.connected;
  }
  const int descriptor = connection.descriptor();
  const std::uint32_t wanted = connection.wanted_events();
  // While a connection is being made libpq may close a socket and open another of the same number, and a
  // closed socket leaves the epoll set by itself: only the kernel knows whether this one is in it.
  const bool settled = connection.state() != Connection::State::connecting &&
                       descriptor == watched.descriptor && wanted == watched.events;
  if (descriptor >= 0 && !settled) {
    epoll_event event{};
    event.events = wanted;
    event.data.u64 = index;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0)
      epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }
  watched.descriptor = descriptor;
  watched.events = wanted;
}

void Worker::run_timers(std::int64_t now) {
  if (now >= next_deadline_check_) {
    next_deadline_check_ = now + 500 * millisecond;
    for (const Watched& watched : watched_) {
      const std::int64_t deadline = watched.connection->deadline();
      if (deadline == 0 || now < deadline) continue;
      watched.connection->on_deadline(now);
      members_[watched.actor].actor->advance(now);
      update(watched.actor);
    }
  }
  while (!timers_.empty() && timers_.top().first <= now) {
    const auto [due, actor] = timers_.top();
    timers_.pop();
    if (members_[actor].due != due) continue;
    members_[actor].due = 0;
    members_[actor].actor->advance(now);
    update(actor);
  }
}

int Worker::next_timeout(std::int64_t now) const {
  constexpr std::int64_t longest = 50;  // ms, so that a stop is noticed soon
  if (timers_.empty()) return static_cast<int>(longest);
  const std::int64_t milliseconds = (timers_.top().first - now + 999'999) / 1'000'000;
  return static_cast<int>(std::clamp<std::int64_t>(milliseconds, 0, longest));
}

bool Worker::all_done() const {
  return std::all_of(members_.begin(), members_.end(), [](const Member& m) { return m.actor->done(); });
}

}  // namespace tidemark::consistency

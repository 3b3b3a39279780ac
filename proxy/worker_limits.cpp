// What a worker does about limits: who is admitted, who has waited or idled for long, what is forgotten.

#include <algorithm>
#include <utility>

#include "proxy/client_limits.hpp"
#include "proxy/idle_watch.hpp"
#include "proxy/limits.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

namespace {
/// How long a group that nobody uses is kept, and how many groups there may be before that is cut short.
constexpr std::chrono::minutes kGroupMemory{5};
constexpr std::size_t kManyGroups = 1000;
constexpr std::chrono::milliseconds kShortestNoticeInterval{10};
constexpr std::chrono::milliseconds kLongestNoticeInterval{250};
}  // namespace

/// A database and user that nobody has used for a while; sooner when there are many.
void Worker::forget_groups(pools::Reactor::TimePoint now) {
  std::vector<std::pair<pools::Reactor::TimePoint, std::string>> unused;
  for (auto& [key, group] : groups_) {
    if (group->sessions != 0) {
      group->unused_since.reset();
    } else if (!group->unused_since) {
      group->unused_since = now;
    } else {
      unused.emplace_back(*group->unused_since, key);
    }
  }
  std::sort(unused.begin(), unused.end());
  for (const auto& [since, key] : unused) {
    const bool many = groups_.size() > kManyGroups;
    if (!many && now - since < kGroupMemory) break;
    PoolGroup& group = *groups_[key];
    if (many) {
      for (auto& pool : group.pools) pool->close_idle();
    }
    const bool empty =
        std::all_of(group.pools.begin(), group.pools.end(), [](const auto& pool) { return pool->unused(); });
    if (empty) groups_.erase(key);
  }
}

void Worker::check_timeouts() {
  const auto now = reactor_.now();
  timeouts_.expires_at(now + IdleWatch::interval(shared_.config.pool));
  std::vector<Session*> sessions;
  sessions.reserve(sessions_.size());
  for (auto& [serial, session] : sessions_) sessions.push_back(session.get());
  for (Session* session : sessions) session->check_timeouts(now);
}

/// Looks at everybody who waits, for a server connection in the order of the queues.
void Worker::send_notices() {
  const auto now = reactor_.now();
  const auto last = std::exchange(noticed_at_, now);
  for (auto& [key, group] : groups_) {
    for (auto& pool : group->pools) {
      if (pool->waiting() == 0) continue;
      pool->for_each_waiter([&](pools::Waiter& waiter, std::size_t before) {
        if (auto* session = dynamic_cast<Session*>(&waiter)) session->tell_wait(last, now, before);
      });
    }
  }
  const std::vector<Session*> waiting(waiting_.begin(), waiting_.end());
  for (Session* session : waiting) {
    if (!session->pools::Waiter::waiting()) session->tell_wait(last, now, 0);
  }
  if (waiting_.empty()) return;
  notices_.expires_at(now + std::clamp<std::chrono::nanoseconds>(shared_.config.pool.queue_notice / 4,
                                                                 kShortestNoticeInterval,
                                                                 kLongestNoticeInterval));
}

/// False when the user or the database has too many clients; the session is then closed.
bool Worker::is_admitted(Session& session) {
  const PoolGroup& group = *session.group();
  const auto refusal = shared_.client_limits.admit(group.user, group.database);
  if (refusal == ClientLimits::Refusal::none) return true;
  const auto limit = refusal == ClientLimits::Refusal::user ? Limit::user_clients : Limit::database_clients;
  metrics_.rejected(limit).add();
  not_admitted_ = &session;
  session.refuse(
      limit_error(limit, shared_.config, {.user = group.user, .database = group.database, .node = {}}));
  not_admitted_ = nullptr;
  return false;
}

}  // namespace tidemark::proxy

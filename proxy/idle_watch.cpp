#include "proxy/idle_watch.hpp"

#include <algorithm>

namespace tidemark::proxy {

namespace {
constexpr std::chrono::milliseconds kShortest{10};
constexpr std::chrono::seconds kLongest{1};
}  // namespace

IdleWatch::Due IdleWatch::look(Doing doing, TimePoint unit_began, TimePoint now,
                               const pools::PoolSettings& limits) {
  if (doing != doing_ || unit_began != unit_began_) {
    doing_ = doing;
    unit_began_ = unit_began;
    since_ = now;
    told_ = false;
  }
  const auto reached = [](std::chrono::nanoseconds time, std::chrono::nanoseconds limit) {
    return limit.count() != 0 && time >= limit;
  };
  switch (doing) {
    case Doing::idle:
      return reached(now - since_, limits.client_idle_timeout) ? Due::client_idle : Due::none;
    case Doing::idle_in_transaction:
      return reached(now - since_, limits.idle_transaction_timeout) ? Due::idle_transaction : Due::none;
    case Doing::running:
      if (told_ || !reached(now - unit_began, limits.query_timeout)) return Due::none;
      told_ = true;
      return Due::query;
    case Doing::other:
      break;
  }
  return Due::none;
}

std::chrono::nanoseconds IdleWatch::interval(const pools::PoolSettings& limits) {
  std::chrono::nanoseconds shortest{0};
  for (const auto limit :
       {limits.client_idle_timeout, limits.idle_transaction_timeout, limits.query_timeout}) {
    if (limit.count() != 0 && (shortest.count() == 0 || limit < shortest)) shortest = limit;
  }
  if (shortest.count() == 0) return shortest;
  return std::clamp<std::chrono::nanoseconds>(shortest / 4, kShortest, kLongest);
}

}  // namespace tidemark::proxy

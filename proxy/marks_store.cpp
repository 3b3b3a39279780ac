#include "proxy/marks_store.hpp"

#include <algorithm>
#include <iterator>

#include "routing/mutation.hpp"

namespace tidemark::proxy {

MarksStore::MarksStore(Duration ttl, std::size_t max_users, TimePoint start)
    : ttl_(ttl),
      max_per_shard_(std::max<std::size_t>(1, max_users / kShards)),
      doubtful_until_((start + ttl).time_since_epoch().count()) {}

MarksStore::Entry& MarksStore::find(Shard& shard, std::uint64_t user, std::uint64_t asked, TimePoint now) {
  if (const auto known = shard.places.find(user); known != shard.places.end()) {
    const auto entry = known->second;
    entry->last_used = std::max(entry->last_used, now);
    shard.entries.splice(shard.entries.end(), shard.entries, entry);
    return *entry;
  }
  while (!shard.entries.empty() &&
         (shard.entries.front().last_used + ttl_ <= now || shard.entries.size() >= max_per_shard_)) {
    forget_oldest(shard, now);
  }
  Entry& entry = shard.entries.emplace_back();
  entry.user = user;
  entry.last_used = now;
  shard.places[user] = std::prev(shard.entries.end());
  users_.fetch_add(1, std::memory_order_relaxed);
  if (now.time_since_epoch().count() < doubtful_until_.load(std::memory_order_acquire) &&
      !routing::mutated(routing::Mutation::unknown_is_clean)) {
    entry.marks.may_have_acted(asked, now);
  }
  return entry;
}

void MarksStore::forget_oldest(Shard& shard, TimePoint now) {
  const Entry& oldest = shard.entries.front();
  const auto expires = oldest.last_used + ttl_;
  if (expires > now && !oldest.marks.empty()) {
    evicted_.fetch_add(1, std::memory_order_relaxed);
    // Of this shard's users only, but one moment for all is simpler, and costs a question per user.
    auto until = doubtful_until_.load(std::memory_order_relaxed);
    const auto wanted = expires.time_since_epoch().count();
    while (until < wanted &&
           !doubtful_until_.compare_exchange_weak(until, wanted, std::memory_order_release)) {
    }
  }
  shard.places.erase(oldest.user);
  shard.entries.pop_front();
  users_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace tidemark::proxy

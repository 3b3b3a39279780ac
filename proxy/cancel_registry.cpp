#include "proxy/cancel_registry.hpp"

#include "protocol/scram.hpp"
#include "proxy/authenticator.hpp"

namespace tidemark::proxy {

protocol::CancelKey CancelRegistry::add(Target target, std::size_t secret_length) {
  protocol::CancelKey key;
  key.secret_key = random_bytes(secret_length);
  std::lock_guard lock(mutex_);
  do {
    key.process_id = next_;
    next_ = next_ == INT32_MAX ? 1 : next_ + 1;
  } while (entries_.contains(key.process_id));
  entries_[key.process_id] = {key.secret_key, target};
  return key;
}

void CancelRegistry::remove(std::int32_t process_id) {
  std::lock_guard lock(mutex_);
  entries_.erase(process_id);
}

std::optional<CancelRegistry::Target> CancelRegistry::find(const protocol::CancelKey& key) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(key.process_id);
  if (found == entries_.end() || !protocol::constant_time_equal(key.secret_key, found->second.secret)) {
    return std::nullopt;
  }
  return found->second.target;
}

}  // namespace tidemark::proxy

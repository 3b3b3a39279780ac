#include "proxy/cancel_registry.hpp"

#include "proxy/authenticator.hpp"

namespace tidemark::proxy {

protocol::CancelKey CancelRegistry::add(Target target) {
  protocol::CancelKey key;
  key.secret_key = random_bytes(4);
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
  if (found == entries_.end() || found->second.secret.size() != key.secret_key.size()) return std::nullopt;
  unsigned difference = 0;
  for (std::size_t i = 0; i < key.secret_key.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(key.secret_key[i]) ^
                                        static_cast<unsigned char>(found->second.secret[i]));
  }
  if (difference != 0) return std::nullopt;
  return found->second.target;
}

}  // namespace tidemark::proxy

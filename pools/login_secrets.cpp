#include "pools/login_secrets.hpp"

#include <algorithm>

namespace tidemark::pools {

LoginSecrets::Value::~Value() {
  for (protocol::ScramKeys& key : keys) {
    protocol::wipe(key.client_key);
    protocol::wipe(key.server_key);
  }
}

std::shared_ptr<const LoginSecrets::Value> LoginSecrets::load() const {
  std::lock_guard lock(mutex_);
  return value_;
}

void LoginSecrets::set_credential(const std::optional<protocol::Credential>& credential) {
  std::lock_guard lock(mutex_);
  if (value_->credential == credential) return;
  auto next = std::make_shared<Value>(*value_);
  next->credential = credential;
  value_ = std::move(next);
}

void LoginSecrets::learn(const protocol::ScramKeys& keys) {
  std::lock_guard lock(mutex_);
  if (!value_->keys.empty() && value_->keys.front() == keys) return;
  auto next = std::make_shared<Value>(*value_);
  // One set of keys per verifier.
  std::erase_if(next->keys, [&](const protocol::ScramKeys& known) {
    return known.salt == keys.salt && known.iterations == keys.iterations;
  });
  next->keys.insert(next->keys.begin(), keys);
  if (next->keys.size() > kKeptKeys) next->keys.pop_back();
  value_ = std::move(next);
}

void LoginSecrets::doubt() {
  std::lock_guard lock(mutex_);
  doubted_ = true;
}

bool LoginSecrets::take_doubt() {
  std::lock_guard lock(mutex_);
  return std::exchange(doubted_, false);
}

}  // namespace tidemark::pools

#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "protocol/startup_messages.hpp"

namespace tidemark::proxy {

/// Our cancel keys, across all workers: who is meant by a CancelRequest. Thread-safe; used at logins, ends
/// and cancels only.
class CancelRegistry {
 public:
  struct Target {
    unsigned worker = 0;
    std::uint64_t serial = 0;  ///< of the session, on that worker
  };

  /// A new key for `target`, unguessable, valid until `remove`. `secret_length`: see
  /// protocol::cancel_key_length.
  [[nodiscard]] protocol::CancelKey add(Target target,
                                        std::size_t secret_length = protocol::min_cancel_key_length);
  void remove(std::int32_t process_id);
  /// Whom `key` names; compares the secret in constant time.
  [[nodiscard]] std::optional<Target> find(const protocol::CancelKey& key) const;

 private:
  struct Entry {
    std::string secret;
    Target target;
  };
  mutable std::mutex mutex_;
  std::int32_t next_ = 1;
  std::map<std::int32_t, Entry> entries_;
};

}  // namespace tidemark::proxy

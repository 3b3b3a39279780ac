#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/credential.hpp"

namespace tidemark::pools {

/// What serves to log one user in to servers. One object per user for all databases, nodes and workers, so
/// that what one client's proof has taught is there for every connection that is opened later. Any thread.
class LoginSecrets {
 public:
  struct Value {
    /// Of the users file, or what the cluster said of the user.
    std::optional<protocol::Credential> credential;
    /// Of the last exchanges, the newest first; each serves where the server holds the verifier that it is
    /// of. More than one, because after a change of the password the replicas hold the former for a while.
    std::vector<protocol::ScramKeys> keys;

    Value() = default;
    Value(const Value&) = default;
    Value& operator=(const Value&) = default;
    Value(Value&&) = default;
    Value& operator=(Value&&) = default;
    ~Value();
  };
  static constexpr std::size_t kKeptKeys = 3;

  LoginSecrets() : value_(std::make_shared<const Value>()) {}

  [[nodiscard]] std::shared_ptr<const Value> load() const;
  void set_credential(const std::optional<protocol::Credential>& credential);
  /// Keys that have served, or that a client has proven.
  void learn(const protocol::ScramKeys& keys);
  /// A server did not take any of it: what is believed of the user should be asked anew.
  void doubt();
  /// Whether it was doubted since the last call.
  [[nodiscard]] bool take_doubt();

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Value> value_;
  bool doubted_ = false;
};

}  // namespace tidemark::pools

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "protocol/accept_machine.hpp"
#include "protocol/credential.hpp"

namespace tidemark::proxy {

/// Fills `size` bytes from the system's random number generator. Throws std::runtime_error when there is
/// none.
[[nodiscard]] std::string random_bytes(std::size_t size);

/// The users that the configuration names. Immutable after construction; any thread.
class Authenticator {
 public:
  /// Throws std::runtime_error, naming the user, for a password text that is malformed (start-up only).
  explicit Authenticator(const config::Config& config);

  [[nodiscard]] protocol::AuthMethod method() const { return method_; }
  /// What the user's client has to prove: a verifier, so that a login costs no PBKDF2. Null for an unknown
  /// user.
  [[nodiscard]] const protocol::Credential* for_clients(std::string_view user) const;
  /// What the user's login to a server can use.
  [[nodiscard]] std::optional<protocol::Credential> for_servers(std::string_view user) const;
  /// The same for the life of the process: makes up an unknown user's salt.
  [[nodiscard]] const std::string& process_secret() const { return process_secret_; }

 private:
  struct Entry {
    protocol::Credential client;
    protocol::Credential server;
  };
  protocol::AuthMethod method_;
  std::string process_secret_;
  std::map<std::string, Entry, std::less<>> users_;
};

}  // namespace tidemark::proxy

#include "proxy/authenticator.hpp"

#include <stdexcept>

#include <sys/random.h>

#include "protocol/scram.hpp"

namespace tidemark::proxy {

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  if (::getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size)) {
    throw std::runtime_error("the system gave no random bytes");
  }
  return bytes;
}

Authenticator::Authenticator(const config::Config& config)
    : method_(config.auth.method == config::AuthMethod::trust ? protocol::AuthMethod::trust
                                                              : protocol::AuthMethod::scram_sha_256),
      process_secret_(random_bytes(32)) {
  for (const auto& user : config.users) {
    auto credential = protocol::Credential::parse(user.password.reveal());
    if (!credential)
      throw std::runtime_error("users file: the password of user \"" + user.name + "\" is malformed");
    protocol::Credential client = *credential;
    if (credential->password() != nullptr) {
      client = protocol::Credential::scram(
          protocol::make_verifier(*credential->password(), protocol::derive_salt(process_secret_, user.name),
                                  protocol::default_scram_iterations));
    }
    users_.emplace(user.name, Entry{std::move(client), std::move(*credential)});
  }
}

const protocol::Credential* Authenticator::for_clients(std::string_view user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second.client;
}

std::optional<protocol::Credential> Authenticator::for_servers(std::string_view user) const {
  const auto found = users_.find(user);
  if (found == users_.end()) return std::nullopt;
  return found->second.server;
}

}  // namespace tidemark::proxy

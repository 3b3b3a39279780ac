#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/credential.hpp"

namespace tidemark::proxy {

/// One user's secret, in the two forms that it is used in.
struct UserCredentials {
  /// What a client's proof is compared with; of a password a verifier, so that a login costs no PBKDF2.
  protocol::Credential for_clients;
  /// What our logins to servers can use: the secret as it was given.
  protocol::Credential for_servers;
};

/// What is known of one user.
struct UserSecret {
  std::shared_ptr<const UserCredentials> credentials;  ///< null: unknown, or has no password
  /// From then on the password is no good (pg_authid.rolvaliduntil); nothing: for ever.
  std::optional<std::chrono::sys_time<std::chrono::microseconds>> valid_until;
  bool exists = false;  ///< there is such a user
};

/// Answers of the cluster, each believed for a time. Bounded: the oldest answer goes first. One thread at a
/// time.
class SecretCache {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  SecretCache(std::size_t capacity, std::chrono::nanoseconds lifetime);

  /// Nothing when it is not known, too old, or in doubt.
  [[nodiscard]] std::optional<UserSecret> find(std::string_view user, TimePoint now);
  void put(const std::string& user, UserSecret secret, TimePoint now);
  /// A client's proof did not match: what is remembered may be out of date, and is forgotten. At most once a
  /// second for one user, so that whoever guesses passwords does not make every guess a question.
  void doubt(std::string_view user, TimePoint now);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    UserSecret secret;
    TimePoint asked_at;
    std::optional<TimePoint> doubted_at;  ///< the last time that doubt() took effect
    bool believed = true;
    std::list<std::string>::iterator age;
  };
  std::size_t capacity_;
  std::chrono::nanoseconds lifetime_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::list<std::string> by_age_;  ///< the oldest first
};

/// A timestamp as PostgreSQL prints it with TimeZone=UTC and DateStyle=ISO: "2026-11-21 02:00:00+00", with up
/// to six decimals, "infinity" (nothing), "-infinity"; years before Christ count as the distant past. `ok` is
/// false for any other text.
struct ValidUntil {
  bool ok = false;
  std::optional<std::chrono::sys_time<std::chrono::microseconds>> at;
};
[[nodiscard]] ValidUntil parse_valid_until(std::string_view text);
/// Whether the password's time is over.
[[nodiscard]] bool is_expired(const UserSecret& secret, std::chrono::system_clock::time_point now);

}  // namespace tidemark::proxy

#pragma once

#include <string_view>

#include "pools/membership.hpp"

namespace tidemark::pools {

/// Told what became of AuthoritySource::ask. Called on the monitor's thread, last thing in a handler.
class AuthorityClient {
 public:
  virtual void on_answer(const MembershipAnswer& answer) = 0;
  /// Nobody answered in time; `why` holds no secret.
  virtual void on_no_answer(std::string_view why) = 0;

 protected:
  ~AuthorityClient() = default;
};

/// An authority that can be asked. On the monitor's thread only; never blocks.
class AuthoritySource {
 public:
  AuthoritySource() = default;
  virtual ~AuthoritySource() = default;
  AuthoritySource(const AuthoritySource&) = delete;
  AuthoritySource& operator=(const AuthoritySource&) = delete;

  /// Ends in exactly one call of the client's; not called again before that.
  virtual void ask() = 0;
  /// No callback follows.
  virtual void stop() = 0;
};

}  // namespace tidemark::pools

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/problem.hpp"

namespace tidemark::config {

struct UsersResult {
  std::vector<User> users;  ///< those that are in order; what is not is in `problems`
  std::vector<Problem> problems;
};

/// The [[user]] tables of a users file. Problems tell places and names, never a password. A verifier or hash
/// that begins like one but is malformed is an error: PostgreSQL would take it for a plain password.
[[nodiscard]] UsersResult read_users(std::string_view text, std::string_view file_name, AuthMethod method);

/// What User::password holds, by the forms of pg_authid.rolpassword (manual, "pg_authid").
enum class SecretForm : std::uint8_t { plain, scram_sha_256, md5, malformed };
[[nodiscard]] SecretForm form_of(const Secret& secret);

}  // namespace tidemark::config

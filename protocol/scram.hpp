#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark::protocol {

/// The arithmetic of SCRAM-SHA-256 (RFC 5802, RFC 7677). Functions throw std::runtime_error only if the
/// crypto library itself fails (out of memory). All may be called from any thread.

using Digest = std::array<unsigned char, 32>;

[[nodiscard]] inline std::string_view as_bytes(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

[[nodiscard]] Digest sha256(std::string_view data);
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view data);
[[nodiscard]] Digest exclusive_or(const Digest& a, const Digest& b);
/// Takes the same time wherever the two differ.
[[nodiscard]] bool constant_time_equal(const Digest& a, const Digest& b);
/// Likewise; texts of different lengths are told at once, so the length must not be the secret.
[[nodiscard]] bool constant_time_equal(std::string_view a, std::string_view b);
/// Overwrites a secret, including the room a string keeps in reserve, and empties it.
void wipe(std::string& secret);
void wipe(Digest& secret);

/// Lower-case digits, two for each byte.
[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] std::string base64_encode(std::string_view bytes);
/// Strict: padded, canonical, no white space; nothing otherwise.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

/// The base64 of exactly one digest.
[[nodiscard]] std::optional<Digest> digest_from_base64(std::string_view text);

inline constexpr int default_scram_iterations = 4096;
inline constexpr int max_scram_iterations = 10'000'000;
inline constexpr std::size_t scram_salt_length = 16;
/// Random bytes in a nonce of ours; it is sent as base64.
inline constexpr std::size_t scram_nonce_length = 18;

/// Hi(Normalize(password)) of RFC 5802: PBKDF2 with HMAC-SHA-256. Milliseconds of CPU at 4096 iterations.
/// `iterations` in [1, max_scram_iterations]. Normalize is saslprep().
[[nodiscard]] Digest salted_password(std::string_view password, std::string_view salt, int iterations);
[[nodiscard]] Digest client_key(const Digest& salted_password);
[[nodiscard]] Digest server_key(const Digest& salted_password);
/// H(ClientKey)
[[nodiscard]] Digest stored_key(const Digest& client_key);

/// What a server keeps of a password. Enough to verify a client and to impersonate the server to it: a
/// secret.
struct ScramVerifier {
  int iterations = default_scram_iterations;
  std::string salt;
  Digest stored_key{};
  Digest server_key{};
  friend bool operator==(const ScramVerifier&, const ScramVerifier&) = default;
};

[[nodiscard]] ScramVerifier make_verifier(std::string_view password, std::string_view salt, int iterations);

/// The text in pg_authid.rolpassword: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
[[nodiscard]] std::optional<ScramVerifier> parse_scram_verifier(std::string_view text);
[[nodiscard]] std::string print_scram_verifier(const ScramVerifier& verifier);

/// A salt that is always the same for one user and cannot be foretold without the secret: for verifiers made
/// from plain-text passwords and for the mock exchange of users who do not exist, which so look alike.
[[nodiscard]] std::string derive_salt(std::string_view process_secret, std::string_view user);

}  // namespace tidemark::protocol

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/credential.hpp"
#include "protocol/scram.hpp"

namespace tidemark::protocol {

inline constexpr std::string_view scram_sha_256_mechanism = "SCRAM-SHA-256";

/// How a step of a SCRAM exchange went. Anything but `ok` ends the exchange.
enum class ScramVerdict : unsigned char {
  ok,
  wrong_secret,  ///< the proof (or, for a client, the server's signature) does not match
  malformed,     ///< not a message of RFC 5802, or not the one that may come now
  unsupported,   ///< well formed, and something that we do not do
};

struct ScramStep {
  ScramVerdict verdict = ScramVerdict::ok;
  std::string_view reason;  ///< a literal, without secrets; empty if ok
};

/// Verifies a client: client-first -> server-first, client-final -> server-final. Without a verifier (the
/// user is unknown, or has no password) the same exchange takes place and fails at the end like a wrong
/// password.
class ScramServer {
 public:
  /// `verifier` may be null and is copied. `nonce`: at least 18 random bytes, new for each exchange.
  ScramServer(const ScramVerifier* verifier, std::string_view user, std::string_view nonce,
              std::string_view process_secret);

  /// Appends server-first-message to `reply` if ok.
  [[nodiscard]] ScramStep on_client_first(std::string_view message, std::string& reply);
  /// Appends server-final-message to `reply` if ok: the client has proven itself.
  [[nodiscard]] ScramStep on_client_final(std::string_view message, std::string& reply);
  /// Set after on_client_final said ok.
  [[nodiscard]] const std::optional<ScramKeys>& keys() const { return keys_; }

 private:
  enum class State : unsigned char { client_first, client_final, ended };

  ScramVerifier verifier_;
  bool mock_;
  State state_ = State::client_first;
  std::string nonce_;              // ours alone, then the client's and ours
  std::string gs2_header_;         // what c= has to repeat
  std::string client_first_bare_;  // the parts of AuthMessage
  std::string server_first_;
  std::optional<ScramKeys> keys_;
};

/// Proves ourselves to a server with a password or with keys of an earlier exchange, and lets the server
/// prove that it knows the verifier.
class ScramClient {
 public:
  /// `password` may be null, and is copied and overwritten at the end; `keys` may be null. Keys are used
  /// where salt and iterations are the server's, else the password. `nonce`: at least 18 random bytes, never
  /// used before.
  ScramClient(const std::string* password, const ScramKeys* keys, std::string_view nonce);
  ScramClient(const ScramClient&) = delete;
  ScramClient& operator=(const ScramClient&) = delete;
  ~ScramClient();

  void start(std::string& client_first);
  /// Appends client-final-message to `reply` if ok. Refuses iteration counts outside [1,
  /// max_scram_iterations]; with a password this is the call that costs the CPU time of PBKDF2.
  [[nodiscard]] ScramStep on_server_first(std::string_view message, std::string& reply);
  [[nodiscard]] ScramStep on_server_final(std::string_view message);
  /// The keys that were used, after on_server_final said ok: worth keeping, the next login is cheaper with
  /// them.
  [[nodiscard]] const std::optional<ScramKeys>& keys() const { return proven_; }

 private:
  enum class State : unsigned char { start, server_first, server_final, ended };

  State state_ = State::start;
  std::optional<std::string> password_;
  std::optional<ScramKeys> keys_;
  std::optional<ScramKeys> proven_;
  std::string nonce_;
  std::string client_first_bare_;
  std::string auth_message_;
};

}  // namespace tidemark::protocol

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/credential.hpp"
#include "protocol/scram.hpp"

namespace tidemark::protocol {

inline constexpr std::string_view scram_sha_256_mechanism = "SCRAM-SHA-256";
/// The same with channel binding, tls-server-end-point (RFC 7677, RFC 5929).
inline constexpr std::string_view scram_sha_256_plus_mechanism = "SCRAM-SHA-256-PLUS";

/// How a step of a SCRAM exchange went. Anything but `ok` ends the exchange.
enum class ScramVerdict : unsigned char {
  ok,
  wrong_secret,  ///< the proof (or, for a client, the server's signature) does not match
  malformed,     ///< not a message of RFC 5802, or not the one that may come now
  unsupported,   ///< well formed, and something that we do not do
  /// For a server: the client, which can bind, was made to believe that we cannot (RFC 5802, section 6).
  binding_downgraded,
  binding_mismatch,  ///< for a server: the client is bound to another TLS connection than ours
};

struct ScramStep {
  ScramVerdict verdict = ScramVerdict::ok;
  std::string_view reason;   ///< a literal, without secrets; empty if ok
  std::string_view message;  ///< malformed, from a server: PostgreSQL's message, with `reason` as its detail
};

/// Verifies a client: client-first -> server-first, client-final -> server-final. Without a verifier (the
/// user is unknown, or has no password) the same exchange takes place and fails at the end like a wrong
/// password.
class ScramServer {
 public:
  /// `verifier` may be null and is copied. `nonce`: scram_nonce_length random bytes, new for each exchange.
  /// `channel_binding`: the tls-server-end-point data of this connection; empty if it has none, and then
  /// SCRAM-SHA-256-PLUS must not have been offered.
  ScramServer(const ScramVerifier* verifier, std::string_view user, std::string_view nonce,
              std::string_view process_secret, std::string_view channel_binding = {});

  /// The mechanism that the client chose: with channel binding or without. Before on_client_first.
  void select(bool plus) { plus_ = plus; }
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
  std::string channel_binding_;
  bool plus_ = false;
  std::string nonce_;              // ours alone, then the client's and ours
  std::string gs2_header_;         // what c= has to repeat, with the channel binding's data behind it
  std::string client_first_bare_;  // the parts of AuthMessage
  std::string server_first_;
  std::optional<ScramKeys> keys_;
};

/// How a client says what it knows of channel binding: the flag of the GS2 header (RFC 5802, section 7).
enum class BindingFlag : char {
  not_supported = 'n',
  not_offered = 'y',  ///< we could, and the server did not offer it: it checks that it really did not
  used = 'p',         ///< the exchange is bound to this TLS connection
};

/// Proves ourselves to a server with a password or with keys of an earlier exchange, and lets the server
/// prove that it knows the verifier.
class ScramClient {
 public:
  /// `password` may be null, and is copied and overwritten at the end; `keys` may be null. Keys are used
  /// where salt and iterations are the server's, else the password. `nonce`: scram_nonce_length random bytes,
  /// never used before. `channel_binding`: the tls-server-end-point data, only with BindingFlag::used.
  ScramClient(const std::string* password, const ScramKeys* keys, std::string_view nonce,
              BindingFlag flag = BindingFlag::not_supported, std::string_view channel_binding = {});
  ScramClient(const ScramClient&) = delete;
  ScramClient& operator=(const ScramClient&) = delete;
  ~ScramClient();

  /// Keys of one more verifier that the server may hold. Before on_server_first().
  void also_know(ScramKeys keys) { others_.push_back(std::move(keys)); }

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
  std::vector<ScramKeys> others_;
  std::optional<ScramKeys> proven_;
  std::string nonce_;
  std::string gs2_header_;
  std::string channel_binding_;
  std::string client_first_bare_;
  std::string auth_message_;
};

}  // namespace tidemark::protocol

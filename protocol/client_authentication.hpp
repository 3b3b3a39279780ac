#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/credential.hpp"
#include "protocol/scram_exchange.hpp"
#include "protocol/sqlstate.hpp"

namespace tidemark::protocol {

/// How a client has to prove itself; the names of pg_hba.conf (manual, "Client Authentication").
enum class AuthMethod : unsigned char {
  trust,
  scram_sha_256,
  md5,   ///< md5; SCRAM-SHA-256 where a SCRAM verifier is known for the user
  cert,  ///< the client's certificate names the user
  reject
};

/// What a client's certificate, verified against our client CA, says of its owner.
struct ClientCertificate {
  std::string common_name;   ///< the subject's CN; empty if it has none
  std::string subject_name;  ///< the whole subject, as RFC 2253 prints it
};

/// What is known of the client once the TLS handshake is done.
struct TlsPeer {
  /// tls-server-end-point (RFC 5929): the hash of OUR certificate. Empty: SCRAM-SHA-256-PLUS is not offered.
  std::string channel_binding;
  std::string alpn;  ///< the protocol that was negotiated; empty if none was
  /// Nothing if the client showed none, or one that was not verified.
  std::optional<ClientCertificate> certificate;
};

/// Random bytes for one authentication: SCRAM's nonce, or the salt under md5.
inline constexpr std::size_t auth_nonce_length = scram_nonce_length;

/// What the host rules say of a client, and what is known of the user it claims to be.
struct AuthDecision {
  AuthMethod method = AuthMethod::reject;
  /// Null for an unknown user, and for one without a password: the exchange takes place all the same and
  /// fails like a wrong password, so the caller never refuses an unknown user itself. Under scram_sha_256 a
  /// plain-text credential costs a PBKDF2 each time: keep make_verifier(password, derive_salt(process_secret,
  /// user), default_scram_iterations) and pass Credential::scram() of it. Under md5, pass what is known: an
  /// md5 hash and a plain password mean md5, a verifier means SCRAM, none means md5. An md5 hash under
  /// scram_sha_256 fails like a wrong password.
  const Credential* credential = nullptr;
  /// Under cert: the certificate may be this user: its CN is the name, or the user map says so. Without a
  /// certificate on this connection it counts for nothing.
  bool certificate_matches = false;
  /// Under reject: the text for the client (it may name an address). Empty: a default.
  std::string_view reject_message = {};
  /// auth_nonce_length random bytes, fresh for this call.
  std::string_view nonce = {};
  /// Random bytes, the same for the life of the process: what is made up for unknown users comes from them.
  std::string_view process_secret = {};
};

/// A FATAL error that tells a client why it may not go on. Its texts hold no secret.
struct Refusal {
  Sqlstate code;
  std::string message;
  std::string detail = {};
  std::string hint = {};
};

/// How far the authentication is.
struct AuthStep {
  enum class Status : unsigned char { more, authenticated, refused };
  Status status = Status::more;
  Refusal refusal = {};  ///< only if refused
};

/// One client's authentication: from the decision about it to AuthenticationOk or a refusal. What the client
/// is told, PostgreSQL tells in the same words and codes. No I/O; not thread-safe.
class ClientAuthentication {
 public:
  /// `peer`: null without TLS. Copies what it needs.
  ClientAuthentication(std::string_view user, const TlsPeer* peer);

  /// To be called once. Appends the request for a proof, or AuthenticationOk.
  [[nodiscard]] AuthStep begin(const AuthDecision& decision, std::string& output);
  /// Takes the body of one message of type 'p'. Only after `more`.
  [[nodiscard]] AuthStep on_response(std::string_view body, std::string& output);
  /// What is expected of a client that sent another message: "SASL response" or "password response".
  [[nodiscard]] std::string_view expected() const;

  /// Set after a SCRAM exchange that ended authenticated.
  [[nodiscard]] const std::optional<ScramKeys>& scram_keys() const { return scram_keys_; }

 private:
  enum class State : unsigned char { begin, password, sasl_initial, client_first, client_final, ended };

  AuthStep begin_md5(const AuthDecision& decision, std::string& output);
  AuthStep begin_scram(const AuthDecision& decision, std::string& output);
  AuthStep on_password(std::string_view body, std::string& output);
  AuthStep on_sasl_initial(std::string_view body, std::string& output);
  AuthStep on_scram(std::string_view data, std::string& output);
  AuthStep refuse(Refusal refusal);
  AuthStep refuse(const ScramStep& step);
  AuthStep wrong_password();

  std::string user_;
  bool has_certificate_ = false;
  std::string channel_binding_;
  State state_ = State::begin;
  std::string md5_expected_;
  bool md5_mock_ = false;
  std::optional<ScramServer> scram_;
  std::optional<ScramKeys> scram_keys_;
};

}  // namespace tidemark::protocol

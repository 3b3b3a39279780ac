#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/credential.hpp"
#include "protocol/scram_exchange.hpp"
#include "protocol/sqlstate.hpp"
#include "protocol/ssl_mode.hpp"
#include "protocol/startup_messages.hpp"

namespace tidemark::protocol {

struct LoginRequest {
  std::string user;
  std::string database;
  /// Further startup parameters, such as application_name; `user` and `database` in here are ignored.
  ParameterList parameters;
  /// prefer and above: the login begins with an SSLRequest. Verifying certificates is the caller's.
  SslMode ssl_mode = SslMode::disable;
};

enum class LoginFailureKind : unsigned char {
  server_error,                ///< the server said no: see error_response and code
  no_credential,               ///< it asks for a password, and we know none that serves
  unsupported_authentication,  ///< it asks for a method that we do not speak
  protocol_violation,          ///< it sent what may not come, or failed to prove itself
  tls_unavailable,             ///< TLS is required, and it has none
};

struct LoginFailure {
  LoginFailureKind kind = LoginFailureKind::protocol_violation;
  std::string text;            ///< for logs and operators, without secrets
  std::string error_response;  ///< server_error: the whole message as it came, type byte included
  Sqlstate code;               ///< server_error: its SQLSTATE; else 08P01 or 28000
  /// Under prefer: the server is too old to know SSLRequest; a new connection with `disable` may work.
  bool may_retry_without_tls = false;
};

/// Our login to a server, from StartupMessage to the first ReadyForQuery. No I/O: the caller sends what is
/// appended to `output` and brings bytes; it keeps the bytes that were not consumed and brings them again
/// with more behind them. One object per connection; not thread-safe; not copyable, as it holds secrets.
class LoginMachine {
 public:
  enum class Status : unsigned char {
    more,       ///< send the output, then call on_bytes() when more has come
    start_tls,  ///< run the TLS handshake as the client, then call on_tls(); nothing is left unconsumed
    ready,      ///< ReadyForQuery was consumed; bytes behind it, if any, were not
    failed,     ///< see failure(); close the connection
  };

  struct Progress {
    std::size_t consumed = 0;  ///< bytes of the input to drop
    Status status = Status::more;
  };

  /// A message with a length field above this is a violation (as is a ParameterStatus too many).
  static constexpr std::size_t max_message_length = 1024 * 1024;
  static constexpr std::size_t max_parameter_statuses = 1000;

  /// `credential`: what we know of the user's password. `keys`: of an earlier SCRAM exchange of this user,
  /// with us as server or client. `nonce`: at least 18 fresh random bytes.
  LoginMachine(LoginRequest request, std::optional<Credential> credential, std::optional<ScramKeys> keys,
               std::string_view nonce);
  /// Keys of one more verifier that the server may hold, as after a change of the password that not all
  /// servers know of yet. Before start().
  void also_know(ScramKeys keys) { other_keys_.push_back(std::move(keys)); }
  LoginMachine(const LoginMachine&) = delete;
  LoginMachine& operator=(const LoginMachine&) = delete;

  /// Appends the SSLRequest or the StartupMessage. To be called once, before on_bytes(). The server's answer
  /// to an SSLRequest is one byte; under prefer, N means that the login goes on in plain text.
  void start(std::string& output);

  /// The answer to Status::start_tls, when the handshake is done: appends the StartupMessage.
  /// `channel_binding`: tls-server-end-point (RFC 5929), the hash of the server's certificate; empty if its
  /// kind of signature defines none.
  void on_tls(std::string_view channel_binding, std::string& output);

  /// Takes as many whole messages from the front of `input` as there are.
  [[nodiscard]] Progress on_bytes(std::string_view input, std::string& output);

  /// What the server reported, each name once with its last value.
  [[nodiscard]] const ParameterList& parameter_statuses() const { return parameter_statuses_; }
  /// Nothing if the server sent no BackendKeyData (it cannot be cancelled then).
  [[nodiscard]] const std::optional<CancelKey>& cancel_key() const { return cancel_key_; }
  /// Only after Status::failed.
  [[nodiscard]] const LoginFailure& failure() const { return failure_; }
  /// After a SCRAM login that is ready: give them to the next login of this user to spare its PBKDF2.
  [[nodiscard]] const std::optional<ScramKeys>& scram_keys() const { return proven_keys_; }

 private:
  enum class State : unsigned char {
    ssl_answer,
    tls_handshake,
    authentication,
    scram_continue,
    scram_final,
    authentication_ok,
    settled,
    ready,
    failed
  };

  Status on_ssl_answer(std::string_view input, std::string& output);
  void send_startup(std::string& output);
  Status on_message(char type, std::string_view message, std::string_view body, std::string& output);
  Status on_authentication(std::string_view body, std::string& output);
  Status on_sasl_offer(const std::vector<std::string_view>& mechanisms, std::string& output);
  Status on_scram_failure(const ScramStep& step);
  Status on_parameter_status(std::string_view body);
  Status on_backend_key_data(std::string_view body);
  Status on_error_response(std::string_view message, std::string_view body);
  Status answer_md5(std::string_view salt, std::string& output);
  Status fail(LoginFailureKind kind, std::string text);
  Status violation(std::string_view what);

  LoginRequest request_;
  std::optional<Credential> credential_;
  std::optional<ScramKeys> keys_;
  std::vector<ScramKeys> other_keys_;
  std::string nonce_;
  bool encrypted_ = false;
  std::string channel_binding_;
  State state_ = State::authentication;
  std::optional<ScramClient> scram_;
  std::optional<ScramKeys> proven_keys_;
  ParameterList parameter_statuses_;
  std::optional<CancelKey> cancel_key_;
  LoginFailure failure_;
};

}  // namespace tidemark::protocol

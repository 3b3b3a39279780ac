#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/credential.hpp"
#include "protocol/error_response.hpp"
#include "protocol/scram_exchange.hpp"
#include "protocol/sqlstate.hpp"
#include "protocol/startup_messages.hpp"

namespace tidemark::protocol {

/// How a client has to prove itself.
enum class AuthMethod : unsigned char { trust, scram_sha_256 };

/// The conversation with a new client until it is authenticated, or has turned out to be a CancelRequest.
/// It does no I/O: the caller brings bytes, sends what was appended to `output`, and does what `want` says.
/// It keeps the bytes that were not consumed and brings them again with more behind them. One object per
/// connection; not thread-safe.
class AcceptMachine {
 public:
  enum class Want : unsigned char {
    more_bytes,     ///< send the output, then call on_bytes() when more has come
    secret,         ///< send the output, look the user of startup() up, then call on_secret()
    authenticated,  ///< AuthenticationOk is in the output; ParameterStatus and the rest are the caller's
    cancel,         ///< cancel_key() names what to cancel; close without a word
    close,          ///< send the output (a FATAL ErrorResponse), then close
  };

  struct Progress {
    std::size_t consumed = 0;  ///< bytes of the input to drop
    Want want = Want::more_bytes;
  };

  /// No message before authentication may have a length field above this.
  static constexpr std::size_t max_message_length = 64 * 1024;

  /// Takes at most one message from the front of `input`; when it has consumed something and wants
  /// more_bytes, call again with what is left (if anything is). While it wants a secret it consumes nothing.
  [[nodiscard]] Progress on_bytes(std::string_view input, std::string& output);

  /// The answer to Want::secret. `credential` is null for an unknown user: under SCRAM that runs to the end
  /// and fails like a wrong password, so the caller never refuses an unknown user itself. A plain-text
  /// credential costs a PBKDF2 each time: keep make_verifier(password, derive_salt(process_secret, user),
  /// default_scram_iterations) and pass Credential::scram() of it. `nonce`: at least 18 fresh random bytes.
  /// `process_secret`: random bytes, the same for the life of the process. Progress::consumed is 0.
  [[nodiscard]] Progress on_secret(AuthMethod method, const Credential* credential, std::string_view nonce,
                                   std::string_view process_secret, std::string& output);

  /// Refuses the client from outside (a full house, an unknown database, a timeout): appends a FATAL
  /// ErrorResponse, after which the machine wants to close.
  Progress refuse(Sqlstate code, std::string_view message, std::string_view hint, std::string& output);

  /// Valid from Want::secret on. A `replication` parameter is not in it, `database` may not be: use
  /// database().
  [[nodiscard]] const StartupMessage& startup() const { return startup_; }
  /// Valid after Want::cancel.
  [[nodiscard]] const CancelKey& cancel_key() const { return cancel_key_; }
  /// Set after a SCRAM exchange that ended authenticated: see ScramKeys.
  [[nodiscard]] const std::optional<ScramKeys>& scram_keys() const { return scram_keys_; }

 private:
  enum class State : unsigned char {
    first_packet,
    secret,
    sasl_initial,
    sasl_response,
    authenticated,
    cancel,
    closed
  };

  Progress on_first_packet(std::string_view input, std::string& output);
  Progress on_encryption_request(bool& seen, std::string_view name, std::size_t available,
                                 std::string& output);
  Progress on_startup(std::size_t length, std::string& output);
  Progress on_sasl(std::string_view input, std::string& output);
  Progress on_sasl_failure(const ScramStep& step, std::string& output);
  Progress fatal(ErrorFields fields, std::string& output);

  State state_ = State::first_packet;
  bool ssl_request_seen_ = false;
  bool gssenc_request_seen_ = false;
  bool scram_started_ = false;
  StartupMessage startup_;
  CancelKey cancel_key_;
  std::optional<ScramServer> scram_;
  std::optional<ScramKeys> scram_keys_;
};

}  // namespace tidemark::protocol

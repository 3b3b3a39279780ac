#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/client_authentication.hpp"
#include "protocol/credential.hpp"
#include "protocol/error_response.hpp"
#include "protocol/sqlstate.hpp"
#include "protocol/startup_messages.hpp"

namespace tidemark::protocol {

/// What a listener does with TLS.
enum class TlsOffer : unsigned char {
  disabled,  ///< SSLRequest is answered N
  allowed,   ///< the client chooses
  required,  ///< a StartupMessage in plain text is refused. A CancelRequest is not: libpq's PQcancel() knows
             ///< no TLS, and what it carries is good for nothing but cancelling
};

/// The conversation with a new client until it is authenticated, or has turned out to be a CancelRequest.
/// It does no I/O: the caller brings bytes, sends what was appended to `output`, and does what `want` says.
/// It keeps the bytes that were not consumed and brings them again with more behind them. One object per
/// connection; not thread-safe.
class AcceptMachine {
 public:
  enum class Want : unsigned char {
    more_bytes,  ///< send the output, then call on_bytes() when more has come
    start_tls,   ///< send the output, run the TLS handshake as the server, then call on_tls(). It begins with
                 ///< the first byte that was not consumed. If it fails, close without a word
    secret,      ///< send the output, find out about the user of startup(), then call on_secret()
    authenticated,  ///< AuthenticationOk is in the output; ParameterStatus and the rest are the caller's
    cancel,         ///< cancel_key() names what to cancel; close without a word
    close,          ///< send the output (a FATAL ErrorResponse), then close
  };

  struct Progress {
    std::size_t consumed = 0;  ///< bytes of the input to drop
    Want want = Want::more_bytes;
  };

  /// No typed message before the end of authentication may have a length field above this: PostgreSQL's limit
  /// for SASL messages (PG_MAX_SASL_MESSAGE_LENGTH), far above what any answer of a client needs.
  static constexpr std::size_t max_message_length = 1024;

  explicit AcceptMachine(TlsOffer tls = TlsOffer::disabled) : tls_offer_(tls) {}

  /// Takes at most one message from the front of `input`; when it has consumed something and wants
  /// more_bytes, call again with what is left (if anything is). While it wants TLS or a secret it consumes
  /// nothing. A first byte 0x16 is a TLS handshake without SSLRequest (manual, "SSL Session Encryption"): it
  /// is enough to bring that one byte, and none of it is consumed.
  [[nodiscard]] Progress on_bytes(std::string_view input, std::string& output);

  /// The answer to Want::start_tls, when the handshake is done: what comes from now on was encrypted.
  /// Progress::consumed is 0.
  [[nodiscard]] Progress on_tls(TlsPeer peer, std::string& output);

  /// The answer to Want::secret, now or later. Nothing of `decision` is kept by reference.
  /// Progress::consumed is 0.
  [[nodiscard]] Progress on_secret(const AuthDecision& decision, std::string& output);

  /// Refuses the client from outside (a full house, an unknown database, a timeout): appends a FATAL
  /// ErrorResponse, after which the machine wants to close.
  Progress refuse(Sqlstate code, std::string_view message, std::string_view hint, std::string& output);

  /// Valid from Want::secret on. A `replication` parameter is not in it, `database` may not be: use
  /// database().
  [[nodiscard]] const StartupMessage& startup() const { return startup_; }
  /// Valid from Want::secret on: what this connection speaks, 3.0 or 3.2, after negotiation.
  [[nodiscard]] ProtocolVersion protocol_version() const { return version_; }
  /// Nothing while the connection is in plain text.
  [[nodiscard]] const std::optional<TlsPeer>& tls_peer() const { return tls_peer_; }
  /// The code that the client was refused with, by the machine or through refuse(); nothing while it was not.
  [[nodiscard]] const std::optional<Sqlstate>& refused_with() const { return refused_with_; }
  /// Valid after Want::cancel.
  [[nodiscard]] const CancelKey& cancel_key() const { return cancel_key_; }
  /// Set after a SCRAM exchange that ended authenticated: see ScramKeys. An exchange with channel binding
  /// yields them just as well: the client's key is bound to nothing, only its proof is.
  [[nodiscard]] const std::optional<ScramKeys>& scram_keys() const { return scram_keys_; }

 private:
  enum class State : unsigned char {
    first_packet,
    tls_handshake,
    secret,
    authentication,
    authenticated,
    cancel,
    closed
  };

  Progress on_first_packet(std::string_view input, std::string& output);
  Progress on_direct_tls(std::string& output);
  Progress on_encryption_request(bool& seen, std::string_view name, char answer, std::size_t available,
                                 std::string& output);
  Progress on_startup(std::size_t length, std::string& output);
  /// Empty, or why a connection with such a `replication` parameter is refused; the parameter is dropped if
  /// off.
  [[nodiscard]] Refusal check_replication();
  Progress on_authentication(std::string_view input, std::string& output);
  Progress after(const AuthStep& step, std::size_t consumed, std::string& output);
  Progress fatal(ErrorFields fields, std::string& output);

  TlsOffer tls_offer_;
  std::optional<TlsPeer> tls_peer_;
  ProtocolVersion version_;
  State state_ = State::first_packet;
  bool direct_tls_ = false;
  bool ssl_request_seen_ = false;
  bool gssenc_request_seen_ = false;
  StartupMessage startup_;
  CancelKey cancel_key_;
  std::optional<ClientAuthentication> authentication_;
  std::optional<ScramKeys> scram_keys_;
  std::optional<Sqlstate> refused_with_;
};

}  // namespace tidemark::protocol

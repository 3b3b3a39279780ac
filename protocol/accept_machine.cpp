#include "protocol/accept_machine.hpp"

#include <algorithm>
#include <array>

#include "protocol/bytes.hpp"

namespace tidemark::protocol {

namespace {

constexpr std::size_t encryption_request_length = 8;
constexpr std::size_t message_header_length = 5;
/// The first byte of every TLS connection (RFC 8446, section 5.1): no length of ours begins with it.
constexpr char tls_handshake_record = 0x16;
/// What PostgreSQL is called in ALPN (RFC 7301; manual, "SSL Session Encryption").
constexpr std::string_view alpn_protocol = "postgresql";

/// What somebody who speaks another protocol is told. The first four bytes are enough to tell.
std::string_view hint_for_foreign_protocol(std::string_view first_bytes) {
  constexpr std::array<std::string_view, 8> http_methods = {"GET ", "HEAD", "POST", "PUT ",
                                                            "DELE", "OPTI", "PATC", "CONN"};
  const std::string_view start = first_bytes.substr(0, 4);
  if (std::find(http_methods.begin(), http_methods.end(), start) != http_methods.end()) {
    return "This looks like an HTTP request, but this is a PostgreSQL port.";
  }
  if (start == "PROX" || start == "\r\n\r\n") {
    return "This looks like a PROXY protocol header, which is not supported here.";
  }
  return "This is a PostgreSQL port; the client seems to speak another protocol.";
}

/// PostgreSQL's reading of a Boolean: any case, and any unique beginning of the words.
std::optional<bool> parse_boolean(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto begins = [&](std::string_view word, std::size_t at_least) {
    return lower.size() >= at_least && word.starts_with(lower);
  };
  if (lower == "1" || begins("true", 1) || begins("yes", 1) || begins("on", 2)) return true;
  if (lower == "0" || begins("false", 1) || begins("no", 1) || begins("off", 2)) return false;
  return std::nullopt;
}

}  // namespace

AcceptMachine::Progress AcceptMachine::on_bytes(std::string_view input, std::string& output) {
  switch (state_) {
    case State::first_packet:
      return on_first_packet(input, output);
    case State::tls_handshake:
      return {0, Want::start_tls};
    case State::secret:
      return {0, Want::secret};
    case State::authentication:
      return on_authentication(input, output);
    case State::authenticated:
      return {0, Want::authenticated};
    case State::cancel:
      return {0, Want::cancel};
    case State::closed:
      break;
  }
  return {0, Want::close};
}

AcceptMachine::Progress AcceptMachine::on_first_packet(std::string_view input, std::string& output) {
  const bool is_first_byte = !tls_peer_ && !ssl_request_seen_ && !gssenc_request_seen_;
  if (is_first_byte && !input.empty() && input[0] == tls_handshake_record) return on_direct_tls(output);
  if (input.size() < 4) return {0, Want::more_bytes};
  const std::size_t length = load_uint32(input.data());
  if (length < min_startup_packet_length || length > max_startup_packet_length) {
    return fatal({.code = sqlstate::protocol_violation,
                  .message = "invalid length of startup packet",
                  .hint = hint_for_foreign_protocol(input)},
                 output);
  }
  if (input.size() < length) return {0, Want::more_bytes};

  const std::string_view packet = input.substr(0, length);
  FirstPacketResult result = parse_first_packet(packet);
  if (result.error == Errc::unsupported_version) {
    const std::string message = "unsupported frontend protocol " +
                                std::to_string(result.version.major_number) + "." +
                                std::to_string(result.version.minor_number) + ": server supports 3.0 to 3." +
                                std::to_string(newest_protocol.minor_number);
    return fatal({.code = sqlstate::feature_not_supported, .message = message}, output);
  }
  if (failed(result.error)) {
    return fatal({.code = sqlstate::protocol_violation,
                  .message = "invalid startup packet layout",
                  .detail = describe(result.error)},
                 output);
  }
  if (std::holds_alternative<SslRequest>(result.packet)) {
    const char answer = tls_offer_ == TlsOffer::disabled ? 'N' : 'S';
    return on_encryption_request(ssl_request_seen_, "SSL request", answer, input.size(), output);
  }
  if (std::holds_alternative<GssEncRequest>(result.packet)) {
    return on_encryption_request(gssenc_request_seen_, "GSSAPI encryption request", 'N', input.size(),
                                 output);
  }
  if (auto* key = std::get_if<CancelKey>(&result.packet)) {
    cancel_key_ = std::move(*key);
    state_ = State::cancel;
    return {length, Want::cancel};
  }
  startup_ = std::move(std::get<StartupMessage>(result.packet));
  return on_startup(length, output);
}

AcceptMachine::Progress AcceptMachine::on_direct_tls(std::string& output) {
  if (tls_offer_ == TlsOffer::disabled) {
    return fatal({.code = sqlstate::protocol_violation,
                  .message = "received a TLS handshake, but TLS is not enabled here",
                  .hint = "Connect with sslmode=disable, or enable TLS for this listener."},
                 output);
  }
  direct_tls_ = true;
  state_ = State::tls_handshake;
  return {0, Want::start_tls};
}

AcceptMachine::Progress AcceptMachine::on_encryption_request(bool& seen, std::string_view name, char answer,
                                                             std::size_t available, std::string& output) {
  if (seen || tls_peer_) {
    const std::string message = (tls_peer_ ? "received " : "received more than one ") + std::string(name) +
                                (tls_peer_ ? " on a connection that is encrypted already" : "");
    return fatal({.code = sqlstate::protocol_violation, .message = message}, output);
  }
  seen = true;
  // A client waits for our answer. What stands behind the request already was put there by somebody who hopes
  // that we read it as if it had come inside the encryption (CVE-2021-23222).
  if (available > encryption_request_length) {
    const std::string message = "received unencrypted data after " + std::string(name);
    return fatal({.code = sqlstate::protocol_violation,
                  .message = message,
                  .detail = "This could be either a client-software bug or evidence of an attempted "
                            "man-in-the-middle attack."},
                 output);
  }
  output.push_back(answer);
  if (answer == 'N') return {encryption_request_length, Want::more_bytes};
  state_ = State::tls_handshake;
  return {encryption_request_length, Want::start_tls};
}

AcceptMachine::Progress AcceptMachine::on_tls(TlsPeer peer, std::string& output) {
  if (state_ != State::tls_handshake) return on_bytes({}, output);
  state_ = State::first_packet;
  tls_peer_ = std::move(peer);
  // Without it a browser could be led to speak to us (manual, "SSL Session Encryption").
  if (direct_tls_ && tls_peer_->alpn != alpn_protocol) {
    return fatal({.code = sqlstate::protocol_violation,
                  .message = "received direct SSL connection request without ALPN protocol negotiation "
                             "extension"},
                 output);
  }
  return {0, Want::more_bytes};
}

AcceptMachine::Progress AcceptMachine::on_startup(std::size_t length, std::string& output) {
  if (tls_offer_ == TlsOffer::required && !tls_peer_) {
    return fatal({.code = sqlstate::invalid_authorization_specification,
                  .message = "connections without TLS are not accepted here",
                  .hint = "Connect with sslmode=require, or better verify-full."},
                 output);
  }
  if (startup_.user().empty()) {
    return fatal({.code = sqlstate::invalid_authorization_specification,
                  .message = "no PostgreSQL user name specified in startup packet"},
                 output);
  }
  if (const Refusal refusal = check_replication(); !refusal.message.empty()) {
    return fatal({.code = refusal.code, .message = refusal.message, .hint = refusal.hint}, output);
  }
  version_ = startup_.version;
  version_.minor_number = std::min(version_.minor_number, newest_protocol.minor_number);
  if (version_ != startup_.version || !startup_.protocol_options.empty()) {
    append_negotiate_protocol_version(output, version_, startup_.protocol_options);
  }
  state_ = State::secret;
  return {length, Want::secret};
}

Refusal AcceptMachine::check_replication() {
  const std::string* value = find_parameter(startup_.parameters, "replication");
  if (value == nullptr) return {};
  const auto wanted = *value == "database" ? std::optional<bool>(true) : parse_boolean(*value);
  if (!wanted) {
    return {sqlstate::invalid_parameter_value,
            "invalid value for parameter \"replication\": \"" + *value + "\"",
            {},
            "Valid values are: \"false\", 0, \"true\", 1, \"database\"."};
  }
  if (*wanted) {
    return {sqlstate::feature_not_supported,
            "replication connections are not supported by Tidemark",
            {},
            "Connect to the primary directly."};
  }
  // Off is the normal case, and no server setting: what is left in the list can be forwarded.
  std::erase_if(startup_.parameters, [](const auto& parameter) { return parameter.first == "replication"; });
  return {};
}

AcceptMachine::Progress AcceptMachine::on_secret(const AuthDecision& decision, std::string& output) {
  if (state_ != State::secret) return on_bytes({}, output);
  state_ = State::authentication;
  authentication_.emplace(startup_.user(), tls_peer_ ? &*tls_peer_ : nullptr);
  return after(authentication_->begin(decision, output), 0, output);
}

AcceptMachine::Progress AcceptMachine::on_authentication(std::string_view input, std::string& output) {
  if (!input.empty() && input[0] != 'p') {
    const std::string message = "expected " + std::string(authentication_->expected()) +
                                ", got message type " + std::to_string(static_cast<unsigned char>(input[0]));
    return fatal({.code = sqlstate::protocol_violation, .message = message}, output);
  }
  if (input.size() < message_header_length) return {0, Want::more_bytes};
  const std::size_t length = load_uint32(input.data() + 1);
  if (length < 4 || length > max_message_length) {
    const std::string message = "invalid length of " + std::string(authentication_->expected());
    const std::string detail = length < 4 ? std::string()
                                          : "Before the end of authentication a message may have " +
                                                std::to_string(max_message_length) + " bytes.";
    return fatal({.code = sqlstate::protocol_violation, .message = message, .detail = detail}, output);
  }
  if (input.size() < length + 1) return {0, Want::more_bytes};
  const std::string_view body = input.substr(message_header_length, length + 1 - message_header_length);
  return after(authentication_->on_response(body, output), length + 1, output);
}

AcceptMachine::Progress AcceptMachine::after(const AuthStep& step, std::size_t consumed,
                                             std::string& output) {
  switch (step.status) {
    case AuthStep::Status::more:
      return {consumed, Want::more_bytes};
    case AuthStep::Status::authenticated:
      scram_keys_ = authentication_->scram_keys();
      authentication_.reset();
      state_ = State::authenticated;
      return {consumed, Want::authenticated};
    case AuthStep::Status::refused:
      break;
  }
  return fatal({.code = step.refusal.code,
                .message = step.refusal.message,
                .detail = step.refusal.detail,
                .hint = step.refusal.hint},
               output);
}

AcceptMachine::Progress AcceptMachine::refuse(Sqlstate code, std::string_view message, std::string_view hint,
                                              std::string& output) {
  return fatal({.code = code, .message = message, .hint = hint}, output);
}

AcceptMachine::Progress AcceptMachine::fatal(ErrorFields fields, std::string& output) {
  fields.severity = "FATAL";
  append_error_response(output, fields);
  refused_with_ = fields.code;
  authentication_.reset();
  state_ = State::closed;
  return {0, Want::close};
}

}  // namespace tidemark::protocol

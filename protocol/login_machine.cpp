#include "protocol/login_machine.hpp"

#include <algorithm>
#include <utility>

#include "protocol/auth_messages.hpp"
#include "protocol/bytes.hpp"
#include "protocol/error_response.hpp"
#include "protocol/md5.hpp"

namespace tidemark::protocol {

namespace {

constexpr std::size_t message_header_length = 5;

std::string_view name_of(AuthenticationCode code) {
  switch (code) {
    case AuthenticationCode::kerberos_v5:
      return "Kerberos V5";
    case AuthenticationCode::scm_credential:
      return "SCM credentials";
    case AuthenticationCode::gss:
    case AuthenticationCode::gss_continue:
      return "GSSAPI";
    case AuthenticationCode::sspi:
      return "SSPI";
    default:
      return "an unknown method";
  }
}

}  // namespace

LoginMachine::LoginMachine(LoginRequest request, std::optional<Credential> credential,
                           std::optional<ScramKeys> keys, std::string_view nonce)
    : request_(std::move(request)),
      credential_(std::move(credential)),
      keys_(std::move(keys)),
      nonce_(nonce) {}

void LoginMachine::start(std::string& output) {
  if (request_.ssl_mode == SslMode::disable) return send_startup(output);
  append_ssl_request(output);
  state_ = State::ssl_answer;
}

void LoginMachine::send_startup(std::string& output) {
  state_ = State::authentication;
  ParameterList parameters;
  set_parameter(parameters, "user", request_.user);
  set_parameter(parameters, "database", request_.database);
  for (const auto& [name, value] : request_.parameters) {
    if (name != "user" && name != "database") set_parameter(parameters, name, value);
  }
  append_startup_message(output, parameters);
}

void LoginMachine::on_tls(std::string_view channel_binding, std::string& output) {
  if (state_ != State::tls_handshake) return;
  encrypted_ = true;
  channel_binding_ = channel_binding;
  send_startup(output);
}

LoginMachine::Status LoginMachine::on_ssl_answer(std::string_view input, std::string& output) {
  const char answer = input[0];
  if (answer == 'E') {
    // What it says is not looked at: nobody has vouched for it (CVE-2024-10977).
    fail(LoginFailureKind::tls_unavailable, "the server answered the SSLRequest with an error");
    failure_.may_retry_without_tls = request_.ssl_mode == SslMode::prefer;
    return Status::failed;
  }
  if (answer != 'S' && answer != 'N') {
    return violation("answered the SSLRequest with something else than S or N; it may be no PostgreSQL");
  }
  // The server waits for us now. Whatever came with the answer was put there by somebody who hopes that we
  // read it as if it had come inside the encryption (CVE-2021-23222).
  if (input.size() > 1) return violation("sent unencrypted data behind its answer to the SSLRequest");
  if (answer == 'S') {
    state_ = State::tls_handshake;
    return Status::start_tls;
  }
  if (request_.ssl_mode != SslMode::prefer) {
    return fail(LoginFailureKind::tls_unavailable, "the server does not support TLS, but TLS is required");
  }
  send_startup(output);
  return Status::more;
}

LoginMachine::Progress LoginMachine::on_bytes(std::string_view input, std::string& output) {
  Progress progress;
  if (state_ == State::ready) progress.status = Status::ready;
  if (state_ == State::failed) progress.status = Status::failed;
  if (state_ == State::tls_handshake) progress.status = Status::start_tls;
  if (state_ == State::ssl_answer && !input.empty()) {
    return {.consumed = 1, .status = on_ssl_answer(input, output)};
  }
  while (progress.status == Status::more) {
    const std::string_view rest = input.substr(progress.consumed);
    if (rest.size() < message_header_length) break;
    const std::size_t length = load_uint32(rest.data() + 1);
    if (length < 4 || length > max_message_length) {
      progress.status =
          violation("sent a message of impossible length during the login; it may be no PostgreSQL");
      break;
    }
    if (rest.size() < length + 1) break;
    const std::string_view message = rest.substr(0, length + 1);
    progress.consumed += message.size();
    progress.status = on_message(message[0], message, message.substr(message_header_length), output);
  }
  return progress;
}

LoginMachine::Status LoginMachine::on_message(char type, std::string_view message, std::string_view body,
                                              std::string& output) {
  switch (type) {
    case 'E':
      return on_error_response(message, body);
    case 'N':
      return Status::more;  // NoticeResponse may come at any time and changes nothing
    case 'R':
      return on_authentication(body, output);
    case 'v':
      // We ask for 3.0 without options, so there is nothing to negotiate; to say so is no harm.
      return state_ == State::authentication ? Status::more
                                             : violation("sent NegotiateProtocolVersion too late");
    case 'S':
      return on_parameter_status(body);
    case 'K':
      return on_backend_key_data(body);
    case 'Z':
      if (state_ != State::settled) return violation("sent ReadyForQuery before the login was complete");
      if (body != "I") return violation("sent a ReadyForQuery that is not idle after the login");
      if (scram_) proven_keys_ = scram_->keys();
      scram_.reset();
      state_ = State::ready;
      return Status::ready;
    default:
      return violation("sent a message of a type that may not come during the login");
  }
}

LoginMachine::Status LoginMachine::on_authentication(std::string_view body, std::string& output) {
  AuthenticationMessage message;
  if (const Errc error = parse_authentication(body, message); failed(error)) {
    return violation("sent a malformed authentication request");
  }
  std::string reply;
  switch (state_) {
    case State::ssl_answer:
    case State::tls_handshake:
      return violation("sent an authentication request before the StartupMessage");
    case State::authentication:
      break;
    case State::scram_continue: {
      if (message.code != AuthenticationCode::sasl_continue) return violation("broke off the SCRAM exchange");
      const ScramStep step = scram_->on_server_first(message.data, reply);
      if (step.verdict == ScramVerdict::wrong_secret) {
        return fail(LoginFailureKind::no_credential, std::string(step.reason));
      }
      if (step.verdict != ScramVerdict::ok) return on_scram_failure(step);
      append_sasl_response(output, reply);
      state_ = State::scram_final;
      return Status::more;
    }
    case State::scram_final: {
      // AuthenticationOk here would be a server that skips its own proof.
      if (message.code != AuthenticationCode::sasl_final) return violation("broke off the SCRAM exchange");
      const ScramStep step = scram_->on_server_final(message.data);
      if (step.verdict != ScramVerdict::ok) return on_scram_failure(step);
      state_ = State::authentication_ok;
      return Status::more;
    }
    case State::authentication_ok:
      if (message.code != AuthenticationCode::ok) return violation("asked for a second authentication");
      break;
    case State::settled:
    case State::ready:
    case State::failed:
      return violation("sent an authentication request after the authentication");
  }

  switch (message.code) {
    case AuthenticationCode::ok:
      state_ = State::settled;
      return Status::more;
    case AuthenticationCode::cleartext_password:
      if (!credential_ || credential_->password() == nullptr) {
        return fail(LoginFailureKind::no_credential,
                    "the server asks for a clear-text password, and none is known for this user");
      }
      append_password_message(output, *credential_->password());
      state_ = State::authentication_ok;
      return Status::more;
    case AuthenticationCode::md5_password:
      return answer_md5(message.salt, output);
    case AuthenticationCode::sasl:
      return on_sasl_offer(message.mechanisms, output);
    case AuthenticationCode::sasl_continue:
    case AuthenticationCode::sasl_final:
      return violation("sent a SASL message before the exchange began");
    default:
      break;
  }
  return fail(LoginFailureKind::unsupported_authentication,
              "the server asks for " + std::string(name_of(message.code)) + ", which is not supported");
}

LoginMachine::Status LoginMachine::answer_md5(std::string_view salt, std::string& output) {
  std::optional<std::string> digits;
  if (credential_ && credential_->md5_digits() != nullptr) {
    digits = *credential_->md5_digits();
  } else if (credential_ && credential_->password() != nullptr) {
    digits = md5_stored_digits(*credential_->password(), request_.user);
  } else {
    return fail(
        LoginFailureKind::no_credential,
        "the server asks for an md5 password, and neither it nor the plain one is known for this user");
  }
  const auto response = digits ? md5_response(*digits, salt) : std::nullopt;
  if (!response) {
    return fail(LoginFailureKind::unsupported_authentication,
                "the server asks for an md5 password, and the crypto library here refuses MD5");
  }
  append_password_message(output, *response);
  state_ = State::authentication_ok;
  return Status::more;
}

LoginMachine::Status LoginMachine::on_sasl_offer(const std::vector<std::string_view>& mechanisms,
                                                 std::string& output) {
  const auto offers = [&](std::string_view mechanism) {
    return std::find(mechanisms.begin(), mechanisms.end(), mechanism) != mechanisms.end();
  };
  const bool offers_plus = offers(scram_sha_256_plus_mechanism);
  if (offers_plus && !encrypted_) {
    return violation(
        "offers SCRAM-SHA-256-PLUS on a connection without TLS; somebody may have taken TLS off");
  }
  const bool plus = offers_plus && !channel_binding_.empty();
  if (!plus && !offers(scram_sha_256_mechanism)) {
    return fail(LoginFailureKind::unsupported_authentication,
                "the server offers no SASL mechanism that is supported here");
  }
  const std::string* password = credential_ ? credential_->password() : nullptr;
  if (password == nullptr && !keys_ && other_keys_.empty()) {
    return fail(
        LoginFailureKind::no_credential,
        "the server asks for SCRAM-SHA-256, and neither the password nor the keys of an earlier exchange are "
        "known for this user");
  }
  const BindingFlag flag = plus                       ? BindingFlag::used
                           : channel_binding_.empty() ? BindingFlag::not_supported
                                                      : BindingFlag::not_offered;
  scram_.emplace(password, keys_ ? &*keys_ : nullptr, nonce_, flag, channel_binding_);
  for (const ScramKeys& keys : other_keys_) scram_->also_know(keys);
  std::string client_first;
  scram_->start(client_first);
  append_sasl_initial_response(output, plus ? scram_sha_256_plus_mechanism : scram_sha_256_mechanism,
                               client_first);
  state_ = State::scram_continue;
  return Status::more;
}

LoginMachine::Status LoginMachine::on_scram_failure(const ScramStep& step) {
  return fail(LoginFailureKind::protocol_violation,
              "SCRAM exchange with the server: " + std::string(step.reason));
}

LoginMachine::Status LoginMachine::on_parameter_status(std::string_view body) {
  if (state_ != State::settled) return violation("sent ParameterStatus before the authentication");
  Reader reader(body);
  const std::string_view name = reader.cstring();
  const std::string_view value = reader.cstring();
  if (failed(reader.finish()) || name.empty()) return violation("sent a malformed ParameterStatus");
  set_parameter(parameter_statuses_, name, value);
  if (parameter_statuses_.size() > max_parameter_statuses) return violation("sent too many ParameterStatus");
  return Status::more;
}

LoginMachine::Status LoginMachine::on_backend_key_data(std::string_view body) {
  if (state_ != State::settled) return violation("sent BackendKeyData before the authentication");
  if (cancel_key_) return violation("sent BackendKeyData twice");
  CancelKey key;
  if (failed(parse_backend_key_data(body, key))) return violation("sent a malformed BackendKeyData");
  cancel_key_ = std::move(key);
  return Status::more;
}

LoginMachine::Status LoginMachine::on_error_response(std::string_view message, std::string_view body) {
  ErrorFields fields;
  if (failed(parse_error_fields(body, fields))) return violation("sent a malformed ErrorResponse");
  failure_.error_response = std::string(message);
  std::string text = std::string(fields.severity) + " " + std::string(fields.code.text()) + ": ";
  text += fields.message;
  fail(LoginFailureKind::server_error, std::move(text));
  failure_.code = fields.code;
  return Status::failed;
}

LoginMachine::Status LoginMachine::fail(LoginFailureKind kind, std::string text) {
  failure_.kind = kind;
  failure_.text = std::move(text);
  failure_.code = kind == LoginFailureKind::protocol_violation
                      ? sqlstate::protocol_violation
                      : sqlstate::invalid_authorization_specification;
  scram_.reset();
  state_ = State::failed;
  return Status::failed;
}

LoginMachine::Status LoginMachine::violation(std::string_view what) {
  return fail(LoginFailureKind::protocol_violation, "the server " + std::string(what));
}

}  // namespace tidemark::protocol

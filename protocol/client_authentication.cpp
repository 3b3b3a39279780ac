#include "protocol/client_authentication.hpp"

#include <utility>

#include "protocol/auth_messages.hpp"
#include "protocol/md5.hpp"

namespace tidemark::protocol {

namespace {

constexpr std::size_t md5_salt_length = 4;

/// Digits that no password is known of, always the same for one user.
std::string mock_md5_digits(std::string_view process_secret, std::string_view user) {
  const Digest digest = hmac_sha256(process_secret, std::string("tidemark mock md5 ").append(user));
  return to_hex(as_bytes(digest).substr(0, 16));
}

}  // namespace

ClientAuthentication::ClientAuthentication(std::string_view user, const TlsPeer* peer) : user_(user) {
  if (peer == nullptr) return;
  has_certificate_ = peer->certificate.has_value();
  channel_binding_ = peer->channel_binding;
}

AuthStep ClientAuthentication::begin(const AuthDecision& decision, std::string& output) {
  if (state_ != State::begin) return refuse({sqlstate::protocol_violation, "authentication began twice"});
  state_ = State::ended;
  switch (decision.method) {
    case AuthMethod::reject: {
      std::string message(decision.reject_message);
      if (message.empty()) message = "connection rejected for user \"" + user_ + "\"";
      return refuse({sqlstate::invalid_authorization_specification, std::move(message)});
    }
    case AuthMethod::trust:
      break;
    case AuthMethod::cert:
      if (!has_certificate_) {
        return refuse({sqlstate::invalid_authorization_specification,
                       "connection requires a valid client certificate"});
      }
      if (!decision.certificate_matches) {
        return refuse({sqlstate::invalid_authorization_specification,
                       "certificate authentication failed for user \"" + user_ + "\""});
      }
      break;
    case AuthMethod::md5:
      if (decision.credential == nullptr || decision.credential->verifier() == nullptr) {
        return begin_md5(decision, output);
      }
      return begin_scram(decision, output);
    case AuthMethod::scram_sha_256:
      return begin_scram(decision, output);
  }
  append_authentication_ok(output);
  return {AuthStep::Status::authenticated};
}

AuthStep ClientAuthentication::begin_md5(const AuthDecision& decision, std::string& output) {
  // Everything is worked out for everybody, so that time does not tell who is known.
  const Credential* known = decision.credential;
  const std::string* password = known == nullptr ? nullptr : known->password();
  auto digits = md5_stored_digits(password == nullptr ? std::string_view{} : *password, user_);
  std::string mock = mock_md5_digits(decision.process_secret, user_);
  if (password == nullptr && digits) {
    digits = known != nullptr && known->md5_digits() != nullptr ? *known->md5_digits() : mock;
  }
  md5_mock_ = known == nullptr;
  const std::string_view salt = decision.nonce.substr(0, md5_salt_length);
  auto expected = digits ? md5_response(*digits, salt) : std::nullopt;
  if (digits) wipe(*digits);
  if (!expected || salt.size() != md5_salt_length) {
    return refuse({sqlstate::feature_not_supported,
                   "md5 authentication is not possible: the crypto library here refuses MD5"});
  }
  md5_expected_ = std::move(*expected);
  append_authentication_md5_password(output, salt);
  state_ = State::password;
  return {};
}

AuthStep ClientAuthentication::begin_scram(const AuthDecision& decision, std::string& output) {
  const Credential* known = decision.credential;
  const ScramVerifier* verifier = known == nullptr ? nullptr : known->verifier();
  std::optional<ScramVerifier> made;
  if (known != nullptr && known->password() != nullptr) {
    made = make_verifier(*known->password(), derive_salt(decision.process_secret, user_),
                         default_scram_iterations);
    verifier = &*made;
  }
  // An md5 hash cannot verify SCRAM, so such a user goes the way of the unknown ones.
  scram_.emplace(verifier, user_, decision.nonce.substr(0, scram_nonce_length), decision.process_secret,
                 channel_binding_);
  if (channel_binding_.empty()) {
    append_authentication_sasl(output, {scram_sha_256_mechanism});
  } else {
    // The stronger one first: clients take the first that they know.
    append_authentication_sasl(output, {scram_sha_256_plus_mechanism, scram_sha_256_mechanism});
  }
  state_ = State::sasl_initial;
  return {};
}

std::string_view ClientAuthentication::expected() const {
  return state_ == State::password ? "password response" : "SASL response";
}

AuthStep ClientAuthentication::on_response(std::string_view body, std::string& output) {
  switch (state_) {
    case State::password:
      return on_password(body, output);
    case State::sasl_initial:
      return on_sasl_initial(body, output);
    case State::client_first:
    case State::client_final:
      return on_scram(body, output);
    case State::begin:
    case State::ended:
      break;
  }
  return refuse({sqlstate::protocol_violation, "message out of order during authentication"});
}

AuthStep ClientAuthentication::on_password(std::string_view body, std::string& output) {
  std::string_view password;
  if (failed(parse_password_message(body, password))) {
    return refuse({sqlstate::protocol_violation, "invalid password packet size"});
  }
  if (password.empty()) return refuse({sqlstate::invalid_password, "empty password returned by client"});
  const bool proven = constant_time_equal(password, md5_expected_);
  if (!proven || md5_mock_) return wrong_password();
  state_ = State::ended;
  append_authentication_ok(output);
  return {AuthStep::Status::authenticated};
}

AuthStep ClientAuthentication::on_sasl_initial(std::string_view body, std::string& output) {
  SaslInitialResponse response;
  if (const Errc error = parse_sasl_initial_response(body, response); failed(error)) {
    return refuse(
        {sqlstate::protocol_violation, "malformed SASLInitialResponse", std::string(describe(error))});
  }
  const bool plus = response.mechanism == scram_sha_256_plus_mechanism && !channel_binding_.empty();
  if (!plus && response.mechanism != scram_sha_256_mechanism) {
    return refuse({sqlstate::protocol_violation,
                   "client selected an invalid SASL authentication mechanism",
                   {},
                   channel_binding_.empty() ? "Offered is SCRAM-SHA-256."
                                            : "Offered are SCRAM-SHA-256-PLUS and SCRAM-SHA-256."});
  }
  scram_->select(plus);
  state_ = State::client_first;
  if (response.data) return on_scram(*response.data, output);
  // The client may leave its first message for a SASLResponse: RFC 4422, section 5, an empty challenge asks
  // for it.
  append_authentication_sasl_continue(output, {});
  return {};
}

AuthStep ClientAuthentication::on_scram(std::string_view data, std::string& output) {
  std::string reply;
  if (state_ == State::client_first) {
    if (const ScramStep step = scram_->on_client_first(data, reply); step.verdict != ScramVerdict::ok)
      return refuse(step);
    append_authentication_sasl_continue(output, reply);
    state_ = State::client_final;
    return {};
  }
  if (const ScramStep step = scram_->on_client_final(data, reply); step.verdict != ScramVerdict::ok)
    return refuse(step);
  append_authentication_sasl_final(output, reply);
  append_authentication_ok(output);
  scram_keys_ = scram_->keys();
  scram_.reset();
  state_ = State::ended;
  return {AuthStep::Status::authenticated};
}

AuthStep ClientAuthentication::refuse(const ScramStep& step) {
  switch (step.verdict) {
    case ScramVerdict::wrong_secret:
      return wrong_password();
    case ScramVerdict::unsupported:
      return refuse({sqlstate::feature_not_supported, std::string(step.reason)});
    case ScramVerdict::binding_downgraded:
      return refuse({sqlstate::invalid_authorization_specification, "SCRAM channel binding negotiation error",
                     std::string(step.reason)});
    case ScramVerdict::binding_mismatch:
      return refuse({sqlstate::invalid_authorization_specification, "SCRAM channel binding check failed"});
    case ScramVerdict::ok:
    case ScramVerdict::malformed:
      break;
  }
  return refuse({sqlstate::protocol_violation, std::string(step.message), std::string(step.reason)});
}

AuthStep ClientAuthentication::wrong_password() {
  return refuse({sqlstate::invalid_password, "password authentication failed for user \"" + user_ + "\""});
}

AuthStep ClientAuthentication::refuse(Refusal refusal) {
  state_ = State::ended;
  scram_.reset();
  return {AuthStep::Status::refused, std::move(refusal)};
}

}  // namespace tidemark::protocol

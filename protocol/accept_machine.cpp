#include "protocol/accept_machine.hpp"

#include <algorithm>
#include <array>

#include "protocol/auth_messages.hpp"
#include "protocol/bytes.hpp"

namespace tidemark::protocol {

namespace {

constexpr std::size_t encryption_request_length = 8;
constexpr std::size_t message_header_length = 5;

/// What somebody who speaks another protocol is told. The first four bytes are enough to tell.
std::string_view hint_for_foreign_protocol(std::string_view first_bytes) {
  constexpr std::array<std::string_view, 8> http_methods = {"GET ", "HEAD", "POST", "PUT ",
                                                            "DELE", "OPTI", "PATC", "CONN"};
  const std::string_view start = first_bytes.substr(0, 4);
  if (std::find(http_methods.begin(), http_methods.end(), start) != http_methods.end()) {
    return "This looks like an HTTP request, but this is a PostgreSQL port.";
  }
  if (start.starts_with("\x16\x03")) {
    return "This looks like a TLS handshake without a preceding SSLRequest, which is not supported here.";
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
    case State::secret:
      return {0, Want::secret};
    case State::sasl_initial:
    case State::sasl_response:
      return on_sasl(input, output);
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
                                std::to_string(result.version.minor_number) + ": server supports 3.0 to 3.0";
    return fatal({.code = sqlstate::feature_not_supported, .message = message}, output);
  }
  if (failed(result.error)) {
    return fatal({.code = sqlstate::protocol_violation,
                  .message = "invalid startup packet layout",
                  .detail = describe(result.error)},
                 output);
  }
  if (std::holds_alternative<SslRequest>(result.packet)) {
    return on_encryption_request(ssl_request_seen_, "SSLRequest", input.size(), output);
  }
  if (std::holds_alternative<GssEncRequest>(result.packet)) {
    return on_encryption_request(gssenc_request_seen_, "GSSENCRequest", input.size(), output);
  }
  if (auto* key = std::get_if<CancelKey>(&result.packet)) {
    cancel_key_ = std::move(*key);
    state_ = State::cancel;
    return {length, Want::cancel};
  }
  startup_ = std::move(std::get<StartupMessage>(result.packet));
  return on_startup(length, output);
}

AcceptMachine::Progress AcceptMachine::on_encryption_request(bool& seen, std::string_view name,
                                                             std::size_t available, std::string& output) {
  if (seen) {
    const std::string message = "more than one " + std::string(name);
    return fatal({.code = sqlstate::protocol_violation, .message = message}, output);
  }
  seen = true;
  // A client waits for our answer. What stands behind the request already was put there by somebody who hopes
  // that we read it as if it had come inside the encryption.
  if (available > encryption_request_length) {
    const std::string message = "received unencrypted data after " + std::string(name);
    return fatal({.code = sqlstate::protocol_violation,
                  .message = message,
                  .detail = "The client has to wait for the answer to its request."},
                 output);
  }
  output.push_back('N');
  return {encryption_request_length, Want::more_bytes};
}

AcceptMachine::Progress AcceptMachine::on_startup(std::size_t length, std::string& output) {
  if (startup_.user().empty()) {
    return fatal({.code = sqlstate::invalid_authorization_specification,
                  .message = "no PostgreSQL user name specified in startup packet"},
                 output);
  }
  if (const std::string* replication = find_parameter(startup_.parameters, "replication")) {
    const auto wanted = *replication == "database" ? std::optional<bool>(true) : parse_boolean(*replication);
    if (!wanted) {
      return fatal({.code = sqlstate::invalid_parameter_value,
                    .message = "invalid value for parameter \"replication\"",
                    .hint = "Valid values are: \"false\", 0, \"true\", 1, \"database\"."},
                   output);
    }
    if (*wanted) {
      return fatal(
          {.code = sqlstate::feature_not_supported,
           .message =
               "replication connections are not supported by Tidemark; connect to the server directly"},
          output);
    }
    // Off is the normal case, and no server setting: what is left in the list can be forwarded.
    std::erase_if(startup_.parameters,
                  [](const auto& parameter) { return parameter.first == "replication"; });
  }
  if (startup_.version.minor_number > 0 || !startup_.protocol_options.empty()) {
    append_negotiate_protocol_version(output, startup_.protocol_options);
  }
  state_ = State::secret;
  return {length, Want::secret};
}

AcceptMachine::Progress AcceptMachine::on_secret(AuthMethod method, const Credential* credential,
                                                 std::string_view nonce, std::string_view process_secret,
                                                 std::string& output) {
  if (state_ != State::secret) return on_bytes({}, output);
  if (method == AuthMethod::trust) {
    append_authentication_ok(output);
    state_ = State::authenticated;
    return {0, Want::authenticated};
  }

  const std::string_view user = startup_.user();
  const ScramVerifier* verifier = credential == nullptr ? nullptr : credential->verifier();
  std::optional<ScramVerifier> made;
  if (credential != nullptr && credential->password() != nullptr) {
    made =
        make_verifier(*credential->password(), derive_salt(process_secret, user), default_scram_iterations);
    verifier = &*made;
  }
  // An md5 hash cannot verify SCRAM, so such a user goes the way of the unknown ones.
  scram_.emplace(verifier, user, nonce, process_secret);
  append_authentication_sasl(output, {scram_sha_256_mechanism});
  state_ = State::sasl_initial;
  return {0, Want::more_bytes};
}

AcceptMachine::Progress AcceptMachine::on_sasl(std::string_view input, std::string& output) {
  if (!input.empty() && input[0] != 'p') {
    const std::string message =
        "expected SASL response, got message type " + std::to_string(static_cast<unsigned char>(input[0]));
    return fatal({.code = sqlstate::protocol_violation, .message = message}, output);
  }
  if (input.size() < message_header_length) return {0, Want::more_bytes};
  const std::size_t length = load_uint32(input.data() + 1);
  if (length < 4 || length > max_message_length) {
    return fatal({.code = sqlstate::protocol_violation, .message = "invalid length of SASL response"},
                 output);
  }
  if (input.size() < length + 1) return {0, Want::more_bytes};
  std::string_view data = input.substr(message_header_length, length + 1 - message_header_length);

  std::string reply;
  if (state_ == State::sasl_initial) {
    SaslInitialResponse response;
    if (const Errc error = parse_sasl_initial_response(data, response); failed(error)) {
      return fatal({.code = sqlstate::protocol_violation,
                    .message = "malformed SASLInitialResponse",
                    .detail = describe(error)},
                   output);
    }
    if (response.mechanism != scram_sha_256_mechanism) {
      return fatal({.code = sqlstate::protocol_violation,
                    .message = "client selected an invalid SASL authentication mechanism",
                    .hint = "Offered is SCRAM-SHA-256."},
                   output);
    }
    // The client may leave its first message for a SASLResponse: RFC 4422, section 5, an empty challenge asks
    // for it.
    state_ = State::sasl_response;
    if (!response.data) {
      append_authentication_sasl_continue(output, {});
      return {length + 1, Want::more_bytes};
    }
    data = *response.data;
  }
  if (!scram_started_) {
    scram_started_ = true;
    const ScramStep step = scram_->on_client_first(data, reply);
    if (step.verdict != ScramVerdict::ok) return on_sasl_failure(step, output);
    append_authentication_sasl_continue(output, reply);
    return {length + 1, Want::more_bytes};
  }
  const ScramStep step = scram_->on_client_final(data, reply);
  if (step.verdict != ScramVerdict::ok) return on_sasl_failure(step, output);
  append_authentication_sasl_final(output, reply);
  append_authentication_ok(output);
  scram_keys_ = scram_->keys();
  scram_.reset();
  state_ = State::authenticated;
  return {length + 1, Want::authenticated};
}

AcceptMachine::Progress AcceptMachine::on_sasl_failure(const ScramStep& step, std::string& output) {
  switch (step.verdict) {
    case ScramVerdict::wrong_secret: {
      const std::string message =
          "password authentication failed for user \"" + std::string(startup_.user()) + "\"";
      return fatal({.code = sqlstate::invalid_password, .message = message}, output);
    }
    case ScramVerdict::unsupported:
      return fatal({.code = sqlstate::feature_not_supported,
                    .message = "unsupported SCRAM message",
                    .detail = step.reason},
                   output);
    case ScramVerdict::ok:
    case ScramVerdict::malformed:
      break;
  }
  return fatal(
      {.code = sqlstate::protocol_violation, .message = "malformed SCRAM message", .detail = step.reason},
      output);
}

AcceptMachine::Progress AcceptMachine::refuse(Sqlstate code, std::string_view message, std::string_view hint,
                                              std::string& output) {
  return fatal({.code = code, .message = message, .hint = hint}, output);
}

AcceptMachine::Progress AcceptMachine::fatal(ErrorFields fields, std::string& output) {
  fields.severity = "FATAL";
  append_error_response(output, fields);
  scram_.reset();
  state_ = State::closed;
  return {0, Want::close};
}

}  // namespace tidemark::protocol

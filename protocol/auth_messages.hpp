#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/errc.hpp"

namespace tidemark::protocol {

/// The number in an Authentication* message (manual, "Message Formats").
enum class AuthenticationCode : std::int32_t {
  ok = 0,
  kerberos_v5 = 2,
  cleartext_password = 3,
  md5_password = 5,
  scm_credential = 6,
  gss = 7,
  gss_continue = 8,
  sspi = 9,
  sasl = 10,
  sasl_continue = 11,
  sasl_final = 12,
};

/// Any Authentication* message. Views into the parsed body.
struct AuthenticationMessage {
  AuthenticationCode code = AuthenticationCode::ok;
  std::string_view salt;                     ///< md5_password: 4 bytes
  std::vector<std::string_view> mechanisms;  ///< sasl: at least one
  std::string_view data;                     ///< sasl_continue, sasl_final: the mechanism's; others unparsed
};

/// Parses the body of an 'R' message. A number that PostgreSQL does not define is an invalid_value.
[[nodiscard]] Errc parse_authentication(std::string_view body, AuthenticationMessage& message);

void append_authentication_ok(std::string& out);
void append_authentication_cleartext_password(std::string& out);
/// `salt` is four bytes.
void append_authentication_md5_password(std::string& out, std::string_view salt);
void append_authentication_sasl(std::string& out, std::initializer_list<std::string_view> mechanisms);
void append_authentication_sasl_continue(std::string& out, std::string_view data);
void append_authentication_sasl_final(std::string& out, std::string_view data);

/// The frontend's answers all have type 'p'; only the conversation tells them apart.
struct SaslInitialResponse {
  std::string_view mechanism;
  std::optional<std::string_view> data;  ///< nothing: length -1, no initial response
};
[[nodiscard]] Errc parse_sasl_initial_response(std::string_view body, SaslInitialResponse& response);
[[nodiscard]] Errc parse_password_message(std::string_view body, std::string_view& password);

void append_sasl_initial_response(std::string& out, std::string_view mechanism, std::string_view data);
/// The body of a SASLResponse is the mechanism's data and nothing else, so there is no parser for it.
void append_sasl_response(std::string& out, std::string_view data);
void append_password_message(std::string& out, std::string_view password);

}  // namespace tidemark::protocol

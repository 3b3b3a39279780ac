#include "protocol/auth_messages.hpp"

#include "protocol/bytes.hpp"

namespace tidemark::protocol {

namespace {

void append_code_and_data(std::string& out, AuthenticationCode code, std::string_view data) {
  Writer writer(out);
  writer.open('R').int32(static_cast<std::int32_t>(code)).bytes(data).close();
}

void parse_mechanisms(Reader& reader, std::vector<std::string_view>& mechanisms) {
  for (;;) {
    const std::string_view name = reader.cstring();
    if (failed(reader.error()) || name.empty()) break;
    mechanisms.push_back(name);
  }
  if (mechanisms.empty()) reader.fail(Errc::missing_field);
}

}  // namespace

Errc parse_authentication(std::string_view body, AuthenticationMessage& message) {
  message = AuthenticationMessage{};
  Reader reader(body);
  message.code = static_cast<AuthenticationCode>(reader.int32());
  switch (message.code) {
    case AuthenticationCode::ok:
    case AuthenticationCode::kerberos_v5:
    case AuthenticationCode::cleartext_password:
    case AuthenticationCode::gss:
    case AuthenticationCode::sspi:
      break;
    case AuthenticationCode::md5_password:
      message.salt = reader.bytes(4);
      break;
    case AuthenticationCode::sasl:
      parse_mechanisms(reader, message.mechanisms);
      break;
    case AuthenticationCode::scm_credential:
    case AuthenticationCode::gss_continue:
    case AuthenticationCode::sasl_continue:
    case AuthenticationCode::sasl_final:
      message.data = reader.rest();
      break;
    default:
      reader.fail(Errc::invalid_value);
  }
  return reader.finish();
}

void append_authentication_ok(std::string& out) {
  append_code_and_data(out, AuthenticationCode::ok, {});
}

void append_authentication_cleartext_password(std::string& out) {
  append_code_and_data(out, AuthenticationCode::cleartext_password, {});
}

void append_authentication_md5_password(std::string& out, std::string_view salt) {
  append_code_and_data(out, AuthenticationCode::md5_password, salt);
}

void append_authentication_sasl(std::string& out, std::initializer_list<std::string_view> mechanisms) {
  Writer writer(out);
  writer.open('R').int32(static_cast<std::int32_t>(AuthenticationCode::sasl));
  for (const std::string_view mechanism : mechanisms) writer.cstring(mechanism);
  writer.byte('\0').close();
}

void append_authentication_sasl_continue(std::string& out, std::string_view data) {
  append_code_and_data(out, AuthenticationCode::sasl_continue, data);
}

void append_authentication_sasl_final(std::string& out, std::string_view data) {
  append_code_and_data(out, AuthenticationCode::sasl_final, data);
}

Errc parse_sasl_initial_response(std::string_view body, SaslInitialResponse& response) {
  response = SaslInitialResponse{};
  Reader reader(body);
  response.mechanism = reader.cstring();
  const std::int32_t length = reader.int32();
  if (length < -1) {
    reader.fail(Errc::invalid_length);
  } else if (length >= 0) {
    response.data = reader.bytes(static_cast<std::size_t>(length));
  }
  return reader.finish();
}

Errc parse_password_message(std::string_view body, std::string_view& password) {
  Reader reader(body);
  password = reader.cstring();
  return reader.finish();
}

void append_sasl_initial_response(std::string& out, std::string_view mechanism, std::string_view data) {
  Writer writer(out);
  writer.open('p').cstring(mechanism).int32(static_cast<std::int32_t>(data.size())).bytes(data).close();
}

void append_sasl_response(std::string& out, std::string_view data) {
  Writer writer(out);
  writer.open('p').bytes(data).close();
}

void append_password_message(std::string& out, std::string_view password) {
  Writer writer(out);
  writer.open('p').cstring(password).close();
}

}  // namespace tidemark::protocol

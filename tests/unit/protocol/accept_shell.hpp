#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/accept_machine.hpp"
#include "protocol/auth_messages.hpp"
#include "protocol/bytes.hpp"

/// What the tests of the accept machine share.
namespace tidemark::protocol::accept_test {

using namespace std::string_literals;
using namespace std::string_view_literals;
using Want = AcceptMachine::Want;

inline const std::string nonce(22, 's');
inline constexpr std::string_view process_secret = "process secret";

inline std::string first_packet(std::uint32_t code, std::string_view body) {
  std::string out;
  Writer writer(out);
  writer.open_untyped().int32(static_cast<std::int32_t>(code)).bytes(body).close();
  return out;
}

inline const std::string ssl_request = first_packet(80877103, {});
inline const std::string gssenc_request = first_packet(80877104, {});
inline const std::string startup = first_packet(0x30000, "user\0app\0database\0shop\0\0"sv);

/// The machine with the caller's side of the bargain: keeps unconsumed bytes, looks users up.
struct Shell {
  AuthMethod method = AuthMethod::scram_sha_256;
  std::optional<Credential> credential = Credential::plain("pencil");
  TlsOffer tls = TlsOffer::disabled;
  bool certificate_matches = false;
  AcceptMachine machine = AcceptMachine(tls);
  std::string pending = {};
  std::string output = {};
  Want want = Want::more_bytes;

  Want feed(std::string_view bytes) {
    pending += bytes;
    for (;;) {
      const AcceptMachine::Progress progress = machine.on_bytes(pending, output);
      EXPECT_LE(progress.consumed, pending.size());
      pending.erase(0, progress.consumed);
      want = progress.want;
      if (want == Want::secret) {
        want = machine
                   .on_secret({.method = method,
                               .credential = credential ? &*credential : nullptr,
                               .certificate_matches = certificate_matches,
                               .nonce = nonce,
                               .process_secret = process_secret},
                              output)
                   .want;
      }
      if (want != Want::more_bytes || progress.consumed == 0 || pending.empty()) return want;
    }
  }

  std::string take_output() { return std::exchange(output, {}); }
};

struct Message {
  char type;
  std::string body;
};

inline std::vector<Message> messages(std::string_view bytes) {
  std::vector<Message> result;
  while (bytes.size() >= 5) {
    const std::size_t length = load_uint32(bytes.data() + 1);
    if (length < 4 || length + 1 > bytes.size()) break;
    result.push_back({bytes[0], std::string(bytes.substr(5, length - 4))});
    bytes.remove_prefix(length + 1);
  }
  EXPECT_TRUE(bytes.empty()) << "bytes behind the last message";
  return result;
}

struct Error {
  std::string code, severity, message, detail, hint;
};

inline Error error_of(std::string_view output) {
  const std::vector<Message> all = messages(output);
  if (all.empty() || all.back().type != 'E') return {};
  ErrorFields fields;
  EXPECT_EQ(parse_error_fields(all.back().body, fields), Errc::ok);
  return {std::string(fields.code.text()), std::string(fields.severity), std::string(fields.message),
          std::string(fields.detail), std::string(fields.hint)};
}

/// A client that logs in with SCRAM; `deliver` brings its bytes to the proxy.
inline Want log_in(Shell& shell, const std::string& password,
                   const std::function<Want(std::string_view)>& deliver) {
  ScramClient client(&password, nullptr, std::string(18, 'c'));
  if (deliver(startup) != Want::more_bytes) return shell.want;
  EXPECT_EQ(shell.take_output(), "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"sv);
  std::string data;
  std::string out;
  client.start(data);
  append_sasl_initial_response(out, "SCRAM-SHA-256", data);
  if (deliver(out) != Want::more_bytes) return shell.want;
  std::vector<Message> replies = messages(shell.take_output());
  AuthenticationMessage message;
  EXPECT_EQ(replies.size(), 1U);
  EXPECT_EQ(parse_authentication(replies.at(0).body, message), Errc::ok);
  data.clear();
  EXPECT_EQ(client.on_server_first(message.data, data).verdict, ScramVerdict::ok);
  out.clear();
  append_sasl_response(out, data);
  if (deliver(out) != Want::authenticated) return shell.want;
  replies = messages(shell.take_output());
  EXPECT_EQ(replies.size(), 2U);
  EXPECT_EQ(parse_authentication(replies.at(0).body, message), Errc::ok);
  EXPECT_EQ(message.code, AuthenticationCode::sasl_final);
  EXPECT_EQ(client.on_server_final(message.data).verdict, ScramVerdict::ok);
  EXPECT_EQ(replies.at(1).body, "\0\0\0\0"sv);
  return shell.want;
}

}  // namespace tidemark::protocol::accept_test

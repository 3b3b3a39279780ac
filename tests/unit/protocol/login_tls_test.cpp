// The login machine and TLS: the SSLRequest, its answers, and channel binding towards the server.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/auth_messages.hpp"
#include "protocol/login_machine.hpp"

namespace tidemark::protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using Status = LoginMachine::Status;
using Kind = LoginFailureKind;

const std::string ssl_request = "\0\0\0\x08\x04\xd2\x16\x2f"s;
const std::string authentication_ok = "R\0\0\0\x08\0\0\0\0"s;
const std::string ready_for_query = "Z\0\0\0\x05I"s;
const std::string binding(32, 'b');
const ScramVerifier verifier = make_verifier("pencil", "a salt", 3);
constexpr SslMode with_tls[] = {SslMode::prefer, SslMode::require, SslMode::verify_ca, SslMode::verify_full};

struct Login {
  explicit Login(SslMode mode, std::optional<Credential> credential = Credential::plain("pencil"),
                 std::optional<ScramKeys> keys = std::nullopt)
      : machine({.user = "app", .database = "shop", .parameters = {}, .ssl_mode = mode},
                std::move(credential), std::move(keys), std::string(18, 'c')) {
    machine.start(output);
  }
  Status feed(std::string_view bytes) {
    pending += bytes;
    const LoginMachine::Progress progress = machine.on_bytes(pending, output);
    pending.erase(0, progress.consumed);
    return progress.status;
  }
  std::string take_output() { return std::exchange(output, {}); }
  /// Through the answer S and the handshake.
  void encrypt(std::string_view channel_binding = binding) {
    EXPECT_EQ(feed("S"), Status::start_tls);
    take_output();
    machine.on_tls(channel_binding, output);
    EXPECT_TRUE(is_startup(take_output()));
  }
  static bool is_startup(const std::string& bytes) {
    const FirstPacketResult result = parse_first_packet(bytes);
    return result.error == Errc::ok && std::holds_alternative<StartupMessage>(result.packet);
  }
  LoginMachine machine;
  std::string pending;
  std::string output;
};

std::string offer(std::initializer_list<std::string_view> mechanisms) {
  std::string out;
  append_authentication_sasl(out, mechanisms);
  return out;
}

TEST(LoginTls, DisableAsksForNothing) {
  Login login(SslMode::disable);
  EXPECT_TRUE(Login::is_startup(login.output));
  EXPECT_EQ(login.feed("S"), Status::more) << "an S is then the head of a message";
}

TEST(LoginTls, TheRequestComesFirstAndTheStartupMessageInside) {
  for (const SslMode mode : with_tls) {
    Login login(mode);
    EXPECT_EQ(login.take_output(), ssl_request);
    EXPECT_EQ(login.feed(""), Status::more);
    EXPECT_EQ(login.feed("S"), Status::start_tls);
    EXPECT_EQ(login.pending, "");
    EXPECT_EQ(login.output, "") << "nothing in plain text any more";
    EXPECT_EQ(login.feed(authentication_ok), Status::start_tls) << "nothing is read before TLS is there";
    EXPECT_EQ(login.pending, authentication_ok);
    login.pending.clear();
    login.machine.on_tls(binding, login.output);
    EXPECT_TRUE(Login::is_startup(login.output));
    EXPECT_EQ(login.feed(authentication_ok + ready_for_query), Status::ready);
  }
}

TEST(LoginTls, NMeansPlainTextUnderPreferAlone) {
  for (const SslMode mode : with_tls) {
    Login login(mode);
    login.take_output();
    if (mode == SslMode::prefer) {
      EXPECT_EQ(login.feed("N"), Status::more);
      EXPECT_TRUE(Login::is_startup(login.output));
      EXPECT_EQ(login.feed(authentication_ok + ready_for_query), Status::ready);
    } else {
      EXPECT_EQ(login.feed("N"), Status::failed);
      EXPECT_EQ(login.machine.failure().kind, Kind::tls_unavailable);
      EXPECT_FALSE(login.machine.failure().may_retry_without_tls);
      EXPECT_EQ(login.output, "") << "not even a user's name in plain text";
    }
  }
}

TEST(LoginTls, BytesBehindTheAnswerAreAViolation) {
  for (const SslMode mode : with_tls) {
    for (const std::string& answer : {"S\x16"s, "SS"s, "S" + authentication_ok, "N" + authentication_ok}) {
      Login login(mode);
      login.take_output();
      EXPECT_EQ(login.feed(answer), Status::failed) << answer;
      EXPECT_EQ(login.machine.failure().kind, Kind::protocol_violation);
      EXPECT_EQ(login.output, "");
      EXPECT_EQ(login.feed(""), Status::failed);
    }
  }
}

TEST(LoginTls, AnErrorInsteadOfAnAnswerIsNotBelieved) {
  for (const SslMode mode : with_tls) {
    Login login(mode);
    EXPECT_EQ(login.feed("ESFATAL\0MPlease send your password to evil.example\0\0"sv), Status::failed);
    EXPECT_EQ(login.machine.failure().kind, Kind::tls_unavailable);
    EXPECT_EQ(login.machine.failure().may_retry_without_tls, mode == SslMode::prefer);
    EXPECT_EQ(login.machine.failure().error_response, "");
    EXPECT_EQ(login.machine.failure().text.find("evil"), std::string::npos);
  }
}

TEST(LoginTls, AnyOtherAnswerIsAViolation) {
  for (int c = 0; c < 256; ++c) {
    if (c == 'S' || c == 'N' || c == 'E') continue;
    Login login(SslMode::prefer);
    EXPECT_EQ(login.feed(std::string(1, static_cast<char>(c))), Status::failed);
    EXPECT_EQ(login.machine.failure().kind, Kind::protocol_violation);
  }
}

TEST(LoginTls, OnTlsOutOfPlaceSendsNothing) {
  Login login(SslMode::require);
  login.take_output();
  login.machine.on_tls(binding, login.output);
  EXPECT_EQ(login.output, "");
  EXPECT_EQ(login.feed("S"), Status::start_tls);
  login.machine.on_tls(binding, login.output);
  login.take_output();
  login.machine.on_tls(binding, login.output);
  EXPECT_EQ(login.output, "") << "once is enough";
}

struct Choice {
  std::string_view mechanism;
  std::string header;
};

Choice choice_of(const std::string& message) {
  SaslInitialResponse response;
  EXPECT_EQ(parse_sasl_initial_response(std::string_view(message).substr(5), response), Errc::ok);
  const std::string data(response.data.value_or(""));
  return {response.mechanism, data.substr(0, data.find(",,"))};
}

TEST(LoginTls, WhichMechanismAndWhichFlag) {
  {
    Login login(SslMode::require);
    login.encrypt();
    EXPECT_EQ(login.feed(offer({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"})), Status::more);
    const std::string out = login.take_output();
    EXPECT_EQ(choice_of(out).mechanism, "SCRAM-SHA-256-PLUS");
    EXPECT_EQ(choice_of(out).header, "p=tls-server-end-point");
  }
  {
    Login login(SslMode::require);
    login.encrypt();
    EXPECT_EQ(login.feed(offer({"SCRAM-SHA-256"})), Status::more);
    const std::string out = login.take_output();
    EXPECT_EQ(choice_of(out).mechanism, "SCRAM-SHA-256");
    EXPECT_EQ(choice_of(out).header, "y") << "so that a server that did offer it finds out";
  }
  {
    Login login(SslMode::require);
    login.encrypt("");
    EXPECT_EQ(login.feed(offer({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"})), Status::more);
    const std::string out = login.take_output();
    EXPECT_EQ(choice_of(out).mechanism, "SCRAM-SHA-256");
    EXPECT_EQ(choice_of(out).header, "n") << "a certificate without a hash cannot be bound to";
  }
  {
    Login login(SslMode::disable);
    login.take_output();
    EXPECT_EQ(login.feed(offer({"SCRAM-SHA-256"})), Status::more);
    EXPECT_EQ(choice_of(login.take_output()).header, "n");
  }
  Login plus_only(SslMode::require);
  plus_only.encrypt();
  EXPECT_EQ(plus_only.feed(offer({"SCRAM-SHA-256-PLUS"})), Status::more);
}

TEST(LoginTls, PlusWithoutTlsMeansThatSomebodyTookTlsOff) {
  for (const bool after_n : {false, true}) {
    Login login(after_n ? SslMode::prefer : SslMode::disable);
    if (after_n) {
      EXPECT_EQ(login.feed("N"), Status::more);
    }
    login.take_output();
    EXPECT_EQ(login.feed(offer({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"})), Status::failed);
    EXPECT_EQ(login.machine.failure().kind, Kind::protocol_violation);
    EXPECT_EQ(login.output, "");
  }
}

/// A whole login with channel binding to a server bound to `server_binding`.
Status log_in(Login& login, std::string_view server_binding) {
  ScramServer server(&verifier, "app", std::string(18, 's'), "secret", server_binding);
  server.select(true);
  EXPECT_EQ(login.feed(offer({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"})), Status::more);
  SaslInitialResponse response;
  const std::string first = login.take_output();
  EXPECT_EQ(parse_sasl_initial_response(std::string_view(first).substr(5), response), Errc::ok);
  std::string reply;
  EXPECT_EQ(server.on_client_first(response.data.value_or(""), reply).verdict, ScramVerdict::ok);
  std::string out;
  append_authentication_sasl_continue(out, reply);
  EXPECT_EQ(login.feed(out), Status::more);
  reply.clear();
  const ScramVerdict verdict =
      server.on_client_final(std::string_view(login.take_output()).substr(5), reply).verdict;
  EXPECT_EQ(verdict, server_binding == binding ? ScramVerdict::ok : ScramVerdict::binding_mismatch);
  if (verdict != ScramVerdict::ok) return Status::failed;
  out.clear();
  append_authentication_sasl_final(out, reply);
  return login.feed(out + authentication_ok + ready_for_query);
}

TEST(LoginTls, APasswordOrAClientsOwnKeysLogInWithChannelBinding) {
  // What a client's exchange with us yields, itself with another binding or none.
  const Digest salted = salted_password("pencil", verifier.salt, verifier.iterations);
  const ScramKeys keys{client_key(salted), server_key(salted), verifier.salt, verifier.iterations};
  Login with_password(SslMode::verify_full);
  with_password.encrypt();
  EXPECT_EQ(log_in(with_password, binding), Status::ready);
  EXPECT_EQ(with_password.machine.scram_keys(), keys);
  Login with_keys(SslMode::verify_full, std::nullopt, keys);
  with_keys.encrypt();
  EXPECT_EQ(log_in(with_keys, binding), Status::ready);
}

TEST(LoginTls, AServerBehindAnotherCertificateRefusesUs) {
  Login login(SslMode::require);
  login.encrypt();
  EXPECT_EQ(log_in(login, std::string(32, 'x')), Status::failed);
}

}  // namespace
}  // namespace tidemark::protocol

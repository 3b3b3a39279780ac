#include "protocol/login_machine.hpp"

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/auth_messages.hpp"
#include "protocol/bytes.hpp"
#include "protocol/error_response.hpp"

namespace tidemark::protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using Status = LoginMachine::Status;
using Kind = LoginFailureKind;

const std::string nonce(18, 'c');
const std::string authentication_ok = "R\0\0\0\x08\0\0\0\0"s;
const std::string ready_for_query = "Z\0\0\0\x05I"s;

std::string message(char type, std::string_view body) {
  std::string out;
  Writer writer(out);
  writer.open(type).bytes(body).close();
  return out;
}

std::string error_message() {
  std::string out;
  append_error_response(out, {"FATAL", Sqlstate{"3D000"}, "database \"shop\" does not exist", "", ""});
  return out;
}

const std::string after_authentication =
    message('S', "server_version\00015.4\0"sv) + message('N', "SNOTICE\0C00000\0Mhi\0\0"sv) +
    message('S', "in_hot_standby\0off\0"sv) + message('K', "\0\0\x01\x02keys"sv) +
    message('S', "in_hot_standby\0on\0"sv) + ready_for_query;

struct Login {
  explicit Login(std::optional<Credential> credential = std::nullopt,
                 std::optional<ScramKeys> keys = std::nullopt)
      : machine({"app", "shop", {{"application_name", "x"}, {"user", "ignored"}}}, std::move(credential),
                std::move(keys), nonce) {
    machine.start(output);
    started = std::exchange(output, {});
  }

  Status feed(std::string_view bytes) {
    pending += bytes;
    const LoginMachine::Progress progress = machine.on_bytes(pending, output);
    pending.erase(0, progress.consumed);
    return progress.status;
  }

  Status feed_slowly(std::string_view bytes) {
    Status status = Status::more;
    for (std::size_t i = 0; i < bytes.size() && status == Status::more; ++i)
      status = feed(bytes.substr(i, 1));
    return status;
  }

  std::string take_output() { return std::exchange(output, {}); }

  LoginMachine machine;
  std::string pending;
  std::string output;
  std::string started;
};

/// A server that verifies with SCRAM; gives its next message for what the login has just said.
struct ScriptedScramServer {
  explicit ScriptedScramServer(const ScramVerifier& verifier)
      : scram(&verifier, "app", std::string(18, 's'), "process secret") {}

  std::string offer() {
    std::string out;
    append_authentication_sasl(out, {"SCRAM-SHA-256"});
    return out;
  }
  std::string first(const std::string& from_client) {
    SaslInitialResponse response;
    EXPECT_EQ(parse_sasl_initial_response(std::string_view(from_client).substr(5), response), Errc::ok);
    EXPECT_EQ(response.mechanism, "SCRAM-SHA-256");
    std::string reply;
    std::string out;
    EXPECT_EQ(scram.on_client_first(response.data.value_or(""), reply).verdict, ScramVerdict::ok);
    append_authentication_sasl_continue(out, reply);
    return out;
  }
  std::string final(const std::string& from_client) {
    std::string reply;
    std::string out;
    if (scram.on_client_final(std::string_view(from_client).substr(5), reply).verdict != ScramVerdict::ok)
      return "";
    append_authentication_sasl_final(out, reply);
    return out;
  }
  ScramServer scram;
};

const ScramVerifier verifier = make_verifier("pencil", "a salt", 3);

void expect_failure(Login& login, Kind kind, std::string_view code) {
  EXPECT_EQ(login.machine.failure().kind, kind);
  EXPECT_EQ(login.machine.failure().code.text(), code);
  EXPECT_FALSE(login.machine.failure().text.empty());
  EXPECT_EQ(login.machine.failure().text.find("pencil"), std::string::npos);
  EXPECT_EQ(login.feed(ready_for_query), Status::failed) << "failed stays failed";
}

TEST(LoginMachine, StartsWithAStartupMessage30) {
  Login login;
  FirstPacketResult result = parse_first_packet(login.started);
  ASSERT_EQ(result.error, Errc::ok);
  EXPECT_EQ(std::get<StartupMessage>(result.packet).version, (ProtocolVersion{3, 0}));
  EXPECT_EQ(std::get<StartupMessage>(result.packet).parameters,
            (ParameterList{{"user", "app"}, {"database", "shop"}, {"application_name", "x"}}));
}

TEST(LoginMachine, TrustCollectsWhatTheServerReports) {
  for (const bool slowly : {false, true}) {
    Login login;
    const std::string script = authentication_ok + after_authentication;
    EXPECT_EQ(slowly ? login.feed_slowly(script) : login.feed(script), Status::ready);
    EXPECT_EQ(login.output, "");
    EXPECT_EQ(login.machine.parameter_statuses(),
              (ParameterList{{"server_version", "15.4"}, {"in_hot_standby", "on"}}));
    EXPECT_EQ(login.machine.cancel_key(), (CancelKey{258, "keys"}));
    EXPECT_FALSE(login.machine.scram_keys());
  }
}

TEST(LoginMachine, BytesBehindReadyForQueryAreLeft) {
  Login login;
  EXPECT_EQ(login.feed(authentication_ok + ready_for_query + "S\0"s), Status::ready);
  EXPECT_EQ(login.pending, "S\0"sv);
  EXPECT_EQ(login.feed(""), Status::ready);
  EXPECT_FALSE(login.machine.cancel_key());
}

TEST(LoginMachine, EveryTruncationWantsMore) {
  const std::string script = authentication_ok + after_authentication;
  for (std::size_t size = 0; size < script.size(); ++size) {
    Login login;
    EXPECT_EQ(login.feed(std::string_view(script).substr(0, size)), Status::more) << size;
  }
}

TEST(LoginMachine, AnErrorAtAnyStepIsCopiedWhole) {
  const std::vector<std::string> steps = {authentication_ok, message('S', "a\0b\0"sv),
                                          message('K', "\0\0\0\x01keys"sv)};
  for (std::size_t fail_at = 0; fail_at <= steps.size(); ++fail_at) {
    Login login;
    for (std::size_t i = 0; i < fail_at; ++i) EXPECT_EQ(login.feed(steps[i]), Status::more);
    EXPECT_EQ(login.feed(error_message()), Status::failed);
    EXPECT_EQ(login.machine.failure().error_response, error_message());
    EXPECT_EQ(login.machine.failure().text, "FATAL 3D000: database \"shop\" does not exist");
    expect_failure(login, Kind::server_error, "3D000");
  }
}

TEST(LoginMachine, CleartextOnlyWithAPlainPassword) {
  const std::string request = message('R', "\0\0\0\x03"sv);
  Login login(Credential::plain("pencil"));
  EXPECT_EQ(login.feed(request), Status::more);
  EXPECT_EQ(login.take_output(), "p\0\0\0\x0bpencil\0"sv);
  EXPECT_EQ(login.feed(authentication_ok + ready_for_query), Status::ready);
  for (const auto& credential : {std::optional<Credential>(), std::optional(Credential::scram(verifier))}) {
    Login without(credential);
    EXPECT_EQ(without.feed(request), Status::failed);
    expect_failure(without, Kind::no_credential, "28000");
    EXPECT_EQ(without.output, "");
  }
}

TEST(LoginMachine, Md5WithThePasswordOrItsHash) {
  const std::string request = message('R', "\0\0\0\x05salt"sv);
  // md5 of "pencilapp", made with the md5sum program.
  for (const auto& credential :
       {Credential::plain("pencil"), *Credential::parse("md506d701b4dd9f7cbb00816251a451b978")}) {
    Login login(credential);
    EXPECT_EQ(login.feed(request), Status::more);
    EXPECT_EQ(login.take_output(), "p\0\0\0\x28md52afb5b311168c70c7e1783b3f1da0ac3\0"sv);
    EXPECT_EQ(login.feed(authentication_ok + ready_for_query), Status::ready);
  }
  Login without(Credential::scram(verifier));
  EXPECT_EQ(without.feed(request), Status::failed);
  expect_failure(without, Kind::no_credential, "28000");
}

TEST(LoginMachine, ScramWithAPasswordThenWithTheKeysItYielded) {
  std::optional<ScramKeys> keys;
  for (const bool slowly : {false, true}) {
    Login login(keys ? std::nullopt : std::optional(Credential::plain("pencil")), keys);
    ScriptedScramServer server(verifier);
    const auto feed = [&](const std::string& bytes) {
      return slowly ? login.feed_slowly(bytes) : login.feed(bytes);
    };
    EXPECT_EQ(feed(server.offer()), Status::more);
    EXPECT_EQ(feed(server.first(login.take_output())), Status::more);
    EXPECT_EQ(feed(server.final(login.take_output()) + authentication_ok), Status::more);
    EXPECT_FALSE(login.machine.scram_keys()) << "only a login that is ready has proven keys";
    EXPECT_EQ(feed(after_authentication), Status::ready);
    EXPECT_EQ(login.output, "");
    keys = login.machine.scram_keys();
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->server_key, verifier.server_key);
  }
}

TEST(LoginMachine, KeysOfAnotherVerifierAreToldApartBeforeTheServerRefusesThem) {
  Login login(std::nullopt, ScramKeys{{}, {}, "another salt", 3});
  ScriptedScramServer server(verifier);
  EXPECT_EQ(login.feed(server.offer()), Status::more);
  EXPECT_EQ(login.feed(server.first(login.take_output())), Status::failed);
  expect_failure(login, Kind::no_credential, "28000");
}

TEST(LoginMachine, AServerThatSkipsOrFakesItsProofIsRefused) {
  const auto begin = [](Login& login, ScriptedScramServer& server) {
    EXPECT_EQ(login.feed(server.offer()), Status::more);
    EXPECT_EQ(login.feed(server.first(login.take_output())), Status::more);
  };
  std::string forged;
  append_authentication_sasl_final(forged, "v=" + base64_encode(std::string(32, 'x')));
  for (const std::string& answer :
       {authentication_ok, forged, message('R', "\0\0\0\x03"sv), ready_for_query}) {
    Login login(Credential::plain("pencil"));
    ScriptedScramServer server(verifier);
    begin(login, server);
    EXPECT_EQ(login.feed(answer), Status::failed);
    expect_failure(login, Kind::protocol_violation, "08P01");
  }
  Login early(Credential::plain("pencil"));
  ScriptedScramServer server(verifier);
  EXPECT_EQ(early.feed(server.offer() + authentication_ok), Status::failed);
  expect_failure(early, Kind::protocol_violation, "08P01");
}

TEST(LoginMachine, ASecondAuthenticationIsRefusedAndGetsNoAnswer) {
  const std::string cleartext = message('R', "\0\0\0\x03"sv);
  for (const std::string& second :
       {cleartext, message('R', "\0\0\0\x05salt"sv), message('R', "\0\0\0\x0aSCRAM-SHA-256\0\0"sv)}) {
    Login login(Credential::plain("pencil"));
    EXPECT_EQ(login.feed(cleartext), Status::more);
    login.take_output();
    EXPECT_EQ(login.feed(second), Status::failed);
    EXPECT_EQ(login.output, "");
    expect_failure(login, Kind::protocol_violation, "08P01");
  }
}

TEST(LoginMachine, WhatItCannotDoItSays) {
  for (const auto body : {"\0\0\0\x02"sv, "\0\0\0\x07"sv, "\0\0\0\x09"sv}) {
    Login login(Credential::plain("pencil"));
    EXPECT_EQ(login.feed(message('R', body)), Status::failed);
    expect_failure(login, Kind::unsupported_authentication, "28000");
  }
  Login newer(Credential::plain("pencil"));
  EXPECT_EQ(newer.feed(message('R', "\0\0\0\x0aOAUTHBEARER\0\0"sv)), Status::failed);
  expect_failure(newer, Kind::unsupported_authentication, "28000");
  Login without;
  EXPECT_EQ(without.feed(message('R', "\0\0\0\x0aSCRAM-SHA-256\0\0"sv)), Status::failed);
  expect_failure(without, Kind::no_credential, "28000");
}

TEST(LoginMachine, ToleratesANegotiationBeforeTheAuthenticationOnly) {
  const std::string negotiation = message('v', "\0\x03\0\0\0\0\0\0"sv);
  Login login;
  EXPECT_EQ(login.feed(negotiation + authentication_ok + ready_for_query), Status::ready);
  Login late;
  EXPECT_EQ(late.feed(authentication_ok + negotiation), Status::failed);
  expect_failure(late, Kind::protocol_violation, "08P01");
}

TEST(LoginMachine, MessagesOutOfPlaceAreViolations) {
  const std::string key = message('K', "\0\0\0\x01keys"sv);
  for (const std::string& script : {
           ready_for_query,
           key,
           message('S', "a\0b\0"sv),
           message('R', "\0\0\0\x0bx"sv),
           message('R', "\0\0\0\x0cx"sv),
           message('R', "\0\0\0\x63"sv),
           message('R', "\0\0\0\0x"sv),
           message('T', ""),
           message('E', "garbage"),
           authentication_ok + authentication_ok,
           authentication_ok + key + key,
           authentication_ok + message('K', "\0\0\0\x01key"sv),
           authentication_ok + message('S', "a\0b"sv),
           authentication_ok + message('S', "\0b\0"sv),
           authentication_ok + message('S', "a\0b\0c"sv),
           authentication_ok + message('Z', "T"),
           authentication_ok + message('Z', ""),
           authentication_ok + message('D', ""),
           "HTTP/1.1 400 Bad Request\r\n"s,
           "R\0\0\0\x03"s,
           "R\0\x10\0\x01"s,
           "R\xff\xff\xff\xff"s,
       }) {
    Login login;
    EXPECT_EQ(login.feed(script), Status::failed) << testing::PrintToString(script);
    expect_failure(login, Kind::protocol_violation, "08P01");
  }
  Login at_the_limit;
  EXPECT_EQ(at_the_limit.feed("R\0\x10\0\0"s), Status::more);
}

TEST(LoginMachine, ReportedParametersAreBounded) {
  Login login;
  login.feed(authentication_ok);
  Status status = Status::more;
  std::size_t count = 0;
  while (status == Status::more && count < 2 * LoginMachine::max_parameter_statuses) {
    std::string body = std::to_string(count++);
    body += "\0v\0"sv;
    status = login.feed(message('S', body));
  }
  EXPECT_EQ(status, Status::failed);
  EXPECT_EQ(count, LoginMachine::max_parameter_statuses + 1);
}

TEST(LoginMachine, RandomMessagesNeverGetPastScram) {
  std::mt19937 random(20261120);
  constexpr std::string_view types = "RRRRSKZNEv1";
  for (int round = 0; round < 5000; ++round) {
    Login login(Credential::plain("pencil"));
    ScriptedScramServer server(verifier);
    login.feed(server.offer());
    Status status = Status::more;
    for (int part = 0; part < 6 && status == Status::more; ++part) {
      std::string body(random() % 12, '\0');
      for (char& c : body) c = static_cast<char>(static_cast<unsigned char>(random() % 16));
      status = login.feed(message(types[random() % types.size()], body));
    }
    EXPECT_NE(status, Status::ready);
  }
}

}  // namespace
}  // namespace tidemark::protocol

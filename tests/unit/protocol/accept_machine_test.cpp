#include "protocol/accept_machine.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/auth_messages.hpp"
#include "protocol/bytes.hpp"
#include "tests/unit/protocol/accept_shell.hpp"

namespace tidemark::protocol {
namespace {

using namespace accept_test;

void expect_refused(std::string_view bytes, std::string_view code, std::string_view message) {
  Shell shell;
  EXPECT_EQ(shell.feed(bytes), Want::close);
  const Error error = error_of(shell.output);
  EXPECT_EQ(error.code, code);
  EXPECT_EQ(error.severity, "FATAL");
  EXPECT_EQ(error.message, message);
  EXPECT_EQ(shell.feed(startup), Want::close) << "closed stays closed";
}

TEST(AcceptMachine, TrustNeedsNothingButAName) {
  Shell shell{.method = AuthMethod::trust, .credential = std::nullopt};
  EXPECT_EQ(shell.feed(startup + "Q"), Want::authenticated);
  EXPECT_EQ(shell.output, "R\0\0\0\x08\0\0\0\0"sv);
  EXPECT_EQ(shell.pending, "Q") << "what the client sends early is not ours";
  EXPECT_EQ(shell.machine.startup().user(), "app");
  EXPECT_EQ(shell.machine.startup().database(), "shop");
  EXPECT_FALSE(shell.machine.scram_keys());
}

TEST(AcceptMachine, WaitsForTheSecretWithoutConsuming) {
  AcceptMachine machine;
  std::string output;
  const AcceptMachine::Progress progress = machine.on_bytes(startup + "more", output);
  EXPECT_EQ(progress.want, Want::secret);
  EXPECT_EQ(progress.consumed, startup.size());
  EXPECT_EQ(machine.on_bytes("more", output).consumed, 0U);
  EXPECT_EQ(machine.on_bytes("more", output).want, Want::secret);
  EXPECT_EQ(output, "");
}

TEST(AcceptMachine, ScramWithAPlainPasswordOrAVerifier) {
  const ScramVerifier verifier = make_verifier("pencil", "a salt", 5);
  for (const Credential& credential : {Credential::plain("pencil"), Credential::scram(verifier)}) {
    Shell shell{.credential = credential};
    EXPECT_EQ(log_in(shell, "pencil", [&](std::string_view bytes) { return shell.feed(bytes); }),
              Want::authenticated);
    ASSERT_TRUE(shell.machine.scram_keys());
    if (credential.verifier() != nullptr) {
      EXPECT_EQ(shell.machine.scram_keys()->server_key, verifier.server_key);
    }
  }
}

TEST(AcceptMachine, ScramInSingleBytesBehindBothEncryptionRequests) {
  Shell shell;
  const auto slowly = [&](std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      EXPECT_EQ(shell.want, Want::more_bytes) << "byte " << i << " came too late";
      shell.feed(bytes.substr(i, 1));
    }
    return shell.want;
  };
  EXPECT_EQ(slowly(gssenc_request), Want::more_bytes);
  EXPECT_EQ(shell.take_output(), "N");
  EXPECT_EQ(slowly(ssl_request), Want::more_bytes);
  EXPECT_EQ(shell.take_output(), "N");
  EXPECT_EQ(log_in(shell, "pencil", slowly), Want::authenticated);
}

TEST(AcceptMachine, WrongPasswordUnknownUserAndMd5UserGetTheSameAnswers) {
  std::vector<std::string> answers;
  std::vector<std::vector<std::size_t>> sizes;
  for (const auto& credential : {std::optional(Credential::plain("pencil")), std::optional<Credential>(),
                                 Credential::parse("md52c5f2685c8f3ed83183146b5b3586e9f")}) {
    Shell shell{.credential = credential};
    std::vector<std::size_t> seen;
    EXPECT_EQ(log_in(shell, "wrong",
                     [&](std::string_view bytes) {
                       const Want want = shell.feed(bytes);
                       seen.push_back(shell.output.size());
                       return want;
                     }),
              Want::close);
    answers.push_back(shell.output);
    sizes.push_back(seen);
    EXPECT_FALSE(shell.machine.scram_keys());
  }
  EXPECT_EQ(error_of(answers[0]).code, "28P01");
  EXPECT_EQ(error_of(answers[0]).message, "password authentication failed for user \"app\"");
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(answers[0], answers[2]);
  EXPECT_EQ(sizes[0], sizes[1]);
  EXPECT_EQ(sizes[0], sizes[2]);
}

TEST(AcceptMachine, EveryStepCutOffWantsMoreAndSaysNothing) {
  for (const std::string& whole : {startup, ssl_request, first_packet(80877102, "\0\0\0\x01keys"sv)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      Shell shell;
      EXPECT_EQ(shell.feed(std::string_view(whole).substr(0, size)), Want::more_bytes) << size;
      EXPECT_EQ(shell.output, "");
    }
  }
}

TEST(AcceptMachine, EveryStepChangedIsRefused) {
  for (const char* bad : {"Q\0\0\0\x04", "X\0\0\0\x04", "p\0\0\0\x03"}) {
    for (const std::size_t step : {1U, 2U}) {
      Shell shell;
      std::size_t at = 0;
      EXPECT_EQ(log_in(shell, "pencil",
                       [&](std::string_view bytes) {
                         return shell.feed(at++ == step ? std::string_view(bad, 5) : bytes);
                       }),
                Want::close)
          << bad << step;
      EXPECT_EQ(error_of(shell.output).code, "08P01");
      EXPECT_EQ(at, step + 1);
    }
  }
}

TEST(AcceptMachine, MessagesBeforeTheEndOfAuthenticationHaveALimitThatIsCheckedBeforeTheyCome) {
  for (const AuthMethod method : {AuthMethod::scram_sha_256, AuthMethod::md5}) {
    for (const bool too_long : {false, true}) {
      Shell shell{.method = method};
      shell.feed(startup);
      shell.take_output();
      EXPECT_EQ(shell.feed(too_long ? "p\0\0\x04\x01"sv : "p\0\0\x04\0"sv),
                too_long ? Want::close : Want::more_bytes);
      if (!too_long) continue;
      EXPECT_EQ(error_of(shell.output).code, "08P01");
      EXPECT_EQ(error_of(shell.output).message, method == AuthMethod::md5
                                                    ? "invalid length of password response"
                                                    : "invalid length of SASL response");
    }
  }
}

TEST(AcceptMachine, OtherMechanismsAreRefused) {
  for (const char* mechanism : {"SCRAM-SHA-256-PLUS", "PLAIN", ""}) {
    Shell shell;
    shell.feed(startup);
    shell.take_output();
    std::string out;
    append_sasl_initial_response(out, mechanism, "n,,n=,r=abc");
    EXPECT_EQ(shell.feed(out), Want::close);
    EXPECT_EQ(error_of(shell.output).code, "08P01");
  }
}

TEST(AcceptMachine, TheFirstScramMessageMayComeInAResponseOfItsOwn) {
  Shell shell;
  shell.feed(startup);
  shell.take_output();
  EXPECT_EQ(shell.feed("p\0\0\0\x16SCRAM-SHA-256\0\xff\xff\xff\xff"sv), Want::more_bytes);
  EXPECT_EQ(shell.take_output(), "R\0\0\0\x08\0\0\0\x0b"sv);
  EXPECT_EQ(shell.feed("p\0\0\0\x0fn,,n=,r=abc"sv), Want::more_bytes);
  EXPECT_EQ(messages(shell.output).size(), 1U);
}

TEST(AcceptMachine, CancelRequestsEndWithoutAnAnswer) {
  for (const std::string& before : {""s, ssl_request}) {
    Shell shell;
    if (!before.empty()) shell.feed(before);
    shell.take_output();
    std::string request;
    append_cancel_request(request, {42, "0123456789"});
    EXPECT_EQ(shell.feed(request), Want::cancel);
    EXPECT_EQ(shell.output, "");
    EXPECT_EQ(shell.machine.cancel_key(), (CancelKey{42, "0123456789"}));
  }
}

TEST(AcceptMachine, EncryptionRequestsOnceEachAndNothingBehindThem) {
  expect_refused(ssl_request + startup, "08P01", "received unencrypted data after SSL request");
  expect_refused(gssenc_request + "x", "08P01", "received unencrypted data after GSSAPI encryption request");
  Shell shell;
  shell.feed(ssl_request);
  EXPECT_EQ(shell.take_output(), "N");
  EXPECT_EQ(shell.feed(ssl_request), Want::close);
  EXPECT_EQ(error_of(shell.output).message, "received more than one SSL request");
}

TEST(AcceptMachine, StartupMessagesThatAreRefused) {
  expect_refused(first_packet(0x30000, "\0"sv), "28000",
                 "no PostgreSQL user name specified in startup packet");
  expect_refused(first_packet(0x30000, "user\0\0\0"sv), "28000",
                 "no PostgreSQL user name specified in startup packet");
  expect_refused(first_packet(0x30000, "user\0a"sv), "08P01", "invalid startup packet layout");
  expect_refused(first_packet(0x20000, "user\0a\0\0"sv), "0A000",
                 "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
  expect_refused(first_packet(0x40001, "user\0a\0\0"sv), "0A000",
                 "unsupported frontend protocol 4.1: server supports 3.0 to 3.2");
  expect_refused(first_packet(80877102, "abc"), "08P01", "invalid startup packet layout");
  expect_refused(first_packet(0x30000, "user\0a\0replication\0maybe\0\0"sv), "22023",
                 "invalid value for parameter \"replication\": \"maybe\"");
  for (const std::string value : {"true", "database", "ON", "1", "y"}) {
    expect_refused(first_packet(0x30000, "user\0a\0replication\0"s + value + "\0\0"s), "0A000",
                   "replication connections are not supported by Tidemark");
  }
}

TEST(AcceptMachine, ReplicationOffIsAnOrdinaryConnection) {
  for (const std::string value : {"false", "off", "0", "N"}) {
    Shell shell{.method = AuthMethod::trust};
    EXPECT_EQ(shell.feed(first_packet(0x30000, "user\0a\0replication\0"s + value + "\0\0"s)),
              Want::authenticated);
    EXPECT_EQ(shell.machine.startup().parameters, (ParameterList{{"user", "a"}}));
  }
}

TEST(AcceptMachine, VersionsAreNegotiatedAsPostgreSQL18Does) {
  const auto answer = [](std::uint32_t version, std::string_view parameters, ProtocolVersion spoken) {
    Shell shell{.method = AuthMethod::trust};
    EXPECT_EQ(shell.feed(first_packet(version, parameters)), Want::authenticated);
    EXPECT_EQ(shell.machine.protocol_version(), spoken);
    EXPECT_TRUE(shell.output.ends_with("R\0\0\0\x08\0\0\0\0"sv));
    return shell.output.substr(0, shell.output.size() - 9);
  };
  EXPECT_EQ(answer(0x30000, "user\0a\0\0"sv, {3, 0}), "");
  EXPECT_EQ(answer(0x30001, "user\0a\0\0"sv, {3, 1}), "");
  EXPECT_EQ(answer(0x30002, "user\0a\0\0"sv, {3, 2}), "");
  EXPECT_EQ(answer(0x30003, "user\0a\0\0"sv, {3, 2}), "v\0\0\0\x0c\0\x03\0\x02\0\0\0\0"sv);
  EXPECT_EQ(answer(0x3270f, "user\0a\0\0"sv, {3, 2}), "v\0\0\0\x0c\0\x03\0\x02\0\0\0\0"sv);
  EXPECT_EQ(answer(0x30000, "user\0a\0_pq_.x\0001\0\0"sv, {3, 0}),
            "v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.x\0"sv);
  EXPECT_EQ(answer(0x30002, "_pq_.y\0\0user\0a\0_pq_.x\0001\0\0"sv, {3, 2}),
            "v\0\0\0\x1a\0\x03\0\x02\0\0\0\x02_pq_.y\0_pq_.x\0"sv);
}

TEST(AcceptMachine, GarbageGetsAnAnswerThatHelps) {
  for (const auto& [bytes, hint] :
       {std::pair("GET / HTTP/1.1\r\n"sv, "HTTP"), std::pair("POST"sv, "HTTP"),
        std::pair("PROXY TCP4 "sv, "PROXY"), std::pair("\0\0\0\x07"sv, "another protocol"),
        std::pair("\0\0\x27\x11"sv, "another protocol"), std::pair("SSH-2.0-x\r\n"sv, "another protocol"),
        std::pair("\xff\xff\xff\xff"sv, "another protocol")}) {
    Shell shell;
    EXPECT_EQ(shell.feed(bytes), Want::close);
    EXPECT_EQ(error_of(shell.output).code, "08P01");
    EXPECT_EQ(error_of(shell.output).message, "invalid length of startup packet");
    EXPECT_NE(error_of(shell.output).hint.find(hint), std::string::npos) << error_of(shell.output).hint;
  }
}

TEST(AcceptMachine, CanBeRefusedFromOutside) {
  AcceptMachine machine;
  std::string output;
  EXPECT_EQ(machine.refuse(Sqlstate{"53300"}, "too many clients already", "later", output).want, Want::close);
  EXPECT_EQ(error_of(output).code, "53300");
  EXPECT_EQ(machine.on_bytes(startup, output).want, Want::close);
  EXPECT_EQ(machine.on_secret({.method = AuthMethod::trust}, output).want, Want::close)
      << "a late secret must not open a closed conversation";
}

TEST(AcceptMachine, RandomBytesNeverAuthenticate) {
  std::mt19937 random(20261120);
  const Credential credential = Credential::scram(make_verifier("pencil", "a salt", 1));
  for (int round = 0; round < 5000; ++round) {
    Shell shell{.credential = credential};
    if (round % 2 == 0) shell.feed(startup);
    for (int part = 0; part < 4 && shell.want == Want::more_bytes; ++part) {
      std::string bytes(random() % 40, '\0');
      for (char& c : bytes) c = static_cast<char>(static_cast<unsigned char>(random() & 0xffU));
      // Half of them with a sound header, to get further in.
      if (round % 4 == 2) bytes = "p\0\0\0"s + static_cast<char>(bytes.size() + 4) + bytes;
      shell.feed(bytes);
    }
    EXPECT_NE(shell.want, Want::authenticated);
  }
}

}  // namespace
}  // namespace tidemark::protocol

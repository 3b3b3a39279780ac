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

namespace tidemark::protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using Want = AcceptMachine::Want;

const std::string nonce(18, 's');
constexpr std::string_view process_secret = "process secret";

std::string first_packet(std::uint32_t code, std::string_view body) {
  std::string out;
  Writer writer(out);
  writer.open_untyped().int32(static_cast<std::int32_t>(code)).bytes(body).close();
  return out;
}

const std::string ssl_request = first_packet(80877103, {});
const std::string gssenc_request = first_packet(80877104, {});
const std::string startup = first_packet(0x30000, "user\0app\0database\0shop\0\0"sv);

/// The machine with the caller's side of the bargain: keeps unconsumed bytes, looks users up.
struct Shell {
  AuthMethod method = AuthMethod::scram_sha_256;
  std::optional<Credential> credential = Credential::plain("pencil");
  AcceptMachine machine = {};
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
        want = machine.on_secret(method, credential ? &*credential : nullptr, nonce, process_secret, output)
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

std::vector<Message> messages(std::string_view bytes) {
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
  std::string code, severity, message, hint;
};

Error error_of(std::string_view output) {
  const std::vector<Message> all = messages(output);
  if (all.empty() || all.back().type != 'E') return {};
  ErrorFields fields;
  EXPECT_EQ(parse_error_fields(all.back().body, fields), Errc::ok);
  return {std::string(fields.code.text()), std::string(fields.severity), std::string(fields.message),
          std::string(fields.hint)};
}

void expect_refused(std::string_view bytes, std::string_view code, std::string_view message) {
  Shell shell;
  EXPECT_EQ(shell.feed(bytes), Want::close);
  const Error error = error_of(shell.output);
  EXPECT_EQ(error.code, code);
  EXPECT_EQ(error.severity, "FATAL");
  EXPECT_EQ(error.message, message);
  EXPECT_EQ(shell.feed(startup), Want::close) << "closed stays closed";
}

/// A client that logs in with SCRAM; `deliver` brings its bytes to the proxy.
Want log_in(Shell& shell, const std::string& password, const std::function<Want(std::string_view)>& deliver) {
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

TEST(AcceptMachine, SaslMessagesHaveALimitThatIsCheckedBeforeTheyCome) {
  for (const bool too_long : {false, true}) {
    Shell shell;
    shell.feed(startup);
    shell.take_output();
    EXPECT_EQ(shell.feed(too_long ? "p\0\x01\0\x01"sv : "p\0\x01\0\0"sv),
              too_long ? Want::close : Want::more_bytes);
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
  expect_refused(ssl_request + startup, "08P01", "received unencrypted data after SSLRequest");
  expect_refused(gssenc_request + "x", "08P01", "received unencrypted data after GSSENCRequest");
  Shell shell;
  shell.feed(ssl_request);
  EXPECT_EQ(shell.take_output(), "N");
  EXPECT_EQ(shell.feed(ssl_request), Want::close);
  EXPECT_EQ(error_of(shell.output).message, "more than one SSLRequest");
}

TEST(AcceptMachine, StartupMessagesThatAreRefused) {
  expect_refused(first_packet(0x30000, "\0"sv), "28000",
                 "no PostgreSQL user name specified in startup packet");
  expect_refused(first_packet(0x30000, "user\0\0\0"sv), "28000",
                 "no PostgreSQL user name specified in startup packet");
  expect_refused(first_packet(0x30000, "user\0a"sv), "08P01", "invalid startup packet layout");
  expect_refused(first_packet(0x20000, "user\0a\0\0"sv), "0A000",
                 "unsupported frontend protocol 2.0: server supports 3.0 to 3.0");
  expect_refused(first_packet(0x40001, "user\0a\0\0"sv), "0A000",
                 "unsupported frontend protocol 4.1: server supports 3.0 to 3.0");
  expect_refused(first_packet(80877102, "abc"), "08P01", "invalid startup packet layout");
  expect_refused(first_packet(0x30000, "user\0a\0replication\0maybe\0\0"sv), "22023",
                 "invalid value for parameter \"replication\"");
  for (const std::string value : {"true", "database", "ON", "1", "y"}) {
    expect_refused(first_packet(0x30000, "user\0a\0replication\0"s + value + "\0\0"s), "0A000",
                   "replication connections are not supported by Tidemark; connect to the server directly");
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

TEST(AcceptMachine, NewerMinorVersionsAndOptionsAreNegotiatedDown) {
  Shell shell{.method = AuthMethod::trust};
  EXPECT_EQ(shell.feed(first_packet(0x30002, "user\0a\0_pq_.x\0001\0\0"sv)), Want::authenticated);
  EXPECT_EQ(shell.take_output(), "v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.x\0R\0\0\0\x08\0\0\0\0"sv);
  Shell newer{.method = AuthMethod::trust};
  EXPECT_EQ(newer.feed(first_packet(0x3270f, "user\0a\0\0"sv)), Want::authenticated);
  EXPECT_EQ(newer.take_output(), "v\0\0\0\x0c\0\x03\0\0\0\0\0\0R\0\0\0\x08\0\0\0\0"sv);
}

TEST(AcceptMachine, GarbageGetsAnAnswerThatHelps) {
  for (const auto& [bytes, hint] :
       {std::pair("GET / HTTP/1.1\r\n"sv, "HTTP"), std::pair("POST"sv, "HTTP"),
        std::pair("\x16\x03\x01\x02\x00\x01"sv, "TLS"), std::pair("PROXY TCP4 "sv, "PROXY"),
        std::pair("\0\0\0\x07"sv, "another protocol"), std::pair("\0\0\x27\x11"sv, "another protocol"),
        std::pair("SSH-2.0-x\r\n"sv, "another protocol"),
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
  EXPECT_EQ(machine.on_secret(AuthMethod::trust, nullptr, nonce, process_secret, output).want, Want::close)
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

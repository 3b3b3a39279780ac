#include "protocol/client_authentication.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/auth_messages.hpp"
#include "protocol/md5.hpp"

namespace tidemark::protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using Status = AuthStep::Status;

const std::string nonce = "salt and more bytes";
constexpr std::string_view process_secret = "process secret";
const std::string ok = "R\0\0\0\x08\0\0\0\0"s;

AuthDecision decide(AuthMethod method, const Credential* credential = nullptr) {
  return {.method = method, .credential = credential, .nonce = nonce, .process_secret = process_secret};
}

TlsPeer peer_with(std::string channel_binding, std::optional<ClientCertificate> certificate = std::nullopt) {
  TlsPeer peer;
  peer.channel_binding = std::move(channel_binding);
  peer.certificate = std::move(certificate);
  return peer;
}

void expect_refused(const AuthStep& step, std::string_view code, std::string_view message,
                    std::string_view detail = "") {
  EXPECT_EQ(step.status, Status::refused);
  EXPECT_EQ(step.refusal.code.text(), code);
  EXPECT_EQ(step.refusal.message, message);
  EXPECT_EQ(step.refusal.detail, detail);
}

std::string password_body(std::string_view response) {
  return std::string(response) + '\0';
}

std::string right_response(std::string_view password, std::string_view user) {
  return *md5_response(*md5_stored_digits(password, user), "salt");
}

TEST(ClientAuthentication, TrustAndReject) {
  std::string output;
  EXPECT_EQ(ClientAuthentication("app", nullptr).begin(decide(AuthMethod::trust), output).status,
            Status::authenticated);
  EXPECT_EQ(output, ok);
  output.clear();
  AuthDecision decision = decide(AuthMethod::reject);
  expect_refused(ClientAuthentication("app", nullptr).begin(decision, output), "28000",
                 "connection rejected for user \"app\"");
  decision.reject_message = "no rule for host 10.0.0.1";
  expect_refused(ClientAuthentication("app", nullptr).begin(decision, output), "28000",
                 "no rule for host 10.0.0.1");
  EXPECT_EQ(output, "");
}

TEST(ClientAuthentication, NothingIsDecidedByDefault) {
  std::string output;
  EXPECT_EQ(ClientAuthentication("app", nullptr).begin({}, output).status, Status::refused);
}

TEST(ClientAuthentication, CertNeedsACertificateThatNamesTheUser) {
  const TlsPeer shown = peer_with("hash", ClientCertificate{"app", "CN=app"});
  const TlsPeer none = peer_with("hash");
  for (const bool matches : {false, true}) {
    AuthDecision decision = decide(AuthMethod::cert);
    decision.certificate_matches = matches;
    std::string output;
    expect_refused(ClientAuthentication("app", nullptr).begin(decision, output), "28000",
                   "connection requires a valid client certificate");
    expect_refused(ClientAuthentication("app", &none).begin(decision, output), "28000",
                   "connection requires a valid client certificate");
    EXPECT_EQ(output, "");
    const AuthStep step = ClientAuthentication("app", &shown).begin(decision, output);
    if (matches) {
      EXPECT_EQ(step.status, Status::authenticated);
      EXPECT_EQ(output, ok);
    } else {
      expect_refused(step, "28000", "certificate authentication failed for user \"app\"");
      EXPECT_EQ(output, "");
    }
  }
}

TEST(ClientAuthentication, Md5WithThePasswordOrItsHash) {
  for (const auto& credential :
       {Credential::plain("pencil"), *Credential::parse("md506d701b4dd9f7cbb00816251a451b978")}) {
    ClientAuthentication authentication("app", nullptr);
    std::string output;
    EXPECT_EQ(authentication.begin(decide(AuthMethod::md5, &credential), output).status, Status::more);
    EXPECT_EQ(output, "R\0\0\0\x0c\0\0\0\x05salt"sv);
    EXPECT_EQ(authentication.expected(), "password response");
    output.clear();
    // md5 of the digits above and "salt", made with the md5sum program.
    EXPECT_EQ(authentication.on_response(password_body("md52afb5b311168c70c7e1783b3f1da0ac3"), output).status,
              Status::authenticated);
    EXPECT_EQ(output, ok);
    EXPECT_FALSE(authentication.scram_keys());
  }
}

TEST(ClientAuthentication, Md5ResponsesThatFail) {
  const Credential credential = Credential::plain("pencil");
  const auto step = [&](std::string_view body) {
    ClientAuthentication authentication("app", nullptr);
    std::string output;
    EXPECT_EQ(authentication.begin(decide(AuthMethod::md5, &credential), output).status, Status::more);
    output.clear();
    AuthStep result = authentication.on_response(body, output);
    EXPECT_EQ(output, "");
    EXPECT_EQ(authentication.on_response(password_body(right_response("pencil", "app")), output).status,
              Status::refused)
        << "there is no second try";
    return result;
  };
  constexpr std::string_view wrong = "password authentication failed for user \"app\"";
  const std::string right = right_response("pencil", "app");
  expect_refused(step(password_body(right_response("pencils", "app"))), "28P01", wrong);
  expect_refused(step(password_body(right_response("pencil", "app2"))), "28P01", wrong);
  expect_refused(step(password_body("pencil")), "28P01", wrong);
  expect_refused(step(password_body(right.substr(3))), "28P01", wrong);
  for (std::size_t size = 1; size < right.size(); ++size)
    expect_refused(step(password_body(right.substr(0, size))), "28P01", wrong);
  for (std::size_t at = 0; at < right.size(); ++at) {
    std::string changed = right;
    changed[at] ^= 1;
    expect_refused(step(password_body(changed)), "28P01", wrong);
  }
  expect_refused(step("\0"sv), "28P01", "empty password returned by client");
  for (const std::string_view body : {""sv, "x"sv, "x\0y"sv, "x\0y\0"sv, "\0\0"sv})
    expect_refused(step(body), "08P01", "invalid password packet size");
}

TEST(ClientAuthentication, AnUnknownUserLooksLikeAWrongPasswordUnderMd5) {
  const Credential known = Credential::plain("pencil");
  std::vector<std::string> said;
  for (const Credential* credential : {&known, static_cast<const Credential*>(nullptr)}) {
    ClientAuthentication authentication("app", nullptr);
    std::string output;
    EXPECT_EQ(authentication.begin(decide(AuthMethod::md5, credential), output).status, Status::more);
    const AuthStep step = authentication.on_response(password_body(right_response("wrong", "app")), output);
    said.push_back(output + step.refusal.message + std::string(step.refusal.code.text()));
  }
  EXPECT_EQ(said[0], said[1]);
  // Neither an empty password nor the made-up digits let anybody in.
  ClientAuthentication authentication("app", nullptr);
  std::string output;
  EXPECT_EQ(authentication.begin(decide(AuthMethod::md5), output).status, Status::more);
  EXPECT_EQ(authentication.on_response(password_body(right_response("", "app")), output).status,
            Status::refused);
}

TEST(ClientAuthentication, AVerifierUnderMd5MeansScramAndAnMd5HashUnderScramFailsAtTheEnd) {
  const Credential verifier = Credential::scram(make_verifier("pencil", "a salt", 3));
  const Credential md5 = *Credential::parse("md506d701b4dd9f7cbb00816251a451b978");
  for (const bool under_md5 : {false, true}) {
    ClientAuthentication authentication("app", nullptr);
    std::string output;
    EXPECT_EQ(authentication
                  .begin(decide(under_md5 ? AuthMethod::md5 : AuthMethod::scram_sha_256,
                                under_md5 ? &verifier : &md5),
                         output)
                  .status,
              Status::more);
    EXPECT_EQ(output, "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"sv);
    EXPECT_EQ(authentication.expected(), "SASL response");
    const std::string password = "pencil";
    ScramClient client(&password, nullptr, std::string(18, 'c'));
    std::string data;
    client.start(data);
    std::string message;
    append_sasl_initial_response(message, "SCRAM-SHA-256", data);
    output.clear();
    ASSERT_EQ(authentication.on_response(std::string_view(message).substr(5), output).status, Status::more);
    data.clear();
    ASSERT_EQ(client.on_server_first(std::string_view(output).substr(9), data).verdict, ScramVerdict::ok);
    const AuthStep step = authentication.on_response(data, output);
    if (under_md5) {
      EXPECT_EQ(step.status, Status::authenticated);
      EXPECT_TRUE(authentication.scram_keys());
    } else {
      expect_refused(step, "28P01", "password authentication failed for user \"app\"");
    }
  }
}

/// The refusal of a client whose first SASL message is this.
AuthStep first_message(const TlsPeer* peer, std::string_view mechanism, std::string_view data) {
  const Credential credential = Credential::scram(make_verifier("pencil", "a salt", 3));
  ClientAuthentication authentication("app", peer);
  std::string output;
  EXPECT_EQ(authentication.begin(decide(AuthMethod::scram_sha_256, &credential), output).status,
            Status::more);
  std::string message;
  append_sasl_initial_response(message, mechanism, data);
  return authentication.on_response(std::string_view(message).substr(5), output);
}

TEST(ClientAuthentication, PlusIsOfferedFirstWhereTheConnectionCanBeBound) {
  const TlsPeer bound = peer_with("hash");
  const TlsPeer unbound = peer_with("");
  for (const TlsPeer* peer : {&bound, &unbound}) {
    ClientAuthentication authentication("app", peer);
    std::string output;
    EXPECT_EQ(authentication.begin(decide(AuthMethod::scram_sha_256), output).status, Status::more);
    EXPECT_EQ(output, peer == &bound ? "R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"sv
                                     : "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"sv);
  }
}

// The texts and codes are those of PostgreSQL 15, which was asked the same.
TEST(ClientAuthentication, RefusalsOfFirstMessages) {
  const TlsPeer tls = peer_with("hash");
  constexpr std::string_view malformed = "malformed SCRAM message";
  constexpr std::string_view unbound =
      "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.";
  expect_refused(first_message(nullptr, "PLAIN", ""), "08P01",
                 "client selected an invalid SASL authentication mechanism");
  expect_refused(first_message(nullptr, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc"), "08P01",
                 "client selected an invalid SASL authentication mechanism");
  for (const TlsPeer* peer : {&tls, static_cast<const TlsPeer*>(nullptr)}) {
    expect_refused(
        first_message(peer, "SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc"), "08P01", malformed,
        "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes "
        "channel binding data.");
    expect_refused(first_message(peer, "SCRAM-SHA-256", "n,a=x,n=,r=abc"), "0A000",
                   "client uses authorization identity, but it is not supported");
    expect_refused(first_message(peer, "SCRAM-SHA-256", "n,,m=x,n=,r=abc"), "0A000",
                   "client requires an unsupported SCRAM extension");
    expect_refused(first_message(peer, "SCRAM-SHA-256", "n,,n=,r=a\tc"), "08P01",
                   "non-printable characters in SCRAM nonce");
  }
  expect_refused(first_message(&tls, "SCRAM-SHA-256", "y,,n=,r=abc"), "28000",
                 "SCRAM channel binding negotiation error",
                 "The client supports SCRAM channel binding but thinks the server does not.  However, this "
                 "server does support channel binding.");
  EXPECT_EQ(first_message(nullptr, "SCRAM-SHA-256", "y,,n=,r=abc").status, Status::more);
  expect_refused(first_message(&tls, "SCRAM-SHA-256-PLUS", "n,,n=,r=abc"), "08P01", malformed, unbound);
  expect_refused(first_message(&tls, "SCRAM-SHA-256-PLUS", "y,,n=,r=abc"), "08P01", malformed, unbound);
  EXPECT_EQ(first_message(&tls, "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=,r=abc").refusal.message,
            "unsupported SCRAM channel-binding type");
}

TEST(ClientAuthentication, RefusalsOfFinalMessages) {
  const Credential credential = Credential::scram(make_verifier("pencil", "a salt", 3));
  const TlsPeer tls = peer_with("hash");
  const auto final_message = [&](bool plus, std::string_view data) {
    ClientAuthentication authentication("app", plus ? &tls : nullptr);
    std::string output;
    EXPECT_EQ(authentication.begin(decide(AuthMethod::scram_sha_256, &credential), output).status,
              Status::more);
    std::string message;
    append_sasl_initial_response(message, plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256",
                                 plus ? "p=tls-server-end-point,,n=,r=abc" : "n,,n=,r=abc");
    EXPECT_EQ(authentication.on_response(std::string_view(message).substr(5), output).status, Status::more);
    return authentication.on_response(data, output);
  };
  expect_refused(final_message(true, "c=biws,r=abc,p=abc"), "28000", "SCRAM channel binding check failed");
  expect_refused(final_message(false, "c=eSws,r=abc,p=abc"), "08P01",
                 "unexpected SCRAM channel-binding attribute in client-final-message");
  expect_refused(final_message(false, "c=biws,r=abc,p=abc"), "08P01", "invalid SCRAM response",
                 "Nonce does not match.");
}

TEST(ClientAuthentication, TruncatedInitialResponsesAreMalformed) {
  std::string whole;
  append_sasl_initial_response(whole, "SCRAM-SHA-256", "n,,n=,r=abc");
  whole.erase(0, 5);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ClientAuthentication authentication("app", nullptr);
    std::string output;
    EXPECT_EQ(authentication.begin(decide(AuthMethod::scram_sha_256), output).status, Status::more);
    const AuthStep step = authentication.on_response(std::string_view(whole).substr(0, size), output);
    EXPECT_EQ(step.refusal.code, sqlstate::protocol_violation) << size;
  }
}

TEST(ClientAuthentication, BeginsOnceAndNothingBeforeIt) {
  std::string output;
  ClientAuthentication early("app", nullptr);
  EXPECT_EQ(early.on_response("x", output).status, Status::refused);
  ClientAuthentication twice("app", nullptr);
  EXPECT_EQ(twice.begin(decide(AuthMethod::scram_sha_256), output).status, Status::more);
  EXPECT_EQ(twice.begin(decide(AuthMethod::trust), output).status, Status::refused);
}

}  // namespace
}  // namespace tidemark::protocol

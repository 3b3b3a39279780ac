// Channel binding, tls-server-end-point (RFC 5929), in both SCRAM machines.
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "protocol/scram_exchange.hpp"

namespace tidemark::protocol {
namespace {

constexpr std::string_view process_secret = "process secret";
const ScramVerifier verifier = make_verifier("pencil", "salt of 16 bytes", 3);
const std::string binding(32, 'b');

std::string bytes_from(int first) {
  std::string bytes;
  for (int i = 0; i < 18; ++i) bytes.push_back(static_cast<char>(first + i));
  return bytes;
}

// The SHA-256 of a certificate, base64.
constexpr std::string_view certificate_hash = "tcCSc6a+qC7tJRnmrfMbDWA5tJLIQiE8iS5b4Xvq14Y=";

// Accepted by PostgreSQL 15 over TLS with that certificate, for the password "pencil".
constexpr std::string_view postgres_server_first =
    "r=AQIDBAUGBwgJCgsMDQ4PEBESaGMxi0X2ZYxgZDYyRhGc6zPA,s=4ByfrMC6F/VRL8iqO6s70A==,i=4096";
constexpr std::string_view postgres_accepted =
    "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwstcCSc6a+qC7tJRnmrfMbDWA5tJLIQiE8iS5b4Xvq14Y=,"
    "r=AQIDBAUGBwgJCgsMDQ4PEBESaGMxi0X2ZYxgZDYyRhGc6zPA,p=ljNSAbe9b+5asKryi+1vE5LdnUReq5bwlqh6XeY9r2Q=";
constexpr std::string_view postgres_server_final = "v=SoAwIEQbC7zyAyPqVciJ/4mxrLAYW21DEOgPT2RB8YU=";

TEST(ScramBinding, WeSayWhatPostgresAcceptedAndBelieveWhatItAnswered) {
  const std::string password = "pencil";
  ScramClient client(&password, nullptr, bytes_from(1), BindingFlag::used, *base64_decode(certificate_hash));
  std::string out;
  client.start(out);
  EXPECT_EQ(out, "p=tls-server-end-point,,n=,r=AQIDBAUGBwgJCgsMDQ4PEBES");
  out.clear();
  ASSERT_EQ(client.on_server_first(postgres_server_first, out).verdict, ScramVerdict::ok);
  EXPECT_EQ(out, postgres_accepted);
  EXPECT_EQ(client.on_server_final(postgres_server_final).verdict, ScramVerdict::ok);
}

// What libpq 15 said to a server whose part of the nonce, salt and certificate are these, and what it took
// for an answer.
TEST(ScramBinding, WeAcceptWhatLibpqSays) {
  const ScramVerifier known = make_verifier("pencil", "sixteen byte slt", 4096);
  ScramServer server(&known, "app", bytes_from(101), process_secret, *base64_decode(certificate_hash));
  server.select(true);
  std::string reply;
  ASSERT_EQ(server.on_client_first("p=tls-server-end-point,,n=,r=634AF5dMd85OPwQMBmNRYXEL", reply).verdict,
            ScramVerdict::ok);
  EXPECT_EQ(reply, "r=634AF5dMd85OPwQMBmNRYXELZWZnaGlqa2xtbm9wcXJzdHV2,s=c2l4dGVlbiBieXRlIHNsdA==,i=4096");
  reply.clear();
  ASSERT_EQ(
      server
          .on_client_final("c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwstcCSc6a+qC7tJRnmrfMbDWA5tJLIQiE8iS5b4Xvq14Y=,"
                           "r=634AF5dMd85OPwQMBmNRYXELZWZnaGlqa2xtbm9wcXJzdHV2,p=Yd7sYt+"
                           "bWF8SpGDgrW7T760qZy5wMZS5FjWxFyKojKA=",
                           reply)
          .verdict,
      ScramVerdict::ok);
  EXPECT_EQ(reply, "v=bAAu8rSiBX8eshrMAM2UjhjXsUoL41ZHcJsW4Ui96FY=");
  ASSERT_TRUE(server.keys());
  EXPECT_EQ(stored_key(server.keys()->client_key), known.stored_key) << "binding does not change the keys";
}

/// The verdict on a client with that flag and data, by a server with that binding, where the client chose
/// plus or not; the first message alone, or the whole exchange.
ScramStep exchange(BindingFlag flag, std::string_view client_binding, bool plus,
                   std::string_view server_binding, const ScramVerifier* known = &verifier) {
  const std::string password = "pencil";
  ScramClient client(&password, nullptr, bytes_from(1), flag, client_binding);
  ScramServer server(known, "app", bytes_from(101), process_secret, server_binding);
  server.select(plus);
  std::string out;
  std::string reply;
  client.start(out);
  const ScramStep first = server.on_client_first(out, reply);
  if (first.verdict != ScramVerdict::ok) return first;
  out.clear();
  EXPECT_EQ(client.on_server_first(reply, out).verdict, ScramVerdict::ok);
  reply.clear();
  const ScramStep final = server.on_client_final(out, reply);
  EXPECT_EQ(server.keys().has_value(), final.verdict == ScramVerdict::ok);
  return final;
}

TEST(ScramBinding, EveryFlagAgainstEveryChoice) {
  using Flag = BindingFlag;
  using Verdict = ScramVerdict;
  // Without TLS, or with a certificate that defines no binding.
  EXPECT_EQ(exchange(Flag::not_supported, "", false, "").verdict, Verdict::ok);
  EXPECT_EQ(exchange(Flag::not_offered, "", false, "").verdict, Verdict::ok);
  EXPECT_EQ(exchange(Flag::used, binding, false, "").verdict, Verdict::malformed);
  // With it.
  EXPECT_EQ(exchange(Flag::not_supported, "", false, binding).verdict, Verdict::ok);
  EXPECT_EQ(exchange(Flag::not_offered, "", false, binding).verdict, Verdict::binding_downgraded);
  EXPECT_EQ(exchange(Flag::used, binding, false, binding).verdict, Verdict::malformed);
  EXPECT_EQ(exchange(Flag::not_supported, "", true, binding).verdict, Verdict::malformed);
  EXPECT_EQ(exchange(Flag::not_offered, "", true, binding).verdict, Verdict::malformed);
  EXPECT_EQ(exchange(Flag::used, binding, true, binding).verdict, Verdict::ok);
}

TEST(ScramBinding, AnotherChannelIsToldBeforeThePasswordIsJudged) {
  for (const ScramVerifier* known : {&verifier, static_cast<const ScramVerifier*>(nullptr)}) {
    EXPECT_EQ(exchange(BindingFlag::used, std::string(32, 'x'), true, binding, known).verdict,
              ScramVerdict::binding_mismatch);
    EXPECT_EQ(exchange(BindingFlag::used, binding.substr(1), true, binding, known).verdict,
              ScramVerdict::binding_mismatch);
    EXPECT_EQ(exchange(BindingFlag::used, "", true, binding, known).verdict, ScramVerdict::binding_mismatch);
  }
}

TEST(ScramBinding, MalformedHeaders) {
  for (const std::string_view text :
       {"p", "p=", "p=,", "p=,,n=,r=abc", "p=tls-server-end-point", "p=tls-server-end-point,",
        "p=tls-unique,,n=,r=abc", "p=tls-server-end-point,b,n=,r=abc", "p=tls-server-end-point,n=,r=abc",
        "ptls-server-end-point,,n=,r=abc", "p,,n=,r=abc", "p=TLS-SERVER-END-POINT,,n=,r=abc"}) {
    ScramServer server(&verifier, "app", bytes_from(1), process_secret, binding);
    server.select(true);
    std::string reply;
    EXPECT_EQ(server.on_client_first(text, reply).verdict, ScramVerdict::malformed) << text;
    EXPECT_EQ(reply, "");
  }
  ScramServer server(&verifier, "app", bytes_from(1), process_secret, binding);
  server.select(true);
  std::string reply;
  EXPECT_EQ(server.on_client_first("p=tls-server-end-point,a=root,n=,r=abc", reply).verdict,
            ScramVerdict::unsupported);
}

}  // namespace
}  // namespace tidemark::protocol

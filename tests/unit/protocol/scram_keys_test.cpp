#include <string>

#include <gtest/gtest.h>

#include "protocol/auth_messages.hpp"
#include "protocol/login_machine.hpp"
#include "protocol/scram_exchange.hpp"

namespace tidemark::protocol {
namespace {

const std::string nonce(18, 'n');

ScramKeys keys_of(const std::string& password, const std::string& salt, int iterations) {
  const Digest salted = salted_password(password, salt, iterations);
  return {client_key(salted), server_key(salted), salt, iterations};
}

ScramVerdict run(ScramServer server, ScramClient& client) {
  std::string out;
  std::string reply;
  client.start(out);
  if (const auto step = server.on_client_first(out, reply); step.verdict != ScramVerdict::ok)
    return step.verdict;
  out.clear();
  if (const auto step = client.on_server_first(reply, out); step.verdict != ScramVerdict::ok)
    return step.verdict;
  reply.clear();
  if (const auto step = server.on_client_final(out, reply); step.verdict != ScramVerdict::ok)
    return step.verdict;
  return client.on_server_final(reply).verdict;
}

// After a change of the password the primary holds the new verifier, and a replica the former for a while.
TEST(ScramKeysOfSeveralVerifiers, ThoseOfTheServersVerifierAreUsed) {
  const auto before = make_verifier("before", "salt before", 10);
  const auto after = make_verifier("after", "salt after", 10);
  for (const auto* held : {&before, &after}) {
    ScramClient client(nullptr, nullptr, nonce);
    client.also_know(keys_of("after", "salt after", 10));
    client.also_know(keys_of("before", "salt before", 10));
    EXPECT_EQ(run(ScramServer(held, "app", std::string(18, 's'), "process secret"), client),
              ScramVerdict::ok);
    ASSERT_TRUE(client.keys());
    EXPECT_EQ(client.keys()->salt, held->salt);
  }
}

TEST(ScramKeysOfSeveralVerifiers, WithoutOneThatFitsTheLoginFails) {
  const auto other = make_verifier("other", "another salt", 10);
  ScramClient client(nullptr, nullptr, nonce);
  client.also_know(keys_of("other", "another salt", 11));
  client.also_know(keys_of("other", "a third salt", 10));
  EXPECT_EQ(run(ScramServer(&other, "app", std::string(18, 's'), "process secret"), client),
            ScramVerdict::wrong_secret);
}

TEST(ScramKeysOfSeveralVerifiers, ALoginWithoutPasswordBeginsWithThem) {
  std::string offer;
  append_authentication_sasl(offer, {scram_sha_256_mechanism});
  for (const bool knows : {false, true}) {
    LoginMachine login({"app", "shop", {}}, std::nullopt, std::nullopt, nonce);
    if (knows) login.also_know(keys_of("secret", "salt", 10));
    std::string output;
    login.start(output);
    output.clear();
    const auto progress = login.on_bytes(offer, output);
    EXPECT_EQ(progress.status, knows ? LoginMachine::Status::more : LoginMachine::Status::failed);
    EXPECT_EQ(output.empty(), !knows);
  }
}

}  // namespace
}  // namespace tidemark::protocol

#include "protocol/scram_exchange.hpp"

#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

const std::string client_nonce(18, 'c');
const std::string server_nonce(18, 's');
constexpr std::string_view process_secret = "process secret";
// Few iterations: the arithmetic is tested elsewhere, here it only costs time.
const ScramVerifier verifier = make_verifier("pencil", "salt of 16 bytes", 3);

struct Transcript {
  std::vector<std::string> messages;
  ScramStep server;
  ScramStep client;
};

/// Runs the two against each other; `tamper` sees each message, 0 to 3, on its way.
Transcript run(ScramServer& server, ScramClient& client,
               const std::function<void(std::size_t, std::string&)>& tamper = {}) {
  Transcript transcript;
  const auto deliver = [&](std::string message) {
    if (tamper) tamper(transcript.messages.size(), message);
    transcript.messages.push_back(message);
    return message;
  };
  std::string out;
  client.start(out);
  out = deliver(std::exchange(out, {}));
  std::string reply;
  transcript.server = server.on_client_first(out, reply);
  if (transcript.server.verdict != ScramVerdict::ok) return transcript;
  out.clear();
  transcript.client = client.on_server_first(deliver(std::exchange(reply, {})), out);
  if (transcript.client.verdict != ScramVerdict::ok) return transcript;
  transcript.server = server.on_client_final(deliver(std::exchange(out, {})), reply);
  if (transcript.server.verdict != ScramVerdict::ok) return transcript;
  transcript.client = client.on_server_final(deliver(std::exchange(reply, {})));
  return transcript;
}

struct Pair {
  explicit Pair(const std::string& password = "pencil", const ScramVerifier* known = &verifier)
      : server(known, "user", server_nonce, process_secret), client(&password, nullptr, client_nonce) {}
  ScramServer server;
  ScramClient client;
};

TEST(ScramExchange, BothSidesProveThemselves) {
  Pair pair;
  const Transcript transcript = run(pair.server, pair.client);
  EXPECT_EQ(transcript.messages.size(), 4U);
  EXPECT_EQ(transcript.server.verdict, ScramVerdict::ok);
  EXPECT_EQ(transcript.client.verdict, ScramVerdict::ok);
  ASSERT_TRUE(pair.server.keys() && pair.client.keys());
  EXPECT_EQ(*pair.server.keys(), *pair.client.keys());
  EXPECT_EQ(stored_key(pair.server.keys()->client_key), verifier.stored_key);
}

TEST(ScramExchange, KeysLearnedAsServerServeAsClient) {
  Pair first;
  run(first.server, first.client);
  ASSERT_TRUE(first.server.keys());
  ScramServer server(&verifier, "user", std::string(18, 'x'), process_secret);
  ScramClient client(nullptr, &*first.server.keys(), std::string(18, 'y'));
  EXPECT_EQ(run(server, client).client.verdict, ScramVerdict::ok);
  EXPECT_TRUE(server.keys());
}

TEST(ScramExchange, KeysOfAnotherSaltFallBackToThePasswordOrFail) {
  ScramKeys stale{{}, {}, "another salt", 3};
  {
    ScramServer server(&verifier, "user", server_nonce, process_secret);
    const std::string password = "pencil";
    ScramClient client(&password, &stale, client_nonce);
    EXPECT_EQ(run(server, client).client.verdict, ScramVerdict::ok);
  }
  ScramServer server(&verifier, "user", server_nonce, process_secret);
  ScramClient client(nullptr, &stale, client_nonce);
  EXPECT_EQ(run(server, client).client.verdict, ScramVerdict::wrong_secret);
}

TEST(ScramExchange, AWrongPasswordFailsAndYieldsNoKeys) {
  Pair pair("pencils");
  const Transcript transcript = run(pair.server, pair.client);
  EXPECT_EQ(transcript.server.verdict, ScramVerdict::wrong_secret);
  EXPECT_EQ(transcript.messages.size(), 3U);
  EXPECT_FALSE(pair.server.keys());
  EXPECT_FALSE(pair.client.keys());
}

TEST(ScramExchange, AnUnknownUserLooksLikeAWrongPassword) {
  const ScramVerifier usual =
      make_verifier("pencil", derive_salt(process_secret, "known"), default_scram_iterations);
  Pair known("wrong", &usual);
  Pair unknown("wrong", nullptr);
  const Transcript a = run(known.server, known.client);
  const Transcript b = run(unknown.server, unknown.client);
  ASSERT_EQ(a.messages.size(), b.messages.size());
  for (std::size_t i = 0; i < a.messages.size(); ++i)
    EXPECT_EQ(a.messages[i].size(), b.messages[i].size()) << i;
  EXPECT_EQ(a.server.verdict, b.server.verdict);
  EXPECT_EQ(a.server.reason, b.server.reason);
  Pair again("wrong", nullptr);
  EXPECT_EQ(run(again.server, again.client).messages[1], b.messages[1])
      << "the salt must not change between tries";
}

TEST(ScramExchange, NoChangedOrShortenedMessagePasses) {
  Pair sound;
  const Transcript good = run(sound.server, sound.client);
  for (std::size_t message = 0; message < 4; ++message) {
    for (std::size_t at = 0; at < good.messages[message].size(); ++at) {
      for (const bool cut : {false, true}) {
        Pair pair;
        const Transcript bad = run(pair.server, pair.client, [&](std::size_t index, std::string& text) {
          if (index != message) return;
          if (cut) {
            text.resize(at);
          } else {
            text[at] = text[at] == '~' ? '}' : static_cast<char>(text[at] + 1);
          }
        });
        EXPECT_TRUE(bad.server.verdict != ScramVerdict::ok || bad.client.verdict != ScramVerdict::ok)
            << message << "/" << at << (cut ? " cut" : " changed");
      }
    }
  }
}

ScramStep client_first(std::string_view message) {
  ScramServer server(&verifier, "user", server_nonce, process_secret);
  std::string reply;
  const ScramStep step = server.on_client_first(message, reply);
  EXPECT_EQ(reply.empty(), step.verdict != ScramVerdict::ok) << message;
  return step;
}

TEST(ScramServer, ClientFirstMessages) {
  EXPECT_EQ(client_first("n,,n=,r=abc").verdict, ScramVerdict::ok);
  EXPECT_EQ(client_first("y,,n=anybody,r=abc").verdict, ScramVerdict::ok);
  EXPECT_EQ(client_first("n,,n=,r=abc,x=ext,y=more").verdict, ScramVerdict::ok);
  EXPECT_EQ(client_first("p=tls-server-end-point,,n=,r=abc").verdict, ScramVerdict::malformed);
  EXPECT_EQ(client_first("n,a=root,n=,r=abc").verdict, ScramVerdict::unsupported);
  EXPECT_EQ(client_first("n,,m=ext,n=,r=abc").verdict, ScramVerdict::unsupported);
  for (const std::string_view text :
       {"", "n", "n,", "n,,", "x,,n=,r=abc", "n;,n=,r=abc", "n,b,n=,r=abc", "n,,r=abc", "n,,n=", "n,,n=,",
        "n,,n=,r=", "n,,n=,r=a b", "n,,n=,r=abc,", "n,,n=,r=abc,1=x", "n,,n=,r=abc,xy", "n,,n=,s=abc",
        "n,,n=,r=\xc3\xa4"}) {
    EXPECT_EQ(client_first(text).verdict, ScramVerdict::malformed) << text;
  }
}

TEST(ScramServer, BindingFlagYHasToBeRepeated) {
  for (const std::string_view binding : {"eSws", "biws"}) {
    ScramServer server(&verifier, "user", server_nonce, process_secret);
    std::string reply;
    ASSERT_EQ(server.on_client_first("y,,n=,r=abc", reply).verdict, ScramVerdict::ok);
    const std::string nonce = "abc" + base64_encode(server_nonce);
    const std::string without_proof = "c=" + std::string(binding) + ",r=" + nonce;
    const Digest salted = salted_password("pencil", verifier.salt, verifier.iterations);
    const Digest signature =
        hmac_sha256(as_bytes(verifier.stored_key), "n=,r=abc," + reply + "," + without_proof);
    const std::string proof = base64_encode(as_bytes(exclusive_or(client_key(salted), signature)));
    EXPECT_EQ(server.on_client_final(without_proof + ",p=" + proof, reply).verdict,
              binding == "eSws" ? ScramVerdict::ok : ScramVerdict::malformed);
  }
}

TEST(ScramServer, ASoundProofForAnotherNonceIsRefused) {
  for (const bool replayed : {false, true}) {
    ScramServer server(&verifier, "user", server_nonce, process_secret);
    std::string reply;
    ASSERT_EQ(server.on_client_first("n,,n=,r=abc", reply).verdict, ScramVerdict::ok);
    const std::string without_proof =
        "c=biws,r=abc" + base64_encode(replayed ? std::string(18, 'o') : server_nonce);
    const Digest salted = salted_password("pencil", verifier.salt, verifier.iterations);
    const Digest signature =
        hmac_sha256(as_bytes(verifier.stored_key), "n=,r=abc," + reply + "," + without_proof);
    const std::string proof = base64_encode(as_bytes(exclusive_or(client_key(salted), signature)));
    EXPECT_EQ(server.on_client_final(without_proof + ",p=" + proof, reply).verdict,
              replayed ? ScramVerdict::malformed : ScramVerdict::ok);
  }
}

TEST(ScramServer, NoStepTwiceAndNoneOutOfOrder) {
  Pair pair;
  std::string reply;
  EXPECT_EQ(pair.server.on_client_final("c=biws,r=x,p=y", reply).verdict, ScramVerdict::malformed);
  const Transcript good = run(pair.server, pair.client);
  EXPECT_EQ(pair.server.on_client_first(good.messages[0], reply).verdict, ScramVerdict::malformed);
  EXPECT_EQ(pair.server.on_client_final(good.messages[2], reply).verdict, ScramVerdict::malformed);
}

ScramStep server_first(const std::string& message) {
  const std::string password = "pencil";
  ScramClient client(&password, nullptr, client_nonce);
  std::string out;
  client.start(out);
  return client.on_server_first(message, out);
}

TEST(ScramClient, ServerFirstMessages) {
  const std::string nonce = base64_encode(client_nonce);
  EXPECT_EQ(server_first("r=" + nonce + "x,s=c2FsdA==,i=1").verdict, ScramVerdict::ok);
  EXPECT_EQ(server_first("r=" + nonce + "x,s=c2FsdA==,i=1,x=ext").verdict, ScramVerdict::ok);
  EXPECT_EQ(server_first("m=ext,r=" + nonce + "x,s=c2FsdA==,i=1").verdict, ScramVerdict::unsupported);
  EXPECT_EQ(server_first("").verdict, ScramVerdict::malformed);
  EXPECT_EQ(server_first("r=" + nonce + ",s=c2FsdA==,i=1").verdict, ScramVerdict::malformed);
  EXPECT_EQ(server_first("r=x" + nonce + ",s=c2FsdA==,i=1").verdict, ScramVerdict::malformed);
  for (const std::string tail :
       {"", ",s=", ",s=,i=1", ",s=c2FsdA=,i=1", ",s=c2FsdA==", ",s=c2FsdA==,i=", ",s=c2FsdA==,i=0",
        ",s=c2FsdA==,i=-1", ",s=c2FsdA==,i=10000001", ",s=c2FsdA==,i=99999999999", ",s=c2FsdA==,i=1x",
        ",s=c2FsdA==,i= 1", ",s=c2FsdA==,i=1,?"}) {
    EXPECT_EQ(server_first("r=" + nonce + "x" + tail).verdict, ScramVerdict::malformed) << tail;
  }
}

TEST(ScramClient, AServerWithoutTheVerifierIsFoundOut) {
  const ScramVerifier forged{verifier.iterations, verifier.salt, verifier.stored_key,
                             sha256("not the server key")};
  Pair pair("pencil", &forged);
  const Transcript transcript = run(pair.server, pair.client);
  EXPECT_EQ(transcript.client.verdict, ScramVerdict::wrong_secret);
  EXPECT_FALSE(pair.client.keys());
}

TEST(ScramClient, AServersErrorIsARefusal) {
  Pair pair;
  const Transcript transcript = run(pair.server, pair.client, [](std::size_t index, std::string& text) {
    if (index == 3) text = "e=invalid-proof";
  });
  EXPECT_EQ(transcript.client.verdict, ScramVerdict::wrong_secret);
}

TEST(ScramExchange, RandomBytesNeverProveAnything) {
  std::mt19937 random(20261120);
  const std::string_view alphabet = "nyp,=armcrspvei0129+/AZaz~ \x80";
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 60, '\0');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    Pair pair;
    std::string reply;
    if (pair.server.on_client_first(text, reply).verdict == ScramVerdict::ok) {
      EXPECT_NE(pair.server.on_client_final(text, reply).verdict, ScramVerdict::ok);
    }
    std::string out;
    pair.client.start(out);
    EXPECT_NE(pair.client.on_server_first(text, out).verdict, ScramVerdict::ok);
  }
}

}  // namespace
}  // namespace tidemark::protocol

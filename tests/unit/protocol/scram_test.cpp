#include "protocol/scram.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

using namespace std::string_view_literals;

// Made by PostgreSQL 15: create role scram password 'correct horse battery'.
constexpr std::string_view verifier_of_postgres =
    "SCRAM-SHA-256$4096:r96annArOe1dGgfWVuGIRQ==$oLPaWeGJwY+jrPWv+mUBjq+MvQUprLsy0cY1GNRHPo0=:"
    "JiMI5hFlFZ0njoNw15yctTrAnaPpfMzxCMrY8cI9PLU=";

TEST(Scram, TheExampleOfRfc7677) {
  const auto salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
  ASSERT_TRUE(salt);
  const Digest salted = salted_password("pencil", *salt, 4096);
  const std::string auth_message =
      "n=user,r=rOprNGfwEbeRWgbNEkqO,"
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const Digest client = client_key(salted);
  const Digest signature = hmac_sha256(as_bytes(stored_key(client)), auth_message);
  EXPECT_EQ(base64_encode(as_bytes(exclusive_or(client, signature))),
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_EQ(base64_encode(as_bytes(hmac_sha256(as_bytes(server_key(salted)), auth_message))),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(Scram, MakesTheVerifierThatPostgresMakes) {
  const auto parsed = parse_scram_verifier(verifier_of_postgres);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->iterations, 4096);
  EXPECT_EQ(make_verifier("correct horse battery", parsed->salt, parsed->iterations), *parsed);
  EXPECT_NE(make_verifier("correct horse batterz", parsed->salt, parsed->iterations), *parsed);
  EXPECT_EQ(print_scram_verifier(*parsed), verifier_of_postgres);
}

TEST(Scram, RejectsAVerifierCutAtAnyByteOrChanged) {
  for (std::size_t size = 0; size < verifier_of_postgres.size(); ++size) {
    EXPECT_FALSE(parse_scram_verifier(verifier_of_postgres.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_scram_verifier(std::string(verifier_of_postgres) + "="));
  for (const std::string_view count : {"0", "-1", "", "4096x", "10000001", "99999999999"}) {
    std::string text(verifier_of_postgres);
    text.replace(14, 4, count);
    EXPECT_FALSE(parse_scram_verifier(text)) << count;
  }
}

TEST(Base64, TheExamplesOfRfc4648) {
  constexpr std::string_view plain = "foobar";
  constexpr std::string_view coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
  for (std::size_t size = 0; size <= plain.size(); ++size) {
    EXPECT_EQ(base64_encode(plain.substr(0, size)), coded[size]);
    EXPECT_EQ(base64_decode(coded[size]), plain.substr(0, size));
  }
}

TEST(Base64, AllBytesComeBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
}

TEST(Base64, RejectsWhatIsNotCanonical) {
  for (const auto text : {"Z"sv, "Zg"sv, "Zg="sv, "Zg==="sv, "Zh=="sv, "Zm9="sv, "Z==="sv, "===="sv,
                          "Zg==Zg=="sv, "Zm 9v"sv, "Zm9\n"sv, "Zm9\0"sv, "Z=9v"sv, "Zm-_"sv}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

TEST(Scram, DigestsHaveTheirLength) {
  EXPECT_FALSE(digest_from_base64(base64_encode(std::string(31, 'x'))));
  EXPECT_FALSE(digest_from_base64(base64_encode(std::string(33, 'x'))));
  EXPECT_TRUE(digest_from_base64(base64_encode(std::string(32, 'x'))));
}

TEST(Scram, ComparesEveryByte) {
  const Digest a = sha256("a");
  for (std::size_t i = 0; i < a.size(); ++i) {
    Digest b = a;
    EXPECT_TRUE(constant_time_equal(a, b));
    b[i] ^= 1U;
    EXPECT_FALSE(constant_time_equal(a, b));
  }
}

TEST(Scram, SaltsAreStablePerUserAndSecret) {
  EXPECT_EQ(derive_salt("secret", "a").size(), scram_salt_length);
  EXPECT_EQ(derive_salt("secret", "a"), derive_salt("secret", "a"));
  EXPECT_NE(derive_salt("secret", "a"), derive_salt("secret", "b"));
  EXPECT_NE(derive_salt("secret", "a"), derive_salt("secres", "a"));
}

TEST(Scram, WipingEmptiesASecretWhereItIs) {
  std::string secret = "a secret that does not fit into a small string";
  const char* at = secret.data();
  wipe(secret);
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(at, secret.data()) << "a reallocation would leave the secret behind";
  Digest digest = sha256("x");
  wipe(digest);
  EXPECT_EQ(digest, Digest{});
}

}  // namespace
}  // namespace tidemark::protocol

#include "protocol/credential.hpp"

#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

constexpr auto verifier_text =
    "SCRAM-SHA-256$4096:r96annArOe1dGgfWVuGIRQ==$oLPaWeGJwY+jrPWv+mUBjq+MvQUprLsy0cY1GNRHPo0=:"
    "JiMI5hFlFZ0njoNw15yctTrAnaPpfMzxCMrY8cI9PLU=";

TEST(Credential, TellsTheThreeKindsApart) {
  const auto scram = Credential::parse(verifier_text);
  ASSERT_TRUE(scram && scram->verifier() != nullptr);
  EXPECT_EQ(print_scram_verifier(*scram->verifier()), verifier_text);
  EXPECT_EQ(scram->password(), nullptr);
  EXPECT_EQ(scram->md5_digits(), nullptr);

  const auto md5 = Credential::parse("md52c5f2685c8f3ed83183146b5b3586e9f");
  ASSERT_TRUE(md5 && md5->md5_digits() != nullptr);
  EXPECT_EQ(*md5->md5_digits(), "2c5f2685c8f3ed83183146b5b3586e9f");
  EXPECT_EQ(md5->password(), nullptr);

  const auto plain = Credential::parse("hunter2");
  ASSERT_TRUE(plain && plain->password() != nullptr);
  EXPECT_EQ(*plain->password(), "hunter2");
  EXPECT_EQ(plain->verifier(), nullptr);
}

TEST(Credential, WhatOnlyLooksLikeAnMd5HashIsAPassword) {
  for (const std::string text :
       {"md5", "md52C5F2685C8F3ED83183146B5B3586E9F", "md52c5f2685c8f3ed83183146b5b3586e9",
        "md52c5f2685c8f3ed83183146b5b3586e9f0", "md5gc5f2685c8f3ed83183146b5b3586e9f"}) {
    const auto credential = Credential::parse(text);
    ASSERT_TRUE(credential && credential->password() != nullptr) << text;
    EXPECT_EQ(*credential->password(), text);
  }
}

TEST(Credential, NothingAndADamagedVerifierAreErrors) {
  EXPECT_FALSE(Credential::parse(""));
  EXPECT_FALSE(Credential::parse("SCRAM-SHA-256$4096:abc"));
}

TEST(Credential, CopiesAndMovesKeepTheSecret) {
  Credential a = Credential::plain("a secret that does not fit into a small string");
  Credential b = a;
  EXPECT_EQ(a, b);
  Credential c = std::move(b);
  EXPECT_EQ(a, c);
  c = Credential::plain("other");
  EXPECT_FALSE(a == c);
  c = a;
  EXPECT_EQ(a, c);
  const Credential& same = c;
  c = same;
  EXPECT_EQ(a, c);
}

}  // namespace
}  // namespace tidemark::protocol

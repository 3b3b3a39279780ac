#include "pools/login_secrets.hpp"

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

protocol::ScramKeys keys_of(const std::string& salt, unsigned char mark) {
  protocol::ScramKeys keys;
  keys.client_key.fill(mark);
  keys.salt = salt;
  keys.iterations = 4096;
  return keys;
}

TEST(LoginSecrets, BeginEmpty) {
  const LoginSecrets secrets;
  EXPECT_FALSE(secrets.load()->credential);
  EXPECT_TRUE(secrets.load()->keys.empty());
}

TEST(LoginSecrets, KeepTheNewestKeysOfEachVerifier) {
  LoginSecrets secrets;
  secrets.learn(keys_of("one", 1));
  secrets.learn(keys_of("two", 2));
  secrets.learn(keys_of("one", 3));
  ASSERT_EQ(secrets.load()->keys.size(), 2U);
  EXPECT_EQ(secrets.load()->keys[0], keys_of("one", 3));
  EXPECT_EQ(secrets.load()->keys[1], keys_of("two", 2));
}

TEST(LoginSecrets, KeepAFewVerifiersOnly) {
  LoginSecrets secrets;
  for (unsigned char i = 0; i < 10; ++i)
    secrets.learn(keys_of(std::string(1, static_cast<char>('a' + i)), i));
  ASSERT_EQ(secrets.load()->keys.size(), LoginSecrets::kKeptKeys);
  EXPECT_EQ(secrets.load()->keys.front().salt, "j");
}

TEST(LoginSecrets, WhatWasLoadedStays) {
  LoginSecrets secrets;
  secrets.set_credential(protocol::Credential::plain("before"));
  const auto before = secrets.load();
  secrets.set_credential(protocol::Credential::plain("after"));
  EXPECT_EQ(*before->credential->password(), "before");
  EXPECT_EQ(*secrets.load()->credential->password(), "after");
}

TEST(LoginSecrets, ADoubtIsTakenOnce) {
  LoginSecrets secrets;
  EXPECT_FALSE(secrets.take_doubt());
  secrets.doubt();
  EXPECT_TRUE(secrets.take_doubt());
  EXPECT_FALSE(secrets.take_doubt());
}

}  // namespace
}  // namespace tidemark::pools

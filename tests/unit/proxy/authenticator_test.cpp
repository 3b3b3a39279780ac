#include "proxy/authenticator.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "config/address_range.hpp"
#include "tests/unit/pools/reactor_thread.hpp"

namespace tidemark::proxy {
namespace {

using config::AuthMethod;
using Next = LoginAttempt::Next;
using Outcome = pools::UserAnswer::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The verifier of RFC 7677's example, user "user", password "pencil".
const std::string verifier =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
const std::string md5_hash = "md5a3556571e93b0d20722ba62be61e8c2d";

ClientFacts facts(std::string user) {
  ClientFacts made;
  made.peer.address = *config::parse_ip_address("10.0.0.7");
  made.user = std::move(user);
  made.database = "shop";
  return made;
}

pools::UserAnswer answer(std::string secret) {
  pools::UserAnswer made;
  made.outcome = Outcome::found;
  made.secret = std::move(secret);
  return made;
}
pools::UserAnswer answer(Outcome outcome, std::string why = "") {
  pools::UserAnswer made;
  made.outcome = outcome;
  made.why = std::move(why);
  return made;
}

config::Config file_of(AuthMethod method = AuthMethod::scram_sha_256) {
  config::Config config;
  config.auth.method = method;
  config.users = {{"plain", config::Secret("pencil")},
                  {"scram", config::Secret(verifier)},
                  {"hashed", config::Secret(md5_hash)}};
  return config;
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  /// An authenticator that asks for users, whose questions are kept.
  void make(config::Config config) {
    authenticator_.emplace(config);
    authenticator_->ask_through([this](const std::string& user) { asked_.push_back(user); });
    authenticator_->on_failure([this](const AuthFailure& failure) {
      failures_.push_back(std::string(to_string(failure.result)) + ": " + std::string(failure.why));
    });
  }
  static config::Config asking(AuthMethod method = AuthMethod::scram_sha_256) {
    config::Config config;
    config.auth.method = method;
    config.auth.query.sql = "select";
    return config;
  }

  struct Attempt {
    std::unique_ptr<LoginAttempt> attempt;
    int told = 0;
  };
  std::unique_ptr<Attempt> begin(const ClientFacts& about) {
    auto made = std::make_unique<Attempt>();
    thread_.call([&] {
      made->attempt = std::make_unique<LoginAttempt>(*authenticator_, thread_.reactor());
      (void)made->attempt->begin(about, [one = made.get()] { ++one->told; });
    });
    return made;
  }
  std::unique_ptr<Attempt> begin(const std::string& user) { return begin(facts(user)); }
  /// What the worker's thread was posted has been done after this.
  void settle() {
    thread_.call([] {});
  }
  void end(std::unique_ptr<Attempt>& attempt) {
    thread_.call([&] { attempt->attempt.reset(); });
    attempt.reset();
  }
  void fail(Attempt& attempt) {
    thread_.call([&] { attempt.attempt->failed(AuthResult::wrong_secret); });
  }
  void succeed(Attempt& attempt, const std::optional<protocol::ScramKeys>& keys = std::nullopt) {
    thread_.call([&] { attempt.attempt->succeeded(keys); });
  }
  void TearDown() override { thread_.stop(); }

  pools::ReactorThread thread_;
  std::optional<Authenticator> authenticator_;
  std::vector<std::string> asked_;
  std::vector<std::string> failures_;
};

TEST_F(AuthenticatorTest, UsersOfTheFileAreKnownAtOnce) {
  make(file_of());
  auto plain = begin("plain");
  EXPECT_EQ(plain->attempt->next(), Next::proceed);
  EXPECT_EQ(plain->attempt->method(), AuthMethod::scram_sha_256);
  ASSERT_NE(plain->attempt->credential(), nullptr);
  EXPECT_NE(plain->attempt->credential()->verifier(), nullptr) << "a login must not cost a PBKDF2";
  auto scram = begin("scram");
  EXPECT_EQ(*scram->attempt->credential()->verifier(), *protocol::parse_scram_verifier(verifier));
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(AuthenticatorTest, WhoIsUnknownOrCannotDoScramGoesTheSameWay) {
  make(file_of());
  for (const char* user : {"stranger", "hashed"}) {
    auto attempt = begin(user);
    EXPECT_EQ(attempt->attempt->next(), Next::proceed);
    EXPECT_EQ(attempt->attempt->method(), AuthMethod::scram_sha_256);
    EXPECT_EQ(attempt->attempt->credential(), nullptr);
    fail(*attempt);
  }
  EXPECT_THAT(failures_,
              ElementsAre("wrong_secret: unknown user", HasSubstr("wrong_secret: only an md5 hash")));
}

TEST_F(AuthenticatorTest, Md5IsForThoseWhoCan) {
  make(file_of(AuthMethod::md5));
  auto plain = begin("plain");
  EXPECT_EQ(plain->attempt->method(), AuthMethod::md5);
  EXPECT_EQ(*plain->attempt->credential()->password(), "pencil");
  auto hashed = begin("hashed");
  EXPECT_EQ(hashed->attempt->method(), AuthMethod::md5);
  EXPECT_EQ("md5" + *hashed->attempt->credential()->md5_digits(), md5_hash);
  auto scram = begin("scram");
  EXPECT_EQ(scram->attempt->method(), AuthMethod::scram_sha_256);
  auto stranger = begin("stranger");
  EXPECT_EQ(stranger->attempt->method(), AuthMethod::md5) << "what most users are";
  EXPECT_EQ(stranger->attempt->credential(), nullptr);
}

TEST_F(AuthenticatorTest, UsersOfTheClusterAreAskedForOnce) {
  make(asking());
  auto first = begin("app");
  auto second = begin("app");
  auto other = begin("web");
  EXPECT_EQ(first->attempt->next(), Next::wait);
  EXPECT_THAT(asked_, ElementsAre("app", "web"));
  authenticator_->on_answer("app", answer(verifier));
  settle();
  EXPECT_EQ(first->told, 1);
  EXPECT_EQ(second->told, 1);
  EXPECT_EQ(other->told, 0);
  EXPECT_EQ(second->attempt->next(), Next::proceed);
  EXPECT_EQ(*second->attempt->credential()->verifier(), *protocol::parse_scram_verifier(verifier));
  auto third = begin("app");
  EXPECT_EQ(third->attempt->next(), Next::proceed);
  EXPECT_EQ(asked_.size(), 2U);
}

TEST_F(AuthenticatorTest, AnAnswerForWhoIsGoneIsDropped) {
  make(asking());
  auto attempt = begin("app");
  auto stays = begin("app");
  end(attempt);
  authenticator_->on_answer("app", answer(verifier));
  settle();
  EXPECT_EQ(stays->told, 1);
  EXPECT_EQ(authenticator_->count(AuthMethod::scram_sha_256, AuthResult::broken_off), 1U);
  authenticator_->on_answer("nobody", answer(verifier));
}

TEST_F(AuthenticatorTest, AnAttemptMayEndInsideItsOwnAnswer) {
  make(asking());
  std::unique_ptr<LoginAttempt> attempt;
  thread_.call([&] {
    attempt = std::make_unique<LoginAttempt>(*authenticator_, thread_.reactor());
    (void)attempt->begin(facts("app"), [&] { attempt.reset(); });
  });
  authenticator_->on_answer("app", answer(Outcome::unknown));
  settle();
  EXPECT_EQ(attempt, nullptr);
}

TEST_F(AuthenticatorTest, WhoCannotBeAskedForIsNotToldOfAWrongPassword) {
  make(asking());
  auto attempt = begin("app");
  authenticator_->on_answer("app", answer(Outcome::unreachable, "connection refused"));
  settle();
  EXPECT_EQ(attempt->attempt->next(), Next::refuse);
  EXPECT_EQ(attempt->attempt->error().code.text(), "57P03");
  auto again = begin("app");
  EXPECT_EQ(again->attempt->next(), Next::wait) << "that nothing is known is not remembered";
  authenticator_->on_answer("app", answer(Outcome::refused, "permission denied"));
  settle();
  EXPECT_EQ(again->attempt->error().code.text(), "F0000");
  EXPECT_THAT(again->attempt->error().message, ::testing::Not(HasSubstr("permission denied")));
  EXPECT_THAT(failures_, ElementsAre(HasSubstr("unavailable: auth.query got no answer: connection refused"),
                                     HasSubstr("unavailable: auth.query: permission denied")));
}

TEST_F(AuthenticatorTest, AFreshAnswerServesWhileTheClusterIsAway) {
  make(asking());
  auto first = begin("app");
  authenticator_->on_answer("app", answer(verifier));
  settle();
  auto second = begin("app");
  EXPECT_EQ(second->attempt->next(), Next::proceed);
}

TEST_F(AuthenticatorTest, AProofThatFailsMakesTheAnswerDoubtful) {
  make(asking());
  auto first = begin("app");
  authenticator_->on_answer("app", answer(verifier));
  settle();
  fail(*first);
  auto second = begin("app");
  EXPECT_EQ(second->attempt->next(), Next::proceed) << "the first answer was fresh: that proof was wrong";
  fail(*second);
  auto third = begin("app");
  EXPECT_EQ(third->attempt->next(), Next::wait) << "the second one was remembered, and may be out of date";
}

TEST_F(AuthenticatorTest, WhatNoServerTakesIsDoubtful) {
  make(asking());
  auto first = begin("app");
  authenticator_->on_answer("app", answer(verifier));
  settle();
  succeed(*first);
  authenticator_->login_secrets("app")->doubt();
  EXPECT_EQ(begin("app")->attempt->next(), Next::wait);
}

TEST_F(AuthenticatorTest, AnExpiredPasswordIsNone) {
  make(asking());
  auto expired = answer(verifier);
  expired.valid_until = "2001-01-01 00:00:00+00";
  auto attempt = begin("app");
  authenticator_->on_answer("app", std::move(expired));
  settle();
  EXPECT_EQ(attempt->attempt->next(), Next::proceed);
  EXPECT_EQ(attempt->attempt->credential(), nullptr);
  fail(*attempt);
  EXPECT_THAT(failures_, ElementsAre("wrong_secret: the password has expired"));
}

TEST_F(AuthenticatorTest, KeysOfAClientServeAllWhoHoldTheUsersSecrets) {
  make(file_of());
  const auto held = authenticator_->login_secrets("scram");
  protocol::ScramKeys keys;
  keys.salt = "salt";
  keys.iterations = 4096;
  auto attempt = begin("scram");
  succeed(*attempt, keys);
  ASSERT_EQ(held->load()->keys.size(), 1U);
  EXPECT_EQ(held->load()->keys[0], keys);
  EXPECT_EQ(authenticator_->login_secrets("scram"), held);
  // The verifier made of a password is of our own salt: no server has it.
  auto plain = begin("plain");
  succeed(*plain, keys);
  EXPECT_THAT(authenticator_->login_secrets("plain")->load()->keys, IsEmpty());
  EXPECT_EQ(*authenticator_->login_secrets("plain")->load()->credential->password(), "pencil");
}

TEST_F(AuthenticatorTest, AReloadChangesSecretsAndRules) {
  make(file_of());
  const auto held = authenticator_->login_secrets("plain");
  auto under_way = begin("plain");
  config::Config next = file_of(AuthMethod::trust);
  next.users = {{"plain", config::Secret("pen")}};
  const auto publish = authenticator_->prepare_reload(next);
  EXPECT_EQ(begin("scram")->attempt->method(), AuthMethod::scram_sha_256) << "nothing has changed yet";
  publish();
  EXPECT_EQ(begin("scram")->attempt->method(), AuthMethod::trust);
  EXPECT_EQ(*held->load()->credential->password(), "pen");
  EXPECT_NE(under_way->attempt->credential()->verifier(), nullptr) << "who is under way goes on";
  next.users = {{"plain", config::Secret("SCRAM-SHA-256$broken")}};
  EXPECT_THROW((void)authenticator_->prepare_reload(next), std::runtime_error);
}

config::AuthRule certificate_rule(std::string map, config::CertificateName name) {
  config::AuthRule rule;
  rule.type = config::ConnectionType::hostssl;
  rule.databases = {"all"};
  rule.users = {"all"};
  rule.method = AuthMethod::cert;
  rule.map = std::move(map);
  rule.client_name = name;
  return rule;
}

TEST_F(AuthenticatorTest, ACertificateLetsInWhomItNames) {
  config::Config config = file_of();
  config.auth.rules = {certificate_rule("", config::CertificateName::common_name)};
  make(config);
  ClientFacts about = facts("ada");
  about.encrypted = true;
  EXPECT_EQ(begin(about)->attempt->next(), Next::refuse) << "without a certificate";
  about.certificate = CertificateNames{"ada", "CN=ada,O=Example"};
  EXPECT_EQ(begin(about)->attempt->next(), Next::proceed);
  EXPECT_EQ(begin(about)->attempt->method(), AuthMethod::cert);
  about.user = "grace";
  auto wrong = begin(about);
  EXPECT_EQ(wrong->attempt->next(), Next::refuse);
  EXPECT_EQ(wrong->attempt->error().code.text(), "28000");
  EXPECT_EQ(wrong->attempt->error().message, "certificate authentication failed for user \"grace\"");
  EXPECT_EQ(authenticator_->count(AuthMethod::cert, AuthResult::certificate), 2U);
}

TEST_F(AuthenticatorTest, AMapLetsInWhomItSays) {
  config::Config config = file_of();
  config.auth.rules = {certificate_rule("staff", config::CertificateName::distinguished_name)};
  config.auth.user_maps = {{"staff", "/^CN=(.*),O=Example$", "\\1"}};
  make(config);
  ClientFacts about = facts("ada");
  about.encrypted = true;
  about.certificate = CertificateNames{"ada", "CN=ada,O=Example"};
  EXPECT_EQ(begin(about)->attempt->next(), Next::proceed);
  about.certificate = CertificateNames{"ada", "CN=ada,O=Elsewhere"};
  EXPECT_EQ(begin(about)->attempt->next(), Next::refuse);
}

}  // namespace
}  // namespace tidemark::proxy

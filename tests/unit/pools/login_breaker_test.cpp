#include "pools/login_breaker.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

using namespace std::chrono_literals;
using Kind = protocol::LoginFailureKind;

constexpr LoginBreaker::TimePoint kStart{std::chrono::hours(1)};

void fail_until_open(LoginBreaker& breaker) {
  for (std::uint32_t i = 0; i < LoginBreaker::kFailures; ++i) {
    EXPECT_FALSE(breaker.is_open());
    EXPECT_TRUE(breaker.may_try(kStart));
    breaker.failed(kStart);
  }
  EXPECT_TRUE(breaker.is_open());
}

TEST(LoginBreakerTest, AllowsAnyNumberUntilSeveralHaveFailedInARow) {
  LoginBreaker breaker;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(breaker.may_try(kStart));
  fail_until_open(breaker);
  EXPECT_EQ(breaker.failures(), LoginBreaker::kFailures);
  EXPECT_EQ(breaker.deferred(), 0U);
}

TEST(LoginBreakerTest, ASuccessBetweenKeepsItClosed) {
  LoginBreaker breaker;
  for (int i = 0; i < 100; ++i) {
    breaker.failed(kStart);
    breaker.succeeded();
  }
  EXPECT_FALSE(breaker.is_open());
  EXPECT_EQ(breaker.failures(), 100U);
}

TEST(LoginBreakerTest, OpenItAllowsOneAttemptPerInterval) {
  LoginBreaker breaker;
  fail_until_open(breaker);
  EXPECT_FALSE(breaker.may_try(kStart + LoginBreaker::kInterval - 1ns));
  EXPECT_TRUE(breaker.may_try(kStart + LoginBreaker::kInterval));
  EXPECT_FALSE(breaker.may_try(kStart + LoginBreaker::kInterval)) << "that was the one";
  EXPECT_EQ(breaker.deferred(), 2U);
  breaker.failed(kStart + LoginBreaker::kInterval);
  EXPECT_FALSE(breaker.may_try(kStart + LoginBreaker::kInterval + 1ns));
  EXPECT_TRUE(breaker.may_try(kStart + 2 * LoginBreaker::kInterval));
}

TEST(LoginBreakerTest, AnAttemptThatNeverEndsHoldsNobodyUp) {
  LoginBreaker breaker;
  fail_until_open(breaker);
  EXPECT_TRUE(breaker.may_try(kStart + 1s));
  EXPECT_TRUE(breaker.may_try(kStart + 2s));
}

TEST(LoginBreakerTest, OneSuccessClosesIt) {
  LoginBreaker breaker;
  fail_until_open(breaker);
  breaker.succeeded();
  EXPECT_FALSE(breaker.is_open());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(breaker.may_try(kStart));
}

TEST(LoginBreakerTest, TheAttemptsOfAllThreadsAreOneBudget) {
  LoginBreaker breaker;
  fail_until_open(breaker);
  std::atomic<int> tried{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 1; i <= 1000; ++i) {
        if (breaker.may_try(kStart + i * LoginBreaker::kInterval)) tried.fetch_add(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(tried, 1000);
  EXPECT_GE(tried, 1);
}

TEST(LoginBreakerTest, OnlyWhatMayPassCounts) {
  const auto server_error = [](protocol::Sqlstate code) {
    protocol::LoginFailure failure;
    failure.kind = Kind::server_error;
    failure.code = code;
    return failure;
  };
  for (const auto code : {protocol::Sqlstate{"57P03"}, protocol::Sqlstate{"53300"},
                          protocol::Sqlstate{"40001"}, protocol::Sqlstate{"08006"}}) {
    EXPECT_TRUE(is_passing(server_error(code))) << code;
  }
  for (const auto code :
       {protocol::Sqlstate{"28P01"}, protocol::Sqlstate{"28000"}, protocol::Sqlstate{"3D000"},
        protocol::Sqlstate{"42501"}, protocol::Sqlstate{"22023"}, protocol::Sqlstate{"0A000"}}) {
    EXPECT_FALSE(is_passing(server_error(code))) << code;
  }
  protocol::LoginFailure failure;
  EXPECT_TRUE(is_passing(failure));
  failure.kind = Kind::no_credential;
  EXPECT_FALSE(is_passing(failure));
}

}  // namespace
}  // namespace tidemark::pools

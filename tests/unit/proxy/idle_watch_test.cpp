#include "proxy/idle_watch.hpp"

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using namespace std::chrono_literals;
using Doing = IdleWatch::Doing;
using Due = IdleWatch::Due;

constexpr IdleWatch::TimePoint kStart{1h};

pools::PoolSettings limits() {
  pools::PoolSettings settings;
  settings.client_idle_timeout = 10s;
  settings.idle_transaction_timeout = 5s;
  settings.query_timeout = 2s;
  return settings;
}

TEST(IdleWatchTest, CountsFromWhenItWasFirstSeenIdle) {
  IdleWatch watch;
  // The statement took long; that is no idleness.
  EXPECT_EQ(watch.look(Doing::idle, kStart, kStart + 30s, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::idle, kStart, kStart + 39s, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::idle, kStart, kStart + 40s, limits()), Due::client_idle);
}

TEST(IdleWatchTest, AStatementBetweenTwoLooksBeginsItAnew) {
  IdleWatch watch;
  EXPECT_EQ(watch.look(Doing::idle, kStart, kStart, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::idle, kStart + 9s, kStart + 11s, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::idle, kStart + 9s, kStart + 20s, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::idle, kStart + 9s, kStart + 21s, limits()), Due::client_idle);
}

TEST(IdleWatchTest, AnOpenTransactionHasItsOwnLimit) {
  IdleWatch watch;
  EXPECT_EQ(watch.look(Doing::idle_in_transaction, kStart, kStart, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::idle_in_transaction, kStart, kStart + 5s, limits()), Due::idle_transaction);
  IdleWatch patient;
  auto only_idle = limits();
  only_idle.idle_transaction_timeout = 0s;
  EXPECT_EQ(patient.look(Doing::idle_in_transaction, kStart, kStart, only_idle), Due::none);
  EXPECT_EQ(patient.look(Doing::idle_in_transaction, kStart, kStart + 1h, only_idle), Due::none);
}

TEST(IdleWatchTest, AStatementIsDueOnce) {
  IdleWatch watch;
  EXPECT_EQ(watch.look(Doing::running, kStart, kStart + 1s, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::running, kStart, kStart + 2s, limits()), Due::query);
  EXPECT_EQ(watch.look(Doing::running, kStart, kStart + 3s, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::running, kStart + 3s, kStart + 4s, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::running, kStart + 3s, kStart + 5s, limits()), Due::query) << "the next one";
}

TEST(IdleWatchTest, WhatHasItsOwnDeadlineIsLeftAlone) {
  IdleWatch watch;
  EXPECT_EQ(watch.look(Doing::other, kStart, kStart, limits()), Due::none);
  EXPECT_EQ(watch.look(Doing::other, kStart, kStart + 1h, limits()), Due::none);
}

TEST(IdleWatchTest, LooksOftenEnoughForTheShortestLimit) {
  EXPECT_EQ(IdleWatch::interval({}), 0s) << "no limit: nobody looks";
  pools::PoolSettings settings;
  settings.client_idle_timeout = 1h;
  EXPECT_EQ(IdleWatch::interval(settings), 1s);
  settings.query_timeout = 2s;
  EXPECT_EQ(IdleWatch::interval(settings), 500ms);
  settings.idle_transaction_timeout = 1ms;
  EXPECT_EQ(IdleWatch::interval(settings), 10ms);
}

}  // namespace
}  // namespace tidemark::proxy

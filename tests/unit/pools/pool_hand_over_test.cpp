#include <atomic>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "pools/pool.hpp"
#include "tests/unit/pools/pool_fixture.hpp"

namespace tidemark::pools {
namespace {

class TwoWorkersTest : public PoolTest {
 protected:
  explicit TwoWorkersTest(std::uint32_t per_pool = 1) {
    limit_to(per_pool);
    one_ = make_worker(0);
    two_ = make_worker(1);
    one_->neighbours = two_->neighbours = {one_.get(), two_.get()};
  }
  /// Both may hand over to the other, so both pools end before either worker does.
  ~TwoWorkersTest() override {
    one_->call([this] { one_->pool->close_idle(); });
    two_->call([this] { two_->pool->close_idle(); });
    one_->loop.stop();
    two_->loop.stop();
    one_->pool.reset();
    two_->pool.reset();
  }
  std::unique_ptr<FakeWorker> one_;
  std::unique_ptr<FakeWorker> two_;
  std::atomic<int> served_[2] = {0, 0};
};

TEST_F(TwoWorkersTest, AnIdleConnectionGoesToTheNeighbourWhoNeedsOne) {
  auto sockets = open_idle(*one_, 1);
  FakeClient& client = two_->client();
  two_->wait(client);
  ASSERT_TRUE(two_->serves(client));
  two_->call([&] {
    EXPECT_EQ(process_of(client), 1);
    EXPECT_EQ(two_->pool->open(), 1U);
    EXPECT_GE(two_->asked_for_idle, 1);
  });
  EXPECT_EQ(one_->call([&] { return one_->pool->open(); }), 0U);
  EXPECT_EQ(counted(), 1U) << "one connection, whoever has it";
  // Its events come to the new thread now.
  FakeServer::send(sockets[0], "x");
  EXPECT_TRUE(two_->loop.eventually([&] { return client.server->readable; }));
  two_->call([&] { two_->pool->discard(*client.server); });
  EXPECT_EQ(counted(), 0U);
}

TEST_F(TwoWorkersTest, WhatComesBackGoesToTheNeighbourWhoWaits) {
  FakeClient& first = one_->client();
  FakeClient& second = two_->client();
  one_->wait(first);
  auto socket = server_.accept_and_login(9);
  ASSERT_TRUE(one_->serves(first));
  two_->wait(second);
  one_->give_back(first);
  ASSERT_TRUE(two_->serves(second));
  EXPECT_EQ(process_of(second), 9);
  // And back again.
  one_->wait(first);
  two_->give_back(second);
  ASSERT_TRUE(one_->serves(first));
  EXPECT_EQ(process_of(first), 9);
  one_->give_back(first);
  EXPECT_EQ(counted(), 1U);
}

TEST_F(TwoWorkersTest, WithWaitersOnBothSidesBothAreServed) {
  FakeClient& holder = one_->client();
  one_->wait(holder);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(one_->serves(holder));
  // Clients of both workers that wait again as soon as they were served, 20 times each.
  const auto start = [&](FakeWorker& worker, int side) {
    for (int i = 0; i < 3; ++i) {
      FakeClient& client = worker.client();
      client.when_told = [&worker, &client, count = &served_[side]] {
        // Given back at the end of the turn, as a session does, and not from within.
        worker.loop.at_end_of_turn([&worker, &client, count] {
          worker.pool->give_back(*std::exchange(client.server, nullptr));
          if (count->fetch_add(1) < 20) worker.pool->wait(client);
        });
      };
      worker.wait(client);
    }
  };
  start(*one_, 0);
  start(*two_, 1);
  one_->give_back(holder);
  EXPECT_TRUE(one_->loop.eventually([&] { return one_->pool->waiting() == 0 && served_[0] >= 20; }));
  EXPECT_TRUE(two_->loop.eventually([&] { return two_->pool->waiting() == 0 && served_[1] >= 20; }));
  EXPECT_EQ(counted(), 1U);
}

TEST_F(TwoWorkersTest, ANeighbourWhoDoesNotNeedItAnyMoreKeepsItIdle) {
  FakeClient& first = one_->client();
  one_->wait(first);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(one_->serves(first));
  {
    FakeClient& second = two_->client();
    two_->wait(second);
    two_->call([&] { second.leave(); });
  }
  one_->give_back(first);
  EXPECT_TRUE(two_->loop.eventually([&] { return two_->pool->idle() == 1; }));
  FakeClient& third = one_->client();
  one_->wait(third);
  EXPECT_TRUE(one_->serves(third)) << "and comes back when it is asked for";
  EXPECT_EQ(counted(), 1U);
}

class RoomyTwoWorkersTest : public TwoWorkersTest {
 protected:
  RoomyTwoWorkersTest() : TwoWorkersTest(5) {}
};

TEST_F(RoomyTwoWorkersTest, AnIdleConnectionNextDoorIsTakenBeforeANewOneIsOpened) {
  auto sockets = open_idle(*one_, 1);
  FakeClient& client = two_->client();
  two_->wait(client);
  ASSERT_TRUE(two_->serves(client));
  EXPECT_EQ(process_of(client), 1);
  EXPECT_FALSE(server_.somebody_knocks());
  EXPECT_EQ(counted(), 1U);
}

TEST_F(RoomyTwoWorkersTest, WhoWaitsForALoginIsServedByWhatComesBackNextDoor) {
  FakeClient& holder = one_->client();
  one_->wait(holder);
  auto socket = server_.accept_and_login(7);
  ASSERT_TRUE(one_->serves(holder));
  FakeClient& client = two_->client();
  two_->wait(client);
  Socket unanswered = server_.accept();
  one_->give_back(holder);
  ASSERT_TRUE(two_->serves(client)) << "though the server does not answer the login";
  EXPECT_EQ(process_of(client), 7);
}

}  // namespace
}  // namespace tidemark::pools

#include "pools/pool.hpp"

#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/pools/pool_fixture.hpp"

namespace tidemark::pools {
namespace {

TEST_F(PoolTest, TheLastOneGivenBackIsTakenFirst) {
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 3);
  worker->call([&] {
    FakeClient& client = worker->client();
    for (const int expected : {3, 2, 1}) {
      auto* taken = worker->pool->take_idle(client, kAlways, nullptr);
      ASSERT_NE(taken, nullptr);
      EXPECT_EQ(taken->cancel_key()->process_id, expected);
      EXPECT_EQ(taken->state(), ServerConnection::State::leased);
    }
    EXPECT_EQ(worker->pool->take_idle(client, kAlways, nullptr), nullptr);
    EXPECT_FALSE(worker->pool->has_idle());
    EXPECT_EQ(worker->pool->open(), 3U);
  });
}

TEST_F(PoolTest, PrefersTheWantedSettings) {
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 3);
  worker->call([&] {
    FakeClient& client = worker->client();
    const auto wanted = std::make_shared<const SessionSettings>();
    const auto other = std::make_shared<const SessionSettings>();
    auto* first = worker->pool->take_idle(client, kAlways, nullptr);
    auto* second = worker->pool->take_idle(client, kAlways, nullptr);
    second->settings = wanted;
    first->settings = other;
    worker->pool->give_back(*second);
    worker->pool->give_back(*first);
    EXPECT_EQ(worker->pool->take_idle(client, kAlways, wanted), second) << "though it was not the last";
    EXPECT_EQ(worker->pool->take_idle(client, kAlways, wanted), first) << "better another's than none";
  });
}

TEST_F(PoolTest, NeverGivesAConnectionYoungerThanWhatVouches) {
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 2);
  worker->call([&] {
    FakeClient& client = worker->client();
    auto* young = worker->pool->take_idle(client, kAlways, nullptr);
    auto* old = worker->pool->take_idle(client, kAlways, nullptr);
    ASSERT_LT(old->established_at(), young->established_at());
    const auto between = old->established_at();
    worker->pool->give_back(*old);
    worker->pool->give_back(*young);
    EXPECT_EQ(worker->pool->take_idle(client, between - Reactor::Clock::duration(1), nullptr), nullptr);
    EXPECT_TRUE(worker->pool->has_idle());
    EXPECT_EQ(worker->pool->take_idle(client, between, nullptr), old)
        << "though the young one was given back last";
    EXPECT_EQ(worker->pool->take_idle(client, between, nullptr), nullptr);
  });
}

TEST_F(PoolTest, AtTheLimitAWaiterIsServedByWhatComesBack) {
  limit_to(1);
  auto worker = make_worker();
  FakeClient& first = worker->client();
  FakeClient& second = worker->client();
  FakeClient& third = worker->client();
  worker->wait(first);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(worker->serves(first));
  worker->wait(second);
  worker->wait(third);
  worker->call([&] {
    EXPECT_EQ(worker->pool->waiting(), 2U);
    EXPECT_EQ(worker->pool->connecting(), 0U);
    auto* server = std::exchange(first.server, nullptr);
    worker->pool->give_back(*server);
    EXPECT_EQ(second.server, server) << "in the order of their coming";
    EXPECT_EQ(third.server, nullptr);
    EXPECT_FALSE(worker->pool->has_idle());
    worker->pool->give_back(*std::exchange(second.server, nullptr));
    EXPECT_EQ(third.server, server);
  });
  EXPECT_EQ(counted(), 1U);
  EXPECT_FALSE(server_.somebody_knocks());
}

TEST_F(PoolTest, ACancelledWaiterIsNeverServed) {
  limit_to(1);
  auto worker = make_worker();
  FakeClient& first = worker->client();
  FakeClient& left = worker->client();
  auto destroyed = std::make_unique<FakeClient>();
  FakeClient& patient = worker->client();
  worker->wait(first);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(worker->serves(first));
  worker->call([&] {
    worker->pool->wait(left);
    worker->pool->wait(*destroyed);
    worker->pool->wait(patient);
    left.leave();
    left.leave();
    destroyed.reset();
    EXPECT_EQ(worker->pool->waiting(), 1U);
    worker->pool->give_back(*std::exchange(first.server, nullptr));
    EXPECT_EQ(left.server, nullptr);
    EXPECT_NE(patient.server, nullptr);
    worker->pool->wait(left);
    left.leave();
    worker->pool->give_back(*std::exchange(patient.server, nullptr));
    EXPECT_EQ(left.server, nullptr);
    EXPECT_EQ(worker->pool->idle(), 1U);
  });
}

TEST_F(PoolTest, AConnectionNobodyWaitsForAnyMoreBecomesIdle) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  worker->call([&] { client.leave(); });
  (void)FakeServer::read_startup(socket);
  FakeServer::send(socket, FakeServer::welcome(1));
  EXPECT_TRUE(worker->loop.eventually([&] { return worker->pool->idle() == 1; }));
  EXPECT_EQ(client.server, nullptr);
}

TEST_F(PoolTest, WaitersOutliveThePool) {
  limit_to(0);
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  worker->end();
  EXPECT_FALSE(client.waiting());
  client.leave();
}

TEST_F(PoolTest, AnIdleServerThatSpeaksIsDropped) {
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 2);
  FakeServer::send(sockets[0], FakeServer::message('N', "anything"));
  FakeServer::expect_end(sockets[0]);
  EXPECT_TRUE(worker->has_open(1));
  worker->call([&] {
    FakeClient& client = worker->client();
    auto* taken = worker->pool->take_idle(client, kAlways, nullptr);
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(taken->cancel_key()->process_id, 2);
    EXPECT_EQ(worker->heard.failures.size(), 1U);
  });
  EXPECT_EQ(counted(), 1U);
}

TEST_F(PoolTest, AnIdleServerThatClosesIsDropped) {
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 2);
  sockets[1].close();
  EXPECT_TRUE(worker->has_open(1));
  worker->call([&] {
    EXPECT_EQ(worker->pool->idle(), 1U);
    ASSERT_EQ(worker->heard.failures.size(), 1U);
  });
  EXPECT_EQ(counted(), 1U);
}

TEST_F(PoolTest, ALeasedServersEventsAreItsHoldersAlone) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(worker->serves(client));
  FakeServer::send(socket, FakeServer::message('N', "anything"));
  EXPECT_TRUE(worker->loop.eventually([&] { return client.events > 0; }));
  worker->call([&] {
    EXPECT_TRUE(client.server->readable);
    EXPECT_EQ(worker->pool->open(), 1U);
  });
}

TEST_F(PoolTest, WhatACancelMayStillHitIsNotUsedAgain) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(worker->serves(client));
  worker->call([&] {
    client.server->cancels = std::make_shared<std::uint32_t>(1);
    worker->pool->give_back(*std::exchange(client.server, nullptr));
    EXPECT_EQ(worker->pool->open(), 0U);
  });
  FakeServer::expect_end(socket);
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, ACancelThatHasArrivedHindersNothing) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(worker->serves(client));
  worker->call([&] {
    client.server->cancels = std::make_shared<std::uint32_t>(0);
    worker->pool->give_back(*std::exchange(client.server, nullptr));
    EXPECT_EQ(worker->pool->idle(), 1U);
  });
}

TEST_F(PoolTest, WhatIsDiscardedMakesRoomForTheNextWaiter) {
  limit_to(1);
  auto worker = make_worker();
  FakeClient& first = worker->client();
  FakeClient& second = worker->client();
  worker->wait(first);
  auto socket = server_.accept_and_login(1);
  ASSERT_TRUE(worker->serves(first));
  worker->wait(second);
  worker->call([&] { worker->pool->discard(*std::exchange(first.server, nullptr)); });
  FakeServer::expect_end(socket);
  auto another = server_.accept_and_login(2);
  ASSERT_TRUE(worker->serves(second));
  EXPECT_EQ(process_of(second), 2);
  EXPECT_EQ(counted(), 1U);
}

TEST_F(PoolTest, ShedsTheOldestIdleOneIfNobodyWaits) {
  auto worker = make_worker();
  worker->call([&] { EXPECT_FALSE(worker->pool->shed_one()); });
  auto sockets = open_idle(*worker, 2);
  worker->call([&] { EXPECT_TRUE(worker->pool->shed_one()); });
  FakeServer::expect_end(sockets[0]);
  EXPECT_EQ(counted(), 1U);
  worker->call([&] {
    FakeClient& client = worker->client();
    auto* taken = worker->pool->take_idle(client, kAlways, nullptr);
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(taken->cancel_key()->process_id, 2);
    EXPECT_FALSE(worker->pool->shed_one()) << "what is leased is not shed";
  });
}

TEST_F(PoolTest, ANodeThatIsFullIsAskedToShed) {
  limit_to(20, 1);
  auto one = make_worker(0);
  FakeWorker other(*limits_, settings_, server_.address(), 1, "another");
  other.neighbours = {one.get(), &other};
  auto sockets = open_idle(*one, 1);
  FakeClient& client = other.client();
  other.wait(client);
  FakeServer::expect_end(sockets[0]);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(other.serves(client));
  EXPECT_GE(other.call([&] { return other.asked_to_shed; }), 1);
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, MaintenanceClosesWhatIsIdleTooLongOrTooOld) {
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 2);
  worker->call([&] {
    const auto now = worker->reactor().now();
    worker->pool->maintain(now);
    EXPECT_EQ(worker->pool->open(), 2U);
    FakeClient& client = worker->client();
    ASSERT_NE(worker->pool->take_idle(client, kAlways, nullptr), nullptr);
    worker->pool->maintain(now + settings_.server_idle_timeout + std::chrono::seconds(1));
    EXPECT_EQ(worker->pool->open(), 1U) << "what is leased stays";
    EXPECT_EQ(worker->pool->idle(), 0U);
  });
  FakeServer::expect_end(sockets[0]);
}

TEST_F(PoolTest, MaintenanceClosesWhatIsTooOldThoughItWasJustUsed) {
  settings_.server_idle_timeout = std::chrono::hours(24);
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 1);
  worker->call([&] {
    worker->pool->maintain(worker->reactor().now() + settings_.server_lifetime + std::chrono::seconds(1));
    EXPECT_EQ(worker->pool->open(), 0U);
  });
  FakeServer::expect_end(sockets[0]);
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, VisitsWhatIsLeasedAndNothingElse) {
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 3);
  worker->call([&] {
    FakeClient& client = worker->client();
    auto* taken = worker->pool->take_idle(client, kAlways, nullptr);
    std::vector<ServerConnection*> visited;
    worker->pool->for_each_leased([&](ServerConnection& server) {
      visited.push_back(&server);
      worker->pool->discard(server);
    });
    EXPECT_EQ(visited, std::vector{taken});
    EXPECT_EQ(worker->pool->open(), 2U);
  });
}

TEST_F(PoolTest, CountsReturnToZero) {
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 4);
  EXPECT_EQ(counted(), 4U);
  worker->call([&] {
    FakeClient& client = worker->client();
    ASSERT_NE(worker->pool->take_idle(client, kAlways, nullptr), nullptr);
    worker->pool->close_idle();
    EXPECT_EQ(worker->pool->idle(), 0U);
    EXPECT_EQ(worker->pool->open(), 1U);
  });
  EXPECT_EQ(counted(), 1U);
  worker->end();
  EXPECT_EQ(counted(), 0U) << "also of what was leased when the pool ended";
  for (auto& socket : sockets) FakeServer::expect_end(socket);
}

}  // namespace
}  // namespace tidemark::pools

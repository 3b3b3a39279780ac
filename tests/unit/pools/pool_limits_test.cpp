#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pools/pool.hpp"
#include "tests/unit/pools/pool_fixture.hpp"

namespace tidemark::pools {
namespace {

using namespace std::string_view_literals;

using PoolLimitsTest = PoolTest;

constexpr auto kFull = "SFATAL\0VFATAL\0C53300\0Mtoo many clients\0\0"sv;

TEST_F(PoolLimitsTest, SaysWhatIsWaitedFor) {
  limits_ = std::make_unique<ServerLimits>(
      1, ServerLimitSettings{.per_pool = 3, .per_node = 4, .per_user = 2, .per_database = 1});
  FakeWorker shop(*limits_, settings_, server_.address(), 0, "shop");
  FakeWorker blog(*limits_, settings_, server_.address(), 1, "blog");
  FakeClient& first = shop.client();
  shop.wait(first);
  EXPECT_EQ(shop.call([&] { return shop.pool->hold(); }), Hold::connecting);
  auto one = server_.accept_and_login();
  ASSERT_TRUE(shop.serves(first));
  shop.wait(shop.client());
  EXPECT_EQ(shop.call([&] { return shop.pool->hold(); }), Hold::database_full);
  FakeClient& second = blog.client();
  blog.wait(second);
  auto two = server_.accept_and_login();
  ASSERT_TRUE(blog.serves(second));
  FakeWorker news(*limits_, settings_, server_.address(), 2, "news");
  news.wait(news.client());
  EXPECT_EQ(news.call([&] { return news.pool->hold(); }), Hold::user_full);
}

TEST_F(PoolLimitsTest, TellsEachWaiterHowManyAreBeforeIt) {
  limit_to(0);
  auto worker = make_worker();
  std::vector<FakeClient*> clients;
  for (int i = 0; i < 4; ++i) worker->wait(*clients.emplace_back(&worker->client()));
  worker->call([&] {
    clients[1]->leave();
    std::vector<std::pair<Waiter*, std::size_t>> seen;
    worker->pool->for_each_waiter([&](Waiter& waiter, std::size_t before) {
      seen.emplace_back(&waiter, before);
      clients[3]->leave();
    });
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_EQ(seen[0], std::make_pair(static_cast<Waiter*>(clients[0]), std::size_t{0}));
    EXPECT_EQ(seen[1], std::make_pair(static_cast<Waiter*>(clients[2]), std::size_t{1}));
    EXPECT_EQ(worker->pool->hold(), Hold::pool_full);
  });
}

TEST_F(PoolLimitsTest, OneFailedLoginIsOneClientsBadLuck) {
  auto worker = make_worker();
  std::vector<FakeClient*> clients;
  worker->call([&] {
    for (int i = 0; i < 12; ++i) worker->pool->wait(*clients.emplace_back(&worker->client()));
  });
  Socket refused = server_.accept();
  (void)FakeServer::read_startup(refused);
  FakeServer::send(refused, FakeServer::message('E', kFull));
  ASSERT_TRUE(worker->tells(*clients.back())) << "who came last";
  std::vector<Socket> sockets;
  for (int i = 0; i < 11; ++i) sockets.push_back(server_.accept_and_login(i + 1));
  for (int i = 0; i < 11; ++i) {
    EXPECT_TRUE(worker->serves(*clients[static_cast<std::size_t>(i)])) << i;
    EXPECT_FALSE(clients[static_cast<std::size_t>(i)]->failure);
  }
}

TEST_F(PoolLimitsTest, TwoInARowAreToldToAll) {
  auto worker = make_worker();
  std::vector<FakeClient*> clients;
  worker->call([&] {
    for (int i = 0; i < 12; ++i) worker->pool->wait(*clients.emplace_back(&worker->client()));
  });
  for (int i = 0; i < 2; ++i) {
    Socket refused = server_.accept();
    (void)FakeServer::read_startup(refused);
    FakeServer::send(refused, FakeServer::message('E', kFull));
  }
  for (auto* client : clients) EXPECT_TRUE(worker->tells(*client));
}

TEST_F(PoolLimitsTest, WhatNoOtherTimeWouldChangeIsToldToAllAtOnce) {
  auto worker = make_worker();
  std::vector<FakeClient*> clients;
  worker->call([&] {
    for (int i = 0; i < 12; ++i) worker->pool->wait(*clients.emplace_back(&worker->client()));
  });
  Socket refused = server_.accept();
  (void)FakeServer::read_startup(refused);
  FakeServer::send(refused, FakeServer::message('E', "SFATAL\0VFATAL\0C28P01\0Mwrong\0\0"sv));
  for (auto* client : clients) EXPECT_TRUE(worker->tells(*client));
  EXPECT_FALSE(limits_->breaker(kNode).is_open());
}

TEST_F(PoolLimitsTest, ANodeThatRefusesAgainAndAgainIsTriedSeldom) {
  for (std::uint32_t i = 0; i < LoginBreaker::kFailures; ++i)
    limits_->breaker(kNode).failed(Reactor::Clock::now() + std::chrono::hours(1));
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  ASSERT_TRUE(worker->tells(client)) << "it may go elsewhere, and need not wait for the next attempt";
  EXPECT_EQ(client.failure->code.text(), "08006");
  EXPECT_EQ(worker->call([&] { return worker->pool->hold(); }), Hold::refused);
  EXPECT_GE(limits_->breaker(kNode).deferred(), 1U);
  EXPECT_FALSE(server_.somebody_knocks());
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolLimitsTest, WhoCannotGoElsewhereWaitsUntilTheNodeIsTriedAgain) {
  for (std::uint32_t i = 0; i < LoginBreaker::kFailures; ++i)
    limits_->breaker(kNode).failed(Reactor::Clock::now());
  auto worker = make_worker();
  FakeClient& client = worker->client();
  client.can_leave = false;
  worker->wait(client);
  auto socket = server_.accept_and_login();
  EXPECT_TRUE(worker->serves(client));
  EXPECT_FALSE(client.failure);
  EXPECT_FALSE(limits_->breaker(kNode).is_open());
}

TEST_F(PoolLimitsTest, APoolWithoutAConnectionIsServedThoughOthersAreBusy) {
  limit_to(20, 1);
  FakeWorker busy(*limits_, settings_, server_.address(), 0, "busy");
  FakeWorker poor(*limits_, settings_, server_.address(), 1, "poor");
  busy.neighbours = poor.neighbours = {&busy, &poor};
  // Two clients who take turns, so that the connection is never idle.
  FakeClient& one = busy.client();
  FakeClient& two = busy.client();
  for (FakeClient* client : {&one, &two}) {
    client->when_told = [&busy, client] {
      busy.loop.at_end_of_turn([&busy, client] {
        if (client->server == nullptr) return;
        auto& server = *std::exchange(client->server, nullptr);
        busy.pool->wait(*client);
        busy.pool->give_back(server);
      });
    };
    busy.wait(*client);
  }
  auto first = server_.accept_and_login(1);
  FakeClient& starving = poor.client();
  poor.wait(starving);
  auto second = server_.accept_and_login(2);
  ASSERT_TRUE(poor.serves(starving)) << "within the test's time, and not when the others are done";
  EXPECT_EQ(limits_->pool({kNode, "poor", "app"}).open, 1U);
  EXPECT_EQ(limits_->pool({kNode, "busy", "app"}).open, 0U);
  busy.call([&] {
    one.leave();
    two.leave();
  });
}

TEST_F(PoolLimitsTest, ConnectionsOfOneTimeDoNotAllEndTogether) {
  settings_.server_idle_timeout = std::chrono::hours(24);
  settings_.server_lifetime = std::chrono::hours(1);
  auto worker = make_worker();
  auto sockets = open_idle(*worker, 16);
  worker->call([&] {
    const auto now = worker->reactor().now();
    worker->pool->maintain(now + std::chrono::minutes(54));
    EXPECT_EQ(worker->pool->open(), 16U) << "not before nine tenths of it";
    worker->pool->maintain(now + std::chrono::minutes(57));
    EXPECT_GT(worker->pool->open(), 2U);
    EXPECT_LT(worker->pool->open(), 14U);
    worker->pool->maintain(now + std::chrono::minutes(61));
    EXPECT_EQ(worker->pool->open(), 0U);
  });
}

TEST_F(PoolLimitsTest, AnOldConnectionIsClosedWhenItIsGivenBack) {
  settings_.server_lifetime = std::chrono::nanoseconds(100);
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  auto socket = server_.accept_and_login();
  ASSERT_TRUE(worker->serves(client));
  worker->give_back(client);
  FakeServer::expect_end(socket);
  EXPECT_EQ(counted(), 0U);
}

}  // namespace
}  // namespace tidemark::pools

#include "pools/pool.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/pools/pool_fixture.hpp"

namespace tidemark::pools {
namespace {

using namespace std::string_view_literals;

constexpr auto kAlways = Reactor::TimePoint::max();

class PoolTest : public testing::Test {
 protected:
  PoolTest() { settings_.connect_timeout = std::chrono::seconds(20); }

  void limit_to(std::uint32_t per_pool, std::uint32_t per_node = 100) {
    limits_ = std::make_unique<ServerLimits>(1, per_pool, per_node);
  }
  std::unique_ptr<FakeWorker> make_worker(unsigned number = 0) {
    return std::make_unique<FakeWorker>(*limits_, settings_, server_.address(), number);
  }
  /// Opens `count` connections; all are idle then, in the order in which they were opened.
  std::vector<Socket> open_idle(FakeWorker& worker, std::size_t count) {
    std::vector<Socket> sockets;
    std::vector<std::unique_ptr<FakeClient>> clients;
    for (std::size_t i = 0; i < count; ++i) {
      auto& client = *clients.emplace_back(std::make_unique<FakeClient>());
      worker.wait(client);
      sockets.push_back(server_.accept_and_login(static_cast<std::int32_t>(i) + 1));
      EXPECT_TRUE(worker.serves(client));
    }
    for (auto& client : clients) worker.give_back(*client);
    return sockets;
  }
  static std::int32_t process_of(const FakeClient& client) { return client.server->cancel_key()->process_id; }
  std::uint32_t counted() { return limits_->pool({kNode, "shop", "app"}).open; }

  FakeServer server_;
  PoolSettings settings_;
  std::unique_ptr<ServerLimits> limits_ = std::make_unique<ServerLimits>(1, 20, 100);
};

TEST_F(PoolTest, AWaiterGetsAConnectionThatIsLoggedIn) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  const auto startup = FakeServer::read_startup(socket);
  EXPECT_EQ(startup.user(), "app");
  EXPECT_EQ(startup.database(), "shop");
  worker->call([&] {
    EXPECT_EQ(worker->pool->connecting(), 1U);
    EXPECT_EQ(worker->pool->waiting(), 1U);
  });
  FakeServer::send(socket, FakeServer::welcome(77));
  ASSERT_TRUE(worker->serves(client));
  worker->call([&] {
    EXPECT_FALSE(client.waiting());
    EXPECT_EQ(client.server->state(), ServerConnection::State::leased);
    EXPECT_EQ(process_of(client), 77);
    EXPECT_EQ(*protocol::find_parameter(client.server->parameters(), "server_version"), "15.4");
    EXPECT_TRUE(client.server->in_hot_standby());
    EXPECT_EQ(worker->pool->connecting(), 0U);
    EXPECT_EQ(worker->pool->waiting(), 0U);
    EXPECT_EQ(worker->pool->open(), 1U);
    EXPECT_EQ(worker->pool->idle(), 0U);
  });
  EXPECT_EQ(counted(), 1U);
}

TEST_F(PoolTest, TheLoginMayComeByteByByte) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  (void)FakeServer::read_startup(socket);
  for (const char byte : FakeServer::welcome(5)) FakeServer::send(socket, {&byte, 1});
  EXPECT_TRUE(worker->serves(client));
}

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

TEST_F(PoolTest, ARefusedConnectionIsTold) {
  const RefusingPort nobody;
  FakeWorker worker(*limits_, settings_, {"127.0.0.1", nobody.port});
  FakeClient& first = worker.client();
  FakeClient& second = worker.client();
  worker.call([&] {
    worker.pool->wait(first);
    worker.pool->wait(second);
    EXPECT_FALSE(first.failure) << "never from within the call";
  });
  ASSERT_TRUE(worker.tells(first));
  ASSERT_TRUE(worker.tells(second));
  worker.call([&] {
    EXPECT_EQ(first.failure->code.text(), "08006");
    EXPECT_NE(first.failure->text.find("cannot connect"), std::string::npos);
    EXPECT_FALSE(first.waiting());
    EXPECT_FALSE(worker.heard.failures.empty());
  });
  EXPECT_TRUE(
      worker.loop.eventually([&] { return worker.pool->open() == 0 && worker.pool->connecting() == 0; }));
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, AfterARefusalTheNextWaiterWaitsForAnotherAttempt) {
  std::optional<RefusingPort> nobody(std::in_place);
  FakeWorker worker(*limits_, settings_, {"127.0.0.1", nobody->port});
  FakeClient& first = worker.client();
  worker.wait(first);
  ASSERT_TRUE(worker.tells(first));
  worker.call([&] { worker.address_ = server_.address(); });
  FakeClient& second = worker.client();
  worker.wait(second);
  auto socket = server_.accept_and_login();
  EXPECT_TRUE(worker.serves(second));
  EXPECT_FALSE(second.failure);
}

TEST_F(PoolTest, AnAddressThatCannotBeUsedIsToldToo) {
  FakeWorker worker(*limits_, settings_, {"not numeric", 5432});
  FakeClient& client = worker.client();
  worker.wait(client);
  ASSERT_TRUE(worker.tells(client));
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, WaitsUntilTheNodesAddressIsKnown) {
  FakeWorker worker(*limits_, settings_, {});
  FakeClient& client = worker.client();
  worker.wait(client);
  worker.call([&] {
    EXPECT_EQ(worker.pool->connecting(), 0U);
    worker.address_ = server_.address();
  });
  auto socket = server_.accept_and_login();
  EXPECT_TRUE(worker.serves(client));
}

TEST_F(PoolTest, AServersRefusalIsTold) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  (void)FakeServer::read_startup(socket);
  FakeServer::send(socket, FakeServer::message('E', "SFATAL\0VFATAL\0C3D000\0Mno such database\0\0"sv));
  ASSERT_TRUE(worker->tells(client));
  EXPECT_EQ(client.failure->kind, protocol::LoginFailureKind::server_error);
  EXPECT_EQ(client.failure->code.text(), "3D000");
  EXPECT_TRUE(worker->has_open(0));
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, ARefusalByAFullServerLeavesTheWaitersToTheConnectionsThereAre) {
  auto worker = make_worker();
  FakeClient& first = worker->client();
  FakeClient& second = worker->client();
  worker->wait(first);
  auto good = server_.accept_and_login();
  ASSERT_TRUE(worker->serves(first));
  worker->wait(second);
  Socket socket = server_.accept();
  (void)FakeServer::read_startup(socket);
  FakeServer::send(socket, FakeServer::message('E', "SFATAL\0VFATAL\0C53300\0Mtoo many clients\0\0"sv));
  EXPECT_TRUE(worker->has_open(1));
  worker->call([&] {
    EXPECT_TRUE(second.waiting());
    EXPECT_FALSE(second.failure);
    worker->pool->give_back(*std::exchange(first.server, nullptr));
    EXPECT_NE(second.server, nullptr);
  });
}

TEST_F(PoolTest, AServerThatClosesDuringTheLoginIsTold) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  (void)FakeServer::read_startup(socket);
  // On the reactor's thread, so that the bytes and the end come in one edge.
  worker->call([&] {
    FakeServer::send(socket, FakeServer::welcome(1).substr(0, 20));
    socket.close();
  });
  ASSERT_TRUE(worker->tells(client));
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, AServerThatClosesRightAfterTheLoginIsNotUsed) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  (void)FakeServer::read_startup(socket);
  // On the reactor's thread, so that the answer and the end come in one edge.
  worker->call([&] {
    FakeServer::send(socket, FakeServer::welcome(1));
    socket.close();
  });
  ASSERT_TRUE(worker->tells(client));
  EXPECT_TRUE(worker->has_open(0));
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, AServerThatSaysMoreThanItsLoginIsNotUsed) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  (void)FakeServer::read_startup(socket);
  FakeServer::send(socket, FakeServer::welcome(1) + FakeServer::message('Z', "I"));
  ASSERT_TRUE(worker->tells(client));
  FakeServer::expect_end(socket);
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, AServerThatDoesNotAnswerIsGivenUp) {
  settings_.connect_timeout = std::chrono::milliseconds(20);
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  ASSERT_TRUE(worker->tells(client));
  EXPECT_NE(client.failure->text.find("connect timeout"), std::string::npos) << client.failure->text;
  FakeServer::expect_end(socket);
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolTest, AWaiterThatIsToldMayEndOthersOrWaitAgain) {
  const RefusingPort nobody;
  FakeWorker worker(*limits_, settings_, {"127.0.0.1", nobody.port});
  FakeClient& first = worker.client();
  auto second = std::make_unique<FakeClient>();
  FakeClient& third = worker.client();
  int told = 0;
  first.when_told = [&] {
    if (++told > 1) return;
    second.reset();
    EXPECT_FALSE(first.waiting());
    worker.pool->wait(first);
  };
  worker.call([&] {
    worker.pool->wait(first);
    worker.pool->wait(*second);
    worker.pool->wait(third);
  });
  ASSERT_TRUE(worker.tells(third));
  ASSERT_TRUE(worker.loop.eventually([&] { return told == 2; })) << "once more, after another attempt";
  EXPECT_EQ(second, nullptr);
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

TEST_F(PoolTest, LoginsAtOneTimeAreBounded) {
  auto worker = make_worker();
  std::vector<FakeClient*> clients;
  worker->call([&] {
    for (int i = 0; i < 20; ++i) worker->pool->wait(*clients.emplace_back(&worker->client()));
    EXPECT_EQ(worker->pool->connecting(), 8U);
  });
  std::vector<Socket> sockets;
  for (int i = 0; i < 20; ++i) {
    sockets.push_back(server_.accept_and_login());
    worker->call([&] { EXPECT_LE(worker->pool->connecting(), 8U); });
  }
  for (FakeClient* client : clients) EXPECT_TRUE(worker->serves(*client));
  EXPECT_EQ(counted(), 20U);
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

class TwoWorkersTest : public PoolTest {
 protected:
  TwoWorkersTest() {
    limit_to(1);
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

}  // namespace
}  // namespace tidemark::pools

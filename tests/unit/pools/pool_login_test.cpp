#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pools/pool.hpp"
#include "tests/unit/pools/pool_fixture.hpp"

namespace tidemark::pools {
namespace {

using namespace std::string_view_literals;

using PoolLoginTest = PoolTest;

TEST_F(PoolLoginTest, AWaiterGetsAConnectionThatIsLoggedIn) {
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

TEST_F(PoolLoginTest, TheLoginMayComeByteByByte) {
  auto worker = make_worker();
  FakeClient& client = worker->client();
  worker->wait(client);
  Socket socket = server_.accept();
  (void)FakeServer::read_startup(socket);
  for (const char byte : FakeServer::welcome(5)) FakeServer::send(socket, {&byte, 1});
  EXPECT_TRUE(worker->serves(client));
}

TEST_F(PoolLoginTest, ARefusedConnectionIsTold) {
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

TEST_F(PoolLoginTest, AfterARefusalTheNextWaiterWaitsForAnotherAttempt) {
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

TEST_F(PoolLoginTest, AnAddressThatCannotBeUsedIsToldToo) {
  FakeWorker worker(*limits_, settings_, {"not numeric", 5432});
  FakeClient& client = worker.client();
  worker.wait(client);
  ASSERT_TRUE(worker.tells(client));
  EXPECT_EQ(counted(), 0U);
}

TEST_F(PoolLoginTest, WaitsUntilTheNodesAddressIsKnown) {
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

TEST_F(PoolLoginTest, AServersRefusalIsTold) {
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

TEST_F(PoolLoginTest, ARefusalByAFullServerLeavesTheWaitersToTheConnectionsThereAre) {
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

TEST_F(PoolLoginTest, AServerThatClosesDuringTheLoginIsTold) {
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

TEST_F(PoolLoginTest, AServerThatClosesRightAfterTheLoginIsNotUsed) {
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

TEST_F(PoolLoginTest, AServerThatSaysMoreThanItsLoginIsNotUsed) {
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

TEST_F(PoolLoginTest, AServerThatDoesNotAnswerIsGivenUp) {
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

TEST_F(PoolLoginTest, AWaiterThatIsToldMayEndOthersOrWaitAgain) {
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

TEST_F(PoolLoginTest, LoginsAtOneTimeAreBounded) {
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

}  // namespace
}  // namespace tidemark::pools

#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pools/pool.hpp"
#include "tests/unit/pools/fake_server.hpp"
#include "tests/unit/pools/reactor_thread.hpp"

namespace tidemark::pools {

inline constexpr routing::NodeId kNode{0};

/// A client that waits, and holds what it gets. On the reactor's thread.
class FakeClient final : public Waiter, public ServerHolder {
 public:
  ServerConnection* server = nullptr;
  std::optional<protocol::LoginFailure> failure;
  int events = 0;
  bool can_leave = true;
  std::function<void()> when_told = [] {};

  void on_server_ready(ServerConnection& ready) override {
    server = &ready;
    when_told();
  }
  void on_server_unavailable(const protocol::LoginFailure& why) override {
    failure = why;
    when_told();
  }
  bool can_go_elsewhere() const override { return can_leave; }
  ServerHolder& holder() override { return *this; }
  void on_server_events(ServerConnection&, IoEvents) override { ++events; }
};

class FakeEvents final : public Events {
 public:
  std::vector<std::string> failures;
  void view_changed(const routing::ClusterView&, const routing::ClusterView&) override {}
  void probe_failed(std::string_view, std::string_view) override {}
  void history_unreadable(std::string_view, std::string_view) override {}
  void server_failed(std::string_view, std::string_view, std::string_view, std::string_view why) override {
    failures.emplace_back(why);
  }
  void discovery_failed(std::string_view) override {}
  void catalog_failed(std::string_view, std::string_view) override {}
};

/// One worker: a reactor's thread with one pool on it. Neighbours know each other by number.
class FakeWorker final : public PoolHost {
 public:
  FakeWorker(ServerLimits& limits, const PoolSettings& settings, SocketAddress address, unsigned number = 0,
             std::string database = "shop")
      : address_(std::move(address)), number_(number) {
    auto identity = std::make_shared<LoginIdentity>();
    identity->user = "app";
    identity->database = database;
    loop.call([&] {
      pool = std::make_unique<Pool>(*this, settings, limits, PoolKey{kNode, database, "app"}, "node:5432",
                                    identity);
    });
  }
  ~FakeWorker() { end(); }
  FakeWorker(const FakeWorker&) = delete;
  FakeWorker& operator=(const FakeWorker&) = delete;

  /// Ends the pool, and the thread. Idempotent.
  void end() {
    if (!pool) return;
    loop.call([this] { pool.reset(); });
    loop.stop();
  }

  /// A client of this worker's, who lives as long as the thread: a connection may tell it of events until
  /// then.
  [[nodiscard]] FakeClient& client() { return clients_.emplace_back(); }

  template <typename Function>
  auto call(Function function) {
    return loop.call(std::move(function));
  }
  void wait(FakeClient& client) {
    call([&] { pool->wait(client); });
  }
  [[nodiscard]] bool serves(FakeClient& client) {
    return loop.eventually([&] { return client.server != nullptr; });
  }
  [[nodiscard]] bool tells(FakeClient& client) {
    return loop.eventually([&] { return client.failure.has_value(); });
  }
  void give_back(FakeClient& client) {
    call([&] { pool->give_back(*std::exchange(client.server, nullptr)); });
  }
  [[nodiscard]] bool has_open(std::size_t count) {
    return loop.eventually([this, count] { return pool->open() == count; });
  }

  Reactor& reactor() override { return loop.reactor(); }
  Events& events() override { return heard; }
  SocketAddress address_of(routing::NodeId) override { return address_; }
  std::shared_ptr<const TlsSetup> tls() override { return tls_setup; }
  std::string nonce() override { return std::string(18, 'n'); }
  void bury(std::unique_ptr<ServerConnection> server) override {
    loop.at_end_of_turn([kept = std::shared_ptr<ServerConnection>(std::move(server))] {});
  }
  void hand_over(const PoolKey& key, unsigned worker, std::unique_ptr<ServerConnection> server) override {
    ++handed_over;
    EXPECT_EQ(key, pool->key());
    FakeWorker* other = neighbours.at(worker);
    auto carried = std::make_shared<std::unique_ptr<ServerConnection>>(std::move(server));
    other->reactor().post([other, carried] { other->pool->adopt(std::move(*carried)); });
  }
  void ask_for_idle(const PoolKey& key) override {
    ++asked_for_idle;
    for (FakeWorker* other : neighbours) {
      if (other == nullptr || other == this || other->pool->key() != key) continue;
      other->reactor().post([other, number = number_] { other->pool->offer_idle_to(number); });
    }
  }
  void ask_to_shed(const ShedRequest& request) override {
    ++asked_to_shed;
    for (FakeWorker* other : neighbours) {
      if (other == nullptr || other == this || !request.concerns(other->pool->key())) continue;
      other->reactor().post([other] { (void)other->pool->shed_one(); });
    }
  }
  unsigned worker_number() const override { return number_; }

  ReactorThread loop;
  std::shared_ptr<const TlsSetup> tls_setup = std::make_shared<TlsSetup>();
  std::unique_ptr<Pool> pool;
  FakeEvents heard;
  std::vector<FakeWorker*> neighbours;
  int handed_over = 0;
  int asked_for_idle = 0;
  int asked_to_shed = 0;
  SocketAddress address_;

 private:
  unsigned number_;
  std::list<FakeClient> clients_;
};

/// Vouches for every connection.
inline constexpr auto kAlways = Reactor::TimePoint::max();

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

}  // namespace tidemark::pools

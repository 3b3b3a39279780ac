#include "pools/pool.hpp"

#include <algorithm>
#include <utility>

namespace tidemark::pools {

namespace {
constexpr std::chrono::milliseconds kFirstBackoff{20};
constexpr std::chrono::milliseconds kLastBackoff{1000};
/// While a limit forbids a new connection, the neighbours are asked again this often.
constexpr std::chrono::milliseconds kHungerInterval{10};
/// Logins to a node at one time, so that a burst of clients does not become a storm of forks there.
constexpr std::size_t kConcurrentLogins = 8;
/// How many idle connections are looked at for one with the wanted settings.
constexpr std::size_t kSettingsSearch = 8;
}  // namespace

void Waiter::leave() {
  if (queue_ == nullptr) return;
  queue_->erase(place_);
  queue_ = nullptr;
}

Pool::Pool(PoolHost& host, const PoolSettings& settings, ServerLimits& limits, PoolKey key,
           std::string node_name, std::shared_ptr<const LoginIdentity> identity)
    : host_(host),
      settings_(settings),
      limits_(limits),
      count_(limits.pool(key)),
      key_(std::move(key)),
      node_name_(std::move(node_name)),
      identity_(std::move(identity)),
      retry_(host.reactor(), [this] { open_as_needed(); }) {}

Pool::~Pool() {
  for (Waiter* waiter : waiters_) waiter->queue_ = nullptr;
  for (std::size_t i = 0; i < all_.size(); ++i) limits_.release(count_, key_.node);
}

ServerConnection* Pool::take_idle(ServerHolder& holder, Reactor::TimePoint vouched_until,
                                  const SettingsPointer& settings) {
  std::size_t chosen = idle_.size();
  std::size_t looked_at = 0;
  for (std::size_t i = idle_.size(); i-- > 0;) {
    if (idle_[i]->established_at() > vouched_until) continue;
    if (chosen == idle_.size()) chosen = i;
    if (idle_[i]->settings == settings) {
      chosen = i;
      break;
    }
    if (++looked_at == kSettingsSearch) break;
  }
  if (chosen == idle_.size()) return nullptr;
  ServerConnection* server = idle_[chosen];
  idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(chosen));
  server->lease(holder);
  return server;
}

void Pool::wait(Waiter& waiter) {
  waiter.queue_ = &waiters_;
  waiter.place_ = waiters_.insert(waiters_.end(), &waiter);
  open_as_needed();
}

void Pool::open_as_needed() {
  const auto now = host_.reactor().now();
  while (waiters_.size() > connecting_ && connecting_ < kConcurrentLogins) {
    if (now < retry_at_) {
      if (!retry_.armed()) retry_.expires_at(retry_at_);
      return;
    }
    const SocketAddress address = host_.address_of(key_.node);
    if (address.host.empty()) {
      retry_.expires_at(now + kFirstBackoff);
      return;
    }
    switch (limits_.acquire(count_, key_.node)) {
      case ServerLimits::Refusal::none:
        open_one(address);
        break;
      case ServerLimits::Refusal::pool_full:
        note_hunger();
        return;
      case ServerLimits::Refusal::node_full:
        host_.ask_to_shed(key_.node);
        note_hunger();
        return;
    }
  }
}

void Pool::note_hunger() {
  const std::uint64_t bit = std::uint64_t{1} << host_.worker_number();
  if ((count_.hungry_workers.fetch_or(bit, std::memory_order_seq_cst) & bit) == 0) host_.ask_for_idle(key_);
  retry_.expires_at(host_.reactor().now() + kHungerInterval);
}

void Pool::open_one(const SocketAddress& address) {
  protocol::LoginRequest request;
  request.user = identity_->user;
  request.database = identity_->database;
  auto login = std::make_unique<protocol::LoginMachine>(std::move(request), identity_->credential,
                                                        identity_->scram_keys, host_.nonce());
  auto server = std::make_unique<ServerConnection>(key_.node, node_name_);
  ServerConnection& opened = *server;
  all_.push_back(std::move(server));
  ++connecting_;
  opened.open(host_.reactor(), address, std::move(login), *this,
              host_.reactor().now() + settings_.connect_timeout);
}

void Pool::on_login_ready(ServerConnection& server) {
  --connecting_;
  backoff_ = {};
  if (server.scram_keys() && identity_->credential && identity_->credential->password() != nullptr &&
      (!identity_->scram_keys || !(*identity_->scram_keys == *server.scram_keys()))) {
    // The next login of this user is spared its PBKDF2.
    auto better = std::make_shared<LoginIdentity>(*identity_);
    better->scram_keys = server.scram_keys();
    identity_ = std::move(better);
  }
  serve_or_idle(server);
  open_as_needed();
}

void Pool::on_login_failed(ServerConnection& server, const protocol::LoginFailure& failure) {
  --connecting_;
  host_.events().server_failed(node_name_, key_.database, key_.user, failure.text);
  remove(server);
  backoff_ = std::clamp(2 * backoff_, kFirstBackoff, kLastBackoff);
  retry_at_ = host_.reactor().now() + backoff_;
  const bool others_may_serve = all_.size() > connecting_;
  if (others_may_serve && failure.kind == protocol::LoginFailureKind::server_error) {
    if (!waiters_.empty()) retry_.expires_at(retry_at_);
    return;
  }
  fail_waiters(failure);
}

void Pool::fail_waiters(const protocol::LoginFailure& failure) {
  std::list<Waiter*> failed;
  failed.swap(waiters_);
  for (Waiter* waiter : failed) waiter->queue_ = &failed;
  while (!failed.empty()) {
    Waiter* waiter = failed.front();
    waiter->leave();
    waiter->on_server_unavailable(failure);
  }
}

void Pool::serve_or_idle(ServerConnection& server) {
  const std::uint64_t own_bit = std::uint64_t{1} << host_.worker_number();
  const std::uint64_t hungry = count_.hungry_workers.load(std::memory_order_relaxed);
  if (hungry != 0) [[unlikely]] {
    if (waiters_.empty() && (hungry & own_bit) != 0) {
      count_.hungry_workers.fetch_and(~own_bit, std::memory_order_seq_cst);
    }
    // With clients waiting on both sides, every second connection goes to the neighbour.
    if (const std::uint64_t others = hungry & ~own_bit; others != 0 && (waiters_.empty() || generous_turn_)) {
      generous_turn_ = false;
      const auto worker = static_cast<unsigned>(__builtin_ctzll(others));
      count_.hungry_workers.fetch_and(~(std::uint64_t{1} << worker), std::memory_order_seq_cst);
      server.detach();
      host_.hand_over(key_, worker, release_ownership(server));
      return;
    }
    generous_turn_ = true;
  }
  server.make_idle(*this);
  idle_.push_back(&server);
  // A waiter may give it back from within the call: then it is this loop's turn again, however many wait.
  if (serving_) return;
  serving_ = true;
  while (!waiters_.empty() && !idle_.empty()) {
    ServerConnection* next = idle_.back();
    idle_.pop_back();
    Waiter* waiter = waiters_.front();
    waiter->leave();
    next->lease(waiter->holder());
    waiter->on_server_ready(*next);
  }
  serving_ = false;
}

void Pool::give_back(ServerConnection& server) {
  if (server.cancels && *server.cancels > 0) [[unlikely]] {
    // A cancel request may still hit it: it must not hit the next client.
    return discard(server);
  }
  serve_or_idle(server);
}

std::unique_ptr<ServerConnection> Pool::release_ownership(ServerConnection& server) {
  const auto place =
      std::find_if(all_.begin(), all_.end(), [&](const auto& owned) { return owned.get() == &server; });
  std::unique_ptr<ServerConnection> owned = std::move(*place);
  all_.erase(place);
  return owned;
}

void Pool::remove(ServerConnection& server) {
  server.close();
  limits_.release(count_, key_.node);
  host_.bury(release_ownership(server));
}

void Pool::discard(ServerConnection& server) {
  remove(server);
  open_as_needed();
}

void Pool::adopt(std::unique_ptr<ServerConnection> server) {
  ServerConnection& adopted = *server;
  all_.push_back(std::move(server));
  if (!adopted.attach(host_.reactor(), *this)) return remove(adopted);
  serve_or_idle(adopted);
}

void Pool::offer_idle_to(unsigned worker) {
  if (idle_.empty() || !waiters_.empty()) return;
  ServerConnection* server = idle_.back();
  idle_.pop_back();
  count_.hungry_workers.fetch_and(~(std::uint64_t{1} << worker), std::memory_order_seq_cst);
  server->detach();
  host_.hand_over(key_, worker, release_ownership(*server));
}

bool Pool::shed_one() {
  if (idle_.empty() || !waiters_.empty()) return false;
  ServerConnection* oldest = idle_.front();
  idle_.erase(idle_.begin());
  remove(*oldest);
  return true;
}

void Pool::close_idle() {
  while (!idle_.empty()) {
    ServerConnection* server = idle_.back();
    idle_.pop_back();
    remove(*server);
  }
}

void Pool::maintain(Reactor::TimePoint now) {
  std::vector<ServerConnection*> old;
  for (ServerConnection* server : idle_) {
    if (now - server->idle_since() > settings_.server_idle_timeout ||
        now - server->established_at() > settings_.server_lifetime) {
      old.push_back(server);
    }
  }
  for (ServerConnection* server : old) {
    std::erase(idle_, server);
    remove(*server);
  }
}

void Pool::for_each_leased(const std::function<void(ServerConnection&)>& visit) {
  std::vector<ServerConnection*> leased;
  for (const auto& server : all_) {
    if (server->state() == ServerConnection::State::leased) leased.push_back(server.get());
  }
  for (ServerConnection* server : leased) visit(*server);
}

void Pool::on_server_events(ServerConnection& server, IoEvents events) {
  // An idle server has nothing to say: whatever comes, an error before it closes or a changed parameter,
  // makes the connection doubtful.
  if (!events.readable && !events.broken) return;
  char byte = 0;
  const auto got = server.socket.receive(&byte, 1);
  if (got.would_block) {
    server.readable = false;
    return;
  }
  std::erase(idle_, &server);
  host_.events().server_failed(
      node_name_, key_.database, key_.user,
      got.closed ? "the server closed an idle connection" : "an idle server connection spoke");
  remove(server);
}

}  // namespace tidemark::pools

#include "pools/pool.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace tidemark::pools {

namespace {
constexpr std::chrono::milliseconds kFirstBackoff{20};
constexpr std::chrono::milliseconds kLastBackoff{1000};
/// While clients wait, the limits are tried and the neighbours are asked again this often.
constexpr std::chrono::milliseconds kTick{10};
/// How long a pool without any connection waits for a limit that others take up before they must make room.
constexpr std::chrono::milliseconds kStarvation{100};
/// Logins to a node at one time, so that a burst of clients does not become a storm of forks there.
constexpr std::size_t kConcurrentLogins = 8;
/// invalid_password: what we know of the user may be out of date.
constexpr protocol::Sqlstate kInvalidPassword{"28P01"};
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
      key_(std::move(key)),
      count_(limits.join(key_, idle_count_)),
      node_name_(std::move(node_name)),
      identity_(std::move(identity)),
      random_(static_cast<std::minstd_rand::result_type>(std::hash<std::string>{}(host.nonce()))),
      tick_(host.reactor(), [this] { on_tick(); }) {}

Pool::~Pool() {
  for (Waiter* waiter : waiters_) waiter->queue_ = nullptr;
  end_starving();
  for (std::size_t i = 0; i < all_.size(); ++i) limits_.release(count_, key_.node);
  limits_.leave(count_, idle_count_);
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
  note_idle();
  server->lease(holder);
  return server;
}

void Pool::wait(Waiter& waiter) {
  if (waiters_.empty()) asked_neighbours_ = false;
  waiter.queue_ = &waiters_;
  waiter.place_ = waiters_.insert(waiters_.end(), &waiter);
  open_as_needed();
}

void Pool::on_tick() {
  if (waiters_.empty()) return end_starving();
  // Who can go elsewhere need not wait until this node is tried again.
  if (hold_ == Hold::refused && all_.size() == connecting_ && limits_.breaker(key_.node).is_open()) {
    protocol::LoginFailure failure;
    failure.text = "logins to the node fail, so it is tried only now and then";
    failure.code = protocol::Sqlstate{"08006"};
    fail_waiters(last_failure_.value_or(failure), false);
  }
  if (limits_.idle_elsewhere(count_, idle_count_) > 0) note_hunger();
  open_as_needed();
}

/// Opens what the waiters need, as far as the limits allow. Tells nobody anything from within.
void Pool::open_as_needed() {
  if (waiters_.empty()) return end_starving();
  const auto now = host_.reactor().now();
  tick_.expires_at(now + kTick);
  // A neighbour's idle connection is here sooner than a new one; whoever it does not reach is seen to at the
  // next tick.
  std::size_t borrowed = 0;
  if (!asked_neighbours_) {
    asked_neighbours_ = true;
    borrowed = limits_.idle_elsewhere(count_, idle_count_);
    if (borrowed > 0) note_hunger();
  }
  auto& breaker = limits_.breaker(key_.node);
  hold_ = Hold::connecting;
  while (waiters_.size() > connecting_ + borrowed && connecting_ < kConcurrentLogins) {
    if (now < retry_at_) {
      hold_ = Hold::refused;
      return;
    }
    const SocketAddress address = host_.address_of(key_.node);
    if (address.host.empty()) return;
    const auto refusal = limits_.acquire(count_, key_.node, starves_for_ != ServerLimits::Refusal::none);
    if (refusal != ServerLimits::Refusal::none) return note_refusal(refusal);
    if (!breaker.may_try(now)) {
      limits_.release(count_, key_.node);
      hold_ = Hold::refused;
      return;
    }
    end_starving();
    open_one(address);
  }
}

void Pool::note_refusal(ServerLimits::Refusal refusal) {
  using Refusal = ServerLimits::Refusal;
  note_hunger();
  if (refusal == Refusal::pool_full) {
    hold_ = Hold::pool_full;
    return;
  }
  hold_ = refusal == Refusal::node_full   ? Hold::node_full
          : refusal == Refusal::user_full ? Hold::user_full
                                          : Hold::database_full;
  host_.ask_to_shed({key_, refusal});
  if (count_.open.load(std::memory_order_relaxed) != 0) return end_starving();
  const auto now = host_.reactor().now();
  if (!hungry_since_) hungry_since_ = now;
  if (now - *hungry_since_ < kStarvation || starves_for_ == refusal) return;
  if (starves_for_ != Refusal::none) limits_.fed(count_, starves_for_);
  starves_for_ = refusal;
  limits_.starve(count_, refusal);
}

void Pool::end_starving() {
  hungry_since_.reset();
  if (starves_for_ == ServerLimits::Refusal::none) return;
  limits_.fed(count_, starves_for_);
  starves_for_ = ServerLimits::Refusal::none;
}

void Pool::note_hunger() {
  const std::uint64_t bit = std::uint64_t{1} << host_.worker_number();
  if ((count_.hungry_workers.fetch_or(bit, std::memory_order_seq_cst) & bit) == 0) host_.ask_for_idle(key_);
}

void Pool::open_one(const SocketAddress& address) {
  protocol::LoginRequest request;
  request.user = identity_->user;
  request.database = identity_->database;
  const auto tls = host_.tls();
  // As with libpq, what goes through a Unix socket is not encrypted.
  request.ssl_mode = address.is_unix() ? protocol::SslMode::disable : tls->servers.mode;
  const auto secrets = identity_->secrets->load();
  auto login = std::make_unique<protocol::LoginMachine>(std::move(request), secrets->credential, std::nullopt,
                                                        host_.nonce());
  for (const auto& keys : secrets->keys) login->also_know(keys);
  auto server = std::make_unique<ServerConnection>(key_.node, node_name_);
  ServerConnection& opened = *server;
  all_.push_back(std::move(server));
  ++connecting_;
  opened.open(host_.reactor(), address, std::move(login), tls->for_servers, *this,
              host_.reactor().now() + settings_.connect_timeout);
}

void Pool::on_login_ready(ServerConnection& server) {
  --connecting_;
  limits_.breaker(key_.node).succeeded();
  backoff_ = {};
  retry_at_ = {};
  failures_in_row_ = 0;
  last_failure_.reset();
  // The next login of this user, to any node and on any worker, is spared its PBKDF2.
  if (server.scram_keys()) identity_->secrets->learn(*server.scram_keys());
  serve_or_idle(server);
  open_as_needed();
}

void Pool::on_login_failed(ServerConnection& server, const protocol::LoginFailure& failure) {
  --connecting_;
  const auto now = host_.reactor().now();
  host_.events().server_failed(node_name_, key_.database, key_.user, failure.text);
  remove(server);
  last_failure_ = failure;
  if (failure.kind == protocol::LoginFailureKind::no_credential || failure.code == kInvalidPassword)
    identity_->secrets->doubt();
  const bool passing = is_passing(failure);
  if (passing) limits_.breaker(key_.node).failed(now);
  backoff_ = std::clamp(2 * backoff_, kFirstBackoff, kLastBackoff);
  // Not all pools of all workers at the same moment.
  std::uniform_int_distribution<std::int64_t> spread(backoff_.count() / 2, backoff_.count());
  retry_at_ = now + std::chrono::milliseconds(spread(random_));
  ++failures_in_row_;
  if (waiters_.empty()) return;
  const bool others_may_serve = all_.size() > connecting_;
  if (!others_may_serve || failure.kind != protocol::LoginFailureKind::server_error) {
    if (passing && failures_in_row_ == 1) {
      // One login that failed is one client's bad luck: the one who came last tries again, or elsewhere.
      Waiter* last = waiters_.back();
      last->leave();
      last->on_server_unavailable(failure);
    } else {
      fail_waiters(failure, true);
    }
  }
  if (!waiters_.empty() && !tick_.armed()) tick_.expires_at(now + kTick);
}

void Pool::fail_waiters(const protocol::LoginFailure& failure, bool all) {
  std::list<Waiter*> failed;
  for (auto place = waiters_.begin(); place != waiters_.end();) {
    const auto next = std::next(place);
    if (all || (*place)->can_go_elsewhere()) {
      (*place)->queue_ = &failed;
      failed.splice(failed.end(), waiters_, place);
    }
    place = next;
  }
  // What follows may replace last_failure_.
  const protocol::LoginFailure told = failure;  // NOLINT(performance-unnecessary-copy-initialization)
  while (!failed.empty()) {
    Waiter* waiter = failed.front();
    waiter->leave();
    waiter->on_server_unavailable(told);
  }
}

void Pool::for_each_waiter(const std::function<void(Waiter&, std::size_t)>& visit) {
  const std::vector<Waiter*> waiters(waiters_.begin(), waiters_.end());
  std::size_t before = 0;
  for (Waiter* waiter : waiters) visit(*waiter, before++);
}

/// With clients waiting on both sides, every second connection goes to the neighbour, to each in turn.
bool Pool::give_to_neighbour(ServerConnection& server) {
  const unsigned own = host_.worker_number();
  const std::uint64_t own_bit = std::uint64_t{1} << own;
  const std::uint64_t hungry = count_.hungry_workers.load(std::memory_order_relaxed);
  if (waiters_.empty() && (hungry & own_bit) != 0) {
    count_.hungry_workers.fetch_and(~own_bit, std::memory_order_seq_cst);
  }
  const std::uint64_t others = hungry & ~own_bit;
  if (others == 0 || (!waiters_.empty() && !generous_turn_)) {
    generous_turn_ = true;
    return false;
  }
  generous_turn_ = false;
  const std::uint64_t after = others & ~((own_bit << 1) - 1);
  const auto worker = static_cast<unsigned>(__builtin_ctzll(after != 0 ? after : others));
  count_.hungry_workers.fetch_and(~(std::uint64_t{1} << worker), std::memory_order_seq_cst);
  server.detach();
  host_.hand_over(key_, worker, release_ownership(server));
  return true;
}

void Pool::serve_or_idle(ServerConnection& server) {
  if (drained_) [[unlikely]]
    return remove(server);
  if (count_.hungry_workers.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    if (give_to_neighbour(server)) return;
  }
  server.make_idle(*this);
  idle_.push_back(&server);
  note_idle();
  // A waiter may give it back from within the call: then it is this loop's turn again, however many wait.
  if (serving_) return;
  serving_ = true;
  while (!waiters_.empty() && !idle_.empty()) {
    ServerConnection* next = idle_.back();
    idle_.pop_back();
    note_idle();
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
  if (limits_.must_yield(count_)) [[unlikely]] {
    // A pool without any connection waits for the limit that this one takes up.
    return discard(server);
  }
  if (is_too_old(server, host_.reactor().now())) [[unlikely]]
    return discard(server);
  serve_or_idle(server);
}

/// At a time of each connection's own in the last tenth of server_lifetime, so that connections that were
/// opened together do not all end together.
bool Pool::is_too_old(const ServerConnection& server, Reactor::TimePoint now) const {
  const auto age = now - server.established_at();
  if (age <= settings_.server_lifetime / 10 * 9) [[likely]]
    return false;
  const auto process = server.cancel_key() ? static_cast<std::uint32_t>(server.cancel_key()->process_id) : 0U;
  constexpr std::uint32_t kSteps = 1024;
  const auto step = (process * 2654435769U) >> 22U;  // Fibonacci hashing: neighbouring ids lie apart
  return age > settings_.server_lifetime / 10 * 9 + settings_.server_lifetime / 10 / kSteps * (step + 1);
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
  open_as_needed();
}

void Pool::offer_idle_to(unsigned worker) {
  if (idle_.empty() || !waiters_.empty()) return;
  ServerConnection* server = idle_.back();
  idle_.pop_back();
  note_idle();
  count_.hungry_workers.fetch_and(~(std::uint64_t{1} << worker), std::memory_order_seq_cst);
  server->detach();
  host_.hand_over(key_, worker, release_ownership(*server));
}

bool Pool::shed_one() {
  if (idle_.empty() || !waiters_.empty()) return false;
  ServerConnection* oldest = idle_.front();
  idle_.erase(idle_.begin());
  note_idle();
  remove(*oldest);
  return true;
}

void Pool::close_idle() {
  while (!idle_.empty()) {
    ServerConnection* server = idle_.back();
    idle_.pop_back();
    note_idle();
    remove(*server);
  }
}

void Pool::set_drained(bool drained) {
  drained_ = drained;
  if (drained_) close_idle();
}

void Pool::maintain(Reactor::TimePoint now) {
  std::vector<ServerConnection*> old;
  for (ServerConnection* server : idle_) {
    if (now - server->idle_since() > settings_.server_idle_timeout || is_too_old(*server, now))
      old.push_back(server);
  }
  for (ServerConnection* server : old) {
    forget_idle(*server);
    remove(*server);
  }
}

void Pool::forget_idle(ServerConnection& server) {
  std::erase(idle_, &server);
  note_idle();
}

void Pool::for_each(const std::function<void(const ServerConnection&)>& visit) const {
  for (const auto& server : all_) visit(*server);
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
  forget_idle(server);
  host_.events().server_failed(
      node_name_, key_.database, key_.user,
      got.closed ? "the server closed an idle connection" : "an idle server connection spoke");
  remove(server);
}

}  // namespace tidemark::pools

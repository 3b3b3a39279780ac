#include "proxy/worker.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/admin_session.hpp"
#include "proxy/cancel_sender.hpp"
#include "proxy/event_log.hpp"
#include "proxy/handshake.hpp"
#include "proxy/limits.hpp"
#include "proxy/redis_marks.hpp"
#include "proxy/server_cleaner.hpp"
#include "proxy/session.hpp"

namespace tidemark::proxy {

namespace {
constexpr std::size_t kMaxRefused = 1024;
constexpr std::size_t kMaxRefusedText = 4096;
constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kAcceptPause{100};
/// Clients too many that are told so at one time; more are closed without a word.
constexpr std::size_t kMaxToldRefusals = 64;

std::string group_key(std::string_view database, std::string_view user) {
  std::string key(database);
  key.push_back('\0');
  return key.append(user);
}
}  // namespace

Worker::Worker(Shared shared, unsigned number, std::vector<const pools::Socket*> listeners)
    : shared_(shared),
      number_(number),
      listeners_(std::move(listeners)),
      view_(shared.monitor.view()),
      catalogs_(shared.monitor.catalogs()),
      tls_(shared.tls),
      topology_(view_->topology),
      primary_(view_->primary),
      statements_(number),
      metrics_(shared.limits.nodes()),
      second_(reactor_, [this] { every_second(); }),
      drain_end_(reactor_,
                 [this] {
                   while (!sessions_.empty()) sessions_.begin()->second->shut_down(true);
                   reactor_.stop();
                 }),
      accept_again_(reactor_,
                    [this] {
                      if (!draining_) listen();
                    }),
      timeouts_(reactor_, [this] { check_timeouts(); }),
      notices_(reactor_, [this] { send_notices(); }) {
  own_bytes_.reserve(16 * 1024);
  share_marks();
}

Worker::~Worker() {
  clear();
}

void Worker::clear() {
  // Sessions hold server connections of the pools, and both use the reactor.
  sessions_.clear();
  dead_sessions_.clear();
  admins_.clear();
  dead_admins_.clear();
  handshakes_.clear();
  dead_handshakes_.clear();
  cancel_senders_.clear();
  dead_cancel_senders_.clear();
  cleaners_.clear();
  dead_cleaners_.clear();
  dead_servers_.clear();
  groups_.clear();
  redis_.reset();
}

void Worker::run() {
  listen();
  second_.expires_at(reactor_.now() + std::chrono::seconds(1));
  if (const auto interval = IdleWatch::interval(shared_.config.pool); interval.count() != 0)
    timeouts_.expires_at(reactor_.now() + interval);
  reactor_.run([this] { before_events(); }, [this] { after_events(); });
}

const routing::FunctionCatalog* Worker::catalog_of(std::string_view database) const {
  static const routing::FunctionCatalog kNeverRead = [] {
    routing::FunctionCatalog catalog;
    catalog.outdated = true;
    return catalog;
  }();
  const auto found = catalogs_->find(database);
  return found == catalogs_->end() ? &kNeverRead : found->second.get();
}

void Worker::refresh_catalogs() {
  if (!catalogs_.refresh()) return;
  ++catalog_generation_;
  for (auto& [key, group] : groups_) {
    const auto* catalog = catalog_of(group->database);
    // A routine that has left nothing may be another one now.
    if (std::exchange(group->catalog, catalog) != catalog) group->harmless_calls.clear();
  }
}

void Worker::functions_changed(const PoolGroup& group) {
  shared_.monitor.functions_changed(group.database);
  refresh_catalogs();
}

void Worker::before_events() {
  refresh_catalogs();
  // Set after both the view and the positions were published, so that no waiter misses either.
  const bool published = publish_pending_.load(std::memory_order_acquire) &&
                         publish_pending_.exchange(false, std::memory_order_acq_rel);
  view_.refresh();
  const bool topology = view_->topology != topology_;
  if (topology) on_topology();
  if (waiting_.empty() || !(published || topology)) return;
  std::vector<Session*> waiting(waiting_.begin(), waiting_.end());
  for (Session* session : waiting) {
    if (session->is_waiting()) session->on_published(topology);
  }
}

void Worker::after_events() {
  dead_sessions_.clear();
  dead_admins_.clear();
  dead_handshakes_.clear();
  dead_cancel_senders_.clear();
  dead_cleaners_.clear();
  dead_servers_.clear();
  if (draining_) end_if_drained();
}

void Worker::every_second() {
  const auto now = reactor_.now();
  second_.expires_at(now + std::chrono::seconds(1));
  std::vector<PoolFigures> figures;
  for (auto& [key, group] : groups_) {
    for (auto& pool : group->pools) {
      pool->maintain(now);
      if (pool->open() == 0 && pool->waiting() == 0 && pool->idle() == 0) continue;
      figures.push_back({pool->key(), view_->node(pool->key().node).name,
                         pool->open() - pool->idle() - pool->connecting(), pool->idle(), pool->connecting(),
                         pool->waiting()});
    }
  }
  forget_groups(now);
  std::lock_guard lock(figures_mutex_);
  figures_.swap(figures);
}

std::vector<Worker::PoolFigures> Worker::pool_figures() const {
  std::lock_guard lock(figures_mutex_);
  return figures_;
}

void Worker::published(std::uint64_t topology) {
  publish_pending_.store(true, std::memory_order_release);
  const bool changed = published_topology_.exchange(topology, std::memory_order_acq_rel) != topology;
  if (changed || has_waiting_.load(std::memory_order_seq_cst)) reactor_.wake();
}

// Clients.

void Worker::on_events(pools::IoEvents) {
  accept_clients();
}

void Worker::listen() {
  for (const pools::Socket* listener : listeners_)
    listening_ = reactor_.add_listener(listener->descriptor(), *this) || listening_;
}

void Worker::stop_listening() {
  for (const pools::Socket* listener : listeners_) reactor_.remove(listener->descriptor(), *this);
  listening_ = false;
}

void Worker::accept_clients() {
  // Which one is ready is not told, and to ask one that is not costs little.
  for (const pools::Socket* listener : listeners_) {
    if (listening_) accept_clients(*listener);
  }
}

void Worker::accept_clients(const pools::Socket& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    pools::Socket socket = pools::accept_from(listener);
    if (!socket.is_open()) {
      if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;
      // No descriptor is free: the listener would report the same client for ever.
      EventLog::problem(
          "no more clients can be accepted for now: the limit of open files is reached (ulimit -n)");
      stop_listening();
      accept_again_.expires_at(reactor_.now() + kAcceptPause);
      return;
    }
    shared_.clients.fetch_add(1, std::memory_order_relaxed);
    Worker* least = this;
    for (const auto& worker : shared_.workers) {
      if (worker->client_count() + 1 < least->client_count()) least = worker.get();
    }
    least->client_count_.fetch_add(1, std::memory_order_relaxed);
    if (least == this) {
      take_client(std::move(socket));
    } else {
      least->adopt_client(std::move(socket));
    }
  }
}

void Worker::adopt_client(pools::Socket socket) {
  // std::function copies; the socket cannot be.
  auto shared_socket = std::make_shared<pools::Socket>(std::move(socket));
  reactor_.post([this, shared_socket] { take_client(std::move(*shared_socket)); });
}

void Worker::take_client(pools::Socket socket) {
  const bool refused =
      shared_.clients.load(std::memory_order_relaxed) > shared_.config.pool.max_client_connections;
  if (refused) {
    metrics_.rejected(Limit::clients).add();
    // Whoever is merely told takes no place.
    shared_.clients.fetch_sub(1, std::memory_order_relaxed);
    if (refused_handshakes_.size() >= kMaxToldRefusals) return client_ended(false);
  }
  auto handshake = std::make_unique<Handshake>(*this, std::move(socket), refused);
  if (!reactor_.add(handshake->socket().descriptor(), *handshake)) return client_ended(!refused);
  Handshake* key = handshake.get();
  if (refused) refused_handshakes_.insert(key);
  handshakes_.emplace(key, std::move(handshake));
}

/// `counted`: it has taken a place of max_client_connections.
void Worker::client_ended(bool counted) {
  client_count_.fetch_sub(1, std::memory_order_relaxed);
  if (counted) shared_.clients.fetch_sub(1, std::memory_order_relaxed);
}

void Worker::close_handshake(Handshake& handshake) {
  const auto place = handshakes_.find(&handshake);
  dead_handshakes_.push_back(std::move(place->second));
  handshakes_.erase(place);
  client_ended(refused_handshakes_.erase(&handshake) == 0);
}

void Worker::begin_session(Handshake& handshake) {
  if (handshake.is_for_admin()) [[unlikely]]
    return begin_admin(handshake);
  SessionStart start = handshake.finish();
  const auto error = std::move(start.error);
  start.serial = next_serial_++;
  const int descriptor = start.client.descriptor();
  auto session = std::make_unique<Session>(*this, std::move(start));
  Session& begun = *session;
  const bool watched = reactor_.rebind(descriptor, handshake, begun);
  const auto place = handshakes_.find(&handshake);
  dead_handshakes_.push_back(std::move(place->second));
  handshakes_.erase(place);
  sessions_.emplace(begun.serial(), std::move(session));
  metrics_.clients.set(sessions_.size());
  ++group(begun.group()->database, begun.group()->user).sessions;
  if (!is_admitted(begun)) return;
  if (!watched) return close_session(begun);
  if (error) return begun.refuse(*error);
  begun.begin();
}

void Worker::close_session(Session& session) {
  const auto place = sessions_.find(session.serial());
  dead_sessions_.push_back(std::move(place->second));
  sessions_.erase(place);
  metrics_.clients.set(sessions_.size());
  PoolGroup& used = group(session.group()->database, session.group()->user);
  --used.sessions;
  if (&session != not_admitted_) shared_.client_limits.release(used.user, used.database);
  client_ended(true);
}

std::list<Session*>::iterator Worker::add_waiting(Session& session) {
  has_waiting_.store(true, std::memory_order_seq_cst);
  if (!notices_.armed() && shared_.config.pool.queue_notice.count() != 0) [[unlikely]] {
    noticed_at_ = reactor_.now();
    notices_.expires_at(reactor_.now() + shared_.config.pool.queue_notice);
  }
  return waiting_.insert(waiting_.end(), &session);
}

void Worker::remove_waiting(std::list<Session*>::iterator place) {
  waiting_.erase(place);
  if (waiting_.empty()) has_waiting_.store(false, std::memory_order_relaxed);
}

void Worker::cancel(std::uint64_t serial, CancelDone done) {
  reactor_.post([this, serial, done = std::move(done)] {
    if (const auto found = sessions_.find(serial); found != sessions_.end())
      return found->second->cancel(done);
    if (const auto found = admins_.find(serial); found != admins_.end()) found->second->cancel();
  });
}

void Worker::learn_that_sequences_are_read(PoolGroup& group) {
  group.reads_sequences = true;
  for (const auto& worker : shared_.workers) {
    if (worker.get() == this) continue;
    worker->reactor_.post([&other = *worker, key = group_key(group.database, group.user)] {
      if (const auto found = other.groups_.find(key); found != other.groups_.end())
        found->second->reads_sequences = true;
    });
  }
}

void Worker::keep(std::unique_ptr<CancelSender> sender) {
  cancel_senders_.push_back(std::move(sender));
}

void Worker::forget(CancelSender& sender) {
  const auto place = std::find_if(cancel_senders_.begin(), cancel_senders_.end(),
                                  [&](const auto& kept) { return kept.get() == &sender; });
  if (place == cancel_senders_.end()) return;
  dead_cancel_senders_.push_back(std::move(*place));
  cancel_senders_.erase(place);
}

void Worker::keep(std::unique_ptr<ServerCleaner> cleaner) {
  cleaners_.push_back(std::move(cleaner));
}

void Worker::forget(ServerCleaner& cleaner) {
  const auto place = std::find_if(cleaners_.begin(), cleaners_.end(),
                                  [&](const auto& kept) { return kept.get() == &cleaner; });
  if (place == cleaners_.end()) return;
  dead_cleaners_.push_back(std::move(*place));
  cleaners_.erase(place);
}

bool Worker::is_refused(std::string_view sql) const {
  return !refused_.empty() && refused_.contains(sql);
}

void Worker::remember_refused(std::string_view sql) {
  if (sql.size() > kMaxRefusedText) return;
  if (refused_.size() >= kMaxRefused) refused_.clear();
  refused_.emplace(sql);
}

// Pools.

PoolGroup& Worker::group(std::string_view database, std::string_view user) {
  auto& group = groups_[group_key(database, user)];
  if (!group) {
    group = std::make_unique<PoolGroup>();
    group->database = database;
    group->user = user;
    group->catalog = catalog_of(database);
    auto identity = std::make_shared<pools::LoginIdentity>();
    identity->user = user;
    identity->database = database;
    identity->secrets = shared_.authenticator.login_secrets(user);
    group->identity = std::move(identity);
  }
  grow(*group);
  return *group;
}

void Worker::grow(PoolGroup& group) {
  for (std::size_t i = group.pools.size(); i < view_->nodes.size(); ++i) {
    const auto& node = view_->nodes[i];
    group.pools.push_back(std::make_unique<pools::Pool>(*this, shared_.config.pool, shared_.limits,
                                                        pools::PoolKey{node.id, group.database, group.user},
                                                        node.name, group.identity));
    group.pools.back()->set_drained(node.drained);
  }
}

pools::Pool* Worker::pool_of(PoolGroup& group, routing::NodeId node) {
  if (routing::index(node) >= group.pools.size() && view_.refresh()) {
    for (auto& [key, each] : groups_) grow(*each);
  }
  return routing::index(node) < group.pools.size() ? group.pools[routing::index(node)].get() : nullptr;
}

pools::SocketAddress Worker::address_of(routing::NodeId node) {
  const auto& state = view_->node(node);
  return {state.host, state.port, state.host_name};
}

std::shared_ptr<const pools::TlsSetup> Worker::tls() {
  tls_.refresh();
  return tls_.pointer();
}

std::string Worker::nonce() {
  return random_bytes(18);
}

void Worker::bury(std::unique_ptr<pools::ServerConnection> server) {
  dead_servers_.push_back(std::move(server));
}

void Worker::hand_over(const pools::PoolKey& key, unsigned worker,
                       std::unique_ptr<pools::ServerConnection> server) {
  auto carried = std::make_shared<std::unique_ptr<pools::ServerConnection>>(std::move(server));
  Worker& other = *shared_.workers[worker];
  other.reactor_.post([&other, key, carried] {
    PoolGroup& group = other.group(key.database, key.user);
    // The settings object is the former worker's own: an equal one of ours, or a change, is made from its
    // values.
    if ((*carried)->settings) {
      (*carried)->settings = other.settings_.intern(*(*carried)->settings);
    }
    if ((*carried)->peculiarities)
      (*carried)->peculiarities = other.settings_.intern(*(*carried)->peculiarities);
    if (pools::Pool* pool = other.pool_of(group, key.node)) pool->adopt(std::move(*carried));
  });
}

void Worker::ask_for_idle(const pools::PoolKey& key) {
  for (const auto& worker : shared_.workers) {
    if (worker.get() == this) continue;
    Worker& other = *worker;
    other.reactor_.post([&other, key, asker = number_] {
      const auto found = other.groups_.find(group_key(key.database, key.user));
      if (found == other.groups_.end()) return;
      if (pools::Pool* pool = other.pool_of(*found->second, key.node)) pool->offer_idle_to(asker);
    });
  }
}

void Worker::ask_to_shed(const pools::ShedRequest& request) {
  // One that closes is enough: the limit is one for all workers.
  auto done = std::make_shared<std::atomic<bool>>(false);
  for (const auto& worker : shared_.workers) {
    Worker& other = *worker;
    other.reactor_.post([&other, request, done] {
      if (done->load(std::memory_order_relaxed)) return;
      for (auto& [key, group] : other.groups_) {
        pools::Pool* pool = other.pool_of(*group, request.asker.node);
        if (pool == nullptr || !request.concerns(pool->key()) || pool->idle() == 0 || pool->waiting() != 0)
          continue;
        if (!done->exchange(true, std::memory_order_relaxed)) (void)pool->shed_one();
        return;
      }
    });
  }
}

}  // namespace tidemark::proxy

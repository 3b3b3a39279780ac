#include "proxy/worker.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/cancel_sender.hpp"
#include "proxy/event_log.hpp"
#include "proxy/handshake.hpp"
#include "proxy/session.hpp"

namespace tidemark::proxy {

namespace {
constexpr std::size_t kMaxRefused = 1024;
constexpr std::size_t kMaxRefusedText = 4096;
constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kAcceptPause{100};

std::string group_key(std::string_view database, std::string_view user) {
  std::string key(database);
  key.push_back('\0');
  return key.append(user);
}
}  // namespace

Worker::Worker(Shared shared, unsigned number, const pools::Socket& listener)
    : shared_(shared),
      number_(number),
      listener_(listener),
      view_(shared.monitor.view()),
      catalogs_(shared.monitor.catalogs()),
      topology_(view_->topology),
      primary_(view_->primary),
      statements_(number),
      metrics_(shared.config.cluster.nodes.size()),
      second_(reactor_, [this] { every_second(); }),
      drain_end_(reactor_,
                 [this] {
                   while (!sessions_.empty()) sessions_.begin()->second->shut_down(true);
                   reactor_.stop();
                 }),
      accept_again_(reactor_, [this] {
        if (!draining_) listening_ = reactor_.add_listener(listener_.descriptor(), *this);
      }) {
  own_bytes_.reserve(16 * 1024);
}

Worker::~Worker() {
  // Sessions hold server connections of the pools, and both use the reactor.
  sessions_.clear();
  dead_sessions_.clear();
  handshakes_.clear();
  dead_handshakes_.clear();
  cancel_senders_.clear();
  dead_cancel_senders_.clear();
  dead_servers_.clear();
  groups_.clear();
}

void Worker::run() {
  listening_ = reactor_.add_listener(listener_.descriptor(), *this);
  second_.expires_at(reactor_.now() + std::chrono::seconds(1));
  reactor_.run([this] { before_events(); }, [this] { after_events(); });
}

void Worker::before_events() {
  if (catalogs_.refresh()) {
    ++catalog_generation_;
    for (auto& [key, group] : groups_) {
      const auto found = catalogs_->find(group->database);
      group->catalog = found == catalogs_->end() ? nullptr : found->second.get();
    }
  }
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

void Worker::on_topology() {
  topology_ = view_->topology;
  const auto former = std::exchange(primary_, view_->primary);
  for (const auto& node : view_->nodes) {
    // A node that is no longer the primary while another one is, and a node that must not be written to, lose
    // all their server connections at once.
    const bool replaced = former == node.id && view_->primary && *view_->primary != node.id;
    const bool fenced = node.fault == routing::NodeFault::older_timeline ||
                        node.fault == routing::NodeFault::other_cluster ||
                        node.fault == routing::NodeFault::duplicate_primary;
    const bool demoted = former == node.id && node.role == routing::NodeRole::replica;
    const bool lost = replaced || fenced || demoted;
    if (!lost && node.fault == routing::NodeFault::none) continue;
    for (auto& [key, group] : groups_) group->pools[routing::index(node.id)]->close_idle();
    // A node that hangs may come back: only what can run elsewhere without the client's knowledge leaves it.
    fence_sessions([&](const Session& session) {
      return session.server()->node() == node.id && (lost || session.can_be_sent_again());
    });
  }
  // A former primary that answers nothing any more keeps its connections until there is a new one: until then
  // nobody knows better what became of the statements on them. With the new one they go.
  if (view_->primary) {
    fence_sessions([&](const Session& session) {
      return session.on_former_primary() && session.server()->node() != *view_->primary;
    });
  }
}

void Worker::fence_sessions(const std::function<bool(const Session&)>& which) {
  std::vector<Session*> fenced;
  for (auto& [serial, session] : sessions_) {
    if (session->server() != nullptr && which(*session)) fenced.push_back(session.get());
  }
  for (Session* session : fenced) {
    if (session->server() != nullptr) session->fence();
  }
}

void Worker::after_events() {
  dead_sessions_.clear();
  dead_handshakes_.clear();
  dead_cancel_senders_.clear();
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

void Worker::accept_clients() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    pools::Socket socket = pools::accept_from(listener_);
    if (!socket.is_open()) {
      if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;
      // No descriptor is free: the listener would report the same client for ever.
      EventLog::problem(
          "no more clients can be accepted for now: the limit of open files is reached (ulimit -n)");
      reactor_.remove(listener_.descriptor(), *this);
      listening_ = false;
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
  auto handshake = std::make_unique<Handshake>(*this, std::move(socket), refused);
  if (!reactor_.add(handshake->socket().descriptor(), *handshake)) return client_ended();
  Handshake* key = handshake.get();
  handshakes_.emplace(key, std::move(handshake));
}

void Worker::client_ended() {
  client_count_.fetch_sub(1, std::memory_order_relaxed);
  shared_.clients.fetch_sub(1, std::memory_order_relaxed);
}

void Worker::close_handshake(Handshake& handshake) {
  const auto place = handshakes_.find(&handshake);
  dead_handshakes_.push_back(std::move(place->second));
  handshakes_.erase(place);
  client_ended();
}

void Worker::begin_session(Handshake& handshake) {
  SessionStart start = handshake.finish();
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
  if (!watched) return close_session(begun);
  begun.begin();
}

void Worker::close_session(Session& session) {
  const auto place = sessions_.find(session.serial());
  dead_sessions_.push_back(std::move(place->second));
  sessions_.erase(place);
  metrics_.clients.set(sessions_.size());
  client_ended();
}

std::list<Session*>::iterator Worker::add_waiting(Session& session) {
  has_waiting_.store(true, std::memory_order_seq_cst);
  return waiting_.insert(waiting_.end(), &session);
}

void Worker::remove_waiting(std::list<Session*>::iterator place) {
  waiting_.erase(place);
  if (waiting_.empty()) has_waiting_.store(false, std::memory_order_relaxed);
}

void Worker::cancel(std::uint64_t serial) {
  reactor_.post([this, serial] {
    if (const auto found = sessions_.find(serial); found != sessions_.end()) found->second->cancel();
  });
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

bool Worker::is_refused(std::string_view sql) const {
  return !refused_.empty() && refused_.contains(sql);
}

void Worker::remember_refused(std::string_view sql) {
  if (sql.size() > kMaxRefusedText) return;
  if (refused_.size() >= kMaxRefused) refused_.clear();
  refused_.emplace(sql);
}

// Shutdown.

void Worker::drain(pools::Reactor::TimePoint deadline) {
  reactor_.post([this, deadline] { begin_drain(deadline); });
}

void Worker::begin_drain(pools::Reactor::TimePoint deadline) {
  if (draining_) return;
  draining_ = true;
  if (listening_) reactor_.remove(listener_.descriptor(), *this);
  std::vector<Handshake*> handshakes;
  for (auto& [key, handshake] : handshakes_) handshakes.push_back(key);
  for (Handshake* handshake : handshakes) handshake->shut_down();
  drain_end_.expires_at(deadline);
}

void Worker::end_if_drained() {
  std::vector<Session*> open;
  for (auto& [serial, session] : sessions_) open.push_back(session.get());
  for (Session* session : open) session->shut_down(false);
  if (sessions_.empty() && handshakes_.empty()) reactor_.stop();
}

// Pools.

PoolGroup& Worker::group(std::string_view database, std::string_view user,
                         std::optional<protocol::ScramKeys> keys) {
  auto& group = groups_[group_key(database, user)];
  if (!group) {
    group = std::make_unique<PoolGroup>();
    group->database = database;
    group->user = user;
    const auto found = catalogs_->find(database);
    group->catalog = found == catalogs_->end() ? nullptr : found->second.get();
  }
  if (!group->identity || (keys && !group->identity->scram_keys)) {
    auto identity = std::make_shared<pools::LoginIdentity>();
    identity->user = user;
    identity->database = database;
    identity->credential = shared_.authenticator.for_servers(user);
    // The client's own keys serve where only a verifier is known; a password proves itself to any server.
    if (keys && identity->credential && identity->credential->verifier() != nullptr)
      identity->scram_keys = std::move(keys);
    group->identity = std::move(identity);
    for (auto& pool : group->pools) pool->set_identity(group->identity);
  }
  for (std::size_t i = group->pools.size(); i < view_->nodes.size(); ++i) {
    const auto& node = view_->nodes[i];
    group->pools.push_back(std::make_unique<pools::Pool>(
        *this, shared_.config.pool, shared_.limits, pools::PoolKey{node.id, group->database, group->user},
        node.name, group->identity));
  }
  return *group;
}

pools::SocketAddress Worker::address_of(routing::NodeId node) {
  const auto& state = view_->node(node);
  return {state.host, state.port};
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
    PoolGroup& group = other.group(key.database, key.user, std::nullopt);
    // The settings object is the former worker's own: an equal one of ours, or a change, is made from its
    // values.
    if ((*carried)->settings) {
      (*carried)->settings = other.settings_.intern(*(*carried)->settings);
    }
    group.pools[routing::index(key.node)]->adopt(std::move(*carried));
  });
}

void Worker::ask_for_idle(const pools::PoolKey& key) {
  for (const auto& worker : shared_.workers) {
    if (worker.get() == this) continue;
    Worker& other = *worker;
    other.reactor_.post([&other, key, asker = number_] {
      const auto found = other.groups_.find(group_key(key.database, key.user));
      if (found != other.groups_.end()) found->second->pools[routing::index(key.node)]->offer_idle_to(asker);
    });
  }
}

void Worker::ask_to_shed(routing::NodeId node) {
  for (const auto& worker : shared_.workers) {
    Worker& other = *worker;
    other.reactor_.post([&other, node] {
      for (auto& [key, group] : other.groups_) {
        if (group->pools[routing::index(node)]->shed_one()) return;
      }
    });
  }
}

}  // namespace tidemark::proxy

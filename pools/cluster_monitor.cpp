#include "pools/cluster_monitor.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/callback_guard.hpp"
#include "pools/catalog_reader.hpp"
#include "pools/discovery.hpp"
#include "pools/node_probe.hpp"
#include "pools/position_pacing.hpp"
#include "pools/visibility_watch.hpp"
#include "routing/cluster_reducer.hpp"

namespace tidemark::pools {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using routing::NodeId;

namespace {

constexpr auto kLeastBetweenBursts = std::chrono::milliseconds(20);
// Who waits wants again when on_publish wakes it, which every probe does.
constexpr std::chrono::nanoseconds kLeastPatience = std::chrono::seconds(1);
constexpr auto kLeastBetweenReports = std::chrono::seconds(10);

routing::ClusterView unknown_cluster(const ClusterSettings& settings) {
  routing::ClusterView view;
  for (const NodeAddress& address : settings.nodes) {
    routing::NodeState node;
    node.id = static_cast<NodeId>(view.nodes.size());
    node.name = address.name;
    node.host_name = address.host;
    boost::system::error_code not_numeric;
    asio::ip::make_address(address.host, not_numeric);
    if (!not_numeric || address.host.starts_with('/')) node.host = address.host;
    node.port = address.port;
    node.weight = address.weight;
    view.nodes.push_back(std::move(node));
  }
  return view;
}

}  // namespace

/// Everything but the atomics lives on the monitor's thread, inside the guard.
class ClusterMonitor::Impl final : public ProbeListener {
 public:
  Impl(asio::io_context& io, ClusterSettings settings, Events& events)
      : io_(io),
        settings_(std::move(settings)),
        events_(events),
        reducer_(unknown_cluster(settings_), {.max_lag = settings_.max_lag,
                                              .flaps = {.losses = settings_.flap_losses},
                                              .has_authority = settings_.discovery.has_authority(),
                                              .timeline_proves = settings_.discovery.timeline_proves}),
        view_(std::make_shared<routing::ClusterView>(reducer_.view())),
        catalogs_(std::make_shared<routing::FunctionCatalogs>()),
        pacing_(settings_.position_interval),
        question_timer_(io),
        watch_(settings_.position_interval, std::max(kLeastPatience, 2 * settings_.probe_interval),
               visibility_),
        watch_timer_(io),
        burst_timer_(io),
        reader_(io, guard_, settings_, catalogs_, events_, [this] { return catalog_server(); }) {
    make_nodes();
    if (!settings_.discovery.has_authority()) return;
    discovery_.emplace(
        io_, guard_, settings_,
        Discovery::Listener{[this](const routing::ClusterEvent& event) { heard_of_authority(event); },
                            [this](std::string_view why) { authority_failed(why); },
                            [this]() -> const routing::ClusterView& { return known(); }});
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start() {
    post([this] {
      for (std::size_t i = 0; i < node_count_; ++i) nodes_[i]->probe.start();
      if (discovery_) discovery_->start();
    });
  }
  void stop() {
    guard_.close([this] {
      if (discovery_) discovery_->stop();
      for (std::size_t i = 0; i < node_count_; ++i) {
        nodes_[i]->probe.stop();
        nodes_[i]->timer.cancel();
      }
      question_timer_.cancel();
      watch_timer_.cancel();
      burst_timer_.cancel();
      reader_.stop();
    });
  }

  void want_primary_position(bool someone_waits) {
    // Who waits has told of its write before, or asks for a read: only writes count for the pacing.
    if (!someone_waits) writes_.fetch_add(1, std::memory_order_relaxed);
    if (!position_wanted_.exchange(true)) post([this] { ask_primary(); });
  }
  void want_visibility() {
    if (!visibility_wanted_.exchange(true)) post([this] { ask_transactions(); });
  }
  void want_observation(NodeId node) {
    if (routing::index(node) >= node_count_.load(std::memory_order_acquire)) return;
    Node& wanted = *nodes_[routing::index(node)];
    if (!wanted.wanted.exchange(true)) post([this, &wanted] { ask_node(wanted); });
  }
  void suspect() {
    if (!suspected_.exchange(true)) post([this] { burst(); });
  }
  void order(const routing::ClusterEvent& event) {
    post([this, event] {
      apply(event);
      published();
    });
  }
  void want_catalog(std::string_view database) {
    post([this, name = std::string(database)] { reader_.want(name); });
  }
  void functions_changed(std::string_view database) {
    reader_.changed(database);
    want_catalog(database);
  }
  void on_publish(std::function<void()> callback) { on_publish_ = std::move(callback); }

  [[nodiscard]] const Snapshot<routing::ClusterView>& view() const { return view_; }
  [[nodiscard]] const PositionLog& positions() const { return positions_; }
  [[nodiscard]] const VisibilityLog& visibility() const { return visibility_; }
  [[nodiscard]] const Snapshot<routing::FunctionCatalogs>& catalogs() const { return catalogs_; }
  [[nodiscard]] std::uint64_t questions() const { return questions_.load(std::memory_order_relaxed); }

 private:
  struct Node {
    Node(asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings, NodeId id,
         NodeAddress address, std::uint64_t& incarnations, ProbeListener& listener)
        : probe(io, guard, settings, id, std::move(address), incarnations, listener), timer(io) {}
    NodeProbe probe;
    std::atomic<bool> wanted{false};  // an observation whose question starts after this was set
    Clock::time_point last_asked{};
    asio::steady_timer timer;  // to the next question that want_observation may start
    bool timer_set = false;
    std::optional<Clock::time_point> reported;  // when the present streak of failures was last reported
  };
  /// The numbered question under way.
  struct Question {
    std::uint64_t number;
    NodeId node;
  };

  template <class Function>
  void post(Function function) {
    asio::post(io_, guard_.wrap(std::move(function)));
  }
  [[nodiscard]] const routing::ClusterView& known() const { return reducer_.view(); }

  void apply(const routing::ClusterEvent& event) {
    const auto before = view_.load();
    reducer_.apply(event);
    auto after = std::make_shared<const routing::ClusterView>(reducer_.view());
    view_.publish(after);
    if (after->topology == before->topology) return;
    if (discovery_ && !after->primary) discovery_->hurry();
    events_.view_changed(*before, *after);
    if (!guard_.closed()) reader_.look_again();
  }
  void published() {
    if (guard_.closed()) return;
    if (on_publish_) on_publish_();
    if (guard_.closed()) return;
    ask_primary();
    ask_transactions();
  }

  /// A node for each one of the view that has none yet.
  void make_nodes() {
    for (std::size_t i = node_count_; i < known().nodes.size(); ++i) {
      const routing::NodeState& node = known().nodes[i];
      nodes_[i] = std::make_unique<Node>(io_, guard_, settings_, node.id,
                                         NodeAddress{node.name, node.host_name, node.port, node.weight},
                                         incarnations_, *this);
      // Other threads look at those only that are counted.
      node_count_.store(i + 1, std::memory_order_release);
    }
  }

  void heard_of_authority(const routing::ClusterEvent& event) {
    const auto before = view_.load();
    if (std::holds_alternative<routing::AuthorityWord>(event)) discovery_reported_.reset();
    apply(event);
    if (guard_.closed()) return;
    make_nodes();
    for (const routing::NodeState& node : known().nodes) {
      const std::size_t i = routing::index(node.id);
      const bool was = i < before->nodes.size() && before->nodes[i].fault != routing::NodeFault::removed;
      const bool is = node.fault != routing::NodeFault::removed;
      if (is == was) continue;
      if (is) {
        nodes_[i]->probe.start();
      } else {
        unanswered(node.id);
        watch_.forget(node.id);
        nodes_[i]->probe.stop();
      }
    }
    published();
  }

  void authority_failed(std::string_view why) {
    const auto now = Clock::now();
    if (discovery_reported_ && now - *discovery_reported_ < kLeastBetweenReports) return;
    discovery_reported_ = now;
    events_.discovery_failed(why);
  }

  void resolved(const routing::NodeResolved& address) override {
    const auto& node = known().node(address.node);
    if (node.host == address.host && node.port == address.port) return;
    apply(address);
    published();
  }

  void asking(NodeId id) override {
    Node& node = *nodes_[routing::index(id)];
    node.last_asked = Clock::now();
    node.wanted.store(false);
    if (known().primary != id || question_) return;
    // Whatever asks for the position serves as a question: what was done and seen before a probe is bounded
    // by its answer, also while nobody writes, so that little is in doubt when the primary dies.
    const auto earliest = pacing_.next_start();
    if (position_wanted_.load() && earliest && *earliest <= node.last_asked) {
      // In this order: who finds the flag set is served by a number greater than the last that it saw.
      position_wanted_.store(false);
      pacing_.started(node.last_asked, writes_.load(std::memory_order_relaxed));
      questions_.fetch_add(1, std::memory_order_relaxed);
    }
    question_ = {positions_.begin_question(), id};
  }

  bool asking_transactions(NodeId id) override {
    if (known().primary != id) return false;
    // In this order, as above.
    const bool wanted = visibility_wanted_.exchange(false);
    watch_.started(id, wanted, Clock::now());
    return true;
  }

  void transactions(NodeId id, std::vector<std::uint32_t> xids,
                    std::vector<std::uint32_t> awaiting) override {
    if (known().primary != id) return watch_.forget(id);
    if (watch_.under_way(id) && watch_.answered(std::move(xids), std::move(awaiting))) return published();
    ask_transactions();
  }

  void observed(const routing::Observation& observation) override {
    nodes_[routing::index(observation.node)]->reported.reset();
    if (observation.history) history_reported_ = false;
    apply(observation);
    if (guard_.closed()) return;
    const bool believed = !observation.in_recovery && known().primary == observation.node;
    if (believed) note_flushing(observation);
    if (question_ && question_->node == observation.node) {
      if (believed) {
        positions_.answer(question_->number,
                          {observation.system_identifier, observation.timeline, observation.position},
                          observation.flushed);
      } else {
        position_wanted_.store(true);
      }
      question_.reset();
      pacing_.finished();
    }
    published();
  }

  void history_unreadable(NodeId id, std::string_view why) override {
    if (guard_.closed() || known().primary != id || std::exchange(history_reported_, true)) return;
    events_.history_unreadable(known().node(id).name, why);
  }

  void unanswered(NodeId id) override {
    if (watch_.under_way(id)) return watch_.failed();  // published() after the next observation asks again
    if (!question_ || question_->node != id) return;
    question_.reset();
    pacing_.finished();
    position_wanted_.store(true);  // published() after the next observation asks again
  }

  void lost(NodeId id, std::string_view why) override {
    unanswered(id);
    watch_.forget(id);
    Node& node = *nodes_[routing::index(id)];
    const auto now = Clock::now();
    if (!node.reported || now - *node.reported >= kLeastBetweenReports) {
      node.reported = now;
      events_.probe_failed(known().node(id).name, why);
      if (guard_.closed()) return;
    }
    apply(routing::NodeLost{id, now});
    published();
  }

  /// From when on commits are flushed before they are acknowledged, as far as settings tell.
  void note_flushing(const routing::Observation& primary) {
    const bool anew = std::exchange(flushing_incarnation_, primary.incarnation) != primary.incarnation;
    const bool flushes = primary.flushed.value != 0;
    if (flushes == flushes_ && !anew) return;
    flushes_ = flushes;
    if (flushes) {
      positions_.note_flushing(primary.answered_at);
    } else {
      positions_.note_flushing(std::nullopt);
    }
  }

  /// Asks the primary if an answer is wanted, there is a primary, and it is time.
  void ask_primary() {
    if (!position_wanted_.load() || !known().primary) return;
    const auto next = pacing_.next_start();
    if (!next || question_timer_set_) return;  // the answer under way, or the timer, brings us back
    Node& primary = *nodes_[routing::index(*known().primary)];
    const auto earliest = std::max(*next, primary.last_asked + settings_.position_interval);
    if (earliest <= Clock::now()) return primary.probe.ask_position();
    question_timer_set_ = true;
    question_timer_.expires_at(earliest);
    question_timer_.async_wait(guard_.wrap([this](const boost::system::error_code&) {
      question_timer_set_ = false;
      ask_primary();
    }));
  }

  /// Reads which transactions may be committing on the primary if somebody wants to know, and it is time.
  void ask_transactions() {
    if (!known().primary) return;
    watch_.follow(*known().primary);
    if (watch_timer_set_) return;
    const auto now = Clock::now();
    const auto earliest = watch_.next_reading(visibility_wanted_.load(), now);
    if (!earliest) return;
    if (*earliest <= now) return nodes_[routing::index(*known().primary)]->probe.ask_transactions();
    watch_timer_set_ = true;
    watch_timer_.expires_at(*earliest);
    watch_timer_.async_wait(guard_.wrap([this](const boost::system::error_code&) {
      watch_timer_set_ = false;
      ask_transactions();
    }));
  }

  void ask_node(Node& node) {
    if (!node.wanted.load() || node.timer_set) return;
    const bool primary = known().primary && nodes_[routing::index(*known().primary)].get() == &node;
    const auto earliest = node.last_asked + settings_.position_interval / (primary ? 1 : 2);
    if (earliest <= Clock::now()) return node.probe.ask_position();
    node.timer_set = true;
    node.timer.expires_at(earliest);
    node.timer.async_wait(guard_.wrap([this, &node](const boost::system::error_code&) {
      node.timer_set = false;
      ask_node(node);
    }));
  }

  void burst() {
    const auto now = Clock::now();
    if (now < last_burst_ + kLeastBetweenBursts) {
      burst_timer_.expires_at(last_burst_ + kLeastBetweenBursts);
      burst_timer_.async_wait(guard_.wrap([this](const boost::system::error_code&) { burst(); }));
      return;
    }
    last_burst_ = now;
    suspected_.store(false);
    for (std::size_t i = 0; i < node_count_; ++i) {
      if (known().nodes[i].fault != routing::NodeFault::removed) nodes_[i]->probe.probe_now();
    }
    if (discovery_) discovery_->hurry();
  }

  /// The primary, or while there is none any node that answers.
  [[nodiscard]] std::optional<CatalogReader::Server> catalog_server() const {
    const routing::NodeState* best = nullptr;
    for (const routing::NodeState& node : known().nodes) {
      if (node.fault != routing::NodeFault::none || node.host.empty()) continue;
      if (best == nullptr || known().primary == node.id) best = &node;
    }
    if (best == nullptr) return std::nullopt;
    return CatalogReader::Server{best->host_name, best->host, best->port, known().primary == best->id};
  }

  asio::io_context& io_;
  const ClusterSettings settings_;
  Events& events_;
  CallbackGuard guard_;
  routing::ClusterReducer reducer_;
  Snapshot<routing::ClusterView> view_;
  PositionLog positions_;
  VisibilityLog visibility_;
  bool flushes_ = false;
  std::uint64_t flushing_incarnation_ = 0;  // of the primary that told so
  Snapshot<routing::FunctionCatalogs> catalogs_;
  std::uint64_t incarnations_ = 0;
  PositionPacing pacing_;
  std::optional<Question> question_;
  asio::steady_timer question_timer_;
  bool question_timer_set_ = false;
  VisibilityWatch watch_;
  asio::steady_timer watch_timer_;
  bool watch_timer_set_ = false;
  asio::steady_timer burst_timer_;
  Clock::time_point last_burst_{};
  bool history_reported_ = false;
  // As many as there may ever be, so that the threads that look at one are not disturbed by new ones.
  std::array<std::unique_ptr<Node>, routing::ClusterView::kMostNodes> nodes_;
  std::atomic<std::size_t> node_count_{0};
  std::optional<Discovery> discovery_;
  std::optional<Clock::time_point> discovery_reported_;  // when the present streak of failures was reported
  CatalogReader reader_;
  std::function<void()> on_publish_;

  // Set by any thread; each is cleared right before the question that serves it is sent, so that a set flag
  // always means a question yet to come, and setting it again costs one exchange.
  std::atomic<bool> position_wanted_{false};
  std::atomic<bool> visibility_wanted_{false};
  std::atomic<bool> suspected_{false};
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<std::uint64_t> questions_{0};  // asked because somebody wanted an answer
};

ClusterMonitor::ClusterMonitor(asio::io_context& io, ClusterSettings settings, Events& events)
    : impl_(std::make_unique<Impl>(io, std::move(settings), events)) {}
ClusterMonitor::~ClusterMonitor() = default;

void ClusterMonitor::start() {
  impl_->start();
}
void ClusterMonitor::stop() {
  impl_->stop();
}
const Snapshot<routing::ClusterView>& ClusterMonitor::view() const {
  return impl_->view();
}
const PositionLog& ClusterMonitor::positions() const {
  return impl_->positions();
}
const VisibilityLog& ClusterMonitor::visibility() const {
  return impl_->visibility();
}
const Snapshot<routing::FunctionCatalogs>& ClusterMonitor::catalogs() const {
  return impl_->catalogs();
}
void ClusterMonitor::want_primary_position(bool someone_waits) {
  impl_->want_primary_position(someone_waits);
}
void ClusterMonitor::want_visibility() {
  impl_->want_visibility();
}
void ClusterMonitor::want_observation(NodeId node) {
  impl_->want_observation(node);
}
void ClusterMonitor::suspect(NodeId) {
  impl_->suspect();
}
void ClusterMonitor::want_catalog(std::string_view database) {
  impl_->want_catalog(database);
}
void ClusterMonitor::functions_changed(std::string_view database) {
  impl_->functions_changed(database);
}
void ClusterMonitor::order(const routing::Pause& pause) {
  impl_->order(pause);
}
void ClusterMonitor::order(const routing::Drain& drain) {
  impl_->order(drain);
}
void ClusterMonitor::on_publish(std::function<void()> callback) {
  impl_->on_publish(std::move(callback));
}
std::uint64_t ClusterMonitor::position_questions() const {
  return impl_->questions();
}

}  // namespace tidemark::pools

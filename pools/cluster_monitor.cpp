#include "pools/cluster_monitor.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/callback_guard.hpp"
#include "pools/catalog_reader.hpp"
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
        reducer_(unknown_cluster(settings_)),
        view_(std::make_shared<routing::ClusterView>(reducer_.view())),
        catalogs_(std::make_shared<routing::FunctionCatalogs>()),
        pacing_(settings_.position_interval),
        question_timer_(io),
        watch_(settings_.position_interval, std::max(kLeastPatience, 2 * settings_.probe_interval),
               visibility_),
        watch_timer_(io),
        burst_timer_(io),
        reader_(io, guard_, settings_, catalogs_, events_, [this] { return catalog_server(); }) {
    for (std::size_t i = 0; i < settings_.nodes.size(); ++i) {
      nodes_.push_back(
          std::make_unique<Node>(io_, guard_, settings_, static_cast<NodeId>(i), incarnations_, *this));
    }
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start() {
    post([this] {
      for (const auto& node : nodes_) node->probe.start();
    });
  }
  void stop() {
    guard_.close([this] {
      for (const auto& node : nodes_) {
        node->probe.stop();
        node->timer.cancel();
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
    if (routing::index(node) >= nodes_.size()) return;
    Node& wanted = *nodes_[routing::index(node)];
    if (!wanted.wanted.exchange(true)) post([this, &wanted] { ask_node(wanted); });
  }
  void suspect() {
    if (!suspected_.exchange(true)) post([this] { burst(); });
  }
  void want_catalog(std::string_view database) {
    post([this, name = std::string(database)] { reader_.want(name); });
  }
  void on_publish(std::function<void()> callback) { on_publish_ = std::move(callback); }

  [[nodiscard]] const Snapshot<routing::ClusterView>& view() const { return view_; }
  [[nodiscard]] const PositionLog& positions() const { return positions_; }
  [[nodiscard]] const VisibilityLog& visibility() const { return visibility_; }
  [[nodiscard]] const Snapshot<routing::FunctionCatalogs>& catalogs() const { return catalogs_; }

 private:
  struct Node {
    Node(asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings, NodeId id,
         std::uint64_t& incarnations, ProbeListener& listener)
        : probe(io, guard, settings, id, incarnations, listener), timer(io) {}
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
    // The periodic probe serves as a question too when one is wanted and due.
    if (known().primary != id || !position_wanted_.load()) return;
    const auto earliest = pacing_.next_start();
    if (!earliest || *earliest > node.last_asked) return;
    // In this order: who finds the flag set is served by a number greater than the last that it saw.
    position_wanted_.store(false);
    question_ = {positions_.begin_question(), id};
    pacing_.started(node.last_asked, writes_.load(std::memory_order_relaxed));
  }

  bool asking_transactions(NodeId id) override {
    if (known().primary != id) return false;
    // In this order, as above.
    const bool wanted = visibility_wanted_.exchange(false);
    watch_.started(id, wanted, Clock::now());
    return true;
  }

  void transactions(NodeId id, std::vector<std::uint32_t> xids) override {
    if (known().primary != id) return watch_.forget(id);
    if (watch_.under_way(id) && watch_.answered(std::move(xids))) return published();
    ask_transactions();
  }

  void observed(const routing::Observation& observation) override {
    nodes_[routing::index(observation.node)]->reported.reset();
    apply(observation);
    if (guard_.closed()) return;
    if (question_ && question_->node == observation.node) {
      const bool believed = !observation.in_recovery && known().primary == observation.node;
      if (believed) {
        positions_.answer(question_->number,
                          {observation.system_identifier, observation.timeline, observation.position});
      } else {
        position_wanted_.store(true);
      }
      question_.reset();
      pacing_.finished();
    }
    published();
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
      events_.probe_failed(settings_.nodes[routing::index(id)].name, why);
      if (guard_.closed()) return;
    }
    apply(routing::NodeLost{id, now});
    published();
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
    for (const auto& node : nodes_) node->probe.probe_now();
  }

  /// The primary, or while there is none any node that answers.
  [[nodiscard]] std::optional<CatalogReader::Server> catalog_server() const {
    const routing::NodeState* best = nullptr;
    for (const routing::NodeState& node : known().nodes) {
      if (node.fault != routing::NodeFault::none || node.host.empty()) continue;
      if (best == nullptr || known().primary == node.id) best = &node;
    }
    if (best == nullptr) return std::nullopt;
    return CatalogReader::Server{best->host, best->port};
  }

  asio::io_context& io_;
  const ClusterSettings settings_;
  Events& events_;
  CallbackGuard guard_;
  routing::ClusterReducer reducer_;
  Snapshot<routing::ClusterView> view_;
  PositionLog positions_;
  VisibilityLog visibility_;
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
  std::vector<std::unique_ptr<Node>> nodes_;
  CatalogReader reader_;
  std::function<void()> on_publish_;

  // Set by any thread; each is cleared right before the question that serves it is sent, so that a set flag
  // always means a question yet to come, and setting it again costs one exchange.
  std::atomic<bool> position_wanted_{false};
  std::atomic<bool> visibility_wanted_{false};
  std::atomic<bool> suspected_{false};
  std::atomic<std::uint64_t> writes_{0};
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
void ClusterMonitor::on_publish(std::function<void()> callback) {
  impl_->on_publish(std::move(callback));
}
std::uint64_t ClusterMonitor::position_questions() const {
  return impl_->positions().asked();
}

}  // namespace tidemark::pools

#include "pools/replication_watch.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

namespace tidemark::pools {

namespace asio = boost::asio;
using routing::NodeFault;

namespace {
/// However short the interval is.
constexpr std::chrono::nanoseconds kLeastInterval = std::chrono::milliseconds(10);
constexpr auto kStatementTimeout = std::chrono::seconds(2);
}  // namespace

ReplicationWatch::ReplicationWatch(asio::io_context& io, const ClusterSettings& cluster,
                                   const Snapshot<routing::ClusterView>& view, AlertSettings settings,
                                   ReplicationEvents& events)
    : io_(io),
      cluster_(cluster),
      view_(view),
      settings_(settings),
      events_(events),
      judge_(settings),
      timer_(io),
      health_(std::make_shared<ReplicationHealth>()) {}

void ReplicationWatch::start() {
  asio::post(io_, guard_.wrap([this] { round(); }));
}

void ReplicationWatch::change(AlertSettings settings) {
  asio::post(io_, guard_.wrap([this, settings] {
    settings_ = settings;
    judge_.change(settings);
    round();
  }));
}

void ReplicationWatch::stop() {
  guard_.close([this] {
    timer_.cancel();
    for (const Node& node : nodes_) node.reader->close();
  });
}

void ReplicationWatch::round() {
  if (settings_.interval.count() == 0) {
    timer_.cancel();
    for (const Node& node : nodes_) node.reader->close();
    notices_.clear();
    health_.publish(std::make_shared<ReplicationHealth>());
    return;
  }
  const auto view = view_.load();
  for (const auto& node : view->nodes) {
    if (routing::index(node.id) >= nodes_.size()) add_node(node);
    ask(node);
  }
  judge();
  timer_.expires_after(std::max(settings_.interval, kLeastInterval));
  timer_.async_wait(guard_.wrap([this](const boost::system::error_code& error) {
    // A timer that was set anew after it had expired still calls the first handler.
    if (!error && Clock::now() >= timer_.expiry()) round();
  }));
}

void ReplicationWatch::add_node(const routing::NodeState& node) {
  const std::size_t at = routing::index(node.id);
  Node added;
  added.reader = std::make_unique<ReplicationReader>(
      io_, guard_,
      [this, at](NodeFacts facts) {
        nodes_[at].unreadable = false;
        NodeReading& reading = readings_[at];
        reading = {std::move(facts), Clock::now(), reading.number + 1};
        judge();
      },
      [this, at, name = node.name](std::string_view why) {
        if (!std::exchange(nodes_[at].unreadable, true)) events_.replication_unreadable(name, why);
      });
  nodes_.push_back(std::move(added));
  readings_.emplace_back();
}

void ReplicationWatch::ask(const routing::NodeState& node) {
  ReplicationReader& reader = *nodes_[routing::index(node.id)].reader;
  if (node.fault == NodeFault::unreachable || node.fault == NodeFault::other_cluster ||
      node.fault == NodeFault::removed || node.host.empty())
    return reader.close();
  LibpqTarget target;
  target.host = node.host;
  target.port = node.port;
  target.user = cluster_.monitor_user;
  target.password = cluster_.monitor_password;
  target.database = cluster_.monitor_database;
  target.application_name = "tidemark-replication";
  target.host_name = node.host_name;
  target.tls = cluster_.server_tls;
  target.statement_timeout = kStatementTimeout;
  reader.ask(target);
}

void ReplicationWatch::judge() {
  const auto view = view_.load();
  const auto now = Clock::now();
  auto health = std::make_shared<ReplicationHealth>(judge_.judge(*view, readings_, now));
  health_.publish(health);
  tell(*health, now);
}

void ReplicationWatch::tell(const ReplicationHealth& health, Clock::time_point now) {
  for (const auto& [began, finding] : notices_.update(health.findings, now)) {
    const ReplicationNode& node = health.nodes[routing::index(finding.node)];
    if (began) {
      events_.alert_began(node.name, finding);
    } else {
      events_.alert_ended(node.name, finding, now - finding.since, node.known);
    }
  }
}

}  // namespace tidemark::pools

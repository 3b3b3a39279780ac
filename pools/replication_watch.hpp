#pragma once

#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/alert_notices.hpp"
#include "pools/alert_settings.hpp"
#include "pools/callback_guard.hpp"
#include "pools/pool_settings.hpp"
#include "pools/replication_events.hpp"
#include "pools/replication_judge.hpp"
#include "pools/replication_reader.hpp"
#include "pools/snapshot.hpp"

namespace tidemark::pools {

/// Asks every node of the view about replication, each on a connection of its own, and publishes what is
/// known. Never delays a probe: it has its own connections, and an answer takes a fraction of
/// a millisecond of the thread. On the
/// monitor's thread, unless marked.
class ReplicationWatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// All references must outlive the watch.
  ReplicationWatch(boost::asio::io_context& io, const ClusterSettings& cluster,
                   const Snapshot<routing::ClusterView>& view, AlertSettings settings,
                   ReplicationEvents& events);
  ~ReplicationWatch() { stop(); }
  ReplicationWatch(const ReplicationWatch&) = delete;
  ReplicationWatch& operator=(const ReplicationWatch&) = delete;

  /// (any thread) Begins; returns at once.
  void start();
  /// (any thread) From now on these settings hold; an interval of 0 closes the connections.
  void change(AlertSettings settings);
  /// (any thread) Closes the connections; nothing is published or told afterwards.
  void stop();

  /// (any thread) The state of replication; new after every answer and every `alerts.interval`.
  [[nodiscard]] const Snapshot<ReplicationHealth>& health() const { return health_; }

 private:
  struct Node {
    std::unique_ptr<ReplicationReader> reader;
    bool unreadable = false;
  };

  void round();
  void ask(const routing::NodeState& node);
  void add_node(const routing::NodeState& node);
  void judge();
  void tell(const ReplicationHealth& health, Clock::time_point now);

  boost::asio::io_context& io_;
  CallbackGuard guard_;
  const ClusterSettings& cluster_;
  const Snapshot<routing::ClusterView>& view_;
  AlertSettings settings_;
  ReplicationEvents& events_;
  ReplicationJudge judge_;
  boost::asio::steady_timer timer_;
  std::vector<Node> nodes_;            // by node id
  std::vector<NodeReading> readings_;  // likewise
  AlertNotices notices_;
  Snapshot<ReplicationHealth> health_;
};

}  // namespace tidemark::pools

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "pools/events.hpp"
#include "pools/pool_settings.hpp"
#include "pools/position_log.hpp"
#include "pools/snapshot.hpp"
#include "pools/visibility_log.hpp"
#include "routing/cluster_reducer.hpp"
#include "routing/cluster_view.hpp"
#include "routing/function_catalog.hpp"

namespace tidemark::pools {

/// Knows the nodes: probes each on a connection of its own, applies the reducer to every observation, and is
/// the only writer of the ClusterView, the PositionLog, the VisibilityLog and the function catalogs. Runs on
/// one io_context that one thread runs; the functions marked (any thread) may be called from everywhere and
/// never block.
class ClusterMonitor {
 public:
  ClusterMonitor(boost::asio::io_context& io, ClusterSettings settings, Events& events);
  ~ClusterMonitor();
  ClusterMonitor(const ClusterMonitor&) = delete;
  ClusterMonitor& operator=(const ClusterMonitor&) = delete;

  /// Starts probing; returns at once. Nodes that cannot be reached are tried for ever.
  void start();
  /// Closes the probe connections; nothing is published afterwards.
  void stop();

  [[nodiscard]] const Snapshot<routing::ClusterView>& view() const;           ///< (any thread)
  [[nodiscard]] const PositionLog& positions() const;                         ///< (any thread)
  [[nodiscard]] const VisibilityLog& visibility() const;                      ///< (any thread)
  [[nodiscard]] const Snapshot<routing::FunctionCatalogs>& catalogs() const;  ///< (any thread)

  /// (any thread) A write has completed, or a primary's answer was seen: asks the primary for its position
  /// soon. `someone_waits`: a session cannot go on without it.
  void want_primary_position(bool someone_waits);
  /// (any thread) A session is about to go from a replica to the primary: a question of the VisibilityLog
  /// that is begun after this call must be settled. MUST be called again whenever it is found unsettled after
  /// on_publish: the primary is no longer read when nobody has called for a second.
  void want_visibility();
  /// (any thread) Asks `node` for its position at once, if no such question is under way; answers that were
  /// asked for before this call do not count as the answer.
  void want_observation(routing::NodeId node);
  /// (any thread) The data path saw a sign that `node` died or changed its role: probes all nodes now.
  void suspect(routing::NodeId node);
  /// (any thread) Clients use `database`: its functions are read, and read again every minute.
  void want_catalog(std::string_view database);
  /// (any thread) Functions of `database` are about to change, or have just been changed: its catalog is
  /// outdated when this returns, and is read anew.
  void functions_changed(std::string_view database);

  /// (any thread) The operator's word: no transaction begins anywhere (Pause), or nothing new goes to a node
  /// (Drain); or that again. The view shows it soon.
  void order(const routing::Pause& pause);
  void order(const routing::Drain& drain);

  /// Called on the monitor's thread after every publication of the view, the positions or a settled question
  /// of the VisibilityLog. Set before start(); must not block.
  void on_publish(std::function<void()> callback);

  /// Position questions sent to the primary so far (any thread).
  [[nodiscard]] std::uint64_t position_questions() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::pools

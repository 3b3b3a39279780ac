#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "routing/cluster_view.hpp"

namespace tidemark::pools {

/// What this room tells the world; proxy turns it into logs and metrics. Called on the thread of the object
/// that reports, and must not block or call back.
class Events {
 public:
  virtual ~Events() = default;
  /// The topology of the view changed. Called by the cluster monitor's thread.
  virtual void view_changed(const routing::ClusterView& before, const routing::ClusterView& after) = 0;
  /// A probe failed; `why` holds no secret.
  virtual void probe_failed(std::string_view node, std::string_view why) = 0;
  /// The history of the primary's timeline cannot be read, for what reason; told once until it can be.
  virtual void history_unreadable(std::string_view node, std::string_view why) = 0;
  /// The authority did not answer, or nothing that makes sense; `why` holds no secret. What it said before
  /// stays.
  virtual void discovery_failed(std::string_view why) = 0;
  /// A server connection could not be established or was lost while in use.
  virtual void server_failed(std::string_view node, std::string_view database, std::string_view user,
                             std::string_view why) = 0;
  /// The functions of a database could not be read; every function counts as unsafe there until they are.
  virtual void catalog_failed(std::string_view database, std::string_view why) = 0;
};

}  // namespace tidemark::pools

#pragma once

#include <string_view>

#include "pools/replication_health.hpp"

namespace tidemark::pools {

/// What a ReplicationWatch tells. Called on the monitor's thread; must not block or call back.
class ReplicationEvents {
 public:
  /// An alert begins; of one that comes and goes no more than once a minute.
  virtual void alert_began(std::string_view node, const Finding& finding) = 0;
  /// Follows each alert_began. `known`: the node still answers, and the alert is over; else nobody knows.
  virtual void alert_ended(std::string_view node, const Finding& finding, routing::Duration lasted,
                           bool known) = 0;
  /// The node answers, but does not tell of replication; told once until it does.
  virtual void replication_unreadable(std::string_view node, std::string_view why) = 0;

 protected:
  ~ReplicationEvents() = default;
};

}  // namespace tidemark::pools

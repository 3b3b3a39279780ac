#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "pools/replication_health.hpp"

namespace tidemark::pools {

/// Which alerts are worth a line: each when it begins and when it ends, but of one that comes and goes no
/// more than one beginning in a minute; what is gone before it was told is not told at all. Pure.
class AlertNotices {
 public:
  using TimePoint = routing::TimePoint;
  struct Notice {
    bool began = false;  ///< false: it has ended
    Finding finding;     ///< as it was told, or as it was last seen
  };

  /// `findings`: all that are raised at `now`, each once.
  [[nodiscard]] std::vector<Notice> update(const std::vector<Finding>& findings, TimePoint now);
  /// Forgets all that was raised; no end is told.
  void clear() { raised_.clear(); }

 private:
  using Key = std::tuple<Alert, routing::NodeId, std::string>;
  struct Raised {
    Finding finding;
    bool told = false;
    bool present = false;
  };
  std::map<Key, Raised> raised_;
  std::map<Key, TimePoint> last_told_;
};

}  // namespace tidemark::pools

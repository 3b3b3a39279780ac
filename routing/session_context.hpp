#pragma once

#include <cstdint>
#include <optional>

#include "routing/cluster_view.hpp"
#include "routing/consistency.hpp"
#include "routing/wal_position.hpp"

namespace tidemark::routing {

/// A bound under what a session may be shown.
struct Floor {
  enum class Kind : std::uint8_t {
    none,     ///< nothing is required
    pending,  ///< something is, but its position is not learned yet
    known,    ///< `position` bounds it from above
  };
  Kind kind = Kind::none;
  WalPosition position;
};

/// The replica that answered the session last. Its state at `at` is an implicit floor (rule 5).
struct LastReplica {
  NodeId node{};
  std::uint64_t incarnation = 0;  ///< of the view by which the read was sent
  TimePoint at{};                 ///< when its last answer had been received in full
  /// When that read was sent: a connection established by then, and still alive, is of the same incarnation.
  TimePoint sent_at{};
};

/// All that decide() knows of a session. Pure values: the session translates its marks into floors.
struct SessionContext {
  ConsistencyLevel level = ConsistencyLevel::session;
  Floor written;  ///< the session's own writes
  Floor seen;     ///< what it was shown by the primary, or by replicas it has left
  std::optional<LastReplica> last_replica;
  std::uint64_t user_key = 0;  ///< hash that rendezvous pinning uses
  TimePoint arrived{};         ///< when the statement arrived: waits are counted from here
};

/// What decide() knows of a statement.
struct StatementContext {
  bool is_read = false;  ///< proven to be a read (statement_class.hpp)
  bool primary_only =
      false;  ///< a read that must run on the primary: refused by a replica before, or asked to
};

}  // namespace tidemark::routing

#pragma once

#include <cstdint>

#include <absl/container/inlined_vector.h>

#include "routing/cluster_view.hpp"
#include "routing/consistency.hpp"
#include "routing/routing_policy.hpp"
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
  TimePoint raised_at{};  ///< when the primary is known to have been there
};

/// A replica that has answered the user. Its state at `at` is an implicit floor (rule 5).
struct LastReplica {
  NodeId node{};
  std::uint64_t incarnation = 0;  ///< of the view by which the read was sent
  TimePoint at{};                 ///< when its last answer had been received in full
  /// When that read was sent: a connection established by then, and still alive, is of the same incarnation.
  TimePoint sent_at{};
  /// Number of the last question for the primary's position that had been asked by `at`: the next one's
  /// answer bounds what was shown. The greatest: not known. decide() looks neither at this nor at `order`.
  std::uint64_t asked = UINT64_MAX;
  std::uint64_t order = 0;  ///< place among the user's answers
};

using ShownBy = absl::InlinedVector<LastReplica, 1>;

/// All that decide() knows of a session. Pure values: the session translates its marks into floors.
struct SessionContext {
  ConsistencyLevel level = ConsistencyLevel::session;
  StalenessBound max_staleness;  ///< of bounded_staleness
  Floor written;                 ///< the user's own writes
  Floor seen;                    ///< what the user was shown by the primary, or by replicas that were left
  Floor required;                ///< what a token, or another proxy, says of either
  Floor strong;                  ///< under `strong`: what the primary had when the statement had arrived
  /// Replicas whose answers no floor bounds yet, each once; more than one only where several connections
  /// share a user.
  ShownBy shown;
  std::uint64_t user_key = 0;  ///< hash that rendezvous pinning uses
  TimePoint arrived{};         ///< when the statement arrived: waits are counted from here
};

/// What decide() knows of a statement.
struct StatementContext {
  bool is_read = false;  ///< proven to be a read (statement_class.hpp)
  bool primary_only =
      false;             ///< a read that must run on the primary: refused by a replica before, or asked to
  bool of_node = false;  ///< … because it reads what each node has of its own
};

}  // namespace tidemark::routing

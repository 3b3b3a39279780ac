#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/wal_position.hpp"

namespace tidemark::pools {

/// One row of a node's pg_stat_replication: somebody who receives its WAL. Texts are PostgreSQL's own.
struct StandbyFacts {
  std::string application_name;
  std::string client_address;  ///< empty: through a Unix socket
  std::string state;           ///< startup, catchup, streaming, backup, stopping
  std::string sync_state;      ///< async, potential, sync, quorum
  std::string slot_name;       ///< empty: without one
  bool logical = false;        ///< a logical slot's: no replica
  std::optional<routing::Lsn> sent, write, flush, replay;
  /// As PostgreSQL measures them; nullopt when the standby had nothing to catch up with of late.
  std::optional<std::chrono::microseconds> write_lag, flush_lag, replay_lag;

  /// A physical standby that applies what it receives: neither pg_basebackup nor pg_receivewal.
  [[nodiscard]] bool is_replica() const { return !logical && replay.has_value() && state != "backup"; }
  [[nodiscard]] bool streams() const { return state == "streaming"; }
};

/// One row of a node's pg_replication_slots.
struct SlotFacts {
  std::string name;
  bool logical = false;
  bool active = false;
  std::optional<routing::Lsn> restart;        ///< from here on WAL is kept; nullopt: never used, or all lost
  std::string wal_status;                     ///< reserved, extended, unreserved, lost; empty: never used
  std::optional<std::int64_t> safe_wal_size;  ///< bytes; nullopt: without max_slot_wal_keep_size, or lost
};

/// A replica's pg_stat_wal_receiver: whom it follows.
struct ReceiverFacts {
  std::string status;
  std::string sender_host;
  std::uint16_t sender_port = 0;
  std::string slot_name;
  std::string application_name;  ///< by which its sender knows it
};

/// Queries that recovery has cancelled, by cause, since the statistics were reset:
/// pg_stat_database_conflicts, all databases.
struct ConflictFacts {
  static constexpr std::array<std::string_view, 5> kCauses{"tablespace", "lock", "snapshot", "bufferpin",
                                                           "deadlock"};
  std::array<std::uint64_t, kCauses.size()> by_cause{};

  [[nodiscard]] std::uint64_t total() const;
};

/// What one node told of replication in one answer.
struct NodeFacts {
  bool in_recovery = false;
  /// What its standbys' positions are compared with: of a primary what it has written, of a replica what it
  /// has received.
  std::optional<routing::Lsn> position;
  std::optional<routing::Lsn> replay;  ///< of a replica
  std::string pause_state;             ///< of a replica: "not paused", "pause requested", "paused"
  std::optional<ReceiverFacts> receiver;
  std::string synchronous_standby_names;
  bool commits_wait = false;  ///< synchronous_commit, as set for the server, waits for standbys
  bool may_read_all = false;  ///< without pg_read_all_stats the standbys' and the receiver's columns are NULL
  ConflictFacts conflicts;
  std::vector<StandbyFacts> standbys;
  std::vector<SlotFacts> slots;
};

/// The question: one statement, whose rows are of several kinds.
extern const char* const kReplicationQuery;
inline constexpr std::size_t kReplicationColumns = 14;
using ReplicationRow = std::array<std::optional<std::string_view>, kReplicationColumns>;

/// Takes one row of the answer; false if it makes no sense.
[[nodiscard]] bool add_row(NodeFacts& facts, const ReplicationRow& row);

}  // namespace tidemark::pools

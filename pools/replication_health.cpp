#include "pools/replication_health.hpp"

namespace tidemark::pools {

namespace {

struct Words {
  std::string_view name;
  std::string_view advice;
};

constexpr std::array<Words, kAlerts> kWords{{
    {"too_few_replicas",
     "too few replicas stream from the primary: if it dies there may be none to promote; start them, and "
     "look "
     "into their logs"},
    {"not_streaming",
     "the node is no working replica: it falls behind and cannot take over; start it, look into its log and "
     "at "
     "primary_conninfo, pg_hba.conf and the WAL that its upstream still has"},
    {"replay_lag",
     "what it shows is old, and a promotion would take long: look for long queries on it "
     "(max_standby_streaming_delay), slow disks or network, recovery_min_apply_delay"},
    {"synchronous_standbys_short",
     "commits wait until enough standbys of synchronous_standby_names are connected: start them, or take "
     "them "
     "out of that setting"},
    {"synchronous_standby_missing",
     "commits go on with the others, but one more loss makes them wait or leaves data on fewer nodes: start "
     "it, or take it out of synchronous_standby_names"},
    {"slot_inactive",
     "nobody uses the slot, and the server keeps WAL for it: let its consumer connect, or drop it with "
     "pg_drop_replication_slot()"},
    {"slot_retains_wal",
     "the disk fills with WAL that the slot keeps: let its consumer catch up, drop the slot, or set "
     "max_slot_wal_keep_size"},
    {"slot_near_limit",
     "the slot soon loses WAL that its consumer needs: let that catch up, or raise max_slot_wal_keep_size"},
    {"slot_wal_lost",
     "WAL that the slot's consumer needs is removed or about to be: build the consumer anew, and drop the "
     "slot or raise max_slot_wal_keep_size"},
    {"replay_paused",
     "the replica receives WAL and does not apply it: pg_wal_replay_resume(), or find out who paused it; a "
     "lowered max_connections or the like pauses it, too"},
    {"recovery_conflicts",
     "recovery cancels queries on this replica: raise max_standby_streaming_delay, set hot_standby_feedback, "
     "or keep long queries elsewhere"},
    {"loss_window",
     "that much of what was committed would be lost with the primary: look at the replicas' flush and at the "
     "network, or make replication synchronous"},
}};

}  // namespace

std::string_view to_string(Alert alert) {
  return kWords[static_cast<std::size_t>(alert)].name;
}

std::string_view advice(Alert alert) {
  return kWords[static_cast<std::size_t>(alert)].advice;
}

}  // namespace tidemark::pools

#include "pools/replication_facts.hpp"

#include <charconv>
#include <cmath>
#include <numeric>

namespace tidemark::pools {

using routing::Lsn;

// One statement, so that what it tells of the node and of its standbys belongs together. The node's own
// position is read after the standbys', so that no standby seems to be ahead of it. Nothing here is of one
// version of PostgreSQL; 14 or newer has all of it. The receiver's conninfo has no passwords, and only the
// name by which the sender knows this replica is taken out of it.
const char* const kReplicationQuery = R"(
select 'standby', a.application_name, host(a.client_addr), a.state, a.sync_state, a.sent_lsn::text,
       a.write_lsn::text, a.flush_lsn::text, a.replay_lsn::text, extract(epoch from a.write_lag)::text,
       extract(epoch from a.flush_lag)::text, extract(epoch from a.replay_lag)::text, s.slot_name::text,
       s.slot_type
  from pg_stat_replication a left join pg_replication_slots s on s.active_pid = a.pid
union all
select 'slot', slot_name::text, slot_type, active::text, restart_lsn::text, wal_status, safe_wal_size::text,
       null, null, null, null, null, null, null
  from pg_replication_slots
union all
select 'conflicts', coalesce(sum(confl_tablespace), 0)::text, coalesce(sum(confl_lock), 0)::text,
       coalesce(sum(confl_snapshot), 0)::text, coalesce(sum(confl_bufferpin), 0)::text,
       coalesce(sum(confl_deadlock), 0)::text, null, null, null, null, null, null, null, null
  from pg_stat_database_conflicts
union all
select 'node', r.in_recovery::text,
       case when r.in_recovery then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
            else pg_current_wal_lsn() end::text,
       case when r.in_recovery then pg_last_wal_replay_lsn() end::text,
       case when r.in_recovery then pg_get_wal_replay_pause_state() end,
       w.status, w.sender_host, w.sender_port::text, w.slot_name,
       coalesce(substring(w.conninfo from '(?:^| )application_name=([^ ]*)'),
                substring(w.conninfo from '(?:^| )fallback_application_name=([^ ]*)')),
       current_setting('synchronous_standby_names'),
       (current_setting('synchronous_commit') in ('on', 'remote_write', 'remote_apply'))::text,
       pg_has_role('pg_read_all_stats', 'usage')::text, null
  from (select pg_is_in_recovery() as in_recovery) r left join pg_stat_wal_receiver w on true
)";

namespace {

std::string text(const std::optional<std::string_view>& value) {
  return std::string(value.value_or(std::string_view{}));
}

template <class Number>
std::optional<Number> number(const std::optional<std::string_view>& value) {
  if (!value) return std::nullopt;
  Number result{};
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, result);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return result;
}

std::optional<Lsn> lsn(const std::optional<std::string_view>& value) {
  return value ? routing::parse_lsn(*value) : std::nullopt;
}

std::optional<std::chrono::microseconds> lag(const std::optional<std::string_view>& value) {
  constexpr double kMost = 1e9;  // seconds
  const auto seconds = number<double>(value);
  if (!seconds || !std::isfinite(*seconds) || std::abs(*seconds) > kMost) return std::nullopt;
  return std::chrono::round<std::chrono::microseconds>(
      std::chrono::duration<double>(std::max(*seconds, 0.0)));
}

bool add_standby(NodeFacts& facts, const ReplicationRow& row) {
  StandbyFacts standby;
  standby.application_name = text(row[1]);
  standby.client_address = text(row[2]);
  standby.state = text(row[3]);
  standby.sync_state = text(row[4]);
  standby.sent = lsn(row[5]);
  standby.write = lsn(row[6]);
  standby.flush = lsn(row[7]);
  standby.replay = lsn(row[8]);
  standby.write_lag = lag(row[9]);
  standby.flush_lag = lag(row[10]);
  standby.replay_lag = lag(row[11]);
  standby.slot_name = text(row[12]);
  standby.logical = row[13] == "logical";
  facts.standbys.push_back(std::move(standby));
  return true;
}

bool add_slot(NodeFacts& facts, const ReplicationRow& row) {
  if (!row[1] || !row[3]) return false;
  SlotFacts slot;
  slot.name = text(row[1]);
  slot.logical = row[2] == "logical";
  slot.active = row[3] == "true";
  slot.restart = lsn(row[4]);
  slot.wal_status = text(row[5]);
  slot.safe_wal_size = number<std::int64_t>(row[6]);
  facts.slots.push_back(std::move(slot));
  return true;
}

bool add_conflicts(NodeFacts& facts, const ReplicationRow& row) {
  for (std::size_t i = 0; i < ConflictFacts::kCauses.size(); ++i) {
    const auto count = number<std::uint64_t>(row[1 + i]);
    if (!count) return false;
    facts.conflicts.by_cause[i] = *count;
  }
  return true;
}

bool add_node(NodeFacts& facts, const ReplicationRow& row) {
  if (!row[1] || !row[10] || !row[11] || !row[12]) return false;
  facts.in_recovery = row[1] == "true";
  facts.position = lsn(row[2]);
  facts.replay = lsn(row[3]);
  facts.pause_state = text(row[4]);
  if (row[5]) {
    facts.receiver = {text(row[5]), text(row[6]), number<std::uint16_t>(row[7]).value_or(0), text(row[8]),
                      text(row[9])};
  }
  facts.synchronous_standby_names = text(row[10]);
  facts.commits_wait = row[11] == "true";
  facts.may_read_all = row[12] == "true";
  return facts.in_recovery || facts.position;
}

}  // namespace

std::uint64_t ConflictFacts::total() const {
  return std::accumulate(by_cause.begin(), by_cause.end(), std::uint64_t{0});
}

bool add_row(NodeFacts& facts, const ReplicationRow& row) {
  if (row[0] == "standby") return add_standby(facts, row);
  if (row[0] == "slot") return add_slot(facts, row);
  if (row[0] == "conflicts") return add_conflicts(facts, row);
  return row[0] == "node" && add_node(facts, row);
}

}  // namespace tidemark::pools

#pragma once

/// What a NodeProbe prepares on its connection, and asks once of each server. Nothing here names a version of
/// PostgreSQL.
namespace tidemark::pools::probe_queries {

// The role is read once, in a subquery that PostgreSQL does not flatten because its function is volatile:
// a promotion in the middle cannot mix the two branches. The position comes before the timeline: the
// timeline of a recovering server only grows, so a position is never claimed for an older timeline than its
// own. A control file's timeline is of the last checkpoint: on a new primary that is the old one, so there
// the name of the WAL file being written tells; on a standby it is the floor when no WAL receiver runs.
//
// The flushed position is told only while no setting of the server, a role or a database can have made a
// commit asynchronous: the monitor's own value is the server's, since its role has none.
//
// Who may read the history file of the primary's timeline for us. No privilege on schema or function that is
// missing makes this an error. The function counts only if it runs as somebody who may read the file: anybody
// else's would be anybody's word, or run with the monitor's rights.
//
// A transaction has its id in its backend's PGPROC until the very moment when snapshots show it. Left out is
// who cannot be between flush and end: a backend that waits for its client or for a heavyweight lock. A
// prepared transaction has its id elsewhere, and stays for as long as nobody decides; it may be committing
// only while some backend says so, hides what it does (track_activities), or applies a subscription. The
// pattern does not match this text, which other proxies' probes show as theirs.
inline constexpr const char* kPrepare = R"(
prepare tidemark_position as
  select r.in_recovery,
         case when r.in_recovery then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end,
         case when r.in_recovery or current_setting('synchronous_commit') = 'off'
                   or exists (select from pg_db_role_setting
                               where array_to_string(setconfig, ' ') like '%synchronous_commit=%') then null
              else pg_current_wal_flush_lsn() end,
         case when r.in_recovery then (pg_stat_get_wal_receiver()).received_tli end
    from (select pg_is_in_recovery() as in_recovery) r;
prepare tidemark_probe as
  select r.in_recovery,
         case when r.in_recovery then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end,
         case when r.in_recovery or current_setting('synchronous_commit') = 'off'
                   or exists (select from pg_db_role_setting
                               where array_to_string(setconfig, ' ') like '%synchronous_commit=%') then null
              else pg_current_wal_flush_lsn() end,
         case when r.in_recovery
              then greatest((pg_stat_get_wal_receiver()).received_tli,
                            (pg_control_recovery()).min_recovery_end_timeline,
                            (pg_control_checkpoint()).timeline_id)
              else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int4 end,
         case when r.in_recovery then null
              when has_function_privilege('pg_read_file(text)', 'execute') then 'file'
              when exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                            where n.nspname = 'public' and p.proname = 'tidemark_timeline_history'
                              and p.pronargs = 0 and p.prosecdef and p.prorettype = 'text'::regtype
                              and has_function_privilege(p.proowner, 'pg_read_file(text)', 'execute')
                              and has_schema_privilege(n.oid, 'usage')
                              and has_function_privilege(p.oid, 'execute')) then 'function' end,
         current_setting('synchronous_standby_names') <> '',
         not r.in_recovery
           and exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                        where n.nspname = 'public' and p.proname = 'tidemark_timeline_end'
                          and p.pronargs = 0 and p.prosecdef and p.prorettype = 'bytea'::regtype
                          and has_function_privilege(
                                p.proowner, 'pg_read_binary_file(text,bigint,bigint,boolean)', 'execute')
                          and has_schema_privilege(n.oid, 'usage')
                          and has_function_privilege(p.oid, 'execute'))
    from (select pg_is_in_recovery() as in_recovery) r;
prepare tidemark_transactions as
  with activity as materialized (
    select backend_xid, coalesce(state, '') as state, coalesce(wait_event_type, '') as wait_event_type,
           coalesce(wait_event, '') as wait_event, query
      from pg_stat_get_activity(null))
  select backend_xid, wait_event = 'SyncRep' from activity
   where backend_xid is not null
     and state not in ('idle in transaction', 'idle in transaction (aborted)')
     and wait_event_type <> 'Lock' and wait_event <> 'ClientRead'
  union all
  select transaction, exists (select from activity where wait_event = 'SyncRep') from pg_prepared_xact()
   where exists (select from activity
                  where state = 'disabled' or state = 'active' and (query = '' or query ~* 'comm[i]t.*prepared'));
select (pg_control_system()).system_identifier,
       (pg_control_init()).bytes_per_wal_segment,
       (pg_control_init()).wal_block_size,
       pg_has_role('pg_read_all_stats', 'usage'),
       (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint)";

}  // namespace tidemark::pools::probe_queries

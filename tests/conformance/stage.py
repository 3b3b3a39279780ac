"""The cluster that scripts are played on, and the state in which each play begins."""

from __future__ import annotations

import time

from support.deadline import Deadline, wait_until
from support.postgres_cluster import APP_PASSWORD, PostgresCluster
from support.sql import Sql

PASSWORDS = {"app": APP_PASSWORD, "boss": "boss-secret"}
SETTINGS = {
    "max_prepared_transactions": 10,
    "max_locks_per_transaction": 256,
    "log_min_messages": "fatal",  # thousands of errors are asked for
    "deadlock_timeout": "50ms",
}

# What every script finds, in the schema public; all of it belongs to app.
TABLES = """
create table item (id int primary key, name text not null, price numeric(8,2) constraint item_price_positive check (price > 0));
insert into item values (1, 'tea', 2.50), (2, 'cake', 3.00), (3, 'milk', null);
create table line (id int primary key, item int constraint line_item references item deferrable initially deferred);
create table note (v text);
create type mood as enum ('sad', 'ok', 'happy');
create type pair as (a int, b text);
create domain small as int constraint small_enough check (value < 100);
create function add(a int, b int) returns int language sql immutable as 'select a + b';
create function fail(text) returns int language plpgsql as $$ begin raise exception '%', $1 using errcode = 'P0042',
  detail = 'the detail', hint = 'the hint', schema = 'sc', table = 'tb', column = 'co', constraint = 'cn', datatype = 'dt'; end $$;
create function heard(text) returns text language plpgsql as $$ begin raise notice '%', $1; return $1; end $$;
create procedure fill(n int, ends text) language plpgsql as $$ begin for i in 1..n loop insert into note values (i);
  if ends = 'commit' then commit; elsif ends = 'rollback' then rollback; end if; end loop; end $$;
"""

_CLEAN = """
do $$ declare n text; begin
  for n in select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' loop
    execute format('drop schema %I cascade', n); end loop;
  perform lo_unlink(oid) from pg_largeobject_metadata;
  if exists (select from pg_db_role_setting) then alter role app reset all; execute format('alter database %I reset all', current_database()); end if;
end $$
"""


class Stage:
    """One database. reset() puts it into the state that every script begins with, on all nodes."""

    database = "conformance"

    def __init__(self, cluster: PostgresCluster) -> None:
        self.cluster = cluster
        with cluster.primary.connect() as sql:
            sql.rows("create role boss superuser login password 'boss-secret'")
            sql.rows("create role clerk nologin")
            sql.rows("grant clerk to app")
            sql.rows(f"create database {self.database} owner app")
        cluster.wait_caught_up()
        # lock_timeout: a play that left a lock behind is to fail, not to hang the next one.
        options = "-c lock_timeout=5s -c client_min_messages=warning"
        self._primary = cluster.primary.connect(dbname=self.database, options=options)
        self._replicas = [node.connect(dbname=self.database) for node in cluster.replicas]

    def close(self) -> None:
        for sql in [self._primary, *self._replicas]:
            sql.close()

    def reset(self) -> None:
        for (name,) in self._primary.rows("select gid from pg_prepared_xacts where database = current_database()"):
            self._primary.rows(f"rollback prepared '{name}'")
        self._primary.rows(_CLEAN)
        self._primary.rows(
            "begin; create schema public authorization pg_database_owner; grant usage on schema public to public; "
            f"set local role app; {TABLES} commit"
        )
        self.wait_caught_up()

    def quiet(self) -> str:
        """What clients that have gone have left running after a while: empty if all is well."""
        question = (
            "select string_agg(state || ': ' || query, '; ') from pg_stat_activity where datname = current_database()"
            " and backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()"
        )
        deadline = Deadline(10)
        while True:
            left = [str(text) for sql in (self._primary, *self._replicas) if (text := sql.value(question))]
            locks = self._primary.value("select count(*) from pg_locks where locktype = 'advisory'")
            if not left and not locks:
                return ""
            if deadline.expired():
                for sql in (self._primary, *self._replicas):
                    sql.rows(question.replace("string_agg(state || ': ' || query, '; ')", "pg_terminate_backend(pid)"))
                self._primary.rows("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
                return f"left in the servers: {'; '.join(left)}; {locks} advisory locks"
            time.sleep(0.002)

    def wait_caught_up(self) -> None:
        """As the cluster's own, but a hundred times as often."""
        position = self._primary.value("select pg_current_wal_flush_lsn()::text")
        deadline = Deadline(20)
        for sql in self._replicas:
            while not sql.value("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [position]):
                assert not deadline.expired(), "the replicas do not follow"
                time.sleep(0.001)

    def outside(self, text: str) -> None:
        self._primary.rows(text)
        self.wait_caught_up()

    def wait_running(self, text: str) -> None:
        # Active is a statement from its arrival on: only what it waits for tells that it has come so far.
        question = (
            "select count(*) from pg_stat_activity where datname = current_database() and state = 'active'"
            " and pid <> pg_backend_pid() and position(%s in query) > 0 and wait_event = %s"
        )
        values = [text, "PgSleep" if "pg_sleep" in text else "ClientRead"]
        connections: list[Sql] = [self._primary, *self._replicas]
        wait_until(lambda: any(sql.value(question, values) for sql in connections), f"{text} to run", 20, 0.002)

    def wait_blocked(self, count: int) -> None:
        question = (
            "select count(*) >= %s from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock'"
        )
        wait_until(lambda: self._primary.value(question, [count]), f"{count} to wait for a lock", 20, 0.002)

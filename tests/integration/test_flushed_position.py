"""Which position bounds a write: the flushed one where its commit is known to have been synchronous, else the inserted.

A neighbour's open transaction writes WAL behind the commit and before the question, and nobody flushes it: a bound
below that was the flushed position.
"""

from __future__ import annotations

import base64
from typing import Callable, Iterator

import psycopg
import pytest

from support.deadline import wait_until
from support.lsn import lsn

pytestmark = pytest.mark.proxy_only


UPDATE = "update kept set v = v + 1"


class Bounds:
    """A database of its own, a client of the proxy there, and a neighbour who writes and never commits."""

    def __init__(self, proxy, primary, database: str, *further: str) -> None:
        self.proxy, self.primary, self.database = proxy, primary, database
        primary.rows(f"create database {database}")
        setup = ["create table kept (v int)", "insert into kept values (0)", "create table others (v int)"]
        with primary.connect(dbname=database) as sql:
            for statement in [*setup, "grant all on kept to app", *further]:
                sql.rows(statement)
        self.neighbour = primary.connect(dbname=database)
        self.neighbour.rows("begin")
        self.client = self.connect()

    def connect(self, **parameters: str) -> psycopg.Connection:
        dsn = self.proxy.dsn(connect_timeout=10, dbname=self.database)
        return psycopg.connect(dsn, autocommit=True, **parameters)

    def position(self, client: psycopg.Connection) -> int:
        token = client.execute("show tidemark.token").fetchone()[0]
        return int.from_bytes(base64.urlsafe_b64decode(token.partition(".")[2])[12:20], "big")

    def of(self, *statements: str, client: psycopg.Connection | None = None) -> str:
        """Which position bounds what `client` has seen and written when the statements are done."""
        client = client or self.client
        client.execute(UPDATE)
        self.position(client)  # asked now: the next question comes in half a second
        for statement in statements:
            client.execute(statement)
        self.neighbour.rows("insert into others values (1)")
        behind = lsn(self.neighbour.value("select pg_current_wal_insert_lsn()::text"))
        return "flushed" if self.position(client) < behind else "inserted"

    def are_flushed(self, *statements: str, client: psycopg.Connection | None = None) -> bool:
        # Some background process may have flushed what the neighbour wrote: not three times in a row.
        return any(self.of(*statements, client=client) == "flushed" for _ in range(3))

    def are_inserted(self, *statements: str, client: psycopg.Connection | None = None) -> bool:
        # On a busy machine half a second may have passed before the neighbour wrote, and the question with it: not
        # twice in a row.
        return any(self.of(*statements, client=client) == "inserted" for _ in range(2))

    def wait_until_known(self) -> None:
        wait_until(lambda: self.of(UPDATE) == "flushed", "the proxy to know that commits are flushed", 30)

    def close(self) -> None:
        self.client.close()
        self.neighbour.close()
        self.proxy.close()
        self.primary.rows(f"drop database {self.database} with (force)")


@pytest.fixture
def make_bounds(make_proxy, nodes, table) -> Iterator[Callable[..., Bounds]]:
    nodes.primary.alter_system({"wal_writer_delay": "10s"})
    proxy = make_proxy({"routing": {"position_interval": "500ms"}, "workers": {"threads": 1}})
    made: list[Bounds] = []

    def make(*further: str) -> Bounds:
        made.append(Bounds(proxy, nodes.primary, f"{table}_{len(made)}", *further))
        return made[-1]

    yield make
    for each in made:
        each.close()
    nodes.primary.alter_system({"wal_writer_delay": "200ms"})


@pytest.fixture
def bounds(make_bounds) -> Bounds:
    made = make_bounds()
    made.wait_until_known()
    return made


@pytest.mark.limit(180)
def test_what_is_known_to_be_flushed(bounds):
    wrong = [
        statements
        for statements in (
            ["insert into kept values (7)"],
            ["delete from kept where ctid in (select max(ctid) from kept)"],
            ["begin", "select * from kept", UPDATE, "savepoint s", "commit"],
            [f"{UPDATE} returning v"],
        )
        if not bounds.are_flushed(*statements)
    ]
    assert wrong == []


@pytest.mark.limit(180)
def test_what_may_not_have_been_flushed(bounds):
    wrong = []
    for statements in (
        [f"{UPDATE} where false"],
        [f"{UPDATE}; {UPDATE}"],
        [f"begin; {UPDATE}; commit; select 1"],
        ["begin", "set local synchronous_commit = off", UPDATE, "commit"],
        ["begin", "select set_config('synchronous_commit', 'off', true)", UPDATE, "commit"],
        ["begin", "do $$ begin set local synchronous_commit = off; end $$", UPDATE, "commit"],
        ["begin", UPDATE, "rollback"],
        ["/* tidemark: node=primary */ select 1"],
        [f"with w as ({UPDATE} returning 1) select count(*) from w"],
        ["set synchronous_commit = off", UPDATE],
    ):
        if not bounds.are_inserted(*statements):
            wrong.append(statements)
        bounds.client.execute("reset synchronous_commit")
        if not bounds.are_flushed(UPDATE):
            wrong.append(["what follows", *statements])
    assert wrong == []


@pytest.mark.limit(180)
def test_a_session_that_begins_with_a_setting_of_its_own_is_not_trusted(bounds):
    with bounds.connect(options="-c synchronous_commit=off") as client:
        assert bounds.are_inserted(UPDATE, client=client)
    with bounds.connect(options="-c work_mem=5MB") as client:
        assert bounds.are_flushed(UPDATE, client=client)


@pytest.mark.limit(180)
def test_a_user_with_a_key_is_bounded_by_what_its_last_connection_flushed(bounds):
    with bounds.connect() as client:
        client.execute("set tidemark.user = 'somebody'")
        assert bounds.are_flushed(UPDATE, client=client)


@pytest.mark.limit(180)
@pytest.mark.parametrize("whose", ["system", "role app", "database {database}"])
def test_a_setting_of_the_server_a_role_or_a_database_is_noticed_at_once_and_distrusted_for_long(bounds, whose):
    """Who was connected while it was there may have it still: only a later connection is known not to."""
    whose = whose.format(database=bounds.database)

    def shown(value: str) -> bool:
        return whose != "system" or bounds.primary.value("show synchronous_commit") == value

    bounds.primary.rows(f"alter {whose} set synchronous_commit = off")
    bounds.primary.reload()
    try:
        wait_until(lambda: shown("off"), "the setting to count", 10)
        assert bounds.are_inserted(UPDATE)
    finally:
        bounds.primary.rows(f"alter {whose} reset synchronous_commit")
        bounds.primary.reload()
    wait_until(lambda: shown("on"), "the setting to be gone", 10)
    assert bounds.are_inserted(UPDATE), "over a connection that was there before"


SET = "set_config('synchronous_' || 'commit', 'off', true)"

UNNOTICED = [
    "create unlogged table loose (v int)",
    "create function f() returns text language sql as $$ select set_config('synchronous_commit', 'off', true) $$",
    "create function f() returns void language sql set synchronous_commit = off as 'select 1'",
    "create function f(text, text) returns text language sql as 'select set_config($1, $2, true)'",
    "create function f(name text) returns void language plpgsql as "
    "$$ begin execute format('set local %I = off', name); end $$",
    f"create function f() returns text begin atomic select {SET}; end",
    f"create table loose (v text default {SET})",
    f"create table loose (v int check ({SET} = 'off'))",
    f"create domain loose as text default {SET}",
    f"create view loose with (security_barrier) as select {SET} as v",
    f"create policy p on kept using ({SET} = 'off')",
    "create function f() returns trigger language plpgsql as 'begin return new; end'; "
    f"create trigger t before update on kept for each row when ({SET} = 'off') execute function f()",
]

HARMLESS = [
    "create function f(text) returns text language sql as $$ select set_config('shop.tenant', $1, true) $$",
    "create function g() returns int begin atomic select 1; end",
    "create table further (v int default 7 check (v > 0), t text)",
    "create view of_further as select v from further where t like 'set %'",
    "create policy p on further using (t = current_setting('shop.tenant'))",
]


@pytest.mark.limit(240)
def test_a_database_in_which_it_would_go_unnoticed_is_not_trusted(make_bounds):
    doubtful = {what: make_bounds(what) for what in UNNOTICED}
    for bounds in doubtful.values():
        bounds.of(UPDATE)  # its catalog is read no later than that of the last one
    make_bounds(*HARMLESS).wait_until_known()
    assert [what for what, bounds in doubtful.items() if not bounds.are_inserted(UPDATE)] == []

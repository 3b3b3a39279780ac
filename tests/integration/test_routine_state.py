"""State that only the body of a routine tells of: it keeps its session at its server, or follows it, as any other.

The pool has one server connection, so whoever waits for a session that keeps it is told so, and whoever comes behind
one that has gone would meet what it left."""

from __future__ import annotations

import psycopg
import pytest

from support import wire
from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only

ROUTINES = """
create table rs_plain (v int);
create table rs_watched (v int);
create table rs_parent (v int) partition by range (v);
create table rs_part partition of rs_parent for values from (0) to (10);
create table rs_key (v int primary key);
create table rs_follower (v int references rs_key on delete cascade);
create function rs_lock(n int) returns int language plpgsql as $$ begin perform pg_advisory_lock(n); return n; end $$;
create function rs_unlock(n int) returns bool language sql as $$ select pg_advisory_unlock(n) $$;
create function rs_outer(n int) returns int language sql stable as $$ select rs_lock(n) + 1 $$;
create function rs_plain(n int) returns int language plpgsql as $$ begin return n; end $$;
create function rs_safe() returns int language sql stable as $$ select 1 $$;
create function rs_temp() returns void language plpgsql as $$ begin create temp table rs_t (v int); end $$;
create function rs_run(what text) returns void language plpgsql as $$ begin execute 'create ' || what; end $$;
create function rs_body(n int) returns int begin atomic select rs_lock(n); end;
create function rs_tune() returns void language plpgsql as $$ begin set work_mem = '5MB'; end $$;
create function rs_tenant(v text) returns text language sql as $$ select set_config('rs.tenant', v, false) $$;
create function rs_any(k text, v text) returns text language sql as $$ select set_config(k, v, false) $$;
create function rs_listen() returns void language plpgsql as $$ begin listen rs; end $$;
create procedure rs_call(really bool) language plpgsql as $$ begin if really then perform rs_lock(1); end if; end $$;
create function rs_trigger() returns trigger language plpgsql as $$ begin perform rs_lock(1); return null; end $$;
create trigger rs after insert on rs_watched for each row execute function rs_trigger();
create trigger rs after insert on rs_part for each row execute function rs_trigger();
create trigger rs after delete on rs_follower for each row execute function rs_trigger();
create view rs_view as select rs_lock(1) as v;
"""
CLEAN = """
do $$ declare f text; begin
  for f in select oid::regprocedure from pg_proc where proname like 'rs\\_%' loop execute 'drop routine ' || f || ' cascade'; end loop;
  for f in select oid::regclass from pg_class where relname like 'rs\\_%' and relkind in ('r', 'p') and not relispartition
    loop execute 'drop table ' || f || ' cascade'; end loop;
end $$
"""


@pytest.fixture(scope="module")
def small(cluster):
    from support.proxy_process import ProxyProcess

    with cluster.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows(CLEAN)
        sql.rows(ROUTINES)
    cluster.wait_caught_up()
    server = ProxyProcess(cluster.addresses, {"pool": {"size": 1, "queue_timeout": "1s"}, "workers": {"threads": 1}},
                          directory=cluster.directory)  # fmt: skip
    server.start()
    await_catalog(server, cluster)
    yield server
    server.check_sanitizers()
    server.close()
    with cluster.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows(CLEAN)


def await_catalog(server, cluster) -> None:
    """Functions that the catalog calls safe go to replicas, but not before it has been read."""
    ports = {node.port for node in cluster.replicas}
    with connect(server) as one:
        wait_until(lambda: value(one, "select inet_server_port() * rs_safe()") in ports, "the functions to be read", 20)


def connect(server):
    return psycopg.connect(server.dsn(connect_timeout=10), autocommit=True, prepare_threshold=None)


def value(connection, sql):
    return connection.execute(sql).fetchone()[0]


def write(server) -> None:
    """Needs the one server connection to the primary."""
    with connect(server) as other:
        other.execute("insert into rs_plain values (1)")


def pins(server, reason: str) -> float:
    return server.metrics().sum("tidemark_pinned_sessions", reason=reason)


# The reason, what makes the state.
MAKERS = [
    ("advisory_lock", ["select rs_lock(1)"]),
    ("advisory_lock", ["select n from rs_plain(1) a, public.\"rs_lock\"(1) n"]),
    ("advisory_lock", ["select rs_outer(1)"]),
    ("advisory_lock", ["select rs_body(1)"]),
    ("advisory_lock", ["insert into rs_plain select rs_lock(1)"]),
    ("advisory_lock", ["begin", "select rs_lock(1)", "rollback"]),
    ("advisory_lock", ["call rs_call(false)"] * 20 + ["call rs_call(true)"]),
    ("advisory_lock", ["do $$ begin perform rs_lock(1); end $$"]),
    ("advisory_lock", ["insert into rs_watched values (1)"]),
    ("advisory_lock", ["insert into rs_parent values (1)"]),
    ("advisory_lock", ["insert into rs_key values (1)", "insert into rs_follower values (1)", "delete from rs_key"]),
    ("advisory_lock", ["select * from rs_view"]),
    ("temporary", ["select rs_temp()"]),
    ("temporary", ["select rs_run('temp table rs_t (v int)')"]),
    ("listen", ["select rs_listen()"]),
    ("unknown", ["select rs_any('rs.' || 'tenant', '1')"]),
    # Functions that nobody has read yet.
    ("advisory_lock", ["create function rs_new() returns int language sql as 'select rs_lock(1)'", "select rs_new()"]),
    ("advisory_lock", ["begin", "create function rs_new() returns int language sql as 'select rs_lock(1)'",
                       "select rs_new()", "commit"]),  # fmt: skip
    ("advisory_lock", ["create or replace function rs_safe() returns int language sql as 'select rs_lock(1)'",
                       "select rs_safe()"]),  # fmt: skip
]


@pytest.mark.parametrize("reason, make", MAKERS, ids=[f"{m[0]}: {m[1][-1][:40]}" for m in MAKERS])
def test_what_a_routine_leaves_keeps_its_session(small, shop, reason, make):
    try:
        with connect(small) as one:
            for statement in make:
                one.execute(statement)
            wait_until(lambda: pins(small, reason) == 1, f"the pin by {reason}", 10)
            with pytest.raises(psycopg.OperationalError, match="no server connection became free"):
                write(small)
        write(small)
        with connect(small) as other:
            assert value(other, "with w as (insert into rs_plain values (1)) select count(*) from pg_locks"
                                " where locktype = 'advisory'") == 0  # fmt: skip
    finally:
        shop("drop function if exists rs_new()",
             "create or replace function rs_safe() returns int language sql stable as 'select 1'",
             "delete from rs_key")  # fmt: skip


def test_a_routine_that_ends_state_lets_go_of_the_server(small):
    with connect(small) as one:
        assert value(one, "select rs_lock(1)") == 1
        wait_until(lambda: pins(small, "advisory_lock") == 1, "the pin", 10)
        assert value(one, "select rs_unlock(1)") is True
        wait_until(lambda: pins(small, "advisory_lock") == 0, "the end of the pin", 10)
        write(small)


def test_settings_of_a_routine_follow_its_session(small):
    with connect(small) as one, connect(small) as other:
        one.execute("select rs_tune()")
        assert value(one, "select rs_tenant('42')") == "42"
        for _ in range(3):
            assert value(other, "select current_setting('rs.tenant', true)") in (None, "")
            assert value(other, "insert into rs_plain values (1) returning current_setting('work_mem')") == "4MB"
            assert value(one, "select current_setting('rs.tenant', true)") == "42"
            assert value(one, "insert into rs_plain values (1) returning current_setting('rs.tenant')") == "42"
            assert value(one, "show work_mem") == "5MB"
        assert not any(pins(small, reason) for reason in ("unknown", "unaskable"))


def test_a_parameter_of_ones_own_that_a_block_sets_follows_its_session(small):
    with connect(small) as one, connect(small) as other:
        one.execute("do $$ begin perform set_config('rs.block', '7', false); end $$")
        assert value(other, "insert into rs_plain values (1) returning current_setting('rs.block', true)") in (None, "")
        assert value(one, "insert into rs_plain values (1) returning current_setting('rs.block', true)") == "7"


def test_an_update_of_pg_settings_is_a_set(small):
    with connect(small) as one, connect(small) as other:
        one.execute("update pg_settings set setting = '5120' where name = 'work_mem'")
        assert value(other, "insert into rs_plain values (1) returning current_setting('work_mem')") == "4MB"
        assert value(one, "insert into rs_plain values (1) returning current_setting('work_mem')") == "5MB"
        assert value(one, "show work_mem") == "5MB"


def test_a_fastpath_call_is_asked_about_unless_it_is_about_large_objects(small):
    with wire.WireClient(small.host, small.port) as one:
        one.login("app", "app-secret", "shop")

        def call(oid: int, *arguments: bytes) -> list[wire.Message]:
            body = oid.to_bytes(4, "big") + b"\0\1\0\1" + len(arguments).to_bytes(2, "big")
            for argument in arguments:
                body += len(argument).to_bytes(4, "big") + argument
            return one.ask(wire.message("F", body + b"\0\1"))

        assert call(957, (-1).to_bytes(4, "big", signed=True))[-1].type == "Z"  # lo_creat
        write(small)
        assert call(2880, (4711).to_bytes(8, "big"))[-1].type == "Z"  # pg_advisory_lock(bigint)
        wait_until(lambda: pins(small, "advisory_lock") == 1, "the pin by the lock", 10)


def test_a_table_whose_triggers_leave_state_is_read_at_replicas(small, cluster):
    ports = {node.port for node in cluster.replicas}
    with connect(small) as one:
        question = "select inet_server_port() + 0 * count(*) from rs_watched"
        wait_until(lambda: value(one, question) in ports, "the read to go to a replica", 20)
        write(small)


def test_what_leaves_nothing_keeps_nothing(small):
    with connect(small) as one:
        for statement in ["select rs_plain(1)", "select rs_run('table rs_made ()')", "drop table rs_made",
                          "call rs_call(false)", "insert into rs_key values (7)", "delete from rs_key where v = 7"]:  # fmt: skip
            one.execute(statement)
            write(small)

"""State that cannot move keeps its session at its server: as long as it is there, and no longer.

The pool has one server connection, so whoever waits for a session that keeps it is told so."""

from __future__ import annotations

import contextlib
import signal
import time

import psycopg
import pytest

from support import wire
from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only

# What makes the state, what ends it, the label of the reason.
STATES = [
    ("listen", ["listen a"], ["unlisten a"]),
    ("listen", ["listen a", "listen b"], ["unlisten *"]),
    ("listen", ["begin", "listen a", "commit"], ["discard all"]),
    ("temporary", ["create temp table pin_t (v int)"], ["drop table pin_t"]),
    ("temporary", ["create temp table pin_t (v int)"], ["discard temp"]),
    ("temporary", ["create function pg_temp.f() returns int language sql as 'select 1'"], ["discard all"]),
    ("temporary", ["select 1 as v into temp pin_t"], ["discard all"]),
    ("advisory_lock", ["select pg_advisory_lock(4711)"], ["select pg_advisory_unlock(4711)"]),
    ("advisory_lock", ["select pg_try_advisory_lock_shared(1, 2)"], ["select pg_advisory_unlock_all()"]),
    ("held_cursor", ["begin", "declare c cursor with hold for select 1", "commit"], ["close c"]),
    ("role", ["set role app"], ["reset role"]),
    ("role", ["set session authorization app", "set role app"], ["set role none"]),
    ("prepared", ["prepare p as select 1"], ["deallocate p"]),
    ("prepared", ["prepare p as select 1", "prepare q as select 1"], ["deallocate all"]),
]
# What leaves nothing, although it looks like it.
NOTHING = [
    ["begin", "listen a", "rollback"],
    ["begin", "create temp table pin_t (v int) on commit drop", "commit"],
    ["begin", "create temp table pin_t (v int)", "rollback"],
    ["select pg_advisory_lock(1)", "select pg_advisory_unlock(1)"],
    ["select pg_advisory_unlock_all(); close all; unlisten *; reset all;"],
    ["set work_mem = '5MB'"],
    ["set search_path = pg_catalog, public"],
    ["begin", "set work_mem = '5MB'", "savepoint a", "set work_mem = '6MB'", "rollback to a", "commit"],
    ["select set_config('my.name', 'x', false)"],
    ["do $$ begin perform 1; end $$"],
    ["set statement_timeout = '10s'; set lock_timeout = '10s'"],
]


@pytest.fixture(scope="module")
def _small(request, cluster):
    from support.proxy_process import ProxyProcess

    server = ProxyProcess(cluster.addresses, {"pool": {"size": 1, "queue_timeout": "1s"}}, directory=cluster.directory)
    server.start()
    yield server
    server.close()


@pytest.fixture
def small(_small):
    yield _small
    _small.check_sanitizers()
    assert _small.running(), _small.log_tail()


def run(connection, statements):
    for statement in statements:
        # Several statements in one Query need the simple protocol, which takes no parameters.
        connection.execute(statement)


def write(server) -> None:
    """Needs the one server connection to the primary."""
    with psycopg.connect(server.dsn(connect_timeout=10), autocommit=True) as other:
        other.execute("create table if not exists public.pin_other (v int)")


def pins(server, reason: str) -> float:
    return server.metrics().sum("tidemark_pinned_sessions", reason=reason)


@pytest.mark.parametrize("reason, make, end", STATES, ids=[f"{s[0]}-{s[2][0]}" for s in STATES])
def test_state_keeps_its_server_until_it_ends(small, reason, make, end):
    with psycopg.connect(small.dsn(connect_timeout=10), autocommit=True) as one:
        run(one, make)
        wait_until(lambda: pins(small, reason) == 1, f"the pin by {reason}", 10)
        with pytest.raises(psycopg.OperationalError, match="no server connection became free") as refused:
            write(small)
        assert refused.value.sqlstate == "53300"
        run(one, end)
        wait_until(lambda: pins(small, reason) == 0, f"the end of the pin by {reason}", 10)
        write(small)


@pytest.mark.parametrize("statements", NOTHING, ids=lambda s: s[0][:40])
def test_what_leaves_nothing_keeps_nothing(small, statements):
    with psycopg.connect(small.dsn(connect_timeout=10), autocommit=True) as one:
        run(one, statements)
        write(small)


def test_a_rolled_back_setting_is_gone_and_a_committed_one_stays(small):
    with psycopg.connect(small.dsn(connect_timeout=10), autocommit=True) as one:
        run(one, ["set work_mem = '5MB'", "begin", "set work_mem = '6MB'", "savepoint a", "set work_mem = '7MB'",
                  "set my.name = 'x'", "rollback to a", "commit"])
        write(small)
        assert one.execute("show work_mem").fetchone()[0] == "6MB"
        assert one.execute("select current_setting('my.name', true)").fetchone()[0] in (None, "")
        run(one, ["begin", "set work_mem = '8MB'", "reset my.name", "rollback"])
        write(small)
        assert one.execute("show work_mem").fetchone()[0] == "6MB"


def test_a_session_that_ends_with_its_state_gives_its_server_back_clean(small):
    with contextlib.closing(psycopg.connect(small.dsn(connect_timeout=10), autocommit=True)) as one:
        run(one, ["listen a", "create temp table pin_t (v int)", "set work_mem = '5MB'", "prepare p as select 1",
                  "select pg_advisory_lock(4712)"])
    with psycopg.connect(small.dsn(connect_timeout=10), autocommit=True) as other:
        assert other.execute("show work_mem").fetchone()[0] == "4MB"
        # On the primary, where the other one was.
        other.execute("begin")
        other.execute("create table if not exists public.pin_other (v int)")
        left = other.execute(
            "select (select count(*) from pg_listening_channels()) + (select count(*) from pg_prepared_statements"
            " where from_sql) + (select count(*) from pg_class where relnamespace = pg_my_temp_schema()) +"
            " (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())"
        ).fetchone()[0]
        assert left == 0
        other.execute("commit")


def test_a_pinned_session_whose_server_dies_is_told_what_it_lost(small, cluster):
    with psycopg.connect(small.dsn(connect_timeout=10), autocommit=True) as one:
        one.execute("listen a")
        pid = one.execute("select pg_backend_pid()").fetchone()[0]
        cluster.primary.value("select pg_terminate_backend(%s)", (pid,))
        with pytest.raises(psycopg.OperationalError, match="LISTEN|closed the connection"):
            for _ in range(100):
                one.execute("select 1")


def test_a_notification_right_behind_an_answer_is_told_at_once(make_proxy, cluster):
    """Both arrive in one packet, since the proxy is stopped meanwhile."""
    proxy = make_proxy()
    state = "select state from pg_stat_activity where query = 'select 1 from pg_sleep(0.5) /* and then */'"
    with wire.WireClient(proxy.host, proxy.port) as client, cluster.primary.connect(dbname="shop") as direct:
        client.login("app", "app-secret", "shop")
        client.ask(wire.query("listen packet"))
        direct.rows("listen packet")
        for _ in range(3):
            client.send(wire.query("select 1 from pg_sleep(0.5) /* and then */"))
            wait_until(lambda: direct.value(state) == "active", "the statement to run")
            proxy.process.send_signal(signal.SIGSTOP)
            try:
                wait_until(lambda: direct.value(state) == "idle", "the statement to end")
                direct.rows("notify packet, 'behind'")
                time.sleep(0.3)  # for the other backend to have it sent; the test proves nothing if it has not
            finally:
                proxy.process.send_signal(signal.SIGCONT)
            client.until_ready()
            assert client.receive().type == "A"


def test_notifications_that_a_client_does_not_take_wait_for_it(make_proxy, cluster):
    proxy = make_proxy()
    count, text = 4000, "n" * 7000
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.login("app", "app-secret", "shop")
        client.ask(wire.query("listen flood"))
        # More than all sockets in between hold.
        cluster.primary.rows(f"select pg_notify('flood', g || '{text}') from generate_series(1, {count}) g", dbname="shop")
        blocked = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'"
        wait_until(lambda: cluster.primary.value(blocked) == 1, "the server to be unable to send more")
        told = [client.receive() for _ in range(count)]
        assert {message.type for message in told} == {"A"}
        assert [message.body[10:].split(b"n")[0].decode() for message in told] == [str(n) for n in range(1, count + 1)]


def test_session_mode_keeps_one_server_to_the_end(make_proxy):
    server = make_proxy({"pool": {"mode": "session", "size": 2}})
    with psycopg.connect(server.dsn(connect_timeout=10), autocommit=True) as one:
        pids = {one.execute("select pg_backend_pid()").fetchone()[0] for _ in range(5)}
        assert len(pids) == 1
        assert not one.execute("select pg_is_in_recovery()").fetchone()[0]
        run(one, ["create temp table pin_t (v serial)", "insert into pin_t default values"])
        assert one.execute("select lastval()").fetchone()[0] == 1
        assert pins(server, "session_mode") == 1
    with psycopg.connect(server.dsn(connect_timeout=10), autocommit=True) as other:
        assert other.execute("select to_regclass('pin_t')").fetchone()[0] is None
    wait_until(lambda: pins(server, "session_mode") == 0, "the end of both sessions", 10)


@pytest.mark.parametrize("begin", ["begin", "start transaction read only", "begin; select 1; commit", "begin read only"])
def test_statement_mode_refuses_transaction_blocks(make_proxy, begin):
    server = make_proxy({"pool": {"mode": "statement"}})
    with psycopg.connect(server.dsn(connect_timeout=10), autocommit=True) as one:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="statement pooling mode"):
            one.execute(begin)
        assert one.execute("select 1").fetchone()[0] == 1


def test_sequence_state_of_another_transaction_is_refused_not_invented(make_proxy):
    small = make_proxy({"pool": {"size": 1, "queue_timeout": "1s"}, "workers": {"threads": 1}})
    with psycopg.connect(small.dsn(connect_timeout=10), autocommit=True) as one:
        run(one, ["create table if not exists pin_serial (v serial)", "insert into pin_serial default values"])
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            one.execute("select lastval()")
        run(one, ["begin", "insert into pin_serial default values"])
        assert one.execute("select lastval() = max(v) from pin_serial").fetchone()[0]
        one.execute("commit")
    with psycopg.connect(small.dsn(connect_timeout=10), autocommit=True) as other:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not yet defined in this session"):
            other.execute("select lastval()")


# What frameworks send on every connection that they make, and what each statement must meet from then on.
CONNECTS = {
    "Rails": (  # PostgreSQLAdapter#configure_connection, and what it asks for
        {}, ["SET client_encoding TO 'unicode'", "SET client_min_messages TO 'warning'",
             "SET search_path TO public, pg_catalog", "SET standard_conforming_strings = on",
             "SET intervalstyle = iso_8601", "SET SESSION timezone TO 'UTC'", "SET SESSION statement_timeout TO '5s'",
             "SET SESSION lock_timeout TO DEFAULT", "SHOW max_identifier_length"],
        {"client_min_messages": "warning", "search_path": "public, pg_catalog", "IntervalStyle": "iso_8601",
         "statement_timeout": "5s", "client_encoding": "UTF8"}),
    "Django": (
        {"options": "-c statement_timeout=7s"},
        ["SELECT set_config('TimeZone', 'Asia/Tokyo', false)", "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL"
         " REPEATABLE READ"],
        {"TimeZone": "Asia/Tokyo", "statement_timeout": "7s", "default_transaction_isolation": "repeatable read"}),
    "SQLAlchemy": (
        {}, ["select pg_catalog.version()", "select current_schema()", "show standard_conforming_strings", "begin",
             "set search_path to pg_catalog", "commit"],
        {"search_path": "pg_catalog"}),
    "Hibernate": (  # and what pgjdbc sends for it
        {"options": "-c extra_float_digits=2"},
        ["SET extra_float_digits = 3", "SET application_name = 'PostgreSQL JDBC Driver'",
         "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"],
        {"extra_float_digits": "3", "application_name": "PostgreSQL JDBC Driver", "default_transaction_read_only": "off"}),
    "psycopg": (
        {"options": "-c datestyle=German -c lock_timeout=3s", "application_name": "till"}, [],
        {"DateStyle": "German, DMY", "lock_timeout": "3s", "application_name": "till"}),
}  # fmt: skip


@pytest.mark.parametrize("framework", CONNECTS)
def test_what_frameworks_set_on_every_connection_costs_no_pin(small, cluster, framework):
    startup, statements, expected = CONNECTS[framework]
    reasons = ("listen", "temporary", "advisory_lock", "held_cursor", "role", "prepared", "unknown", "unaskable")
    question = f"select inet_server_port()::text, {', '.join(f'current_setting({name!r})' for name in expected)}"
    replicas = {str(node.port) for node in cluster.replicas}
    write(small)
    with psycopg.connect(small.dsn(connect_timeout=10), autocommit=True, prepare_threshold=None, **startup) as one:
        run(one, statements)

        def ask() -> tuple[str, dict[str, str]]:
            port, *values = one.execute(question).fetchone()
            return port, dict(zip(expected, values))

        for _ in range(2):
            write(small)  # takes the server of the primary in between
            wait_until(lambda: ask()[0] in replicas, "the replica to have what was written", 10)
            assert ask()[1] == expected
            one.execute("begin")
            one.execute("insert into public.pin_other values (1)")
            assert ask() == (str(cluster.primary.port), expected)
            one.execute("rollback")
        assert not [reason for reason in reasons if pins(small, reason)]

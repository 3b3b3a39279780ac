"""Every limit at its boundary: n are served, n + 1 wait or are refused, with a text that names the limit and its value."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import threading
from typing import Any, Callable, Iterator

import psycopg
import psycopg2
import pytest

from support import wire
from support.deadline import PATIENCE, wait_until

pytestmark = pytest.mark.proxy_only

WRITE = "select pg_current_xact_id()"


@pytest.fixture
def web(cluster) -> Iterator[dict[str, str]]:
    """A second user; the users of a proxy that knows both."""
    cluster.primary.rows("create role web login password 'web-secret'")
    cluster.primary.rows("create database shop2 owner app")
    cluster.wait_caught_up()
    yield {"app": "app-secret", "web": "web-secret"}
    cluster.primary.rows("drop database shop2 with (force)")
    cluster.primary.rows("drop role web")


def connect(proxy, autocommit: bool = True, **changes: Any) -> psycopg.Connection:
    return psycopg.connect(proxy.dsn(connect_timeout=20, **changes), autocommit=autocommit)


def log_in(proxy, user: str = "app", database: str = "shop", **parameters: str) -> tuple[wire.WireClient, wire.Message]:
    """A client of the bare protocol, and the last message of its login."""
    client = wire.WireClient(proxy.host, proxy.port)
    return client, client.login(user, f"{user}-secret", database, **parameters)[-1]


@dataclasses.dataclass(frozen=True)
class Notice:
    """A copy: a diagnostic reads from a result that lives no longer than its handler's call."""

    severity: str | None
    sqlstate: str | None
    message_primary: str
    message_detail: str
    message_hint: str

    @classmethod
    def of(cls, diagnostic: psycopg.errors.Diagnostic) -> "Notice":
        return cls(
            diagnostic.severity,
            diagnostic.sqlstate,
            diagnostic.message_primary or "",
            diagnostic.message_detail or "",
            diagnostic.message_hint or "",
        )


def notices_of(connection: psycopg.Connection) -> list[Notice]:
    seen: list[Notice] = []
    connection.add_notice_handler(lambda diagnostic: seen.append(Notice.of(diagnostic)))
    return seen


def rejections(proxy, limit: str) -> float:
    return proxy.metrics().sum("tidemark_limit_rejections_total", limit=limit)


@contextlib.contextmanager
def in_background(call: Callable[[], Any]) -> Iterator[concurrent.futures.Future]:
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        yield threads.submit(call)


# -- the queue for server connections --


@pytest.mark.parametrize(
    "limit, other",
    [
        ("size", {}),
        ("max_server_connections", {"dbname": "shop2"}),
        ("max_user_server_connections", {"dbname": "shop2"}),
        ("max_database_server_connections", {"user": "web", "password": "web-secret"}),
    ],
)
def test_who_waits_in_vain_is_told_for_which_limit(make_proxy, web, limit, other):
    proxy = make_proxy({"pool": {"size": 1, limit: 1, "queue_timeout": "500ms"}}, users=web)
    try:
        with connect(proxy, autocommit=False) as holder, connect(proxy, **other) as waiting:
            holder.execute(WRITE)
            with pytest.raises(psycopg.errors.TooManyConnections) as caught:
                waiting.execute(WRITE)
            diagnosis = caught.value.diag
            assert diagnosis.message_primary == (
                "no server connection became free within pool.queue_timeout = 500ms"
            )
            assert f"The limit that was reached is pool.{limit} = 1 (" in diagnosis.message_detail
            assert "not executed" in diagnosis.message_hint and f"pool.{limit}" in diagnosis.message_hint
            assert rejections(proxy, f"pool.{limit}") == 1
            # The client whose statement was refused is still connected, and the one in its way was not disturbed.
            assert holder.execute("select 1").fetchone() == (1,)
            holder.rollback()
            assert waiting.execute(WRITE + " is not null").fetchone() == (True,)
    finally:
        proxy.close()


def test_a_login_that_waits_in_vain_is_told_for_which_limit(make_proxy, cluster, web):
    # One node alone: a greeting may come from any, and here that one is taken.
    changes = {"pool": {"size": 1, "max_server_connections": 1, "queue_timeout": "500ms"}}
    proxy = make_proxy(changes, users=web, nodes=[cluster.primary.address])
    try:
        with connect(proxy, autocommit=False) as holder:
            holder.execute(WRITE)
            client, last = log_in(proxy, "web", "shop2")
            with client:
                assert last.type == "E" and last.sqlstate == "53300", last
                assert last.fields()["S"] == "FATAL"
                assert "pool.max_server_connections = 1" in last.fields()["D"]
                assert client.closed()
            assert rejections(proxy, "pool.max_server_connections") == 1
    finally:
        proxy.close()


def test_who_waits_for_long_is_told_what_for_and_how_many_are_before_it(make_proxy):
    proxy = make_proxy({"pool": {"size": 1, "queue_timeout": "60s", "queue_notice": "100ms"}, "workers": {"threads": 1}})
    with connect(proxy, autocommit=False) as holder, connect(proxy) as first, connect(proxy) as second:
        holder.execute(WRITE)
        told_first, told_second = notices_of(first), notices_of(second)
        with in_background(lambda: first.execute(WRITE)) as one:
            wait_until(lambda: proxy.metrics().sum("tidemark_clients", state="waiting") == 1, "the first to wait", 10)
            with in_background(lambda: second.execute(WRITE)) as two:
                wait_until(lambda: min(len(told_first), len(told_second)) >= 2, "two notices each", 20)
                assert proxy.metrics().sum("tidemark_queue_notices_total") >= 4
                holder.rollback()
                one.result(20 * PATIENCE)
                two.result(20 * PATIENCE)
    for told, before in (told_first, "0 clients are"), (told_second, "1 client is"):
        assert len(told) >= 2, "at growing distances, but again"
        assert told[0].severity == "NOTICE" and told[0].sqlstate == "53300"
        assert told[0].message_primary.startswith("waiting for a server connection since ")
        assert 'pool.size = 1 (server connections of user "app" to database "shop"' in told[0].message_detail
        assert f"{before} before this one" in told[0].message_detail
        assert "pool.queue_timeout = 1min" in told[0].message_hint
    # Both were served in the end: being told is not being refused.
    assert rejections(proxy, "pool.size") == 0


def test_a_client_that_wants_no_notices_gets_none(make_proxy):
    proxy = make_proxy({"pool": {"size": 1, "queue_timeout": "2s", "queue_notice": "50ms"}})
    with connect(proxy, autocommit=False) as holder:
        holder.execute(WRITE)
        with connect(proxy, options="'-c client_min_messages=warning'") as waiting:
            told = notices_of(waiting)
            with pytest.raises(psycopg.errors.TooManyConnections):
                waiting.execute(WRITE)
            assert told == []


def test_a_notice_may_come_in_a_pipeline_and_harms_nothing(make_proxy):
    proxy = make_proxy({"pool": {"size": 1, "queue_timeout": "60s", "queue_notice": "50ms"}})
    with connect(proxy, autocommit=False) as holder:
        holder.execute(WRITE)
        client, _ = log_in(proxy)
        with client:
            client.send(wire.parse("", WRITE) + wire.bind("") + wire.execute() + wire.SYNC + wire.query("select 7"))
            seen = client.until("N")
            assert [message.type for message in seen] == ["N"] and seen[0].sqlstate == "53300"
            holder.rollback()
            types = [message.type for message in client.until_ready() if message.type != "N"]
            assert types == ["1", "2", "D", "C", "Z"]
            assert [message.type for message in client.until_ready() if message.type != "N"] == ["T", "D", "C", "Z"]


def test_a_held_write_is_told_that_it_waits_for_a_primary(make_proxy, nodes):
    proxy = make_proxy({"cluster": {"failover_hold": "60s"}, "pool": {"queue_notice": "100ms"}})
    with connect(proxy) as client:
        told = notices_of(client)
        client.execute(WRITE)
        client.execute("select 1")  # by then it is known what the write has left in its server
        nodes.primary.stop("immediate")
        with in_background(lambda: client.execute(WRITE)) as held:
            wait_until(lambda: proxy.metrics().sum("tidemark_queue_notices_total") >= 1, "a notice", 20)
            nodes.primary.start()
            held.result(40 * PATIENCE)
        waited = [notice for notice in told if notice.sqlstate == "57P03"]
        assert waited and waited[0].message_primary.startswith("waiting for a primary server since ")
        assert "cluster.failover_hold = 1min" in waited[0].message_hint


@pytest.mark.limit(120)
def test_a_pool_without_a_connection_is_served_though_others_never_rest(make_proxy, web):
    proxy = make_proxy({"pool": {"size": 1, "max_server_connections": 1, "queue_timeout": "60s"}}, users=web)
    stop = threading.Event()

    def work() -> int:
        served = 0
        with connect(proxy) as busy:
            while not stop.is_set():
                busy.execute(WRITE)
                served += 1
        return served

    try:
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            busy = [threads.submit(work) for _ in range(4)]
            try:
                with connect(proxy, dbname="shop2") as other:
                    for _ in range(5):
                        assert other.execute(WRITE + " is not null").fetchone() == (True,)
            finally:
                stop.set()
            assert all(each.result(60 * PATIENCE) > 0 for each in busy), "nor do they starve in turn"
    finally:
        proxy.close()


def test_nobody_waits_while_the_worker_next_door_holds_an_idle_connection(make_proxy):
    proxy = make_proxy({"pool": {"size": 1, "queue_timeout": "3s"}, "workers": {"threads": 4}})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(proxy)) for _ in range(8)]
        for turn in range(5):
            for client in clients:  # one after the other, on all workers: each finds the one connection somewhere
                assert client.execute(WRITE + " is not null").fetchone() == (True,), turn
    assert rejections(proxy, "pool.size") == 0


# -- clients --


def test_one_client_too_many_is_53300(make_proxy):
    proxy = make_proxy({"pool": {"max_client_connections": 5}})
    held = [psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) for _ in range(5)]
    try:
        with wire.WireClient(proxy.host, proxy.port) as client:
            last = client.login("app", "app-secret", "shop")[-1]
            assert last.type == "E" and last.sqlstate == "53300", last
            assert "max_client_connections" in last.fields()["M"] + last.fields().get("D", "") + last.fields().get("H", "")
            assert client.closed()
        assert rejections(proxy, "pool.max_client_connections") == 1
        held.pop().close()
        with wait_until(lambda: proxy.connect(), "the place to be free", 10, ignore=(psycopg2.Error,)) as sql:
            assert sql.value("select 1") == 1
    finally:
        for connection in held:
            connection.close()


def test_refused_clients_take_nobodys_place(make_proxy):
    proxy = make_proxy({"pool": {"max_client_connections": 3}})
    with contextlib.ExitStack() as stack:
        held = [connect(proxy) for _ in range(3)]
        for _ in range(10):  # too many, and they say nothing and stay
            stack.enter_context(wire.WireClient(proxy.host, proxy.port))
        wait_until(lambda: rejections(proxy, "pool.max_client_connections") == 10, "all to be refused", 10)
        for client in held:
            client.close()
        with contextlib.ExitStack() as again:
            for _ in range(3):
                again.enter_context(wait_until(lambda: connect(proxy), "a place", 10, ignore=(psycopg.Error,)))


def test_a_full_house_still_takes_cancel_requests(make_proxy, cluster):
    proxy = make_proxy({"pool": {"max_client_connections": 1}})

    def log_in_alone() -> wire.WireClient | None:
        made, last = log_in(proxy)
        return made if last.type == "Z" else None

    with wait_until(log_in_alone, "the start's own client to be gone", 10) as client:
        client.send(wire.query("select pg_sleep(60)"))
        # Not the proxy's word for it: a server that has not begun has nothing to cancel.
        running = "select 1 from pg_stat_activity where state = 'active' and query = 'select pg_sleep(60)'"
        wait_until(lambda: any(node.rows(running) for node in cluster.nodes), "the statement to run", 10)
        with wire.WireClient(proxy.host, proxy.port) as other:
            other.send(wire.request(wire.CANCEL_REQUEST, client.key))
            assert other.closed()
        assert client.until("E")[-1].sqlstate == "57014"


@pytest.mark.parametrize(
    "limit, text, full, free",
    [
        ("max_user_client_connections", 'too many connections for role "app"', ("app", "shop2"), ("web", "shop")),
        ("max_database_client_connections", 'too many connections for database "shop"', ("web", "shop"), ("app", "shop2")),
    ],
)
def test_one_client_of_a_user_or_database_too_many(make_proxy, web, limit, text, full, free):
    proxy = make_proxy({"pool": {limit: 4}, "workers": {"threads": 2}}, users=web)
    try:
        with contextlib.ExitStack() as stack:
            held = [log_in(proxy)[0] for _ in range(4)]
            for client in held:
                stack.enter_context(client)
            client, last = log_in(proxy, *full)
            with client:
                assert last.type == "E" and last.sqlstate == "53300", last
                fields = last.fields()
                assert fields["S"] == "FATAL" and fields["M"] == text
                assert f"The limit that was reached is pool.{limit} = 4." in fields["D"]
                assert f"pool.{limit}" in fields["H"]
                assert client.closed()
            assert rejections(proxy, f"pool.{limit}") == 1
            other, last = log_in(proxy, *free)
            with other:
                assert last.type == "Z", "others are not concerned"
            # Those who were there are not disturbed, and a place that becomes free can be taken.
            for client in held:
                assert client.ask(wire.query("select 1"))[-1].type == "Z"
            held.pop().close()

            def log_in_again() -> bool:
                again, message = log_in(proxy, *full)
                stack.enter_context(again)
                return message.type == "Z"

            wait_until(log_in_again, "the place to be free", 10)
    finally:
        proxy.close()


def test_a_wrong_password_takes_no_place_of_its_user(make_proxy):
    proxy = make_proxy({"pool": {"max_user_client_connections": 1}})
    for _ in range(3):
        with wire.WireClient(proxy.host, proxy.port) as client:
            assert client.login("app", "wrong", "shop")[-1].sqlstate == "28P01"
    client, last = log_in(proxy)
    with client:
        assert last.type == "Z"
    assert rejections(proxy, "pool.max_user_client_connections") == 0


# -- time --


def test_a_login_that_takes_too_long_is_ended(make_proxy):
    proxy = make_proxy({"auth": {"timeout": "1s"}})
    with wire.WireClient(proxy.host, proxy.port) as silent, wire.WireClient(proxy.host, proxy.port) as slow:
        slow.send(wire.startup({"user": "app", "database": "shop"}))
        last = slow.until("E")[-1]
        assert last.sqlstate == "57014" and last.fields()["S"] == "FATAL"
        assert last.fields()["M"] == "canceling authentication due to timeout"
        assert "auth.timeout = 1s" in last.fields().get("D", "") + last.fields().get("H", "")
        assert slow.closed() and silent.closed()
    wait_until(
        lambda: proxy.metrics().sum("tidemark_clients_closed_total", reason="auth.timeout") == 2,
        "both to be counted", 10,
    )
    with connect(proxy) as client:
        assert client.execute("select 1").fetchone() == (1,)


def test_an_idle_client_is_closed_and_one_in_a_transaction_is_not(make_proxy):
    proxy = make_proxy({"pool": {"client_idle_timeout": "1s"}})
    with connect(proxy, autocommit=False) as busy:
        busy.execute(WRITE)
        client, _ = log_in(proxy)
        with client:
            last = client.until("E")[-1]
            assert last.sqlstate == "57P05" and last.fields()["S"] == "FATAL"
            assert last.fields()["M"] == "terminating connection due to idle-session timeout"
            assert "pool.client_idle_timeout = 1s" in last.fields()["D"]
            assert client.closed()
        assert busy.execute("select 1").fetchone() == (1,)
        busy.commit()
    assert proxy.metrics().sum("tidemark_clients_closed_total", reason="pool.client_idle_timeout") == 1


def test_a_client_that_works_is_never_idle(make_proxy):
    proxy = make_proxy({"pool": {"client_idle_timeout": "1s", "idle_transaction_timeout": "1s"}})
    with connect(proxy) as client:
        client.execute("select pg_sleep(3)")
        assert client.execute("select 1").fetchone() == (1,)
    assert proxy.metrics().sum("tidemark_clients_closed_total") == 0


def test_a_transaction_left_open_is_rolled_back_and_its_server_freed(make_proxy, cluster, table):
    proxy = make_proxy({"pool": {"idle_transaction_timeout": "1s", "size": 1, "queue_timeout": "30s"}})
    cluster.primary.rows("select 1")
    with connect(proxy) as setup:
        setup.execute(f"create table {table} (id int)")
        client, _ = log_in(proxy)
        with client:
            client.ask(wire.query("begin"))
            client.ask(wire.query(f"insert into {table} values (1)"))
            last = client.until("E")[-1]
            assert last.sqlstate == "25P03" and last.fields()["S"] == "FATAL"
            assert last.fields()["M"] == "terminating connection due to idle-in-transaction timeout"
            assert "pool.idle_transaction_timeout = 1s" in last.fields()["D"]
            assert client.closed()
        # The only server connection is free again, and the row is not there.
        assert setup.execute(f"with w as (select pg_current_xact_id()) select count(*) from {table}, w").fetchone() == (0,)
    assert proxy.metrics().sum("tidemark_clients_closed_total", reason="pool.idle_transaction_timeout") == 1


def test_a_failed_transaction_left_open_is_ended_too(make_proxy):
    proxy = make_proxy({"pool": {"idle_transaction_timeout": "1s"}})
    client, _ = log_in(proxy)
    with client:
        client.ask(wire.query("begin"))
        assert client.ask(wire.query("select 1/0"))[-1].body == b"E"
        assert client.until("E")[-1].sqlstate == "25P03"
        assert client.closed()


def test_a_statement_that_runs_too_long_is_cancelled_and_its_client_goes_on(make_proxy):
    proxy = make_proxy({"pool": {"query_timeout": "1s"}})
    with connect(proxy) as client:
        told = notices_of(client)
        for statement in "select pg_sleep(50)", "select pg_current_xact_id(), pg_sleep(50)":
            with pytest.raises(psycopg.errors.QueryCanceled):
                client.execute(statement)
            assert client.execute("select 1").fetchone() == (1,)
        assert [notice.message_primary for notice in told] == ["canceling statement due to query timeout"] * 2
        assert "pool.query_timeout = 1s" in told[0].message_detail
    assert rejections(proxy, "pool.query_timeout") == 2


def test_short_statements_are_not_cancelled_by_a_time_limit_they_keep(make_proxy):
    proxy = make_proxy({"pool": {"query_timeout": "5s"}})
    with connect(proxy) as client:
        for _ in range(200):
            assert client.execute("select 1").fetchone() == (1,)
    assert rejections(proxy, "pool.query_timeout") == 0


# -- bytes before the login --


def test_a_startup_packet_that_is_too_long_is_refused_unread(make_proxy):
    proxy = make_proxy()
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send((1 << 30).to_bytes(4, "big") + (196608).to_bytes(4, "big"))
        assert client.closed()
    with connect(proxy) as other:
        assert other.execute("select 1").fetchone() == (1,)


# -- servers --


def test_max_server_connections_holds_over_databases_and_users(make_proxy, cluster):
    cluster.primary.rows("create database shop2 owner app")
    cluster.wait_caught_up()
    proxy = make_proxy({"pool": {"size": 5, "max_server_connections": 6, "queue_timeout": "30s"}})
    count = "select count(*) from pg_stat_activity where query like '%/* server limit */' and pid <> pg_backend_pid()"

    def work(index: int) -> int:
        with proxy.connect(seconds=60, dbname="shop2" if index % 2 else "shop") as sql:
            sql.rows("select pg_current_xact_id(), pg_sleep(0.05) /* server limit */")
            return cluster.primary.value(count)

    try:
        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            assert max(threads.map(work, range(48))) <= 6
    finally:
        proxy.close()
        cluster.primary.rows("drop database shop2 with (force)")


@pytest.mark.parametrize("limit", ["max_client_statements = 3", "max_client_statement_memory = 1kB"])
def test_prepared_statements_of_one_client(make_proxy, limit):
    key, value = limit.split(" = ")
    proxy = make_proxy({"pool": {key: int(value) if value.isdigit() else value, "size": 2}})
    text = "select 1" if value.isdigit() else "select '" + "x" * 320 + "'"
    with log_in(proxy)[0] as client:

        def prepare(name: str, more: bytes = b"") -> list[wire.Message]:
            return client.ask(wire.parse(name, text) + more + wire.SYNC)

        def is_refused(replies: list[wire.Message], status: bytes) -> None:
            assert [reply.type for reply in replies] == ["E", "Z"], replies
            fields = replies[0].fields()
            assert fields["S"] == "ERROR" and fields["C"] == "54000" and f"pool.{limit}" in fields["D"], fields
            assert replies[1].body == status

        for name in ("a", "b", "c"):
            assert prepare(name)[0].type == "1"
        is_refused(prepare("d", wire.bind("d") + wire.execute()), b"I")
        assert client.ask(wire.query("begin"))[-1].body == b"T"
        is_refused(prepare("d"), b"E")
        assert client.ask(wire.query("rollback"))[-1].body == b"I"
        # What it has goes on, as do the unnamed statement and a name that is given back.
        assert [reply.type for reply in client.ask(wire.bind("c") + wire.execute() + wire.SYNC)] == list("2DCZ")
        assert prepare("")[0].type == "1"
        replies = client.ask(wire.close_statement("a") + wire.parse("d", text) + wire.bind("d") + wire.execute() + wire.SYNC)
        assert [reply.type for reply in replies] == list("312DCZ")
        is_refused(client.ask(wire.parse("e", "begin read only" + " " * 1000) + wire.bind("e") + wire.execute() + wire.SYNC), b"I")
        assert client.ask(wire.bind("a") + wire.SYNC)[0].sqlstate == "26000"
    assert proxy.metrics().sum("tidemark_limit_rejections_total", limit=f"pool.{key}") == 3

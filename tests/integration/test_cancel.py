"""CancelRequest ends the statement it means, wherever that is, and nothing else."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time
from typing import Iterator

import psycopg
import pytest
from psycopg import errors

from support import wire
from support.deadline import wait_until


@contextlib.contextmanager
def cancelling(connection: psycopg.Connection) -> Iterator[None]:
    """Cancels until the block is over: a request that comes before the statement has begun ends nothing."""
    over = threading.Event()

    def cancel() -> None:
        while not over.wait(0.3):
            connection.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_running_statement_is_cancelled(proxy):
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        with cancelling(connection), pytest.raises(errors.QueryCanceled):
            connection.execute("select pg_sleep(30)")
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_running_write_is_cancelled(proxy, table, shop):
    shop(f"create table {table} (v int)")
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        with cancelling(connection), pytest.raises(errors.QueryCanceled):
            connection.execute(f"insert into {table} select 1 from pg_sleep(30)")
        assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_a_cancel_in_a_transaction_fails_it_until_rollback(proxy):
    with psycopg.connect(proxy.dsn(connect_timeout=10)) as connection:
        connection.execute("select pg_current_xact_id()")
        with cancelling(connection), pytest.raises(errors.QueryCanceled):
            connection.execute("select pg_sleep(30)")
        with pytest.raises(errors.InFailedSqlTransaction):
            connection.execute("select 1")
        connection.rollback()
        connection.execute("select 1")


def test_a_cancel_with_a_wrong_key_does_nothing_and_is_closed(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.login("app", "app-secret", "shop")
        assert client.key is not None and len(client.key) == 8
        client.send(wire.query("select pg_sleep(1)"))
        wrong = client.key[:7] + bytes([client.key[7] ^ 1])
        with wire.WireClient(proxy.host, proxy.port) as canceller:
            canceller.send(wire.request(wire.CANCEL_REQUEST, wrong))
            assert canceller.closed()
        assert "".join(reply.type for reply in client.until_ready()) == "TDCZ"


def test_a_cancel_while_idle_does_not_hit_the_next_statement(proxy):
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        for _ in range(20):
            connection.cancel()
        time.sleep(0.2)  # a cancel of PostgreSQL's own is not acknowledged either; give a stray one its chance
        assert connection.execute("select 'alive' from pg_sleep(0.2)").fetchone() == ("alive",)


@pytest.mark.proxy_only
def test_a_statement_that_waits_in_the_queue_is_cancelled(make_proxy):
    proxy = make_proxy({"pool": {"size": 1, "queue_timeout": "30s"}})
    with psycopg.connect(proxy.dsn(connect_timeout=10)) as holder:
        holder.execute("select pg_current_xact_id()")  # the only connection to the primary is taken
        with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as waiting:
            with cancelling(waiting), pytest.raises(errors.QueryCanceled):
                waiting.execute("select pg_current_xact_id()")
            holder.rollback()
            assert waiting.execute("select 1").fetchone() == (1,)


@pytest.mark.proxy_only
@pytest.mark.limit(90)
def test_a_stormy_canceller_never_hits_its_neighbour_on_the_same_server(make_proxy):
    proxy = make_proxy({"pool": {"size": 1}})
    stop = threading.Event()

    def victim() -> int:
        done = 0
        with psycopg.connect(proxy.dsn(connect_timeout=20), autocommit=True) as connection:
            while not stop.is_set():
                connection.execute("select pg_current_xact_id(), pg_sleep(0.002)")
                done += 1
        return done

    def canceller() -> int:
        cancelled = 0
        with psycopg.connect(proxy.dsn(connect_timeout=20), autocommit=True) as connection:
            for _ in range(100):
                timer = threading.Timer(0.002, connection.cancel)
                timer.start()
                try:
                    connection.execute("select pg_current_xact_id(), pg_sleep(0.002)")
                except errors.QueryCanceled:
                    cancelled += 1
                timer.join()
        return cancelled

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        victims = [threads.submit(victim) for _ in range(2)]
        try:
            threads.submit(canceller).result()
        finally:
            stop.set()
        assert all(neighbour.result() > 0 for neighbour in victims)  # raises if one was cancelled


@pytest.mark.proxy_only
def test_a_cancelled_statement_has_left_the_server(proxy, cluster):
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        with cancelling(connection), pytest.raises(errors.QueryCanceled):
            connection.execute("select pg_sleep(31)")
    for node in cluster.nodes:
        wait_until(
            lambda node=node: node.value(
                "select count(*) = 0 from pg_stat_activity where state = 'active' and query = 'select pg_sleep(31)'"
            ),
            "the statement to be gone",
            5,
        )


def copying(proxy, table: str) -> wire.WireClient:
    """A client in the middle of COPY FROM STDIN, which a server ends only when it hears of the cancel and of more data."""
    client = wire.WireClient(proxy.host, proxy.port)
    assert client.login("app", "app-secret", "shop")[-1].type == "Z"
    client.send(wire.query(f"copy {table} from stdin"))
    assert client.receive().type == "G"
    return client


def cancel_of(proxy, client: wire.WireClient) -> None:
    """Returns when the proxy has closed the canceller's connection."""
    with wire.WireClient(proxy.host, proxy.port) as canceller:
        assert client.key is not None
        canceller.send(wire.request(wire.CANCEL_REQUEST, client.key))
        assert canceller.closed()


@pytest.mark.proxy_only
@pytest.mark.limit(120)
def test_a_cancel_is_closed_when_the_server_has_been_told_on_whatever_thread(make_proxy, table, shop):
    """Four threads: most cancels come in on another than the session's."""
    shop(f"create table {table} (v text)")
    proxy = make_proxy({"workers": {"threads": 4}})

    def play(number: int) -> None:
        for _ in range(15):
            with copying(proxy, table) as client:
                client.send(wire.message("d", b"before\n"))
                cancel_of(proxy, client)
                client.send(wire.message("d", b"behind\n") + wire.message("c"))
                replies = client.until_ready()
                assert replies[0].type == "E" and replies[0].sqlstate == "57014", f"client {number}: {replies}"
                assert [reply.type for reply in client.ask(wire.query("select 1"))] == ["T", "D", "C", "Z"]

    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        for played in [threads.submit(play, number) for number in range(6)]:
            played.result()
    assert shop(f"select count(*) from {table}") == [(0,)]


@pytest.mark.proxy_only
def test_a_write_that_is_held_for_a_primary_is_cancelled(make_proxy, cluster, table):
    """Only replicas are known to this proxy, so no write ever finds its server."""
    addresses = cluster.addresses[1:]
    proxy = make_proxy({"cluster": {"failover_hold": "60s"}}, nodes=addresses)
    with wire.WireClient(proxy.host, proxy.port) as client:
        assert client.login("app", "app-secret", "shop")[-1].type == "Z"
        client.send(wire.query(f"create table {table} (v int)"))
        wait_until(lambda: proxy.metrics().sum("tidemark_held_statements") == 1, "the write to be held", 10)
        cancel_of(proxy, client)
        replies = client.until_ready()
        assert [reply.type for reply in replies] == ["E", "Z"] and replies[0].sqlstate == "57014"
        assert proxy.metrics().sum("tidemark_held_statements") == 0
        # In a pipeline the rest is skipped up to its Sync, and what comes then is served.
        client.send(wire.parse("", f"create table {table} (v int)") + wire.bind("") + wire.execute() + wire.SYNC)
        wait_until(lambda: proxy.metrics().sum("tidemark_held_statements") == 1, "the write to be held", 10)
        client.send(wire.query("select 'read'"))
        cancel_of(proxy, client)
        assert [reply.type for reply in client.until_ready()] == ["E", "Z"]
        assert client.until_ready()[1].body.endswith(b"read")


@pytest.mark.proxy_only
def test_a_cancel_while_the_session_waits_leaves_the_holder_alone(make_proxy):
    """The key of who waits in the queue never reaches the connection that it waits for."""
    proxy = make_proxy({"pool": {"size": 1, "queue_timeout": "30s"}})
    with wire.WireClient(proxy.host, proxy.port) as holder, wire.WireClient(proxy.host, proxy.port) as waiting:
        for client in (holder, waiting):
            assert client.login("app", "app-secret", "shop")[-1].type == "Z"
        holder.send(wire.query("select pg_current_xact_id(), pg_sleep(3)"))
        wait_until(lambda: proxy.metrics().sum("tidemark_clients", state="active") == 1, "the holder to run", 10)
        for _ in range(5):
            waiting.send(wire.query("select pg_current_xact_id()"))
            wait_until(lambda: proxy.metrics().sum("tidemark_clients", state="waiting") == 1, "the other to wait", 10)
            cancel_of(proxy, waiting)
            assert [reply.type for reply in waiting.until_ready()] == ["E", "Z"]
        assert [reply.type for reply in holder.until_ready()] == ["T", "D", "C", "Z"]

"""CancelRequest ends the statement it means, wherever that is, and nothing else."""

from __future__ import annotations

import concurrent.futures
import threading
import time

import psycopg
import pytest
from psycopg import errors

from support import wire
from support.deadline import wait_until


def test_a_running_statement_is_cancelled(proxy):
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        with pytest.raises(errors.QueryCanceled):
            connection.execute("select pg_sleep(30)")
        timer.join()
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_running_write_is_cancelled(proxy, table, shop):
    shop(f"create table {table} (v int)")
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        with pytest.raises(errors.QueryCanceled):
            connection.execute(f"insert into {table} select 1 from pg_sleep(30)")
        timer.join()
        assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_a_cancel_in_a_transaction_fails_it_until_rollback(proxy):
    with psycopg.connect(proxy.dsn(connect_timeout=10)) as connection:
        connection.execute("select pg_current_xact_id()")
        timer = threading.Timer(0.3, connection.cancel)
        timer.start()
        with pytest.raises(errors.QueryCanceled):
            connection.execute("select pg_sleep(30)")
        timer.join()
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
            timer = threading.Timer(0.5, waiting.cancel)
            timer.start()
            began = time.monotonic()
            with pytest.raises(errors.QueryCanceled):
                waiting.execute("select pg_current_xact_id()")
            assert time.monotonic() - began < 10
            timer.join()
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
        timer = threading.Timer(0.3, connection.cancel)
        timer.start()
        with pytest.raises(errors.QueryCanceled):
            connection.execute("select pg_sleep(31)")
        timer.join()
    for node in cluster.nodes:
        wait_until(
            lambda node=node: node.value(
                "select count(*) = 0 from pg_stat_activity where state = 'active' and query = 'select pg_sleep(31)'"
            ),
            "the statement to be gone",
            5,
        )

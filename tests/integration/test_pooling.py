"""Many clients over few servers, and nothing of one client left for the next."""

from __future__ import annotations

import concurrent.futures
import socket
import struct

import psycopg
import pytest

from support import wire
from support.deadline import wait_until


def backends(cluster, where: str) -> int:
    """Server connections of the user `app` that satisfy `where`, over all nodes."""
    return sum(
        node.value(f"select count(*) from pg_stat_activity where usename = 'app' and {where}") for node in cluster.nodes
    )


@pytest.mark.proxy_only
@pytest.mark.limit(120)
def test_three_hundred_clients_over_five_servers(make_proxy, table, shop):
    shop(f"create table {table} (v int)")
    proxy = make_proxy({"pool": {"size": 5, "queue_timeout": "60s"}})
    clients = [psycopg.connect(proxy.dsn(connect_timeout=20), autocommit=True) for _ in range(300)]
    try:

        def work(client) -> None:
            for index in range(5):
                client.execute(f"insert into {table} values ({index})")
                client.execute(f"select count(*) from {table}")

        with concurrent.futures.ThreadPoolExecutor(30) as threads:
            list(threads.map(work, clients))
        assert clients[0].execute(f"select count(*) from {table}").fetchone() == (1500,)
    finally:
        for client in clients:
            client.close()


@pytest.mark.proxy_only
def test_the_pool_size_holds_across_workers(make_proxy, cluster):
    proxy = make_proxy({"pool": {"size": 3, "queue_timeout": "60s"}, "workers": {"threads": 2}})
    before = backends(cluster, "query like '%pooling test%'")
    assert before == 0

    def work(_: int) -> int:
        with proxy.connect(seconds=60) as sql:
            sql.rows("select pg_current_xact_id(), pg_sleep(0.05) /* pooling test */")
            return cluster.primary.value(
                "select count(*) from pg_stat_activity where query like '%/* pooling test */' and pid <> pg_backend_pid()"
            )

    with concurrent.futures.ThreadPoolExecutor(20) as threads:
        assert max(threads.map(work, range(60))) <= 3


@pytest.mark.parametrize("how", ["reset", "orderly"])
def test_a_client_that_dies_in_a_transaction_leaves_none(proxy, cluster, table, shop, how):
    shop(f"create table {table} (v int)")
    client = wire.WireClient(proxy.host, proxy.port)
    client.login("app", "app-secret", "shop")
    client.ask(wire.query("begin"))
    client.ask(wire.query(f"insert into {table} values (1)"))
    assert backends(cluster, f"state = 'idle in transaction' and query like '%{table}%'") == 1
    if how == "reset":  # RST, as from a process that was killed with data unread
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    wait_until(lambda: backends(cluster, f"state like 'idle in transaction%' and query like '%{table}%'") == 0,
               "the transaction of the dead client to end", 10)  # fmt: skip
    assert shop(f"select count(*) from {table}") == [(0,)]


@pytest.mark.proxy_only  # PostgreSQL itself does not look at the client while it computes
@pytest.mark.parametrize("statement", ["select pg_sleep(30) /* {} */", "insert into {} select pg_sleep(30)"])
def test_a_client_that_dies_in_a_long_statement_leaves_nothing_running(proxy, cluster, table, shop, statement):
    shop(f"create table {table} (v text)")
    running = f"state = 'active' and query like '%{table}%' and pid <> pg_backend_pid()"
    client = wire.WireClient(proxy.host, proxy.port)
    client.login("app", "app-secret", "shop")
    client.send(wire.query(statement.format(table)))
    try:
        wait_until(lambda: backends(cluster, running) == 1, "it to run", 10)
        client.close()
        wait_until(lambda: backends(cluster, running) == 0, "the statement of the dead client to end", 10)
    finally:
        for node in cluster.nodes:
            node.rows(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and {running}")


def test_a_client_that_dies_in_a_copy_leaves_nothing(proxy, cluster, table, shop):
    shop(f"create table {table} (v text)")
    client = wire.WireClient(proxy.host, proxy.port)
    client.login("app", "app-secret", "shop")
    client.send(wire.query(f"copy {table} from stdin"))
    client.until("G")
    client.send(wire.message("d", b"one\n") + b"d\x00\x00\x10\x00half a message")
    client.close()
    wait_until(lambda: backends(cluster, f"query like 'copy {table}%' and state <> 'idle'") == 0, "the COPY to end", 10)
    assert shop(f"select count(*) from {table}") == [(0,)]


def test_an_abandoned_result_does_not_reach_the_next_client(proxy):
    for _ in range(30):
        client = wire.WireClient(proxy.host, proxy.port)
        client.login("app", "app-secret", "shop")
        client.send(wire.query("select 'old', generate_series(1, 5000)"))
        client.receive()
        client.close()
        with proxy.connect() as sql:
            assert sql.rows("select 'new'") == [("new",)]


def test_a_terminated_server_connection_is_told_to_the_client_in_its_transaction(proxy, cluster):
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        connection.execute("begin")
        pid = connection.execute("select pg_backend_pid() from (select pg_current_xact_id()) x").fetchone()[0]
        cluster.primary.rows("select pg_terminate_backend(%s)", [pid])
        with pytest.raises(psycopg.Error):
            for _ in range(3):
                connection.execute("select 1")


@pytest.mark.proxy_only
def test_terminated_idle_server_connections_are_not_noticed(make_proxy, cluster):
    proxy = make_proxy()
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        for _ in range(5):
            connection.execute("select pg_current_xact_id()")
            connection.execute("select 1")
            for node in cluster.nodes:
                node.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and state = 'idle'")
        assert connection.execute("select 1").fetchone() == (1,)


def test_three_hundred_connections_one_after_the_other(proxy):
    for index in range(300):
        with proxy.connect() as sql:
            assert sql.value(f"select {index}") == index

"""A full queue and a full house answer with an error that says which limit it is."""

from __future__ import annotations

import concurrent.futures
import time

import psycopg
import psycopg2
import pytest

from support import wire
from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only


def test_the_queue_time_out_names_its_limit(make_proxy):
    proxy = make_proxy({"pool": {"size": 1, "queue_timeout": "500ms"}})
    with psycopg.connect(proxy.dsn(connect_timeout=10)) as holder:
        holder.execute("select pg_current_xact_id()")
        with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as waiting:
            began = time.monotonic()
            with pytest.raises(psycopg.Error) as caught:
                waiting.execute("select pg_current_xact_id()")
            took = time.monotonic() - began
            text = str(caught.value)
            assert "pool.size" in text or "queue_timeout" in text, text
            assert 0.4 < took < 8
            holder.rollback()
            # The client whose statement was refused is still connected and served.
            assert waiting.execute("select pg_current_xact_id() is not null").fetchone() == (True,)


def test_one_client_too_many_is_53300(make_proxy):
    proxy = make_proxy({"pool": {"max_client_connections": 5}})
    held = [psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) for _ in range(5)]
    try:
        with wire.WireClient(proxy.host, proxy.port) as client:
            last = client.login("app", "app-secret", "shop")[-1]
            assert last.type == "E" and last.sqlstate == "53300", last
            assert "max_client_connections" in last.fields()["M"] + last.fields().get("D", "") + last.fields().get("H", "")
            assert client.closed()
        held.pop().close()
        with wait_until(lambda: proxy.connect(), "the place to be free", 10, ignore=(psycopg2.Error,)) as sql:
            assert sql.value("select 1") == 1
    finally:
        for connection in held:
            connection.close()


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

"""A statement that looks like a read and is none runs on the primary, without the client noticing."""

from __future__ import annotations

import threading

import psycopg
import pytest

from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only


@pytest.fixture
def counting_view(shop, table):
    """A view whose reading advances a sequence: nothing in `select * from view` says so."""
    shop(f"create table {table} (v int)", f"create sequence {table}_s owned by {table}.v",
         f"create view {table}_v as select nextval('{table}_s') as n")  # fmt: skip
    yield f"{table}_v"
    shop(f"drop view {table}_v")


def test_a_read_refused_by_a_replica_runs_on_the_primary_and_is_remembered(make_proxy, counting_view):
    proxy = make_proxy()
    with proxy.connect() as sql:
        assert [sql.value(f"select n from {counting_view}") for _ in range(10)] == list(range(1, 11))
    retries = proxy.metrics().sum("tidemark_retries_total")
    assert 1 <= retries <= 2, "refused once (per worker at most), then remembered"


def test_the_same_in_the_extended_protocol(make_proxy, counting_view):
    proxy = make_proxy()
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        connection.prepare_threshold = 0
        seen = [connection.execute(f"select n + %s::int from {counting_view}", [100]).fetchone() for _ in range(10)]
    assert seen == [(100 + index,) for index in range(1, 11)]


def test_a_function_falsely_declared_stable_works(make_proxy, shop, table):
    proxy = make_proxy()
    shop(
        f"create table {table} (v int)",
        f"create function {table}_f() returns bigint language plpgsql stable as "
        f"$$ begin perform pg_catalog.nextval('{table}_seq'); return 1; end $$",
        f"create sequence {table}_seq",
    )
    with proxy.connect() as sql:
        assert [sql.value(f"select {table}_f()") for _ in range(5)] == [1] * 5
    shop(f"drop function {table}_f", f"drop sequence {table}_seq")


def test_in_a_read_only_transaction_the_refusal_is_the_clients(make_proxy, counting_view):
    proxy = make_proxy()
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        connection.execute("begin read only")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute(f"select n from {counting_view}")
        connection.execute("rollback")


@pytest.mark.limit(90)
def test_a_read_cancelled_by_a_recovery_conflict_is_run_again(make_proxy, nodes, shop, table):
    """DROP TABLE … on the primary conflicts with a reader of it on a replica that does not wait."""
    proxy = make_proxy()
    shop(f"create table {table} as select g as v from generate_series(1, 1000) g")
    for node in nodes.replicas:
        node.alter_system({"max_standby_streaming_delay": 0})
    try:
        def truncate() -> None:
            reading = "select count(*) from pg_stat_activity where state = 'active' and query like '%%as slowly'"
            wait_until(lambda: any(node.value(reading) for node in nodes.replicas), "the read to run at a replica")
            # A relation rewritten under the reader: its lock is replayed at once and cancels the reader.
            nodes.primary.rows(f"begin; lock table {table} in access exclusive mode; select txid_current(); commit",
                               dbname="shop", user="app", password="app-secret")  # fmt: skip

        thread = threading.Thread(target=truncate)
        with proxy.connect(seconds=40) as sql:
            thread.start()
            rows = sql.rows(f"select count(*) from (select pg_sleep(0.003), v from {table} limit 500) as slowly")
            assert rows == [(500,)]
        thread.join()
    finally:
        for node in nodes.replicas:
            node.alter_system({"max_standby_streaming_delay": None})


def test_an_unlogged_table_is_read_where_it_is(make_proxy, shop, table):
    """A replica has no unlogged table's rows and says 0A000, another refusal that is not the client's fault."""
    proxy = make_proxy()
    shop(f"create unlogged table {table} (v int)", f"insert into {table} values (1)")
    with proxy.connect() as sql:
        assert [sql.value(f"select v from {table}") for _ in range(5)] == [1] * 5

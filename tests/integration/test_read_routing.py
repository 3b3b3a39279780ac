"""Reads at replicas, writes at the primary, and one's own writes read back: asked of the servers themselves."""

from __future__ import annotations

import time

import psycopg
import pytest

from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only


def port(connection) -> int:
    return connection.execute("select inet_server_port()").fetchone()[0]


@pytest.fixture
def connection(proxy):
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as made:
        yield made


def ports(nodes) -> set[int]:
    return {node.port for node in nodes}


def test_plain_reads_are_answered_by_a_replica(connection, cluster):
    assert {port(connection) for _ in range(50)} <= ports(cluster.replicas)


def test_one_client_stays_with_one_replica(connection):
    assert len({port(connection) for _ in range(50)}) == 1


def test_clients_are_spread_over_the_replicas(proxy, cluster):
    seen = set()
    for _ in range(40):
        with proxy.connect() as sql:
            seen.add(sql.value("select inet_server_port()"))
    assert seen == ports(cluster.replicas)


def test_writes_go_to_the_primary(connection, cluster, table):
    connection.execute(f"create table {table} (port int)")
    assert connection.execute(f"insert into {table} select inet_server_port() returning port").fetchone() == (cluster.primary.port,)


@pytest.mark.parametrize("prepare", [False, True], ids=["unprepared", "prepared"])
def test_two_hundred_own_writes_are_read_back_at_once(connection, table, prepare):
    connection.prepare_threshold = 0 if prepare else None
    connection.execute(f"create table {table} (v int)")
    connection.execute(f"insert into {table} values (0)")
    for index in range(1, 201):
        connection.execute(f"update {table} set v = %s", [index])
        assert connection.execute(f"select v from {table}").fetchone() == (index,)


def test_two_hundred_own_writes_in_transactions_are_read_back_at_once(connection, table):
    connection.execute(f"create table {table} (v int)")
    connection.execute(f"insert into {table} values (0)")
    for index in range(1, 201):
        with connection.transaction():
            connection.execute(f"update {table} set v = %s", [index])
        assert connection.execute(f"select v from {table}").fetchone() == (index,)


@pytest.mark.limit(120)
def test_own_writes_are_read_back_with_delayed_and_paused_replicas(make_proxy, nodes, table):
    proxy = make_proxy()
    nodes.replicas[0].set_apply_delay(200)
    nodes.replicas[1].pause_replay()
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        connection.execute(f"create table {table} (v int)")
        connection.execute(f"insert into {table} values (0)")
        for index in range(1, 201):
            connection.execute(f"update {table} set v = %s", [index])
            assert connection.execute(f"select v from {table}").fetchone() == (index,)


def test_after_a_write_reads_return_to_a_replica(connection, cluster, table):
    connection.execute(f"create table {table} (v int)")
    at_replicas = 0
    for index in range(50):
        connection.execute(f"insert into {table} values ({index})")
        time.sleep(0.005)  # the think time of a user who is very fast
        at_replicas += port(connection) in ports(cluster.replicas)
    assert at_replicas >= 40, f"{at_replicas} of 50 reads after 5 ms"


def test_a_read_only_transaction_runs_at_a_replica(connection, cluster):
    connection.execute("begin read only")
    first = port(connection)
    assert first in ports(cluster.replicas) and port(connection) == first
    connection.execute("commit")
    connection.execute("begin transaction isolation level repeatable read, read only")
    assert port(connection) in ports(cluster.replicas)
    connection.execute("commit")


READ_PORT = "select current_setting('port')"


def in_one_pipeline(*texts: str) -> bytes:
    from support import wire

    return b"".join(wire.parse("", text) + wire.bind("") + wire.execute() for text in texts) + wire.SYNC


@pytest.mark.parametrize("end", ["commit", "rollback", "end"])
def test_a_read_only_transaction_sent_as_one_pipeline_runs_at_a_replica(proxy, cluster, end):
    from support import wire

    with wire.WireClient(proxy.host, proxy.port) as client:
        client.login("app", "app-secret", "shop")
        got = client.ask(in_one_pipeline("begin read only", READ_PORT, READ_PORT, end))
        assert "".join(m.type for m in got) == "12C" + "12DC" * 2 + "12CZ"
        assert {int(m.body[6:]) for m in got if m.type == "D"} < ports(cluster.replicas)
        assert got[-1].body == b"I"


@pytest.mark.parametrize(
    "texts",
    [["begin read only", READ_PORT, "commit", READ_PORT],
     ["begin", READ_PORT, "commit"],
     [READ_PORT, "begin read only", "commit"],
     ["begin read only", "set transaction read write", READ_PORT, "commit"],
     ["begin read only", READ_PORT, "commit and chain"]],
)  # fmt: skip
def test_other_transactions_sent_as_one_pipeline_run_at_the_primary(proxy, cluster, texts):
    from support import wire

    with wire.WireClient(proxy.host, proxy.port) as client:
        client.login("app", "app-secret", "shop")
        got = client.ask(in_one_pipeline(*texts))
        assert not [m for m in got if m.type == "E"]
        assert {int(m.body[6:]) for m in got if m.type == "D"} == {cluster.primary.port}


def test_a_read_only_pipeline_that_a_replica_refuses_runs_at_the_primary_from_its_beginning(make_proxy, cluster, table, shop):
    """The replica refuses it after BEGIN has succeeded: what it has answered by then is not told."""
    from support import wire

    shop(f"create unlogged table {table} (v int)", f"insert into {table} values (1)", f"grant all on {table} to app")
    cluster.wait_caught_up()
    proxy = make_proxy({"workers": {"threads": 1}})
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.login("app", "app-secret", "shop")
        for _ in range(2):
            got = client.ask(in_one_pipeline("begin read only", f"select v from {table}", "commit"))
            assert "".join(m.type for m in got) == "12C12DC12CZ" and got[-1].body == b"I"
    assert proxy.metrics().sum("tidemark_retries_total", reason="read_refused") == 1


def test_other_transactions_run_at_the_primary(connection, cluster):
    connection.execute("begin")
    assert port(connection) == cluster.primary.port
    connection.execute("commit")


@pytest.mark.parametrize(
    "statement",
    ["select inet_server_port() from {table} for update", "select inet_server_port() from {table} for key share", "select inet_server_port(), pg_current_xact_id()",
     "select inet_server_port(), nextval('{table}_s')", "select inet_server_port(), pg_advisory_xact_lock(1)",
     "with w as (insert into {table} values (1) returning 1) select inet_server_port() from w"],
)  # fmt: skip
def test_what_may_write_goes_to_the_primary(connection, cluster, table, shop, statement):
    shop(f"create table {table} (v int)", f"insert into {table} values (1)", f"create sequence {table}_s owned by {table}.v")
    assert connection.execute(statement.format(table=table)).fetchone()[0] == cluster.primary.port


def test_a_hint_sends_a_read_to_the_primary(connection, cluster):
    text = "/* tidemark: node=primary */ select inet_server_port()"
    assert connection.execute(text).fetchone()[0] == cluster.primary.port


def test_consistency_primary_sends_all_reads_there(make_proxy, cluster):
    proxy = make_proxy({"routing": {"consistency": "primary"}})
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        assert {port(connection) for _ in range(20)} == {cluster.primary.port}


def test_consistency_eventual_never_asks_where_the_writer_is(make_proxy, nodes, table):
    """The check of the checker: with a delayed replica `eventual` does give a stale answer."""
    proxy = make_proxy({"routing": {"consistency": "eventual", "max_lag": "60s"}})
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        connection.execute(f"create table {table} (v int)")
        connection.execute(f"insert into {table} values (0)")
        nodes.wait_caught_up()
        for node in nodes.replicas:
            node.set_apply_delay(300)
        stale = 0
        for index in range(1, 21):
            connection.execute(f"update {table} set v = %s", [index])
            stale += connection.execute(f"select v from {table}").fetchone() != (index,)
    assert stale > 0


def test_routing_is_counted_by_node_and_reason(make_proxy, cluster, table):
    proxy = make_proxy()

    def counted(*nodes):
        metrics = proxy.metrics()
        return sum(metrics.sum("tidemark_statements_routed_total", node=node.address) for node in nodes)

    with proxy.connect() as sql:
        sql.rows(f"create table {table} (v int)")
        wait_until(lambda: sql.value("select 1") == 1 and counted(*cluster.replicas) > 0, "reads at a replica", 20)
        before = counted(*cluster.replicas)
        for _ in range(20):
            sql.value("select 1")
    assert counted(cluster.primary) >= 1
    # Nothing else has been written: the replicas have all there is.
    assert counted(*cluster.replicas) == before + 20, proxy.metrics().text


@pytest.mark.parametrize("extended", [False, True])
def test_a_held_begin_read_only_answers_as_postgresql_does(proxy, cluster, extended):
    from support import wire

    def run(client, text):
        if not extended:
            return client.ask(wire.query(text))
        return client.ask(wire.parse("", text) + wire.bind("") + wire.execute() + wire.SYNC)

    with wire.WireClient(proxy.host, proxy.port) as client:
        client.login("app", "app-secret", "shop")
        prefix = "12" if extended else ""
        for begin, end in [("begin read only", "commit"), ("start transaction read only", "rollback")]:
            got = run(client, begin)
            assert "".join(m.type for m in got) == prefix + "CZ"
            assert (got[-2].body, got[-1].body) == (begin.split(" read")[0].upper().encode() + b"\0", b"T")
            got = run(client, end)
            assert (got[-2].body, got[-1].body) == (end.upper().encode() + b"\0", b"I")
        run(client, "begin transaction read only")
        got = client.ask(wire.query("select current_setting('port')"))
        [row] = [m.body for m in got if m.type == "D"]
        assert not row.endswith(str(cluster.primary.port).encode())
        assert got[-1].body == b"T"
        got = client.ask(wire.query("insert into nowhere values (1)"))
        assert got[-1].body == b"E"
        assert run(client, "commit")[-1].body == b"I"

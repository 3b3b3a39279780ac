"""What a failover has taken back is told once to whom it was acknowledged, and to nobody else."""

from __future__ import annotations

import contextlib

import psycopg
import pytest

from support.deadline import wait_until
from support.proxy_process import ProxyProcess
from support.steady_reader import SteadyReader, wait_for_reads, wait_until_a_stranger_is_shown, wait_until_shown

pytestmark = pytest.mark.proxy_only

LOST = "TM001"


@contextlib.contextmanager
def clients(proxy, count, **options):
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True, **options))
            for _ in range(count)
        ]


@pytest.fixture
def mark(cluster):
    with cluster.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows("create table mark (v int)")
        sql.rows("insert into mark values (0)")
    cluster.wait_caught_up()


def value(connection):
    return connection.execute("select v from mark").fetchone()[0]


def wait_for_replica(connection, cluster):
    def at_replica():
        value(connection)
        return f":{cluster.primary.port}:" not in connection.execute("show tidemark.last_route").fetchone()[0]

    wait_until(at_replica, "reads at a replica", 20)


def bounded(connection):
    """Returns when one position is known to bound all that it has written and seen."""
    connection.execute("show tidemark.token")


def update(connection):
    """Returns when the proxy knows what it has left in its server, which it asks before it knows the database's functions."""
    connection.execute("update mark set v = 1")
    connection.execute("show tidemark.last_route")


def lose(cluster, write):
    """Does `write`, which no replica receives; then the primary dies, and the first replica is promoted."""
    old, new, other = cluster.primary, *cluster.replicas
    for replica in (new, other):
        replica.stop("fast")
    write()
    old.kill9()
    new.start()
    other.start()
    cluster.promote(new)
    cluster.follow(other)


def error_of(connection, sql="select v from mark"):
    try:
        connection.execute(sql)
    except psycopg.Error as error:
        return error
    return None


def settled(proxy, cluster):
    """The proxy has seen the new primary."""
    wait_until(lambda: proxy.metrics().sum("tidemark_node_role", node=cluster.primary.address, role="primary") == 1,
               "the proxy to follow the new primary", 20)  # fmt: skip


def test_a_lost_write_is_told_once_with_both_positions(cluster, proxy, mark):
    with clients(proxy, 3) as [writer, reader, idle]:
        wait_for_replica(reader, cluster)
        idle.execute("select 1")
        for connection in (reader, idle):
            bounded(connection)

        def write():
            writer.execute("update mark set v = 1")
            bounded(writer)

        lose(cluster, write)
        settled(proxy, cluster)
        error = error_of(writer)
        assert error is not None and error.sqlstate == LOST
        assert "timeline 1" in error.diag.message_detail and "timeline 2" in error.diag.message_detail
        assert value(writer) == 0, "then it goes on from what the new primary has"
        writer.execute("update mark set v = 2")
        assert value(writer) == 2
        assert error_of(reader) is None, "who has seen nothing of it is not told"
        assert error_of(idle) is None
    assert proxy.metrics().sum("tidemark_lost_writes_total") == 1
    assert "event=write_lost" in proxy.log()


@pytest.mark.mutants
@pytest.mark.parametrize("mutation", ["loss_untold", "timeline_ignored"])
def test_a_broken_rule_is_noticed(cluster, mark, mutation, monkeypatch):
    """The test above fails where the rule is broken: the client reads the past, and nobody has told it."""
    monkeypatch.setenv("TIDEMARK_MUTATION", mutation)
    with ProxyProcess(cluster.addresses, directory=cluster.directory) as proxy, clients(proxy, 1) as [writer]:
        lose(cluster, lambda: update(writer))
        settled(proxy, cluster)
        assert value(writer) == 0


def test_a_write_that_the_new_primary_has_is_not_told(cluster, proxy, mark):
    old, new, other = cluster.primary, *cluster.replicas
    with clients(proxy, 2) as [writer, reader]:
        writer.execute("update mark set v = 1")
        wait_for_replica(writer, cluster)
        wait_for_replica(reader, cluster)
        for connection in (writer, reader):
            bounded(connection)
        cluster.wait_caught_up()
        old.kill9()
        cluster.promote(new)
        cluster.follow(other)
        settled(proxy, cluster)
        for connection in (writer, reader):
            assert value(connection) == 1
            assert error_of(connection) is None
    assert proxy.metrics().sum("tidemark_lost_writes_total") == 0
    assert "exact=true" in proxy.log()


def test_who_has_only_read_what_is_lost_is_told_under_monotonic_levels(cluster, proxy, mark):
    with clients(proxy, 3) as [writer, witness, careless]:
        for connection in (witness, careless):
            connection.execute("set tidemark.node = 'primary'")
        careless.execute("set tidemark.consistency = 'read_your_writes'")

        def write():
            writer.execute("update mark set v = 1")
            assert value(witness) == value(careless) == 1

        lose(cluster, write)
        settled(proxy, cluster)
        for connection in (witness, careless):
            connection.execute("set tidemark.node = 'any'")
        error = error_of(witness)
        assert error is not None and error.sqlstate == LOST
        assert "read" in str(error)
        assert error_of(careless) is None
        assert value(witness) == value(careless) == 0


@pytest.mark.parametrize("choice", ["warn", "ignore"])
def test_on_lost_write_says_how_it_is_told(cluster, mark, choice):
    with ProxyProcess(cluster.addresses, {"cluster": {"on_lost_write": choice}}, directory=cluster.directory) as proxy:
        with clients(proxy, 1) as [writer]:
            told = []
            writer.add_notice_handler(lambda diagnostic: told.append(diagnostic.sqlstate))
            lose(cluster, lambda: update(writer))
            settled(proxy, cluster)
            assert value(writer) == 0
            assert told == ([LOST] if choice == "warn" else [])
            assert value(writer) == 0
            assert len(told) <= 1
        assert proxy.metrics().sum("tidemark_lost_writes_total") == 1


def test_in_a_transaction_it_is_told_before_the_next_one(cluster, proxy, mark):
    with clients(proxy, 1) as [writer]:
        lose(cluster, lambda: update(writer))
        settled(proxy, cluster)
        error = error_of(writer, "begin")
        assert error is not None and error.sqlstate == LOST
        with writer.transaction():
            assert value(writer) == 0


def test_of_a_user_with_several_connections_one_is_told(cluster, proxy, mark):
    with clients(proxy, 2, options="-c tidemark.user=42") as [writer, reader]:
        wait_for_replica(reader, cluster)
        bounded(reader)
        lose(cluster, lambda: update(writer))
        settled(proxy, cluster)
        error = error_of(reader)
        assert error is not None and error.sqlstate == LOST
        assert error_of(writer) is None


def test_a_token_of_what_is_lost_is_told_where_it_is_used(cluster, proxy, mark):
    with clients(proxy, 2) as [writer, other]:
        tokens = []

        def write():
            writer.execute("update mark set v = 1")
            tokens.append(writer.execute("show tidemark.token").fetchone()[0])

        lose(cluster, write)
        settled(proxy, cluster)
        other.execute(f"set tidemark.token = '{tokens[0]}'")
        error = error_of(other)
        assert error is not None and error.sqlstate == LOST
        assert value(other) == 0


def the_old_primary_is_rewound(cluster):
    """It comes back as a replica, with replay held back, to users who go on reading; returns what they should not see.

    That is: what was lost with it, and what is old by now. Its own history had come further than the new primary's
    has: its last position says nothing of it any more.
    """
    old, new, other = cluster.primary, *cluster.replicas
    with contextlib.ExitStack() as stack:
        settings = {"routing": {"max_lag": "1h"}}
        proxy = stack.enter_context(ProxyProcess(cluster.addresses, settings, directory=cluster.directory))
        connected = stack.enter_context(clients(proxy, 3))
        for connection in connected:
            wait_for_replica(connection, cluster)
            bounded(connection)
        # Flushes what bounds them, so that the replicas have it before they stop: nothing of it is lost.
        old.rows("update mark set v = 0", dbname="shop")
        cluster.wait_caught_up()

        def trails():
            return proxy.metrics().sum("tidemark_node_replay_lag_bytes", node=new.address) > 16 << 20

        def write():
            old.rows("update mark set v = 1000", dbname="shop")  # past the proxy: told to nobody
            for _ in range(2):
                old.rows("select pg_switch_wal()")
                old.rows("create table further ()", dbname="shop")
                old.rows("drop table further", dbname="shop")
            wait_until(trails, "the proxy to see how far the old primary has come", 20)

        lose(cluster, write)
        settled(proxy, cluster)
        users = [stack.enter_context(SteadyReader(connection, impossible=[1000])) for connection in connected]
        writer = users[0]
        writer.write(2)
        cluster.rewind(old, apply_delay=3_600_000)
        writer.write(3)
        wait_until_shown(users, 3, other.port)
        old.start()
        assert old.value("select v from mark", dbname="shop") == 2, "it was not rewound to what it is to show"
        wait_until(lambda: proxy.reads_from(old.address), "the proxy to take the old primary for a replica", 20)
        other.stop("fast")
        wait_until_shown(users, 3, new.port)
        wait_until_a_stranger_is_shown(proxy, 2, old.port)  # so it is the floors that keep the users away from it
        wait_for_reads(users, 50)
        assert old.value("select v from mark", dbname="shop") == 2, "it has caught up, and proves nothing any more"

        old.set_apply_delay(0)
        wait_until_shown(users, 3, old.port)
        writer.write(4)
        wait_until_shown(users, 4, old.port)
    return [fault for user in users for fault in user.wrong]


def test_the_old_primary_rewound_shows_nothing_of_its_past(cluster, mark):
    assert the_old_primary_is_rewound(cluster) == []


@pytest.mark.mutants
@pytest.mark.parametrize("mutation", ["position_after_restart", "sent_before_the_wait"])
def test_a_broken_rule_shows_the_old_primarys_past(cluster, mark, mutation, monkeypatch):
    monkeypatch.setenv("TIDEMARK_MUTATION", mutation)
    wrong = the_old_primary_is_rewound(cluster)
    assert wrong, f"{mutation}: nobody noticed"
    print(f"  {mutation}: {wrong[0]}")

"""The network fails, and more than one node is writable: nothing is written where it does not count."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Iterator

import psycopg
import pytest

from drill import ROLLED_BACK, Drill
from support.deadline import wait_until
from support.fault_link import FaultLink
from support.postgres_cluster import PostgresCluster
from support.postgres_node import PostgresNode
from support.proxy_process import ProxyProcess
from test_failover import Times, check_readers, errors, make_synchronous, report_errors, rows_of
from test_hard_failovers import judge_synchronous_crash, let_them_work, rows_of_node, sessions_of_app, wait_for_writers

pytestmark = pytest.mark.proxy_only

INSERT = "insert into drill values (%s)"
SLEEPING = "select 1 from pg_stat_activity where state = 'active' and query = 'select pg_sleep(300)'"


@pytest.fixture
def links(cluster) -> Iterator[dict[PostgresNode, FaultLink]]:
    """Between the proxy and each node."""
    with contextlib.ExitStack() as stack:
        yield {node: stack.enter_context(FaultLink(node.port)) for node in cluster.nodes}


@pytest.fixture
def linked(cluster, links) -> Iterator[ProxyProcess]:
    """A proxy that reaches each node over its link, and takes one that is silent for half a second for dead."""
    settings = {"cluster": {"probe_timeout": "500ms"}}
    with ProxyProcess([link.address for link in links.values()], settings, directory=cluster.directory) as made:
        wait_for_role(made, links[cluster.primary], "primary")
        yield made
        assert made.running(), made.log_tail()
    made.check_sanitizers()


def wait_for_role(proxy: ProxyProcess, link: FaultLink, role: str) -> None:
    wait_until(
        lambda: proxy.metrics().sum("tidemark_node_role", node=link.address, role=role) == 1,
        f"{link.address} to be {role}", 30, detail=proxy.log_tail,
    )  # fmt: skip


def wait_until_silent(proxy: ProxyProcess, link: FaultLink) -> None:
    wait_until(
        lambda: proxy.metrics().sum("tidemark_node_up", node=link.address) == 0,
        f"{link.address} to be missed", 30, detail=proxy.log_tail,
    )  # fmt: skip


def timeline(node: PostgresNode) -> str:
    return str(node.value("select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"))


class InFlight:
    """A statement that another thread waits for."""

    def __init__(self, connection: psycopg.Connection, text: str) -> None:
        self._connection, self._text = connection, text
        self._error: psycopg.Error | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._connection.execute(self._text)
        except psycopg.Error as error:
            self._error = error

    def error(self, seconds: float) -> psycopg.Error:
        return wait_until(lambda: self._error, f"{self._text} to fail", seconds)


def test_a_primary_whose_packets_are_lost_is_as_dead_as_one_that_is_gone(cluster, links, linked):
    """Nobody is told that its connections are gone. When packets arrive again, it is fenced, and writable."""
    make_synchronous(cluster)
    old, new, other = cluster.primary, *cluster.replicas
    times = Times()
    with Drill(linked) as drill:
        let_them_work(drill)
        times.began_to_die = time.monotonic()
        links[old].drop_packets()
        times.dead = time.monotonic()
        wait_until_silent(linked, links[old])
        cluster.promote(new)
        times.promoted = time.monotonic()
        times.noticed_within = times.promoted - times.dead + 1.0
        new.rows("alter system reset synchronous_standby_names")
        cluster.follow(other)
        wait_for_writers(drill, new.port)
        drill.wake_idle.set()
        links[old].deliver()
        wait_for_role(linked, links[old], "fenced")
        wait_until(lambda: not sessions_of_app(old), "the old primary to be rid of its connections", 20)
        had = rows_of_node(old)
        let_them_work(drill)
        assert rows_of_node(old) == had
        drill.finish()
    judge_synchronous_crash(cluster, drill, times, "packets of the primary lost")
    old.stop("immediate")


def test_a_replica_whose_packets_are_lost_is_not_noticed(cluster, links, linked):
    victim = cluster.replicas[0]
    with Drill(linked) as drill:
        let_them_work(drill)
        links[victim].drop_packets()
        wait_until_silent(linked, links[victim])
        let_them_work(drill)
        links[victim].deliver()
        wait_until(lambda: linked.reads_from(links[victim].address), "the replica to be back", 60, detail=linked.log_tail)
        let_them_work(drill)
        drill.wake_idle.set()
        drill.finish()
    report_errors(drill)
    assert drill.broken() == []
    assert errors(drill) == []
    assert not drill.transactions(lambda each: each.sqlstate is not None)
    check_readers(drill)


def test_a_replica_that_comes_and_goes_is_left_alone_until_it_is_calm(cluster, links, linked):
    victim = cluster.replicas[0]
    address = links[victim].address

    def wait_up(up: int) -> None:
        wait_until(lambda: linked.metrics().sum("tidemark_node_up", node=address) == up, f"{address} up={up}", 30)

    for _ in range(5):
        links[victim].cut()
        wait_up(0)
        links[victim].mend()
        wait_up(1)
    assert linked.log_lines(f"event=node_flaps node={address}"), linked.log_tail()
    assert linked.metrics().sum("tidemark_node_eligible", node=address) == 0, "it answers, and is not read"
    with linked.connect() as sql:
        while not linked.log_lines(f"event=node_calm node={address}"):
            assert sql.value("select inet_server_port()") != victim.port or linked.reads_from(address)
    wait_until(lambda: linked.reads_from(address), "it to be read again", 30, detail=linked.log_tail)


def test_an_old_primary_that_only_we_can_reach_loses_its_connections_in_the_middle_of_a_transaction(cluster, links, linked):
    """Cut off from its replicas, of which one is promoted: to it and to its clients all looks well."""
    old, new, other = cluster.primary, *cluster.replicas
    with contextlib.ExitStack() as stack:
        replication = stack.enter_context(FaultLink(old.port))
        for replica in (new, other):
            replica.alter_system(
                {"primary_conninfo": f"host=127.0.0.1 port={replication.port} user=postgres application_name={replica.name}"}
            )
        cluster.wait_streaming()
        drill = stack.enter_context(Drill(linked, idlers=5))
        idle = stack.enter_context(psycopg.connect(linked.dsn()))  # in a transaction, and says nothing
        busy = stack.enter_context(psycopg.connect(linked.dsn()))  # waits in the middle of a statement
        idle.execute(INSERT, [700_000_001])
        let_them_work(drill)
        replication.cut()
        let_them_work(drill)  # nobody knows better yet
        busy.execute(INSERT, [700_000_002])
        in_flight = InFlight(busy, "select pg_sleep(300)")
        wait_until(lambda: old.rows(SLEEPING), "the statement to run", 20)
        cluster.promote(new)
        cluster.follow(other)
        wait_for_role(linked, links[new], "primary")
        fenced = time.monotonic()
        wait_until(lambda: not sessions_of_app(old), "the old primary to be rid of its connections", 20)
        had = rows_of_node(old)
        error = in_flight.error(20)
        assert error.sqlstate == ROLLED_BACK, error
        assert "older_timeline" in str(error.diag.message_detail), error.diag.message_detail
        busy.rollback()
        busy.execute(INSERT, [700_000_003])
        busy.commit()
        with pytest.raises(psycopg.Error) as told:
            idle.execute(INSERT, [700_000_004])
        assert told.value.sqlstate == ROLLED_BACK
        assert "older_timeline" in str(told.value.diag.message_detail)
        idle.rollback()
        wait_for_writers(drill, new.port)
        drill.wake_idle.set()
        let_them_work(drill)
        assert not old.in_recovery(), "it is as writable as before"
        assert rows_of_node(old) == had
        drill.finish()
        report_errors(drill)
    assert drill.broken() == []
    late = {s.id for s in drill.statements(lambda s: s.id is not None and s.start > fenced)}
    assert late and not late & rows_of_node(old), "writes reached the fenced node"
    assert not {700_000_001, 700_000_002, 700_000_004} & rows_of(cluster)
    assert linked.log_lines(f"event=node_changed node={links[old].address}.*fault=older_timeline")
    assert linked.log_lines(f"event=sessions_fenced node={links[old].address}.*older_timeline")
    metrics = linked.metrics()
    assert metrics.sum("tidemark_node_role", node=links[old].address, role="fenced") == 1
    assert metrics.sum("tidemark_node_role", node=links[old].address, role="primary") == 0


def test_two_writable_nodes_on_one_timeline_get_nothing_until_one_is_gone(cluster, links, linked):
    """Both replicas are promoted: each is writable, and each calls its timeline the second."""
    old, one, two = cluster.primary, *cluster.replicas
    with psycopg.connect(linked.dsn()) as held, Drill(linked, idlers=5) as drill:
        let_them_work(drill)
        links[two].cut()
        old.kill9()
        cluster.promote(one)
        wait_for_writers(drill, one.port)
        held.execute(INSERT, [700_000_001])
        two.promote()
        assert timeline(one) == timeline(two), "else it is not two on one"
        links[two].mend()
        for node in (one, two):
            wait_until(
                lambda node=node: linked.log_lines(f"event=node_changed node={links[node].address}.*fault=duplicate_primary"),
                f"{node.name} to be refused", 30, detail=linked.log_tail,
            )  # fmt: skip
        wait_until(lambda: not sessions_of_app(one) and not sessions_of_app(two), "their connections to be closed", 20)
        had = {node: rows_of_node(node) for node in (one, two)}
        metrics = linked.metrics()
        assert metrics.sum("tidemark_node_role", role="primary") == 0
        assert metrics.sum("tidemark_node_role", role="fenced") == 2
        wait_until(lambda: linked.metrics().sum("tidemark_held_statements") > 0, "writes to wait", 20)
        for node in (one, two):
            assert rows_of_node(node) == had[node]
        two.stop("immediate")
        wait_for_role(linked, links[one], "primary")
        wait_for_writers(drill, one.port)
        drill.wake_idle.set()
        drill.finish()
        report_errors(drill)
        with pytest.raises(psycopg.errors.SerializationFailure) as told:
            held.execute(INSERT, [700_000_002])
        assert "duplicate_primary" in str(told.value.diag.message_detail)
        held.rollback()
    assert drill.broken() == []
    assert linked.log_lines(f"event=sessions_fenced node={links[one].address}.*duplicate_primary")
    # Its rows are those of the old primary, which it had received: none was written there.
    assert not {700_000_001, 700_000_002} & rows_of(cluster)


def test_a_primary_whose_address_leads_to_another_cluster_gets_nothing(cluster, links, linked):
    """With the same database, users and table, so that only the system identifier tells it apart."""
    old, new, other = cluster.primary, *cluster.replicas
    with PostgresCluster(replicas=0, fsync=False) as foreign:
        with foreign.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
            sql.rows("create table drill (id bigint primary key)")
        with Drill(linked, idlers=5) as drill:
            let_them_work(drill)
            links[old].lead_to(foreign.primary.port)
            wait_until(
                lambda: linked.log_lines(f"event=node_changed node={links[old].address}.*fault=other_cluster"),
                "the foreign node to be refused", 30, detail=linked.log_tail,
            )  # fmt: skip
            assert linked.metrics().sum("tidemark_node_role", role="primary") == 0
            old.stop("immediate")
            cluster.promote(new)
            cluster.follow(other)
            wait_for_writers(drill, new.port)
            drill.wake_idle.set()
            let_them_work(drill)
            drill.finish()
            report_errors(drill)
        assert drill.broken() == []
        assert [s.id for s in drill.acknowledged() if s.node == foreign.primary.port] == []
        assert rows_of_node(foreign.primary) == set()

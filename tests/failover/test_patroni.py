"""Patroni, which promotes, is also the authority: the proxy follows its members and the primary that it names."""

from __future__ import annotations

import time
from concurrent import futures
from typing import Iterator

import pytest

from drill import Drill
from support.auto_failover_cluster import AutoFailoverCluster
from support.deadline import wait_until
from support.patroni_cluster import PatroniCluster, promoted_at
from support.postgres_node import PostgresNode
from support.proxy_process import ProxyProcess
from test_failover import (
    Times, check_clients, check_nothing_is_left_open, check_open_transaction, check_readers, check_transactions,
    committed_after, first_write, missing_writes, print_table, report_errors, rows_of, wrote_at,
)  # fmt: skip

pytestmark = pytest.mark.proxy_only


@pytest.fixture(scope="module")
def patroni() -> Iterator[PatroniCluster]:
    with PatroniCluster(members=3, spare=1) as made:
        yield made


@pytest.fixture
def cluster(patroni: PatroniCluster) -> PatroniCluster:
    """Whole again, and with an empty table."""
    patroni.heal()
    with patroni.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows("drop table if exists drill")
        sql.rows("create table drill (id bigint primary key)")
        lsn = str(sql.value("select pg_current_wal_insert_lsn()"))
    for node in patroni.replicas:
        node.wait_for_replay(lsn)
    return patroni


@pytest.fixture
def own_cluster() -> Iterator[PatroniCluster]:
    """For what Patroni does not mend."""
    with PatroniCluster(members=2) as made:
        yield made


def discovery(cluster: PatroniCluster, **changes: object) -> dict:
    found = {"type": "patroni", "patroni": [node.url for node in cluster.nodes]} | changes
    return {"cluster": {"nodes": None, "discovery": found}}


@pytest.fixture
def proxy(cluster: PatroniCluster) -> Iterator[ProxyProcess]:
    with ProxyProcess([], discovery(cluster), directory=cluster.directory) as made:
        wait_for_primary(made, cluster.primary)
        yield made
        assert made.running(), "the proxy ended by itself\n" + made.log_tail()
    made.check_sanitizers()


def wait_for_primary(proxy: ProxyProcess, node: PostgresNode, seconds: float = 30.0) -> None:
    wait_until(
        lambda: proxy.metrics().sum("tidemark_node_role", node=node.address, role="primary") == 1,
        f"{node.name} to be the primary", seconds, detail=proxy.log_tail,
    )  # fmt: skip


def wait_for_writers(drill: Drill, node: PostgresNode) -> None:
    """The node has been promoted."""
    node_took_over = time.monotonic()
    try:
        wait_until(
            lambda: all(writer.broken or wrote_at(writer.statements, node.port) for writer in drill.writers)
            and all(writer.broken or committed_after(writer, node_took_over) for writer in drill.transaction_writers),
            "every writer to write at the new primary",
            30,
        )
    finally:
        report_errors(drill)


def finish(drill: Drill, cluster: PatroniCluster | AutoFailoverCluster, times: Times, in_order: bool) -> None:
    drill.wake_idle.set()
    drill.finish()
    present = rows_of(cluster)
    missing = missing_writes(drill, present)
    print_table(drill, cluster, times, missing)
    check_clients(drill, [times], in_order=in_order)
    check_open_transaction(drill)
    check_transactions(drill, [times], present, in_order=in_order, none_may_miss=in_order)
    if in_order or not missing:
        assert missing == []
        check_readers(drill)
    assert first_write(drill, cluster.primary.port) - times.promoted < 5


def test_a_planned_switchover_breaks_nothing_and_fails_no_autocommit_statement(cluster, proxy):
    old, new = cluster.primary, cluster.replicas[0]
    with Drill(proxy) as drill, futures.ThreadPoolExecutor() as threads:
        time.sleep(1)
        times = Times()
        times.began_to_die = time.monotonic()
        # Patroni tells only afterwards that it is done.
        promotion = threads.submit(promoted_at, new)
        cluster.switch_over(new)
        times.dead = times.promoted = promotion.result()
        print("--- Patroni, switchover")
        wait_for_writers(drill, new)
        finish(drill, cluster, times, in_order=True)
    assert cluster.primary is new is not old
    cluster.wait_healthy()
    check_nothing_is_left_open(cluster)


def test_a_failover_by_patroni_breaks_no_connection(cluster, proxy):
    old = cluster.primary
    with Drill(proxy) as drill:
        time.sleep(1)
        times = Times()
        times.began_to_die = time.monotonic()
        old.kill()
        times.dead = time.monotonic()
        wait_until(lambda: cluster.leader_name() not in (None, old.name), "another leader", 60, detail=cluster.logs)
        new = cluster.primary
        times.promoted = promoted_at(new)
        print("--- Patroni, kill -9")
        wait_for_writers(drill, new)
        finish(drill, cluster, times, in_order=False)


def test_an_old_primary_without_its_patroni_gets_nothing_once_another_is_named(cluster, proxy):
    """Cut off from etcd and from those who would demote it, it goes on taking writes from whoever sends some."""
    old = cluster.primary
    with Drill(proxy, idlers=2) as drill:
        old.freeze_patroni()
        wait_until(lambda: cluster.leader_name() not in (None, old.name), "another leader", 60, detail=cluster.logs)
        new = cluster.primary
        promoted_at(new)
        wait_for_primary(proxy, new)
        assert not old.in_recovery(), "it is as writable as before"
        fenced = time.monotonic()
        before = old.value("select count(*) from drill", dbname="shop")
        wait_for_writers(drill, new)
        assert old.value("select count(*) from drill", dbname="shop") == before
        assert not old.rows("select pid, query from pg_stat_activity where usename = 'app'")
        drill.finish()
        assert drill.broken() == []
        late = {s.id for s in drill.statements(lambda s: s.id is not None and s.start > fenced)}
        there = {row[0] for row in old.rows("select id from drill", dbname="shop")}
        assert late and not late & there, "writes reached the node that the authority does not name"
        metrics = proxy.metrics()
    assert metrics.sum("tidemark_discovery_named", node=new.address) == 1
    assert metrics.sum("tidemark_node_role", node=old.address, role="primary") == 0
    assert proxy.log_lines(f"event=node_left node={old.address}|event=node_changed node={old.address}.*fault=not_named")
    assert proxy.log_lines(f"event=primary_named node={new.address}")


def test_members_that_join_and_leave_are_followed(cluster, proxy):
    with proxy.connect() as sql:
        node = cluster.add()
        wait_until(lambda: proxy.reads_from(node.address), f"{node.name} to serve reads", 30, detail=proxy.log_tail)
        # A user keeps to a replica: some of many go to the new one.
        def reaches_it() -> bool:
            with proxy.connect() as other:
                return other.value("select inet_server_port()") == node.port

        wait_until(reaches_it, f"a read at {node.name}", 30)
        assert proxy.metrics().sum("tidemark_discovery_members") == 4
        cluster.remove(node)
        wait_until(lambda: proxy.metrics().sum("tidemark_discovery_members") == 3, f"{node.name} to leave", 30)
        assert not list(proxy.metrics().samples("tidemark_node_up", node=node.address))
        assert proxy.log_lines(f"event=node_joined node={node.address}") and proxy.log_lines(f"event=node_left node={node.address}")
        assert sql.value("select 1") == 1
        # It comes back at the address that it had.
        assert cluster.add() is node
        wait_until(lambda: proxy.reads_from(node.address), f"{node.name} to serve reads again", 30, detail=proxy.log_tail)
        cluster.remove(node)


def test_an_authority_that_cannot_be_asked_leaves_what_it_said(cluster, proxy):
    primary = cluster.primary
    writing = "insert into drill values (%s)"
    with proxy.connect() as sql:
        sql.rows(writing, [1])
        for node in cluster.nodes:
            node.freeze_patroni()
        wait_until(lambda: proxy.metrics().sum("tidemark_discovery_up") == 0, "the authority to be missed", 30)
        age = proxy.metrics().sum("tidemark_discovery_age_seconds")
        assert proxy.log_lines("event=discovery_lost") and proxy.log_lines("event=discovery_failed")
        sql.rows(writing, [2])
        assert proxy.metrics().sum("tidemark_node_role", node=primary.address, role="primary") == 1
        wait_until(lambda: proxy.metrics().sum("tidemark_discovery_age_seconds") > age, "its word to grow older", 10)
        for node in cluster.nodes:
            node.thaw_patroni()
        wait_until(lambda: proxy.metrics().sum("tidemark_discovery_up") == 1, "the authority to be back", 30)
        wait_for_primary(proxy, cluster.primary)
        sql.rows(writing, [3])


@pytest.mark.parametrize("policy", ["keep", "timeline"])
def test_a_promotion_that_no_authority_has_named_counts_only_where_the_timeline_may_prove_it(own_cluster, policy):
    """By hand, while Patroni is stopped."""
    cluster = own_cluster
    old, new = cluster.primary, cluster.replicas[0]
    with old.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows("create table drill (id bigint primary key)")
    new.wait_for_replay(old.insert_lsn())
    with ProxyProcess([], discovery(cluster, when_unreachable=policy), directory=cluster.directory) as proxy:
        wait_for_primary(proxy, old)
        for node in cluster.nodes:
            node.freeze_patroni()
        wait_until(lambda: proxy.metrics().sum("tidemark_discovery_up") == 0, "the authority to be missed", 30)
        new.promote()
        if policy == "timeline":
            wait_for_primary(proxy, new)
            with proxy.connect() as sql:
                sql.rows("insert into drill values (1)")
            assert new.value("select count(*) from drill", dbname="shop") == 1
        else:
            wait_until(
                lambda: proxy.metrics().sum("tidemark_node_role", node=new.address, role="fenced") == 1
                and proxy.metrics().sum("tidemark_node_role", role="primary") == 0,
                "no node to be trusted", 30, detail=proxy.log_tail,
            )  # fmt: skip
            assert proxy.log_lines(f"event=node_changed node={new.address}.*fault=not_named")
            assert proxy.log_lines(f"event=node_changed node={old.address}.*fault=older_timeline")

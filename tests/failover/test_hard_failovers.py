"""Failovers that are harder than one dead primary: one that hangs, one that comes back, several, and none at all."""

from __future__ import annotations

import time

import pytest

from drill import MAY_BE_LOST, Drill
from support.deadline import wait_until
from support.postgres_cluster import PostgresCluster
from support.proxy_process import ProxyProcess
from test_failover import (
    Times, check_clients, check_nothing_is_left_open, check_open_transaction, check_readers, check_transactions,
    committed_after, errors, first_write, make_synchronous, missing_writes, print_table, report_errors, rows_of, wrote_at,
)  # fmt: skip

pytestmark = [pytest.mark.proxy_only]


def wait_for_writers(drill: Drill, port: int) -> None:
    began = time.monotonic()
    try:
        wait_until(
            lambda: all(writer.broken or wrote_at(writer.statements, port) for writer in drill.writers)
            and all(writer.broken or committed_after(writer, began) for writer in drill.transaction_writers),
            "every writer to write at the new primary",
            30,
        )
    finally:
        report_errors(drill)


def let_them_work(drill: Drill) -> None:
    """Returns when each client has done something more."""
    counts = [len(client.statements) for client in [*drill.writers, *drill.readers]]
    wait_until(
        lambda: all(
            client.broken or len(client.statements) > count + 5
            for client, count in zip([*drill.writers, *drill.readers], counts)
        ),
        "all clients to work",
        30,
    )


def judge_synchronous_crash(cluster, drill: Drill, times: Times, how: str) -> None:
    """Nothing acknowledged is missing, no connection is broken, and errors are those of what was in flight."""
    present = rows_of(cluster)
    print(f"--- {how}, synchronous")
    print_table(drill, cluster, times, missing_writes(drill, present))
    check_clients(drill, [times], in_order=False)
    check_transactions(drill, [times], present, in_order=False, none_may_miss=True)
    check_open_transaction(drill)
    check_readers(drill)
    assert missing_writes(drill, present) == []


@pytest.fixture
def impatient(cluster):
    """A proxy that takes a node that does not answer for half a second for dead."""
    with ProxyProcess(cluster.addresses, {"cluster": {"probe_timeout": "500ms"}}, directory=cluster.directory) as made:
        yield made
        assert made.running(), made.log_tail()
    made.check_sanitizers()


def test_a_primary_that_hangs_is_as_dead_as_one_that_is_gone(cluster, impatient):
    """And when it comes back, writable and with its connections open, nothing is written there any more."""
    make_synchronous(cluster)
    old, new, other = cluster.primary, *cluster.replicas
    times = Times()
    with Drill(impatient) as drill:
        let_them_work(drill)
        times.began_to_die = time.monotonic()
        old.sigstop()
        times.dead = time.monotonic()
        wait_until(
            lambda: impatient.metrics().sum("tidemark_node_up", node=old.address) == 0, "the proxy to notice", 30
        )
        cluster.promote(new)
        times.promoted = time.monotonic()
        # What is sent before the proxy has noticed hangs with the primary.
        times.noticed_within = times.promoted - times.dead + 1.0
        new.rows("alter system reset synchronous_standby_names")
        cluster.follow(other)
        wait_for_writers(drill, new.port)
        drill.wake_idle.set()
        old.sigcont()
        wait_until(lambda: not sessions_of_app(old), "the old primary to be rid of its connections", 20)
        had = rows_of_node(old)
        let_them_work(drill)
        assert rows_of_node(old) == had
        drill.finish()
    judge_synchronous_crash(cluster, drill, times, "SIGSTOP")
    late = {s.id for s in drill.acknowledged() if s.node == new.port}
    assert late and not late & had, "writes after the promotion reached the old primary"
    assert impatient.log_lines("event=node_changed .*fault=older_timeline"), impatient.log_tail()
    old.stop("immediate")


def sessions_of_app(node) -> list:
    """Whoever waits there for a standby does not look whether its client is still there, and is not among them."""
    return node.rows("select pid, query from pg_stat_activity where usename = 'app' and wait_event is distinct from 'SyncRep'")


def rows_of_node(node) -> set[int]:
    return {row[0] for row in node.rows("select id from drill", dbname="shop")}


@pytest.mark.parametrize("how", ["kill -9", "fast shutdown", "SIGSTOP"])
def test_the_death_of_a_replica_is_not_noticed(cluster, impatient, how):
    victim = cluster.replicas[0]
    with Drill(impatient) as drill:
        let_them_work(drill)
        {"kill -9": victim.kill9, "fast shutdown": victim.stop, "SIGSTOP": victim.sigstop}[how]()
        wait_until(
            lambda: impatient.metrics().sum("tidemark_node_up", node=victim.address) == 0, "the proxy to notice", 30
        )
        let_them_work(drill)
        victim.sigcont()
        victim.start() if not victim.running() else None
        wait_until(
            lambda: impatient.metrics().sum("tidemark_node_up", node=victim.address) == 1, "the replica to be back", 30
        )
        let_them_work(drill)
        drill.wake_idle.set()
        drill.finish()
    report_errors(drill)
    assert drill.broken() == []
    assert errors(drill) == []
    assert not drill.transactions(lambda each: each.sqlstate is not None)
    # Nothing has happened to the primary: the careless client's transaction goes on.
    assert [s.sqlstate for s in drill.transaction.statements] == [None] * 4
    check_readers(drill)
    assert missing_writes_of_all(drill, rows_of(cluster)) == []


def missing_writes_of_all(drill: Drill, present: set[int]) -> list[int]:
    return sorted({s.id for s in drill.acknowledged() if s.id is not None} - present)


def test_the_primary_and_a_replica_die_together(cluster, proxy):
    make_synchronous(cluster)
    old, new, other = cluster.primary, *cluster.replicas
    times = Times()
    with Drill(proxy) as drill:
        let_them_work(drill)
        times.began_to_die = time.monotonic()
        old.kill9()
        other.kill9()
        times.dead = time.monotonic()
        cluster.promote(new)
        times.promoted = time.monotonic()
        new.rows("alter system reset synchronous_standby_names")
        new.rows("select pg_reload_conf()")
        wait_for_writers(drill, new.port)
        drill.wake_idle.set()
        drill.finish()
    present = rows_of(cluster)
    print("--- kill -9 of primary and replica, synchronous")
    print_table(drill, cluster, times, missing_writes(drill, present))
    check_clients(drill, [times], in_order=False)
    check_transactions(drill, [times], present, in_order=False, none_may_miss=True)
    check_open_transaction(drill)
    assert missing_writes(drill, present) == []


def test_five_failovers_in_a_row(cluster, proxy):
    """In turn a shutdown and a crash, the former primary rewound to be a replica each time."""
    failovers = []
    with Drill(proxy) as drill:
        for number in range(5):
            old, (new, other) = cluster.primary, cluster.replicas
            crash = number % 2 == 1
            if crash:
                make_synchronous(cluster)
            let_them_work(drill)
            times = Times()
            failovers.append(times)
            times.began_to_die = time.monotonic()
            old.kill9() if crash else old.stop("fast")
            times.dead = time.monotonic()
            cluster.promote(new)
            times.promoted = time.monotonic()
            new.alter_system({"synchronous_standby_names": None, "synchronous_commit": None})
            cluster.follow(other)
            wait_for_writers(drill, new.port)
            print(f"  {number + 1}: {first_write(drill, new.port, times.dead) - times.promoted:.3f} s to the first write")
            cluster.rejoin(old)
            cluster.rejoin_if_ahead(other)
            cluster.wait_streaming()
            cluster.wait_caught_up()
        drill.wake_idle.set()
        drill.finish()
    present = rows_of(cluster)
    missing = missing_writes(drill, present)
    assert missing == []
    check_clients(drill, failovers, in_order=False)
    check_transactions(drill, failovers, present, in_order=False, none_may_miss=True)
    for error in errors(drill):
        if error.sqlstate != MAY_BE_LOST:
            assert any(failovers[number].had_in_flight(error) for number in (1, 3)), (
                f"not of a crash: {error}\n{failovers}\n{proxy.log()}"
            )
    check_open_transaction(drill)
    check_readers(drill)
    check_nothing_is_left_open(cluster)

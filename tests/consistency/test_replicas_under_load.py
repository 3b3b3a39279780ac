"""A replica stops, freezes, dies and comes back in its past, while sessions write and read: nobody notices."""

from __future__ import annotations

import time

import pytest

from driver import HELD, DriverRun, primary_dsn
from support.deadline import wait_until
from test_history import assert_undisturbed

pytestmark = pytest.mark.proxy_only


def under_load(proxy, nodes, title, fault):
    with DriverRun(proxy.dsn(), primary_dsn(nodes), seconds=60) as run:
        time.sleep(2)
        fault()
        time.sleep(3)
        assert run.running()
        run.stop()
        report = run.report(title)
    assert report["violations"] == 0, report["first_violations"]
    assert report.exit_code == HELD
    assert_undisturbed(report)
    return report


def test_a_replica_is_stopped_fast_and_started(make_proxy, nodes):
    victim = nodes.replicas[0]

    def fault() -> None:
        victim.stop("fast")
        time.sleep(1)
        victim.start()

    under_load(make_proxy("session"), nodes, "replica stopped fast", fault)


def test_a_replica_is_frozen_and_thawed(make_proxy, nodes):
    victim = nodes.replicas[0]

    def fault() -> None:
        victim.sigstop()
        time.sleep(4)
        victim.sigcont()

    under_load(make_proxy("session"), nodes, "replica frozen", fault)


def test_all_replicas_are_killed_and_started(make_proxy, nodes):
    def fault() -> None:
        for victim in nodes.replicas:
            victim.kill9()
        time.sleep(1)
        for victim in nodes.replicas:
            victim.start()

    under_load(make_proxy("session"), nodes, "all replicas killed", fault)


def test_a_replica_is_killed_and_comes_back_in_its_past(make_proxy, nodes):
    victim = nodes.replicas[0]
    counters = "select sum(version)::bigint from kv where key < 4"
    seen: dict[str, int] = {}

    def fault() -> None:
        seen["before the kill"] = victim.value(counters, dbname="shop")
        # Takes effect at the restart: what was replayed since the last restart point is then held back.
        victim.rows("alter system set recovery_min_apply_delay = '1h'")
        victim.kill9()
        victim.start()
        seen["after the restart"] = victim.value(counters, dbname="shop")
        wait_until(
            lambda: nodes.primary.value(counters, dbname="shop") > seen["before the kill"], "the counters to go on", 10
        )

    # A restart point now, so that consistency is reached before what comes later.
    nodes.primary.rows("checkpoint")
    nodes.wait_caught_up()
    victim.rows("checkpoint")
    under_load(make_proxy("session"), nodes, "replica in its past", fault)
    print(f"  {victim.name} showed              {seen}")
    assert seen["after the restart"] < seen["before the kill"], "the replica did not come back in its past"

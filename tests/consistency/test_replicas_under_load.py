"""A replica stops, freezes, dies and comes back in its past, while sessions write and read: nobody notices."""

from __future__ import annotations

import time

import pytest

from driver import CUT_OFF, DriverRun, assert_held, assert_undisturbed, primary_dsn
from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only


@pytest.fixture(params=[0, 0.5], ids=["autocommit", "transactions"])
def under_load(request, make_proxy, nodes):
    """Runs sessions through a proxy, does harm with `fault`, and judges what they saw."""

    def run(title, fault):
        proxy = make_proxy("session")
        with DriverRun(proxy.dsn(), primary_dsn(nodes), seconds=60, transactions=request.param) as driver:
            time.sleep(2)
            fault()
            time.sleep(2)
            assert driver.running()
            driver.stop()
            report = driver.report(f"{title}, transactions: {request.param:.0%}")
        assert_held(report)
        assert_undisturbed(report, CUT_OFF if request.param else frozenset())

    return run


def test_a_replica_is_stopped_fast_and_started(under_load, nodes):
    victim = nodes.replicas[0]

    def fault() -> None:
        victim.stop("fast")
        time.sleep(1)
        victim.start()

    under_load("replica stopped fast", fault)


def test_a_replica_is_frozen_and_thawed(under_load, nodes):
    victim = nodes.replicas[0]

    def fault() -> None:
        victim.sigstop()
        time.sleep(4)
        victim.sigcont()

    under_load("replica frozen", fault)


def test_all_replicas_are_killed_and_started(under_load, nodes):
    def fault() -> None:
        for victim in nodes.replicas:
            victim.kill9()
        time.sleep(1)
        for victim in nodes.replicas:
            victim.start()

    under_load("all replicas killed", fault)


def test_a_replica_is_killed_and_comes_back_in_its_past(under_load, nodes):
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
    under_load("replica in its past", fault)
    print(f"  {victim.name} showed              {seen}")
    assert seen["after the restart"] < seen["before the kill"], "the replica did not come back in its past"

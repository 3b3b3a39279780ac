"""Failovers of all kinds one after the other, drawn by a seed, while recorded histories are judged."""

from __future__ import annotations

import pathlib
import random
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "consistency"))

from driver import DriverRun, make_table  # noqa: E402
from support.deadline import wait_until  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from test_failover import check_nothing_is_left_open  # noqa: E402

pytestmark = pytest.mark.proxy_only

HARMS = ("fast shutdown", "immediate shutdown", "kill -9", "SIGSTOP", "kill -9, and of the other replica")


@pytest.fixture
def impatient(cluster):
    with ProxyProcess(cluster.addresses, {"cluster": {"probe_timeout": "500ms"}}, directory=cluster.directory) as made:
        yield made
        assert made.running(), made.log_tail()
    made.check_sanitizers()


def harm(cluster, how: str) -> None:
    old, other = cluster.primary, cluster.replicas[1]
    if how == "fast shutdown":
        return old.stop("fast")
    if how == "immediate shutdown":
        return old.stop("immediate")
    if how == "SIGSTOP":
        return old.sigstop()
    old.kill9()
    if how.endswith("the other replica"):
        other.kill9()


def fail_over(cluster, how: str, choice: random.Random) -> None:
    """Ends the primary, promotes a replica that has all that was acknowledged, makes the others its replicas."""
    cluster.nodes.sort(key=lambda _: choice.random())  # which replica is the next primary
    old, (new, other) = cluster.primary, cluster.replicas
    if how != "fast shutdown":
        old.alter_system(
            {"synchronous_standby_names": f"FIRST 1 ({new.name})", "synchronous_commit": "remote_apply"}
        )
        # From now on what is acknowledged is there; what was before must be, too.
        cluster.wait_caught_up()
    time.sleep(choice.uniform(0.1, 0.8))
    harm(cluster, how)
    if choice.random() < 0.5:
        time.sleep(choice.uniform(0.0, 0.5))
    cluster.promote(new)
    new.alter_system({"synchronous_standby_names": None, "synchronous_commit": None})
    if how == "SIGSTOP":
        time.sleep(choice.uniform(0.0, 1.0))
        old.sigcont()
        time.sleep(choice.uniform(0.0, 0.3))
        old.stop("immediate")
    if not other.running():
        other.start()
    cluster.follow(other)
    cluster.rejoin(old)
    cluster.rejoin_if_ahead(other)
    cluster.wait_streaming()


def test_no_guarantee_is_broken_by_any_of_them(cluster, impatient, request):
    count, seed = request.config.getoption("--failovers"), request.config.getoption("--failovers-seed")
    choice = random.Random(seed)
    make_table(cluster)
    harms = [choice.choice(HARMS) for _ in range(count)]
    with DriverRun(impatient.dsn(), impatient.dsn(), seconds=120 + 30 * count, think_ms=1, seed=seed) as run:
        time.sleep(1)
        for number, how in enumerate(harms, 1):
            print(f"  {number}: {how}")
            fail_over(cluster, how, choice)
            assert run.running()
        time.sleep(1)
        run.stop()
        report = run.report(f"{count} failovers, seed {seed}")
    # A write that nobody was told of may have reached one replica only, been shown there, and died with the primary: it
    # is gone for everybody (routing/README.md, rule 9). No other violation is accepted.
    assert report["proves_nothing"] == []
    assert report["stale_read"] == 0, report["first_violations"]
    assert report["violations"] == report["violations_before_acknowledgement"], report["first_violations"]
    for name in ("broken_busy", "broken_idle", "connect_failures", "stuck", "wrong_answers"):
        assert report[name] == 0, name
    assert {name.split()[-1] for name in report["errors"]} <= {"40001", "40003", "TM001"}
    assert impatient.metrics().sum("tidemark_held_statements") == 0
    wait_until(lambda: impatient.metrics().sum("tidemark_pool_waiting_clients") == 0, "nobody to wait", 10)
    check_nothing_is_left_open(cluster)

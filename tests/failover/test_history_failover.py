"""The history checker across a failover: what was seen before the primary died binds what is seen afterwards."""

from __future__ import annotations

import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "consistency"))

from driver import DriverRun, make_table  # noqa: E402
from test_failover import make_synchronous  # noqa: E402
from test_history import assert_held  # noqa: E402

pytestmark = pytest.mark.proxy_only


@pytest.mark.parametrize("how", ["kill -9", "fast shutdown"])
def test_no_guarantee_is_broken_across_a_failover(cluster, proxy, how):
    make_table(cluster)
    if how == "kill -9":
        make_synchronous(cluster)  # no acknowledged write is lost, so nothing may be missing afterwards
    old, new, other = cluster.primary, *cluster.replicas
    # Both looks at the whole table go through the proxy: the last one must find the new primary.
    with DriverRun(proxy.dsn(), proxy.dsn(), seconds=60, think_ms=1) as run:
        time.sleep(3)
        if how == "kill -9":
            old.kill9()
        else:
            old.stop("fast")
        time.sleep(0.5)
        cluster.promote(new)
        new.rows("alter system reset synchronous_standby_names")
        cluster.follow(other)
        time.sleep(3)
        old.start()  # as it was: writable, and of the old timeline
        time.sleep(2)
        assert run.running()
        run.stop()
        report = run.report(f"histories, {how}")
    if how == "kill -9":
        # A write that nobody was told of may have reached the other replica only, been shown there, and died with the
        # primary: it is gone for everybody (routing/README.md, rule 9). No other violation is accepted.
        assert report["proves_nothing"] == []
        assert report["stale_read"] == 0, report["first_violations"]
        assert report["violations"] == report["violations_before_acknowledgement"], report["first_violations"]
    else:
        assert_held(report)
    for name in ("broken_busy", "broken_idle", "connect_failures", "stuck", "wrong_answers"):
        assert report[name] == 0, name
    assert {name.split()[-1] for name in report["errors"]} <= {"40001", "40003", "TM001"}
    assert not [name for name in report["errors"] if name.startswith("commit read only") and "40003" in name]
    assert sum(report["errors"].values()) <= 25, "more than the one statement in flight per session"

"""bounded_staleness: no read shows less than what had been acknowledged longer ago than the bound."""

from __future__ import annotations

import pytest

from driver import CUT_OFF, assert_caught, assert_held, assert_undisturbed, primary_dsn, run_driver
from naive import NaiveSplitter
from unsettled import Unsettled

BOUND_MS = 500
BOUNDED = {"judge": f"bounded_staleness={BOUND_MS}ms"}


def assert_bounded(report):
    assert_held(report)
    assert report["max_staleness_ms"] <= BOUND_MS
    assert report["reads_behind"] > 0, "every read was fresh: nothing was at stake"
    assert_undisturbed(report, CUT_OFF)


def test_a_naive_splitter_keeps_no_bound(uneven):
    with NaiveSplitter(uneven) as splitter:
        report = run_driver(
            "bounded, naive splitter", splitter.dsn(), primary_dsn(uneven), protocol="simple", seconds=4, **BOUNDED
        )
    assert_caught(report, "over_bound")
    assert report["max_staleness_ms"] > BOUND_MS


@pytest.mark.proxy_only
def test_eventual_keeps_no_bound_but_max_lag(make_proxy, uneven):
    proxy = make_proxy("eventual")
    report = run_driver("eventual, judged as bounded", proxy.dsn(), primary_dsn(uneven), seconds=4, **BOUNDED)
    assert_caught(report, "over_bound")


@pytest.mark.proxy_only
def test_the_bound_holds_with_uneven_delay(make_proxy, uneven):
    proxy = make_proxy("bounded_staleness", {"routing": {"max_staleness": f"{BOUND_MS}ms"}})
    report = run_driver("bounded, uneven", proxy.dsn(), primary_dsn(uneven), seconds=8, **BOUNDED)
    assert_bounded(report)
    assert report["share_of_reads_elsewhere"] > 0.5, "the replicas within the bound are there to be used"


@pytest.mark.proxy_only
def test_the_bound_is_had_by_those_who_ask_for_it(make_proxy, uneven):
    proxy = make_proxy("eventual")
    report = run_driver(
        "bounded, asked for", proxy.dsn(), primary_dsn(uneven), level="bounded_staleness",
        max_staleness=f"{BOUND_MS}ms", level_by="mixed", seconds=6, **BOUNDED,
    )  # fmt: skip
    assert_bounded(report)


@pytest.mark.proxy_only
def test_the_bound_holds_while_replicas_fall_behind_and_catch_up(make_proxy, nodes):
    proxy = make_proxy("bounded_staleness", {"routing": {"max_staleness": f"{BOUND_MS}ms"}})
    with Unsettled(nodes) as replicas:
        report = run_driver("bounded, unsettled", proxy.dsn(), primary_dsn(nodes), seconds=6, **BOUNDED)
    assert replicas.changes > 5
    assert_bounded(report)

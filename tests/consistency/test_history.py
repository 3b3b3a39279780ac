"""Recorded histories, judged. A run that cannot fail proves nothing: the same run finds what it looks for elsewhere."""

from __future__ import annotations

import pytest

from driver import CUT_OFF, HELD, PROVES_NOTHING, VIOLATED, assert_held, assert_undisturbed, primary_dsn, run_driver
from naive import NaiveSplitter

SECONDS = 20

def test_a_naive_splitter_is_caught_even_without_delay(nodes):
    with NaiveSplitter(nodes) as splitter:
        report = run_driver("naive splitter, no delay", splitter.dsn(), primary_dsn(nodes), protocol="simple")
    assert report.exit_code == VIOLATED
    assert report["stale_read"] > 0
    assert_undisturbed(report)


def test_a_naive_splitter_is_caught_with_uneven_delay(uneven):
    with NaiveSplitter(uneven) as splitter:
        report = run_driver("naive splitter, uneven", splitter.dsn(), primary_dsn(uneven), protocol="simple", seconds=5)
    assert report.exit_code == VIOLATED
    assert report["stale_read"] > 100
    assert report["step_back"] > 100
    assert report["effect_before_cause"] > 0
    assert_undisturbed(report)


def test_the_primary_alone_holds_and_proves_nothing(nodes):
    report = run_driver("primary alone", primary_dsn(nodes), primary_dsn(nodes), seconds=2)
    assert report["violations"] == 0
    assert report.exit_code == PROVES_NOTHING


@pytest.mark.proxy_only
def test_session_consistency_holds_with_uneven_delay(make_proxy, uneven, request):
    proxy = make_proxy("session")
    reads = request.config.getoption("--history-reads", default=0)
    length = {"reads": reads, "seconds": 4 * 3600} if reads else {"seconds": SECONDS}
    seed = request.config.getoption("--history-seed", default=1)
    users = request.config.getoption("--history-users", default=0)
    # Users of several connections write beside their own READ ONLY transactions, which are as fresh as their first reads.
    later = "transaction" if users else "own"
    report = run_driver(
        "session, uneven", proxy.dsn(), primary_dsn(uneven), seed=seed, users=users, later_reads=later, **length
    )
    assert_held(report)
    assert report["share_of_reads_elsewhere"] > 0.05, "the replicas were not used: nothing was at stake"
    assert_undisturbed(report, CUT_OFF)


@pytest.mark.proxy_only
def test_the_same_run_under_eventual_is_caught(make_proxy, uneven):
    proxy = make_proxy("eventual")
    report = run_driver("eventual, uneven", proxy.dsn(), primary_dsn(uneven), seconds=10)
    assert report.exit_code == VIOLATED
    assert report["stale_read"] > 0
    assert_undisturbed(report, CUT_OFF)


@pytest.mark.proxy_only
@pytest.mark.slow
@pytest.mark.parametrize("level", ["read_your_writes", "monotonic_reads"])
def test_each_weaker_level_keeps_its_own_guarantee(make_proxy, uneven, level):
    proxy = make_proxy(level)
    report = run_driver(level, proxy.dsn(), primary_dsn(uneven), seconds=8, judge=level)
    assert_held(report)
    assert_undisturbed(report, CUT_OFF)


@pytest.mark.proxy_only
def test_reads_among_writes_see_what_was_acknowledged(make_proxy, uneven):
    """Reads in a transaction or pipeline that writes go to the primary at once.

    So they can miss what a replica has shown before the primary does (routing/README.md, rule 11 and its limits), and
    nothing else.
    """
    proxy = make_proxy("session")
    report = run_driver(
        "session, reads among writes", proxy.dsn(), primary_dsn(uneven), reads_among_writes=0.5, transactions=0.4,
        seconds=6,
    )  # fmt: skip
    assert report["proves_nothing"] == []
    assert report["stale_read"] == 0, report["first_violations"]
    assert report["violations"] == report["violations_before_acknowledgement"], report["first_violations"]
    assert_undisturbed(report, CUT_OFF)


@pytest.mark.proxy_only
def test_under_primary_no_replica_is_asked(make_proxy, uneven):
    proxy = make_proxy("primary")
    report = run_driver("primary", proxy.dsn(), primary_dsn(uneven), seconds=3, min_nodes=1)
    assert report.exit_code == HELD
    assert report["share_of_reads_elsewhere"] == 0
    assert_undisturbed(report)


@pytest.mark.proxy_only
def test_with_think_time_nearly_all_reads_are_answered_by_replicas(make_proxy, nodes):
    proxy = make_proxy("session")
    report = run_driver(
        "session, 5 ms think time", proxy.dsn(), primary_dsn(nodes),
        seconds=10, think="fixed", think_ms=5, writers=4, shared=4, counter_readers=4, counter_think_ms=5,
    )  # fmt: skip
    assert_held(report)
    # With a sanitizer the proxy is the slowest part, and a question of the position takes longer than the think time.
    assert report["share_of_reads_elsewhere"] >= (0.9 if proxy.sanitized else 0.99)
    assert_undisturbed(report)

"""strong: what all clients see of a key can have happened one after the other in real time (linearizability)."""

from __future__ import annotations

import pytest

from driver import CUT_OFF, assert_caught, assert_held, assert_undisturbed, primary_dsn, run_driver
from naive import NaiveSplitter
from unsettled import Unsettled

# A READ ONLY transaction is as fresh as its first read, whatever happens meanwhile (routing/README.md, "Which level").
STRONG = {"judge": "strong", "later_reads": "transaction"}


def assert_strong(report):
    assert_held(report)
    assert report["pieces_compared"] > 0, "no search has looked at a piece of this history"
    assert report["share_of_reads_elsewhere"] > 0, "the replicas were not used: nothing was at stake"
    assert_undisturbed(report, CUT_OFF)


def test_a_naive_splitter_is_not_strong_even_without_delay(nodes):
    with NaiveSplitter(nodes) as splitter:
        report = run_driver(
            "strong, naive splitter", splitter.dsn(), primary_dsn(nodes), protocol="simple", seconds=4, **STRONG
        )
    assert_caught(report, "behind_acknowledged")


@pytest.mark.proxy_only
def test_session_consistency_is_not_strong(make_proxy, uneven):
    proxy = make_proxy("session")
    report = run_driver("session, judged as strong", proxy.dsn(), primary_dsn(uneven), seconds=4, **STRONG)
    assert_caught(report, "behind_acknowledged", "behind_read")
    assert report["pieces_not_linearizable"] > 0, "the search finds it, too"
    assert report["stale_read"] == report["step_back"] == 0, "but it is what it is"


@pytest.mark.proxy_only
def test_strong_holds_with_uneven_delay(make_proxy, uneven):
    proxy = make_proxy("strong")
    report = run_driver("strong, uneven", proxy.dsn(), primary_dsn(uneven), seconds=8, **STRONG)
    assert_strong(report)


@pytest.mark.proxy_only
def test_strong_is_had_by_those_who_ask_for_it(make_proxy, uneven):
    proxy = make_proxy("eventual")
    report = run_driver(
        "strong, asked for", proxy.dsn(), primary_dsn(uneven), level="strong", level_by="mixed", seconds=6, **STRONG
    )
    assert_strong(report)


@pytest.mark.proxy_only
def test_strong_while_replicas_fall_behind_and_catch_up(make_proxy, nodes):
    proxy = make_proxy("strong")
    with Unsettled(nodes) as replicas:
        report = run_driver("strong, unsettled", proxy.dsn(), primary_dsn(nodes), seconds=6, **STRONG)
    assert replicas.changes > 5
    assert_strong(report)


@pytest.mark.proxy_only
@pytest.mark.slow
def test_strong_holds_for_users_of_several_connections(make_proxy, uneven, request):
    proxy = make_proxy("strong")
    reads = request.config.getoption("--history-reads", default=0)
    length = {"reads": reads, "seconds": 4 * 3600} if reads else {"seconds": 10}
    users = request.config.getoption("--history-users", default=0) or 8
    seed = request.config.getoption("--history-seed", default=1)
    report = run_driver(
        "strong, users", proxy.dsn(), primary_dsn(uneven), users=users, seed=seed, **length, **STRONG
    )
    assert_strong(report)

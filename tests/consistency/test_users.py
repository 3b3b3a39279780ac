"""Users of several connections: what one of them wrote or has seen binds all of them, however it says whose it is."""

from __future__ import annotations

import pytest

from driver import (
    CUT_OFF,
    PROVES_NOTHING,
    assert_caught,
    assert_held,
    assert_undisturbed,
    primary_dsn,
    run_driver,
)
from naive import NaiveSplitter
from unsettled import Unsettled

# Nobody but users, whose own reads are what may be wrong, and one who advances the counters.
# A READ ONLY transaction is as fresh as its first read (routing/README.md, "Which level").
USERS = {
    "users": 8, "connections_per_user": 3, "writers": 0, "counter_readers": 0, "shared": 0,
    "later_reads": "transaction",
}  # fmt: skip


def test_a_naive_splitter_is_caught_between_a_users_connections(uneven):
    with NaiveSplitter(uneven) as splitter:
        report = run_driver(
            "users, naive splitter", splitter.dsn(), primary_dsn(uneven), protocol="simple", seconds=4, **USERS
        )
    assert_caught(report, "stale_read", "step_back", "effect_before_cause")


def test_users_at_the_primary_hold_and_prove_nothing(nodes):
    report = run_driver(
        "users, primary alone", primary_dsn(nodes), primary_dsn(nodes), identify="startup", seconds=2, **USERS
    )
    assert report["violations"] == 0
    assert report["reads_after_own_write_elsewhere"] > 0
    assert report.exit_code == PROVES_NOTHING
    assert_undisturbed(report)


@pytest.mark.proxy_only
def test_without_a_key_connections_share_nothing(make_proxy, uneven):
    proxy = make_proxy("session")
    report = run_driver("users, no key", proxy.dsn(), primary_dsn(uneven), identify="nothing", seconds=4, **USERS)
    assert_caught(report, "stale_read")


@pytest.mark.proxy_only
def test_connections_of_one_user_share_what_they_wrote_and_saw(make_proxy, uneven):
    proxy = make_proxy("session")
    report = run_driver("users, keys", proxy.dsn(), primary_dsn(uneven), seconds=8, **USERS)
    assert_held(report)
    assert report["share_of_reads_elsewhere"] > 0.05, "the replicas were not used: nothing was at stake"
    assert_undisturbed(report, CUT_OFF)


@pytest.mark.proxy_only
@pytest.mark.slow
@pytest.mark.parametrize("way", ["set", "startup", "hint"])
def test_each_way_to_say_the_key_is_as_good(make_proxy, uneven, way):
    proxy = make_proxy("session")
    report = run_driver(f"users, {way}", proxy.dsn(), primary_dsn(uneven), identify=way, seconds=8, **USERS)
    assert_held(report)
    assert_undisturbed(report, CUT_OFF)


@pytest.mark.proxy_only
def test_users_who_do_two_things_at_once(make_proxy, uneven):
    proxy = make_proxy("session")
    report = run_driver("users, two at once", proxy.dsn(), primary_dsn(uneven), concurrent=1, seconds=6, **USERS)
    assert_held(report)
    assert_undisturbed(report, CUT_OFF)


@pytest.mark.proxy_only
def test_users_while_replicas_fall_behind_and_catch_up(make_proxy, nodes):
    proxy = make_proxy("session")
    with Unsettled(nodes) as replicas:
        report = run_driver("users, unsettled", proxy.dsn(), primary_dsn(nodes), seconds=6, **USERS)
    assert replicas.changes > 5
    assert_held(report)
    assert_undisturbed(report, CUT_OFF)


@pytest.mark.proxy_only
@pytest.mark.slow
@pytest.mark.parametrize("level", ["read_your_writes", "monotonic_reads"])
def test_each_weaker_level_keeps_its_own_guarantee_for_users(make_proxy, uneven, level):
    proxy = make_proxy(level)
    report = run_driver(f"users, {level}", proxy.dsn(), primary_dsn(uneven), judge=level, seconds=8, **USERS)
    assert_held(report)
    assert_undisturbed(report, CUT_OFF)

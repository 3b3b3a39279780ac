"""Tokens: what a user knows is carried from one connection to the next, or to another proxy, by who has no key."""

from __future__ import annotations

import pytest

from driver import CUT_OFF, assert_caught, assert_held, assert_undisturbed, primary_dsn, run_driver
from naive import NaiveSplitter
from test_users import USERS


def assert_carried(report):
    assert_held(report)
    assert report["tokens_carried"] > 100
    assert report["share_of_reads_elsewhere"] > 0.05, "the replicas were not used: nothing was at stake"
    assert_undisturbed(report, CUT_OFF)


@pytest.fixture
def token_of_no_use(nodes):
    """PostgreSQL itself answers SHOW tidemark.token, with something that means nothing."""
    nodes.primary.rows("alter role postgres in database shop set tidemark.token = 'none'")
    yield
    nodes.primary.rows("alter role postgres in database shop reset tidemark.token")


def test_a_token_that_means_nothing_is_caught(uneven, token_of_no_use):
    with NaiveSplitter(uneven) as splitter:
        report = run_driver(
            "tokens, naive splitter", splitter.dsn(), primary_dsn(uneven), tokens=1, protocol="simple", seconds=4,
            min_reads_elsewhere=100, **USERS,
        )  # fmt: skip
    assert_caught(report, "stale_read", "step_back")
    assert report["tokens_carried"] > 0


@pytest.mark.proxy_only
def test_a_token_carries_what_a_connection_wrote_and_saw(make_proxy, uneven):
    proxy = make_proxy("session")
    report = run_driver("tokens", proxy.dsn(), primary_dsn(uneven), tokens=1, seconds=6, **USERS)
    assert_carried(report)


@pytest.mark.proxy_only
def test_two_proxies_know_nothing_of_each_other(make_proxy, uneven):
    one, two = make_proxy("session"), make_proxy("session")
    report = run_driver(
        "two proxies, no token", one.dsn(), primary_dsn(uneven), second=two.dsn(), identify="nothing", seconds=4,
        **USERS,
    )  # fmt: skip
    assert_caught(report, "stale_read")


@pytest.mark.proxy_only
def test_a_token_is_good_at_another_proxy(make_proxy, uneven):
    one, two = make_proxy("session"), make_proxy("session")
    report = run_driver(
        "tokens, two proxies", one.dsn(), primary_dsn(uneven), second=two.dsn(), tokens=1, seconds=6, **USERS
    )
    assert_carried(report)


@pytest.mark.proxy_only
@pytest.mark.slow
def test_keys_and_tokens_side_by_side(make_proxy, uneven):
    proxy = make_proxy("session")
    report = run_driver(
        "keys and tokens", proxy.dsn(), primary_dsn(uneven), tokens=0.5, users=16, connections_per_user=4, seconds=10,
        later_reads="transaction",
    )  # fmt: skip
    assert_carried(report)

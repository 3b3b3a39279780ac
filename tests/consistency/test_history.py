"""Recorded histories, judged. A run that cannot fail proves nothing: the same run finds what it looks for elsewhere."""

from __future__ import annotations

import pathlib
import sys

import pytest

from driver import HELD, PROVES_NOTHING, VIOLATED, Report, primary_dsn, run_driver
from support.free_ports import free_port
from support.postgres_cluster import PostgresCluster
from support.server_process import ServerProcess

SECONDS = 20

# What cannot be had: a READ ONLY transaction that has shown something dies with its server, or with a recovery conflict
# on it, and may be tried again.
CUT_OFF = frozenset({"later read in transaction 40001"})


class NaiveSplitter(ServerProcess):
    kind = "naive-splitter"

    def __init__(self, cluster: PostgresCluster) -> None:
        super().__init__(free_port(), cluster.directory)
        self._ports = [cluster.primary.port, *(node.port for node in cluster.replicas)]

    def command(self) -> list[str]:
        program = pathlib.Path(__file__).with_name("naive_splitter.py")
        return [sys.executable, str(program), str(self.port), *map(str, self._ports)]

    def parameters(self, **changes):
        # The superuser is trusted by the servers: the splitter has no password to give.
        return super().parameters(user="postgres") | changes


def assert_undisturbed(report: Report, tolerated: frozenset[str] = frozenset()) -> None:
    """No client saw an error that is not tolerated, lost its connection, or got an answer that was not its own."""
    assert {name: count for name, count in report["errors"].items() if name not in tolerated} == {}
    for name in ("broken_busy", "broken_idle", "connect_failures", "stuck", "wrong_answers", "impossible_version"):
        assert report[name] == 0, name


def assert_held(report: Report) -> None:
    """No guarantee was broken."""
    assert report["proves_nothing"] == []
    assert report["violations"] == 0, report["first_violations"]


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
    length = {"reads": reads, "seconds": 3600} if reads else {"seconds": SECONDS}
    seed = request.config.getoption("--history-seed", default=1)
    report = run_driver("session, uneven", proxy.dsn(), primary_dsn(uneven), seed=seed, **length)
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
@pytest.mark.parametrize("level, absent", [("read_your_writes", "stale_read"), ("monotonic_reads", "step_back")])
def test_each_weaker_level_keeps_its_own_guarantee(make_proxy, uneven, level, absent):
    proxy = make_proxy(level)
    report = run_driver(level, proxy.dsn(), primary_dsn(uneven), seconds=8)
    assert report["proves_nothing"] == []
    assert report[absent] == 0, report["first_violations"]
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
    assert report["share_of_reads_elsewhere"] >= 0.99
    assert_undisturbed(report)

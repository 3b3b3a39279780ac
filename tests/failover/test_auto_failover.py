"""pg_auto_failover, which promotes, is also the authority: the proxy follows the formation that its monitor keeps."""

from __future__ import annotations

import time
from typing import Iterator

import pytest

from drill import Drill
from support.auto_failover_cluster import AutoFailoverCluster
from support.deadline import wait_until
from support.patroni_cluster import promoted_at
from support.postgres_cluster import MONITOR_PASSWORD
from support.proxy_process import ProxyProcess
from test_failover import Times
from test_patroni import finish, wait_for_primary, wait_for_writers

pytestmark = pytest.mark.proxy_only


@pytest.fixture(scope="module")
def formation() -> Iterator[AutoFailoverCluster]:
    with AutoFailoverCluster(members=2) as made:
        # What README.md gives operators who want a role of its own.
        with made.monitor.connect(dbname="pg_auto_failover") as sql:
            sql.rows("create role tidemark login password 'monitor-secret'")
            sql.rows("grant usage on schema pgautofailover to tidemark")
            sql.rows("grant select on pgautofailover.node to tidemark")
        yield made


@pytest.fixture
def cluster(formation: AutoFailoverCluster) -> AutoFailoverCluster:
    """Whole again, and with an empty table."""
    formation.heal()
    primary = formation.primary
    with primary.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows("drop table if exists drill")
        sql.rows("create table drill (id bigint primary key)")
    for node in formation.replicas:
        node.wait_for_replay(primary.insert_lsn())
    return formation


def discovery(cluster: AutoFailoverCluster, **changes: object) -> dict:
    password = cluster.directory / "failover-monitor-password"
    password.write_text(MONITOR_PASSWORD + "\n", encoding="utf-8")
    password.chmod(0o600)
    found = {
        "type": "pg_auto_failover", "monitor": cluster.monitor.address, "monitor_user": "tidemark",
        "monitor_password_file": str(password),
    } | changes  # fmt: skip
    return {"cluster": {"nodes": None, "discovery": found}}


@pytest.fixture
def proxy(cluster: AutoFailoverCluster) -> Iterator[ProxyProcess]:
    with ProxyProcess([], discovery(cluster), directory=cluster.directory) as made:
        wait_for_primary(made, cluster.primary)
        yield made
        assert made.running(), "the proxy ended by itself\n" + made.log_tail()
    made.check_sanitizers()


def test_a_failover_by_pg_auto_failover_breaks_no_connection(cluster, proxy):
    old = cluster.primary
    with Drill(proxy) as drill:
        time.sleep(1)
        times = Times()
        times.began_to_die = time.monotonic()
        old.kill()
        times.dead = time.monotonic()
        wait_until(lambda: cluster.leader() not in (None, old), "another primary", 60, detail=cluster.logs)
        new = cluster.primary
        times.promoted = promoted_at(new)
        print("--- pg_auto_failover, kill -9")
        wait_for_writers(drill, new)
        finish(drill, cluster, times, in_order=False)
    assert proxy.log_lines(f"event=primary_named node={new.address}")


def test_a_formation_that_the_monitor_does_not_know_is_told(cluster):
    proxy = ProxyProcess([], discovery(cluster, formation="other"), directory=cluster.directory)
    try:
        proxy.start(query=False)
        wait_until(
            lambda: proxy.log_lines("event=discovery_failed .*there is no node in this formation and group"),
            "the log to tell", 20, detail=proxy.log_tail,
        )  # fmt: skip
        assert proxy.metrics().sum("tidemark_discovery_up") == 0
    finally:
        proxy.close()

"""What the proxy tells of replication: metrics and log lines, while replicas die, pause, cascade and lack."""

from __future__ import annotations

import psycopg
import pytest

from support.deadline import wait_until
from support.metrics import Metrics
from support.proxy_process import ROOT

pytestmark = [pytest.mark.proxy_only, pytest.mark.limit(120)]

QUICK = {"interval": "100ms", "not_streaming": "300ms", "slot_inactive": "300ms", "replay_paused": "300ms"}


def raised(metrics: Metrics) -> set[tuple[str, str]]:
    return {(labels["alert"], labels["node"]) for labels, value in metrics.samples("tidemark_alert") if value}


def is_known(metrics: Metrics, address: str) -> bool:
    return metrics.sum("tidemark_node_replication_known", node=address) == 1


def wait_alert(proxy, alert: str, node) -> None:
    wait_until(lambda: (alert, node.address) in raised(proxy.metrics()), f"{alert} to begin", 30, detail=proxy.log_tail)
    wait_until(lambda: lines(proxy, "event=alert ", alert, node), "the log to say so", 10, detail=proxy.log_tail)


def wait_over(proxy, alert: str, node) -> None:
    wait_until(lambda: (alert, node.address) not in raised(proxy.metrics()), f"{alert} to end", 30, detail=proxy.log_tail)
    wait_until(lambda: lines(proxy, "event=alert_ended ", alert, node), "the log to say so", 10, detail=proxy.log_tail)


def lines(proxy, event: str, alert: str, node) -> list[str]:
    return [line for line in proxy.log_lines(event) if f"alert={alert} node={node.address}" in line]


def shown(proxy, what: str) -> list[dict[str, str]]:
    """What the admin console shows."""
    with psycopg.connect(proxy.dsn(dbname="tidemark"), autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute(f"show {what}").fetchall()


def write(node) -> None:
    """More than half a megabyte of WAL, which leaves nothing behind."""
    with node.connect(dbname="shop") as sql:
        sql.rows("begin")
        sql.rows("create table never_there as select generate_series(1, 10000) as v")
        sql.rows("rollback")


@pytest.fixture
def watched(make_proxy, nodes):
    """A proxy that asks often, once every node has told of replication and nothing is wrong."""

    def make(alerts=None, addresses=None):
        addresses = addresses or nodes.addresses
        proxy = make_proxy({"alerts": QUICK | (alerts or {}), "admin": {"stats_users": ["app"]}}, nodes=addresses)

        def settled() -> bool:
            metrics = proxy.metrics()
            return all(is_known(metrics, address) for address in addresses) and not raised(metrics)

        wait_until(settled, "all nodes to be known and well", 30, detail=lambda: f"{raised(proxy.metrics())}\n{proxy.log_tail()}")
        return proxy

    return make


def test_a_healthy_cluster_has_no_finding_and_its_topology_is_shown(watched, nodes):
    # With time to find the nodes: until then none of them streams, as far as the proxy knows.
    proxy = watched({"not_streaming": "1min"})
    primary, replicas = nodes.primary, nodes.replicas
    tiers = {labels["node"]: value for labels, value in proxy.metrics().samples("tidemark_node_tier")}
    assert tiers == {primary.address: 0} | {replica.address: 1 for replica in replicas}
    for replica in replicas:
        # The row of the primary's pg_stat_replication is known to be this node.
        wait_until(
            lambda: proxy.metrics().sum(
                "tidemark_replication_standby", node=primary.address, replica=replica.address, standby=replica.name,
                client="127.0.0.1", state="streaming", sync_state="async",
            ) == 1,
            f"{replica.name} to be shown with its state", 20, detail=lambda: proxy.http("/metrics"),
        )  # fmt: skip
        metrics = proxy.metrics()
        assert metrics.sum("tidemark_node_upstream", node=replica.address, upstream=primary.address, ours="true") == 1
        assert metrics.sum("tidemark_node_wal_receiver_streaming", node=replica.address) == 1
        stages = {labels["stage"] for labels, _ in metrics.samples("tidemark_replication_lag_bytes", replica=replica.address)}
        assert stages == {"write", "flush", "replay"}
    rows = {row["replica"]: (row["node"], row["tier"], row["state"], row["sync_state"]) for row in shown(proxy, "replication")}
    assert rows == {replica.address: (primary.address, "1", "streaming", "async") for replica in replicas}
    assert shown(proxy, "alerts") == []
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = {name for name in proxy.metrics().names() if name.startswith(("tidemark_alert", "tidemark_replication_", "tidemark_slot_"))}
    assert {name for name in told if f"`{name}{{" not in readme} == set(), "README.md does not tell what they are"
    assert {"tidemark_replication_tier_lag_bytes", "tidemark_replication_loss_window_bytes"} <= proxy.metrics().names()
    assert not proxy.log_lines("event=alert"), proxy.log_tail()
    assert not proxy.log_lines("event=replication_unreadable"), proxy.log_tail()


def test_killed_replicas_are_told_and_told_again_when_they_are_back(watched, nodes):
    proxy = watched({"loss_window_bytes": "4kB"})
    first, second = nodes.replicas
    first.kill9()
    wait_alert(proxy, "not_streaming", first)
    assert ("too_few_replicas", nodes.primary.address) not in raised(proxy.metrics()), "one is there"
    second.kill9()
    wait_alert(proxy, "too_few_replicas", nodes.primary)
    wait_alert(proxy, "not_streaming", second)
    told = lines(proxy, "event=alert ", "too_few_replicas", nodes.primary)[0]
    assert "replicas=0 wanted=1" in told and "text=" in told
    write(nodes.primary)
    wait_alert(proxy, "loss_window", nodes.primary)
    assert proxy.metrics().sum("tidemark_replication_loss_window_bytes", node=nodes.primary.address) > 4096
    first.start()
    second.start()
    wait_over(proxy, "loss_window", nodes.primary)
    wait_over(proxy, "too_few_replicas", nodes.primary)
    for replica in (first, second):
        wait_over(proxy, "not_streaming", replica)
    wait_until(lambda: not raised(proxy.metrics()), "all to be well", 30, detail=proxy.log_tail)
    assert len(lines(proxy, "event=alert ", "too_few_replicas", nodes.primary)) == 1, proxy.log_tail()


def test_missing_synchronous_standbys_are_counted_as_the_server_counts_them(watched, nodes):
    proxy = watched()
    primary = nodes.primary
    names = [replica.name for replica in nodes.replicas]
    # Both replicas are connected: what is asked for, and which of the two alerts that is.
    cases = [
        (f"FIRST 2 ({names[0]}, \"{names[1]}\")", 2, None),
        (f"ANY 1 ({names[0].upper()}, gone)", 1, "synchronous_standby_missing"),
        ("2 (*)", 2, None),
        ("FIRST 3 (*)", 3, "synchronous_standbys_short"),
        ("\"no such, standby\"", 1, "synchronous_standbys_short"),
    ]
    alerts = {"synchronous_standby_missing", "synchronous_standbys_short"}
    try:
        for text, required, expected in cases:
            primary.alter_system({"synchronous_standby_names": text})

            def agrees() -> bool:
                # What the server itself says, at the moment of each look: its senders take the setting up one by one.
                candidates = primary.value("select count(*) from pg_stat_replication where state = 'streaming' and sync_priority > 0")
                metrics = proxy.metrics()
                ours = metrics.sum("tidemark_replication_synchronous_standbys_connected")
                asked = metrics.sum("tidemark_replication_synchronous_standbys_required")
                found = {alert for alert, _ in raised(metrics)} & alerts
                return asked == required and ours == candidates and found == ({expected} if expected else set())

            wait_until(agrees, f"the proxy to judge {text} as the server does", 30, detail=lambda: proxy.http("/metrics"))
    finally:
        primary.alter_system({"synchronous_standby_names": None})
    wait_over(proxy, "synchronous_standbys_short", primary)
    told = lines(proxy, "event=alert ", "synchronous_standbys_short", primary)[0]
    assert "connected=2 required=3" in told or 'missing="no such, standby"' in told


def test_a_slot_that_nobody_uses_is_told_with_what_it_keeps(watched, nodes):
    proxy = watched({"slot_retained_wal": "1kB"})
    primary = nodes.primary
    primary.rows("select pg_create_physical_replication_slot('forgotten', true)")
    primary.alter_system({"max_slot_wal_keep_size": "512MB"})
    try:
        wait_alert(proxy, "slot_near_limit", primary)
        assert 0 < proxy.metrics().sum("tidemark_slot_safe_wal_size_bytes", slot="forgotten") < 2**30
        wait_alert(proxy, "slot_inactive", primary)
        write(primary)
        wait_alert(proxy, "slot_retains_wal", primary)
        metrics = proxy.metrics()
        assert metrics.sum("tidemark_slot_active", slot="forgotten") == 0
        assert metrics.sum("tidemark_slot_inactive_seconds", slot="forgotten") > 0
        assert metrics.sum("tidemark_slot_retained_bytes", slot="forgotten") > 1024
        assert metrics.sum("tidemark_slot_wal_status", slot="forgotten", wal_status="reserved") == 1
        assert 'of="forgotten"' in lines(proxy, "event=alert ", "slot_inactive", primary)[0]
        alerts = [row for row in shown(proxy, "alerts") if row["subject"] == "forgotten"]
        assert {row["alert"] for row in alerts} == {"slot_inactive", "slot_near_limit", "slot_retains_wal"}
        assert {row["node"] for row in alerts} == {primary.address}
        assert all(float(row["since_seconds"]) > 0 and row["advice"] for row in alerts), alerts
        slot = next(row for row in shown(proxy, "slots") if row["slot"] == "forgotten")
        assert (slot["active"], slot["wal_status"]) == ("no", "reserved")
        assert int(slot["retained_bytes"]) > 1024
    finally:
        primary.alter_system({"max_slot_wal_keep_size": None})
        primary.rows("select pg_drop_replication_slot('forgotten')")
    for alert in ("slot_inactive", "slot_near_limit"):
        wait_over(proxy, alert, primary)
    wait_over(proxy, "slot_retains_wal", primary)


def test_paused_replay_is_told_and_so_is_the_lag_that_comes_of_it(watched, nodes):
    proxy = watched({"replay_lag_bytes": "4kB"})
    paused = nodes.replicas[0]
    paused.pause_replay()
    wait_alert(proxy, "replay_paused", paused)
    write(nodes.primary)
    wait_alert(proxy, "replay_lag", paused)
    assert proxy.metrics().sum("tidemark_node_replay_paused", node=paused.address) == 1
    for name, labels in (
        ("tidemark_replication_lag_bytes", {"replica": paused.address, "stage": "replay"}),
        ("tidemark_replication_tier_lag_bytes", {"tier": "1"}),
    ):
        wait_until(lambda: proxy.metrics().sum(name, **labels) > 4096, f"{name} to show it", 20, detail=lambda: proxy.http("/metrics"))
    paused.resume_replay()
    wait_over(proxy, "replay_paused", paused)
    wait_over(proxy, "replay_lag", paused)


def test_queries_that_recovery_cancels_are_told_with_their_cause(watched, nodes, shop, table):
    proxy = watched({"recovery_conflicts": 1})
    replica = nodes.replicas[0]
    shop(f"create table {table} as select 1 as v")
    replica.alter_system({"max_standby_streaming_delay": 0})
    try:
        with replica.connect(dbname="shop") as reader:
            reader.rows("begin")
            reader.rows(f"select * from {table}")
            shop(f"drop table {table}")
        # It has told of its end by now: what a session counts is seen at the latest when it is over.
        wait_alert(proxy, "recovery_conflicts", replica)
        assert proxy.metrics().sum("tidemark_node_recovery_conflicts_total", node=replica.address, cause="lock") >= 1
    finally:
        replica.alter_system({"max_standby_streaming_delay": None})


def test_a_replica_that_follows_a_replica_is_of_the_second_tier(watched, nodes):
    proxy = watched()
    above, below = nodes.replicas
    nodes.follow(below, above)

    def cascades() -> bool:
        metrics = proxy.metrics()
        return (
            metrics.sum("tidemark_node_tier", node=below.address) == 2
            and metrics.sum("tidemark_node_upstream", node=below.address, upstream=above.address) == 1
            and metrics.sum("tidemark_replication_standby", node=above.address, replica=below.address, state="streaming") == 1
            and "tidemark_replication_tier_lag_bytes" in metrics.names()
            and any(True for _ in metrics.samples("tidemark_replication_tier_lag_bytes", tier="2"))
        )

    wait_until(cascades, "the cascade to be shown", 30, detail=lambda: proxy.http("/metrics"))
    assert proxy.metrics().sum("tidemark_node_tier", node=above.address) == 1
    wait_until(lambda: not raised(proxy.metrics()), "nothing to be wrong", 30, detail=proxy.log_tail)


def test_a_node_that_is_not_ours_is_shown_as_such(watched, nodes):
    below, above = nodes.replicas
    nodes.follow(below, above)
    nodes.wait_streaming()
    proxy = watched(addresses=[nodes.primary.address, below.address])
    wait_until(
        lambda: proxy.metrics().sum("tidemark_node_upstream", node=below.address, upstream=above.address, ours="false") == 1,
        "the sender to be shown", 30, detail=lambda: proxy.http("/metrics"),
    )  # fmt: skip
    metrics = proxy.metrics()
    assert not any(True for _ in metrics.samples("tidemark_node_tier", node=below.address))
    assert metrics.sum("tidemark_replication_standby", node=nodes.primary.address, standby=above.name, replica="") == 1


def test_a_reload_begins_and_ends_the_asking(make_proxy, nodes):
    proxy = make_proxy({"alerts": {"interval": "0s"}})
    with proxy.connect() as sql:
        assert sql.value("select 1") == 1
    assert "tidemark_alert" not in proxy.metrics().names()
    for alerts, begins in ((QUICK, True), ({"interval": "0s"}, False)):
        proxy.config["alerts"] = alerts
        proxy.write_config()
        proxy.reload()
        wait_until(
            lambda: is_known(proxy.metrics(), nodes.primary.address) == begins, "a reload to count", 30, detail=proxy.log_tail
        )
    assert "tidemark_alert" not in proxy.metrics().names()

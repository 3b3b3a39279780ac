"""Which nodes get no reads, and how an operator sees that."""

from __future__ import annotations

import pytest

from support.deadline import wait_until
from support.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.proxy_only, pytest.mark.limit(150)]


def eligible(proxy, node) -> float:
    return proxy.metrics().sum("tidemark_node_eligible", node=node.address)


def test_a_replica_goes_out_for_its_lag_and_comes_back_and_the_log_says_so_once(make_proxy, nodes, table, shop):
    shop(f"create table {table} (v int)")
    proxy = make_proxy({"routing": {"max_lag": "700ms"}})
    slow, other = nodes.replicas
    wait_until(lambda: eligible(proxy, slow) == 1 and eligible(proxy, other) == 1, "both replicas to serve", 20)
    assert eligible(proxy, nodes.primary) == 0, "it serves reads only where no replica can"
    slow.pause_replay()
    with proxy.connect() as sql:

        def out() -> bool:
            sql.rows(f"insert into {table} values (1)")
            return eligible(proxy, slow) == 0

        wait_until(out, "the replica to be out", 30, detail=proxy.log_tail)
        wait_until(lambda: proxy.log_lines("event=replica_lags"), "the log to say so", 5, detail=proxy.log_tail)
        sql.rows(f"insert into {table} values (2)")
        slow.resume_replay()
        wait_until(lambda: eligible(proxy, slow) == 1, "the replica to be back", 30, detail=proxy.log_tail)
    wait_until(lambda: proxy.log_lines("event=replica_caught_up"), "the log to say so", 5, detail=proxy.log_tail)
    for event in ("event=replica_lags", "event=replica_caught_up"):
        lines = [line for line in proxy.log_lines(event) if slow.address in line]
        assert len(lines) == 1, proxy.log_tail()
    assert eligible(proxy, other) == 1


def test_a_node_of_another_cluster_is_refused_with_both_identifiers_and_what_to_do(make_proxy, cluster):
    with PostgresCluster(replicas=0, fsync=False) as foreign:
        identifiers = [
            str(node.value("select system_identifier from pg_control_system()"))
            for node in (foreign.primary, cluster.primary)
        ]
        proxy = make_proxy(nodes=[*cluster.addresses, *foreign.addresses])
        wait_until(lambda: proxy.log_lines("fault=other_cluster"), "the log to tell of the node", 20, detail=proxy.log_tail)
        told = [line for line in proxy.log_lines("fault=other_cluster")]
        refused = [line for line in told if f"node={foreign.primary.address} " in line]
        if refused:  # else the foreign one answered first, and the others are refused
            assert f"system_identifier={identifiers[0]} cluster_system_identifier={identifiers[1]} " in refused[0]
        else:
            assert f"system_identifier={identifiers[1]} cluster_system_identifier={identifiers[0]} " in told[0]
        assert "correct cluster.nodes" in told[0]

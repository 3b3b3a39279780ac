"""What read-your-writes costs the primary: questions for its position, counted by the primary itself."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from driver import HELD, assert_held, primary_dsn, run_driver
from support.postgres_cluster import MONITOR_USER

pytestmark = pytest.mark.proxy_only

# Sums over the monitor's statements. A probe reads the position too, together with what tells the timeline; it is
# counted apart, since there is one per probe_interval, whoever writes.
_COUNT = f"""
    select coalesce(sum(calls) filter (where query not ilike '%pg_walfile_name%'), 0)::int,
           coalesce(sum(calls) filter (where query ilike '%pg_walfile_name%'), 0)::int
    from pg_stat_statements s join pg_roles r on r.oid = s.userid
    where r.rolname = '{MONITOR_USER}' and query ~* 'pg_current_wal_(insert|flush)_lsn'
"""


def questions(cluster) -> tuple[int, int]:
    """How often the proxies' monitors have asked for the position: alone, and as part of a probe."""
    return cluster.primary.rows(_COUNT, dbname="shop")[0]


@pytest.mark.parametrize("interval_ms", [1, 20])
def test_64_writers_who_read_ask_seldom(make_proxy, nodes, interval_ms):
    proxy = make_proxy("session", {"routing": {"position_interval": f"{interval_ms}ms"}, "pool": {"size": 64}})
    alone_before, probes_before = questions(nodes)
    began = time.monotonic()
    report = run_driver(
        f"64 writers, position_interval {interval_ms} ms", proxy.dsn(), primary_dsn(nodes),
        seconds=8, writers=64, reads_per_write=1, counter_writers=0, counter_readers=0, shared=0, transactions=0,
        min_advancing_reads=0,
    )  # fmt: skip
    seconds = time.monotonic() - began
    alone, probes = questions(nodes)
    alone, probes = alone - alone_before, probes - probes_before
    print(
        f"  position questions            {alone}: {alone / report['writes']:.4f} per write, {alone / seconds:.1f} /s"
        f" (and {probes} probes)"
    )
    assert_held(report)
    assert report["errors"] == {}
    assert 0 < alone + probes
    assert alone <= 0.2 * report["writes"]
    assert alone <= seconds * 1000 / interval_ms + 1
    # Probes must not be a way around the limit: one per probe_interval (100 ms), with room for those at once.
    assert probes <= seconds / 0.1 * 2 + 10


def test_nobody_asks_when_nobody_writes(make_proxy, nodes):
    proxy = make_proxy("session")
    readers = {"writers": 0, "counter_writers": 0, "shared": 0, "counter_readers": 8, "transactions": 0}
    nothing = {"min_own_reads": 0, "min_advancing_reads": 0, "min_nodes": 1}
    run_driver("readers, warming up", proxy.dsn(), primary_dsn(nodes), seconds=1, think_ms=2, **readers, **nothing)
    before, _ = questions(nodes)
    report = run_driver("readers alone", proxy.dsn(), primary_dsn(nodes), seconds=4, think_ms=2, **readers, **nothing)
    after, _ = questions(nodes)
    print(f"  position questions            {after - before}")
    assert report.exit_code == HELD
    assert report["reads"] > 100
    # What happens once per connection (a first floor) is allowed, what happens per read is not.
    assert after - before <= 2 * report["connections"] + 10


def test_a_thousand_who_wait_cost_a_replica_one_question_at_a_time(make_proxy, nodes):
    """All sessions that wait are woken by the answer that the proxy asks for anyway."""
    waiting, waited_ms = 1000, 1500
    slow, *others = nodes.replicas
    for node in others:
        node.stop("fast")
    proxy = make_proxy(
        "session",
        {"routing": {"replica_wait": "30s", "position_interval": "10ms"}, "pool": {"size": 40}, "workers": {"threads": 2}},
    )
    asked = f"""
        select coalesce(sum(calls), 0)::int from pg_stat_statements s join pg_roles r on r.oid = s.userid
         where r.rolname = '{MONITOR_USER}' and query ~* 'pg_last_wal_replay_lsn'"""
    loop = asyncio.new_event_loop()

    async def play() -> tuple[list[int], float, float]:
        connections = [await psycopg.AsyncConnection.connect(proxy.dsn(connect_timeout=60), autocommit=True)]
        for _ in range(0, waiting, 50):
            connections += await asyncio.gather(*(
                psycopg.AsyncConnection.connect(proxy.dsn(connect_timeout=60), autocommit=True) for _ in range(50)
            ))  # fmt: skip
        writer, *readers = connections
        token = await (await writer.execute("show tidemark.token")).fetchone()
        slow.pause_replay()
        await writer.execute("update kv set version = version + 1 where key = 0")
        token = await (await writer.execute("show tidemark.token")).fetchone()
        await asyncio.gather(*(reader.execute(f"set tidemark.token = '{token[0]}'") for reader in readers))

        async def read(reader):
            return (await (await reader.execute("select version from kv where key = 0")).fetchone())[0]

        reads = [asyncio.ensure_future(read(reader)) for reader in readers]
        await asyncio.sleep(1)  # until they wait: the fewer did, the easier the test
        before, began = slow.value(asked, dbname="shop"), time.monotonic()
        await asyncio.sleep(waited_ms / 1000)
        after, took = slow.value(asked, dbname="shop"), time.monotonic() - began
        assert not any(done.done() for done in reads), "nobody waited"
        slow.resume_replay()
        versions = await asyncio.gather(*reads)
        for connection in connections:
            await connection.close()
        return versions, after - before, took

    versions, questions_asked, took = loop.run_until_complete(play())
    loop.close()
    print(f"  {waiting} waiting sessions: {questions_asked} questions in {took:.2f} s")
    assert versions == [1] * waiting
    # A question at most every half position_interval (5 ms), and the probes (100 ms); not one per session.
    assert questions_asked <= took / 0.005 + took / 0.1 * 2 + 10


def test_replicas_are_not_asked_for_more_than_probes_while_nobody_waits(make_proxy, nodes):
    make_proxy("session")
    asked = f"""
        select coalesce(sum(calls), 0)::int from pg_stat_statements s join pg_roles r on r.oid = s.userid
         where r.rolname = '{MONITOR_USER}' and query ~* 'pg_last_wal_replay_lsn'"""
    before, began = [node.value(asked, dbname="shop") for node in nodes.replicas], time.monotonic()
    time.sleep(2)
    after, took = [node.value(asked, dbname="shop") for node in nodes.replicas], time.monotonic() - began
    for node, was, now in zip(nodes.replicas, before, after):
        assert 0 < now - was <= took / 0.1 * 2 + 10, node.name

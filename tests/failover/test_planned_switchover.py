"""A switchover by hand, with the admin console: no client sees anything of it. Without the console they do."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from drill import Client, Drill, Statement
from support.deadline import wait_until
from support.proxy_process import ProxyProcess

pytestmark = pytest.mark.proxy_only

ADMIN = "app"


@pytest.fixture
def proxy(cluster):
    with ProxyProcess(cluster.addresses, {"admin": {"users": [ADMIN]}}, directory=cluster.directory) as made:
        yield made
        assert made.running(), "the proxy ended by itself\n" + made.log_tail()
    made.check_sanitizers()


class TransactionWriter(Client):
    """Three rows in each explicit transaction, with time between the statements."""

    def __init__(self, drill: Drill, number: int) -> None:
        super().__init__(drill, f"transaction writer {number}")
        self._next = 100_000_000 + number * 1_000_000
        self.committed: list[int] = []

    def live(self, connection: psycopg.Connection[Any]) -> None:
        while not self._drill.stopping.is_set():
            ids = [self._next + 1, self._next + 2, self._next + 3]
            self._next += 3
            done = [self.run(connection, "begin")]
            for id in ids:
                text = "insert into drill values (%s) returning id, inet_server_port()"
                done.append(self.run(connection, text, [id]))
                time.sleep(0.003)
            done.append(self.run(connection, "commit"))
            if all(statement.sqlstate is None for statement in done):
                self.committed += ids

    def run(self, connection: psycopg.Connection[Any], text: str, values: Any = None, id: int | None = None) -> Statement:
        if values is not None:
            return super().run(connection, text, values, id)
        statement = Statement(self.name, time.monotonic(), 0.0)
        try:
            connection.execute(text)  # type: ignore[arg-type]
        except psycopg.Error as error:
            statement.sqlstate, statement.text = error.sqlstate or "none", str(error).strip()
            if connection.closed:
                raise
        finally:
            statement.end = time.monotonic()
            self.statements.append(statement)
        return statement


class SwitchoverDrill(Drill):
    """The clients of every drill, but none whose transaction stays open for as long as the test lasts: DRAIN would
    wait for it, and rightly so. Writers of transactions are there instead."""

    def __init__(self, proxy: ProxyProcess) -> None:
        super().__init__(proxy, writers=4, readers=4, idlers=8)
        self.clients.remove(self.transaction)
        self.in_transaction.set()
        self.transactions = [TransactionWriter(self, number) for number in range(1, 5)]
        self.clients += self.transactions


def console(proxy: ProxyProcess, command: str) -> None:
    with psycopg.connect(proxy.dsn(dbname="tidemark", connect_timeout=10), autocommit=True) as connection:
        connection.execute(command)  # type: ignore[arg-type]


def switch_over(cluster, proxy: ProxyProcess, drill: SwitchoverDrill, way: str) -> float:
    """The steps of README.md, "Planned switchover". Returns for how long nobody could write."""
    old, new, other = cluster.primary, cluster.replicas[0], cluster.replicas[1]
    began = time.monotonic()
    if way == "drain":
        console(proxy, f"drain '{old.address}'")
    elif way == "pause":
        console(proxy, "pause")
    if way == "drain":
        wait_until(
            lambda: not old.rows("select 1 from pg_stat_activity where usename = 'app'"),
            "the server to see the connections end", 10,
        )  # fmt: skip
    old.stop("fast")
    cluster.promote(new)
    cluster.follow(other)
    if way == "pause":
        wait_until(lambda: proxy.metrics().sum("tidemark_node_role", node=new.address, role="primary") == 1,
                   "the proxy to know the new primary", 20)  # fmt: skip
        console(proxy, "resume")

    def wrote(client: Client) -> bool:
        return bool(client.broken) or any(s.node == new.port for s in client.statements[-20:])

    writers = [*drill.writers, *drill.transactions]
    wait_until(lambda: all(wrote(writer) for writer in writers), "everybody to write at the new primary", 30)
    first = min(s.end for s in drill.acknowledged() if s.node == new.port)
    return first - began


def failures(drill: SwitchoverDrill) -> list[str]:
    found = [f"{s.client}: {s.sqlstate} {s.text}" for s in drill.statements(lambda s: s.sqlstate is not None)]
    return found + drill.broken()


def lost(drill: SwitchoverDrill, cluster) -> list[int]:
    present = {row[0] for row in cluster.primary.rows("select id from drill", dbname="shop")}
    promised = {s.id for s in drill.acknowledged() if s.id is not None}
    promised |= {id for writer in drill.transactions for id in writer.committed}
    assert any(writer.committed for writer in drill.transactions), "nobody has committed a transaction"
    return sorted(promised - present)


def stale(drill: SwitchoverDrill) -> list[str]:
    found = []
    for client in [*drill.readers, *drill.idlers]:
        seen = 0
        for statement in client.statements:
            if statement.sqlstate is None and statement.id is None:
                if (statement.rows or 0) < seen:
                    found.append(f"{client.name} counted {seen} before: {statement}")
                seen = statement.rows or 0
    return found


@pytest.mark.parametrize("way", ["drain", "pause"])
def test_nobody_notices_a_planned_switchover(cluster, proxy, way):
    old = cluster.primary
    with SwitchoverDrill(proxy) as drill:
        time.sleep(1)
        held = switch_over(cluster, proxy, drill, way)
        if way == "drain":
            # It comes back as a replica, and gets no reads until the operator says so.
            cluster.rejoin(old, rewind=False)
            wait_until(lambda: proxy.metrics().sum("tidemark_node_up", node=old.address) == 1, "it to be seen", 30)
            assert not proxy.reads_from(old.address)
            console(proxy, f"undrain '{old.address}'")
            wait_until(lambda: proxy.reads_from(old.address), "it to be read", 30)
        time.sleep(0.5)
        drill.finish()
    print(f"--- {way}: {len(drill.statements())} statements, no write for {held:.3f} s")
    assert failures(drill) == []
    assert lost(drill, cluster) == []
    assert stale(drill) == []
    wait_until(lambda: proxy.metrics().sum("tidemark_held_statements") == 0, "nothing to be held", 10)


def test_without_the_console_open_transactions_are_cut_off(cluster, proxy):
    with SwitchoverDrill(proxy) as drill:
        time.sleep(1)
        switch_over(cluster, proxy, drill, "none")
        drill.finish()
    assert [text for text in failures(drill) if "40001" in text]
    assert lost(drill, cluster) == []

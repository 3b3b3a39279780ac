"""A replica stops, freezes or restarts under load, and no client sees an error or a wrong answer."""

from __future__ import annotations

import threading
import time
from typing import Callable

import psycopg
import pytest

from support.deadline import PATIENCE, wait_until

pytestmark = [pytest.mark.proxy_only, pytest.mark.limit(150)]


class Load:
    """Clients that write and read back for as long as the block lasts."""

    def __init__(self, proxy, table: str, clients: int = 8) -> None:
        self.errors: list[str] = []
        self.slowest = 0.0
        self.done = 0
        self._stop = threading.Event()
        self._proxy, self._table = proxy, table
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(clients)]

    def _client(self, number: int) -> None:
        try:
            with psycopg.connect(self._proxy.dsn(connect_timeout=20), autocommit=True) as connection:
                written = 0
                while not self._stop.is_set():
                    began = time.monotonic()
                    if number % 2 == 0:
                        written += 1
                        connection.execute(f"update {self._table} set v = %s where client = %s", [written, number])
                    row = connection.execute(f"select v from {self._table} where client = %s", [number]).fetchone()
                    if row != (written,):
                        self.errors.append(f"client {number} wrote {written} and read {row}")
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    self.done += 1
        except psycopg.Error as error:
            self.errors.append(f"client {number}: {error.sqlstate} {error}")

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60 * PATIENCE)
            assert not thread.is_alive(), "a client hangs"


@pytest.fixture
def run(make_proxy, nodes, table, shop) -> Callable[[Callable[[], None]], Load]:
    shop(f"create table {table} (client int primary key, v int)",
         f"insert into {table} select g, 0 from generate_series(0, 7) g")  # fmt: skip

    def under_load(fault: Callable[[], None]) -> Load:
        proxy = make_proxy()
        with Load(proxy, table) as load:
            fault()
            time.sleep(1)
        assert load.errors == [], "\n".join(load.errors[:5]) + "\n" + proxy.log_tail()
        assert load.done > 100
        return load

    return under_load


def test_a_replica_is_stopped_fast(run, nodes):
    run(lambda: nodes.replicas[0].stop("fast"))


def test_a_replica_is_stopped_at_once(run, nodes):
    run(lambda: nodes.replicas[0].stop("immediate"))


def test_a_replica_is_killed(run, nodes):
    run(nodes.replicas[0].kill9)


def test_a_replica_is_restarted(run, nodes):
    run(nodes.replicas[0].restart)


def test_a_replica_is_frozen_and_thawed(run, nodes):
    def fault() -> None:
        nodes.replicas[0].sigstop()
        time.sleep(3)
        nodes.replicas[0].sigcont()

    run(fault)


def test_both_replicas_are_stopped_and_the_primary_serves_all(run, nodes):
    def fault() -> None:
        for node in nodes.replicas:
            node.stop("fast")

    run(fault)


def test_a_replica_that_comes_back_is_used_again(make_proxy, nodes):
    proxy = make_proxy()
    first, second = nodes.replicas
    first.stop("fast")
    with proxy.connect() as sql:
        wait_until(lambda: sql.value("select inet_server_port()") == second.port, "reads at the other replica", 10)
    first.start()

    def used() -> bool:
        with proxy.connect() as sql:
            return sql.value("select inet_server_port()") == first.port

    wait_until(used, "reads at the replica that is back", 15, detail=proxy.log_tail)


def test_replay_paused_and_resumed(run, nodes):
    def fault() -> None:
        nodes.replicas[0].pause_replay()
        time.sleep(1.5)
        nodes.replicas[0].resume_replay()

    run(fault)

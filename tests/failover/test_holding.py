"""While there is no primary, writes wait in order, in bounds, and can be cancelled; reads go on."""

from __future__ import annotations

import threading
import time
from typing import Any, Iterator

import psycopg
import pytest

from support.deadline import wait_until
from support.proxy_process import ProxyProcess

pytestmark = [pytest.mark.proxy_only]


class Held:
    """A client with one statement under way, in a thread of its own."""

    def __init__(self, proxy: ProxyProcess, sql: str) -> None:
        self.connection: psycopg.Connection[Any] = psycopg.connect(proxy.dsn(connect_timeout=20), autocommit=True)
        self.connection.execute("select 1")
        self.error: psycopg.Error | None = None
        self.ended_at = 0.0
        self._sql = sql
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Held":
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            self.connection.execute(self._sql)
        except psycopg.Error as error:
            self.error = error
        except OSError:
            pass  # the test has closed the connection
        self.ended_at = time.monotonic()

    def ended(self) -> bool:
        return not self._thread.is_alive()

    def wait(self) -> "Held":
        wait_until(self.ended, f"{self._sql} to end", 60)
        return self


def held(proxy: ProxyProcess) -> float:
    return proxy.metrics().sum("tidemark_held_statements")


@pytest.fixture
def small(cluster) -> Iterator[ProxyProcess]:
    """One worker with one server connection per node, and room for five statements that wait."""
    changes = {"cluster": {"max_held_statements": 5}, "pool": {"size": 1}, "workers": {"threads": 1}}
    with ProxyProcess(cluster.addresses, changes, directory=cluster.directory) as made:
        yield made
        assert made.running(), made.log_tail()
    made.check_sanitizers()


@pytest.fixture
def numbered(cluster) -> None:
    """Rows of `drill` are numbered in the order in which they were inserted."""
    cluster.primary.rows("alter table drill add place serial", dbname="shop")
    cluster.primary.rows("grant all on sequence drill_place_seq to app", dbname="shop")
    cluster.wait_caught_up()


def lose_the_primary(cluster, proxy: ProxyProcess) -> None:
    cluster.primary.kill9()
    wait_until(
        lambda: proxy.metrics().sum("tidemark_node_role", role="primary") == 0
        or proxy.metrics().sum("tidemark_node_up", node=cluster.primary.address) == 0,
        "the proxy to notice",
        30,
    )


def test_writes_wait_in_order_and_in_bounds_and_reads_go_on(cluster, small, numbered):
    writers = [Held(small, f"insert into drill (id) values ({number})") for number in range(8)]
    reader = Held(small, "select count(*) from drill")
    lose_the_primary(cluster, small)
    for number, writer in enumerate(writers[:5]):
        writer.start()
        wait_until(lambda: held(small) == number + 1, "one statement more to be held", 20)
    for writer in writers[5:]:
        refused = writer.start().wait().error
        assert refused is not None and refused.sqlstate == "53300", refused
        assert "cluster.max_held_statements = 5" in str(refused.diag.message_detail)
        # Refused is the statement, not the client.
        assert writer.connection.execute("select count(*) from drill").fetchone() == (0,)
    assert reader.start().wait().error is None, "a replica serves it"

    writers[2].connection.cancel()
    cancelled = writers[2].wait().error
    assert cancelled is not None and cancelled.sqlstate == "57014"
    assert held(small) == 4
    late = Held(small, "insert into drill (id) values (100)").start()
    wait_until(lambda: held(small) == 5, "the place that became free to be taken", 20)

    cluster.promote(cluster.replicas[0])
    for each in [*writers[:2], *writers[3:5], late]:
        assert each.wait().error is None
    inserted = [row[0] for row in cluster.primary.rows("select id from drill order by place", dbname="shop")]
    assert inserted == [0, 1, 3, 4, 100]
    assert held(small) == 0


def test_a_client_that_leaves_gives_its_place_to_another(cluster, small):
    leaving = [Held(small, f"insert into drill values ({number})") for number in range(5)]
    lose_the_primary(cluster, small)
    for number, each in enumerate(leaving):
        each.start()
        wait_until(lambda: held(small) == number + 1, "one statement more to be held", 20)
    for each in leaving:
        each.connection.pgconn.finish()
    wait_until(lambda: held(small) == 0, "those that left to be forgotten", 20)
    staying = [Held(small, f"insert into drill values ({number})").start() for number in range(10, 15)]
    wait_until(lambda: held(small) == 5, "the others to be held", 20)
    cluster.promote(cluster.replicas[0])
    assert [each.wait().error for each in staying] == [None] * 5
    assert cluster.primary.rows("select id from drill order by id", dbname="shop") == [(n,) for n in range(10, 15)]


def test_too_much_held_memory_is_refused(cluster):
    changes = {"cluster": {"max_held_memory": "1MB"}, "workers": {"threads": 1}}
    with ProxyProcess(cluster.addresses, changes, directory=cluster.directory) as proxy:
        comment = "x" * 700_000
        one, other = (Held(proxy, f"insert into drill values ({number}) /* {comment} */") for number in range(2))
        lose_the_primary(cluster, proxy)
        one.start()
        wait_until(lambda: held(proxy) == 1, "the first to be held", 20)
        refused = other.start().wait().error
        assert refused is not None and refused.sqlstate == "53200", refused
        assert "cluster.max_held_memory = 1MB" in str(refused.diag.message_detail)
        cluster.promote(cluster.replicas[0])
        assert one.wait().error is None


def test_what_waits_too_long_is_told_so_and_was_not_executed(cluster):
    with ProxyProcess(cluster.addresses, {"cluster": {"failover_hold": "1s"}}, directory=cluster.directory) as proxy:
        writer = Held(proxy, "insert into drill values (1)")
        strong = Held(proxy, "/* tidemark: consistency=strong */ select count(*) from drill")
        lose_the_primary(cluster, proxy)
        for each in (writer.start(), strong.start()):
            error = each.wait().error
            assert error is not None and error.sqlstate == "57P03", error
        cluster.promote(cluster.replicas[0])
        wait_until(lambda: writer.connection.execute("select count(*) from drill").fetchone() == (0,), "the session to go on", 20)

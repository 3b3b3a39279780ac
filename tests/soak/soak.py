"""Runs the soak driver, watches the proxy meanwhile, and looks at what is left afterwards."""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Any, Sequence

from support.deadline import PATIENCE, wait_until
from support.postgres_cluster import APP_PASSWORD, APP_USER, DATABASE, PostgresCluster
from support.postgres_node import PostgresNode
from support.proxy_process import ProxyProcess, proxy_binary
from support.run_as import clean_environment

USERS = {APP_USER: APP_PASSWORD, "second": "second-secret"}
DATABASES = [DATABASE, "yard"]
ALL_RIGHT, FINDINGS, COULD_NOT_RUN, PROVES_NOTHING = range(4)


def prepare(cluster: PostgresCluster) -> None:
    """The second user and database, and the table that all clients write to."""
    cluster.primary.rows("create role second login password 'second-secret'")
    cluster.primary.rows("create database yard")
    for database in DATABASES:
        with cluster.primary.connect(dbname=database) as sql:
            sql.rows("grant all on schema public to public")
            sql.rows("create table ledger (owner text, token text, n int)")
            sql.rows("create index on ledger (token)")
            sql.rows("grant all on ledger to public")
            sql.rows(f"grant temporary on database {database} to public")
    cluster.wait_caught_up()


def driver_binary() -> pathlib.Path:
    """What TIDEMARK_SOAK_DRIVER names, or the driver of the build that the proxy's program is from."""
    named = os.environ.get("TIDEMARK_SOAK_DRIVER")
    path = pathlib.Path(named) if named else proxy_binary().parents[1] / "tests" / "soak" / "soak_driver"
    if not path.exists():
        raise RuntimeError(f"{path} does not exist: build the target soak_driver")
    return path


@dataclass
class Sample:
    """One look at the proxy while clients work."""

    second: float
    rss: int
    servers: dict[str, int]  # open server connections by node
    clients: int


class Watch:
    """Samples once a second, in a thread of its own; use as a context."""

    def __init__(self, proxy: ProxyProcess, cluster: PostgresCluster) -> None:
        self.samples: list[Sample] = []
        self._proxy = proxy
        self._nodes = cluster.nodes

    def __enter__(self) -> "Watch":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        questions = {node.port: node.connect(seconds=60.0) for node in self._nodes}
        while not self._stop.wait(1.0) and self._proxy.running():
            try:
                clients = int(self._proxy.metrics().sum("tidemark_clients"))
            except OSError:
                continue  # a busy machine; the next second will do
            servers = {}
            for port, sql in questions.items():
                # The proxy's own figures are not of one moment: they are one worker's now and another's then. What
                # PostgreSQL serves and, looked at later, the proxy still holds, was there at one moment for sure.
                asked = "select client_port from pg_stat_activity where usename = any(%s)"
                served = {row[0] for row in sql.rows(asked, [list(USERS)])}
                servers[f"127.0.0.1:{port}"] = len(served & _open_ports_to(port))
            second = time.monotonic() - began
            self.samples.append(Sample(second, self._proxy.memory(), servers, clients))
        for sql in questions.values():
            sql.connection.close()

    def most_servers(self) -> int:
        """The most server connections that one node had."""
        return max((count for sample in self.samples for count in sample.servers.values()), default=0)


def _open_ports_to(port: int) -> set[int]:
    """Local ports of established connections to that port which nobody has closed yet (proc(5), /proc/net/tcp)."""
    found = set()
    with open("/proc/net/tcp", encoding="ascii") as table:
        next(table)
        for line in table:
            _, local, remote, state = line.split(maxsplit=4)[:4]
            if state == "01" and int(remote.rpartition(":")[2], 16) == port:
                found.add(int(local.rpartition(":")[2], 16))
    return found


@dataclass
class Growth:
    """Medians of the memory's two halves after the warm-up, in bytes."""

    earlier: float
    later: float

    @property
    def flat(self) -> bool:
        return self.later <= self.earlier * 1.03 + 2 * 1024 * 1024


def growth(memory: Sequence[int], warm_up: float = 0.2) -> Growth:
    """memory: evenly spaced samples, of which the first part does not count: pools and caches fill then."""
    rest = memory[int(len(memory) * warm_up) :]
    middle = len(rest) // 2
    return Growth(statistics.median(rest[:middle]), statistics.median(rest[middle:]))


class Report(dict[str, Any]):
    """The driver's JSON object, and how it ended."""

    exit_code: int = -1

    def table(self, title: str) -> str:
        lines = [f"--- {title}: exit {self.exit_code}"]
        lines += [f"  {name:24} {value}" for name, value in self.items() if isinstance(value, (int, float))]
        for name, value in self.items():
            if isinstance(value, dict) and value:
                lines.append(f"  {name}: " + ", ".join(f"{key}: {count}" for key, count in value.items()))
        return "\n".join(lines + [f"  {text}" for text in self["findings"]])


def run_driver(
    title: str, port: int, seconds: float, users: dict[str, str] | None = None, databases: Sequence[str] = DATABASES,
    **options: Any,
) -> Report:  # fmt: skip
    """Options are the driver's, with underscores."""
    command = [str(driver_binary()), "--port", str(port), "--seconds", str(seconds)]
    for name, password in (users or USERS).items():
        command += ["--user", f"{name}:{password}"]
    for database in databases:
        command += ["--database", database]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 200 * PATIENCE, check=False,
        env=clean_environment(),
    )  # fmt: skip
    if done.returncode not in (ALL_RIGHT, FINDINGS, PROVES_NOTHING):
        raise RuntimeError(f"the driver ended with {done.returncode}: {done.stderr}")
    report = Report(json.loads(done.stdout))
    report.exit_code = done.returncode
    print(report.table(title))
    return report


_LEFT = """
    select usename::text, datname::text, state, wait_event_type, query from pg_stat_activity
    where usename = any(%s) and (state <> 'idle' or xact_start is not null)
"""


def _connections(node: PostgresNode) -> int:
    return node.value("select count(*)::int from pg_stat_activity where usename = any(%s)", [list(USERS)])


def _known(proxy: ProxyProcess, node: PostgresNode) -> bool:
    return proxy.metrics().sum("tidemark_pool_connections", node=node.address) == _connections(node)


def assert_nothing_left(
    proxy: ProxyProcess, cluster: PostgresCluster, size: int, seconds: float = 20.0
) -> dict[str, int]:
    """After all clients have gone: no client, no busy or dirty server connection. Returns connections by node."""

    def quiet() -> bool:
        metrics = proxy.metrics()
        busy = [
            metrics.sum("tidemark_clients"),
            metrics.sum("tidemark_pool_connections", state="active"),
            metrics.sum("tidemark_pool_connections", state="connecting"),
            metrics.sum("tidemark_pool_waiting_clients"),
        ]
        return not any(busy)

    def busy_text() -> str:
        return "\n".join(
            line for line in proxy.metrics().text.splitlines()
            if line.startswith(("tidemark_clients", "tidemark_pool_", "tidemark_pinned"))
        )  # fmt: skip

    wait_until(quiet, "the proxy to have no client and no busy server connection", seconds, detail=busy_text)
    by_node: dict[str, int] = {}
    for node in cluster.nodes:
        wait_until(
            lambda: not node.rows(_LEFT, [list(USERS)]), f"no busy session at {node.name}", seconds,
            detail=lambda: repr(node.rows(_LEFT, [list(USERS)])),
        )  # fmt: skip
        assert node.rows("select * from pg_locks where locktype = 'advisory'") == [], node.name
        wait_until(
            lambda: _known(proxy, node), f"{node.name} to have no connection that the proxy does not know", seconds,
            detail=busy_text,
        )  # fmt: skip
        by_node[node.address] = _connections(node)
    for database in DATABASES:
        with cluster.primary.connect(dbname=database) as sql:
            left = sql.rows("select relname::text from pg_class where relpersistence = 't' and relkind = 'r'")
            assert left == [], f"temporary tables in {database}"
            large = sql.value("select count(*)::int from pg_largeobject_metadata")
            assert large == 0, f"large objects in {database}"
    for user, password in USERS.items():
        for database in DATABASES:
            _assert_clean_pool(proxy, user, password, database, size)
    return by_node


def _assert_clean_pool(proxy: ProxyProcess, user: str, password: str, database: str, size: int) -> None:
    """Holds a transaction on as many of a pool's connections as may be, and looks for what others left there."""
    held = []
    try:
        for _ in range(size):
            sql = proxy.connect(user=user, password=password, dbname=database)
            held.append(sql)
            sql.rows("begin")
            left = sql.rows(
                "select 'channel', c from pg_listening_channels() c"
                " union all select 'statement', name from pg_prepared_statements where from_sql"
                " union all select 'cursor', name from pg_cursors where is_holdable"
                " union all select 'lock', objid::text from pg_locks"
                "   where locktype = 'advisory' and pid = pg_backend_pid()"
                " union all select 'table', relname from pg_class where relnamespace = pg_my_temp_schema()"
                " union all select 'setting', name || ' = ' || setting from pg_settings"
                "   where setting like '%%tk-%%'"
            )
            assert left == [], f"left in a pooled connection of {user} at {database}"
    finally:
        for sql in held:
            sql.connection.close()

"""A formation of pg_auto_failover: its monitor and its nodes, from Debian's packages, in a directory of their own.

    with AutoFailoverCluster() as cluster:
        cluster.primary.kill()

Roles and database as in postgres_cluster.py.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import psycopg2

from .deadline import PATIENCE, DeadlineExceeded, wait_until
from .free_ports import free_ports
from .postgres_cluster import APP_PASSWORD, APP_USER, DATABASE, MONITOR_PASSWORD, MONITOR_USER, TIMELINE_FUNCTION
from .postgres_node import PostgresNode, quote
from .run_as import popen_options, postgres_bin, server_user
from .sql import Sql
from .watchdog import OwnedDirectory

# The monitor waits for so long before it believes that a node is gone. Its defaults are 20 s, 10 s and 5 s.
_MONITOR_SETTINGS = {
    "pgautofailover.node_considered_unhealthy_timeout": "4s",
    "pgautofailover.startup_grace_period": "1s",
    "pgautofailover.health_check_period": "1s",
    "pgautofailover.health_check_timeout": "1s",
    "pgautofailover.health_check_retry_delay": "500ms",
    "pgautofailover.primary_demote_timeout": "3s",
    "fsync": "off",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",
}
_NODE_SETTINGS = {
    "max_connections": 200,
    "wal_log_hints": True,
    "wal_keep_size": "256MB",
    "fsync": "off",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
}


class AutoFailoverNode(PostgresNode):
    """pg_autoctl, and the PostgreSQL that it runs."""

    def __init__(self, name: str, home: pathlib.Path, port: int, sockets: pathlib.Path) -> None:
        # Where the watchdog looks for the shared memory that a killed server leaves.
        super().__init__(name, home.parent / name, port, sockets)
        self.home = home
        self.keeper: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """pg_autoctl keeps its own files below these."""
        options = popen_options()["env"]
        folders = {name: str(self.home / "autoctl") for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
        path = f"{postgres_bin()}:{options.get('PATH', '/usr/bin:/bin')}"
        return options | folders | {"PGDATA": str(self.directory), "PATH": path, "HOME": str(self.home)}

    def autoctl(self, *arguments: str, seconds: float = 120.0) -> str:
        done = subprocess.run(
            ["/usr/bin/pg_autoctl", *arguments], cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds * PATIENCE, check=False,
            **(popen_options() | {"env": self.environment()}),
        )  # fmt: skip
        output = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise RuntimeError(f"pg_autoctl {' '.join(arguments)} ended with {done.returncode}:\n{output}")
        return output

    def launch(self) -> None:
        """`pg_autoctl run`; returns at once."""
        assert self.keeper is None or self.keeper.poll() is not None
        with open(self.home / "keeper.log", "ab") as log:
            self.keeper = subprocess.Popen(
                ["/usr/bin/pg_autoctl", "run"], cwd=self.home, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
                **(popen_options() | {"env": self.environment()}),
            )  # fmt: skip

    def running(self) -> bool:
        return bool(self._children())

    def keepers(self) -> list[int]:
        """pg_autoctl and its own children, which are one session."""
        assert self.keeper is not None
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.getsid(int(entry)) == self.keeper.pid:
                    with open(f"/proc/{entry}/comm", encoding="utf-8") as comm:
                        if comm.read().strip() == "pg_autoctl":
                            found.append(int(entry))
            except OSError:
                continue
        return found

    def signal_keepers(self, number: int) -> None:
        for pid in self.keepers():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self) -> None:
        """pg_autoctl and PostgreSQL at once, as a machine that loses power."""
        self.signal_keepers(signal.SIGKILL)
        assert self.keeper is not None
        self.keeper.wait(timeout=10 * PATIENCE)
        for pid in self._children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not self._children(), f"the last backend of {self.name} to be gone", 10)

    def log_tail(self, lines: int = 25) -> str:
        try:
            text = (self.home / "keeper.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return f"--- end of the log of pg_autoctl on {self.name}\n" + "\n".join(text[-lines:])


class AutoFailoverCluster:
    """`nodes` and `monitor`; `primary` is asked of the monitor."""

    def __init__(self, members: int = 2) -> None:
        user = server_user()
        self._owned = OwnedDirectory("tidemark-autofailover-", user.pw_uid, user.pw_gid)
        self.directory = self._owned.path
        ports = free_ports(members + 1)
        sockets = self._folder("sockets")
        self.monitor = AutoFailoverNode("monitor", self._folder("autoctl-monitor"), ports[0], sockets)
        self.nodes = [
            AutoFailoverNode(f"node{i}", self._folder(f"autoctl-node{i}"), ports[i + 1], sockets) for i in range(members)
        ]

    def _folder(self, name: str) -> pathlib.Path:
        folder = self.directory / name
        folder.mkdir()
        user = server_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
        return folder

    def __enter__(self) -> "AutoFailoverCluster":
        try:
            self.create()
        except BaseException:
            print(self.logs(), file=sys.stderr)
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self) -> None:
        monitor = self.monitor
        common = ("--auth", "trust", "--no-ssl", "--hostname", "127.0.0.1", "--pgctl", str(postgres_bin() / "pg_ctl"))
        monitor.autoctl("create", "monitor", *common, "--pgport", str(monitor.port))
        monitor.append_settings(_MONITOR_SETTINGS | {"unix_socket_directories": str(monitor.sockets)})
        _trust(monitor)
        monitor.launch()
        self._wait_answering(monitor)
        where = f"postgres://autoctl_node@127.0.0.1:{monitor.port}/pg_auto_failover?sslmode=disable"
        for node in self.nodes:
            node.autoctl(
                "create", "postgres", *common, "--pgport", str(node.port), "--listen", "127.0.0.1", "--name", node.name,
                "--username", "postgres", "--dbname", "postgres", "--monitor", where,
            )  # fmt: skip
            if node is self.nodes[0]:
                node.append_settings(_NODE_SETTINGS | {"unix_socket_directories": str(node.sockets)})
                _trust(node)
            node.launch()
            if node is self.nodes[0]:
                self._wait_answering(node)
        with self.nodes[0].connect() as sql:
            sql.rows(f"create role {APP_USER} login password {quote(APP_PASSWORD)}")
            sql.rows(f"create role {MONITOR_USER} login password {quote(MONITOR_PASSWORD)} in role pg_monitor")
            sql.rows(TIMELINE_FUNCTION)
            sql.rows(f"create database {DATABASE} owner {APP_USER}")
        self.wait_healthy()

    def _wait_answering(self, node: AutoFailoverNode) -> None:
        wait_until(
            lambda: not node.in_recovery(), f"{node.name} to answer", 60, detail=node.log_tail,
            ignore=(psycopg2.Error, DeadlineExceeded),
        )  # fmt: skip

    def states(self) -> dict[str, tuple[str, str]]:
        """Name -> reported and goal state, by the monitor."""
        with Sql(10, host="127.0.0.1", port=self.monitor.port, user="autoctl_node", dbname="pg_auto_failover") as sql:
            rows = sql.rows("select nodename, reportedstate::text, goalstate::text from pgautofailover.node")
            return {name: (reported, goal) for name, reported, goal in rows}

    def leader(self) -> AutoFailoverNode | None:
        taking = ("single", "wait_primary", "primary", "join_primary", "apply_settings")
        states = self.states()
        return next((node for node in self.nodes if all(s in taking for s in states.get(node.name, ("",)))), None)

    @property
    def primary(self) -> AutoFailoverNode:
        return wait_until(self.leader, "a primary", 60, detail=self.logs)  # type: ignore[return-value]

    @property
    def replicas(self) -> list[AutoFailoverNode]:
        primary = self.primary
        return [node for node in self.nodes if node is not primary]

    def wait_healthy(self, seconds: float = 90.0) -> None:
        expected = sorted(["primary", *["secondary"] * (len(self.nodes) - 1)])
        wait_until(
            lambda: sorted(reported for reported, goal in self.states().values() if reported == goal) == expected,
            "every node to be what it is to be", seconds, interval=0.1, detail=lambda: f"{self.states()}\n{self.logs()}",
        )  # fmt: skip

    def heal(self) -> None:
        """Everything runs again, whatever a test did."""
        for node in self.nodes:
            assert node.keeper is not None
            if node.keeper.poll() is not None:
                node.launch()
            else:
                node.signal_keepers(signal.SIGCONT)
        self.wait_healthy()

    def logs(self) -> str:
        return "\n".join(node.log_tail() for node in [self.monitor, *self.nodes])

    def close(self) -> None:
        every = [self.monitor, *self.nodes]
        for node in every:
            if node.keeper is not None:
                node.signal_keepers(signal.SIGKILL)
        if self.monitor.running():
            # Its extension's workers would let the watchdog wait.
            try:
                self.monitor.program("pg_ctl", "stop", "-D", str(self.monitor.directory), "-m", "fast", "-t", "5")
            except RuntimeError:
                pass
        self._owned.close()
        for node in every:
            if node.keeper is not None:
                node.keeper.wait(timeout=10 * PATIENCE)


def _trust(node: AutoFailoverNode) -> None:
    lines = [
        "local all all trust",
        f"host all {APP_USER},{MONITOR_USER} 127.0.0.1/32 scram-sha-256",
        "host all all 127.0.0.1/32 trust",
        "host replication all 127.0.0.1/32 trust",
    ]
    (node.directory / "pg_hba.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")

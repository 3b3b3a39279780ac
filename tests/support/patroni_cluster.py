"""A cluster that Patroni runs: its members, an etcd for them, all from Debian's packages, in a directory of their own.

    with PatroniCluster() as cluster:
        cluster.switch_over(cluster.replicas[0])
        cluster.primary.kill()

Roles and database as in postgres_cluster.py.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import psycopg2

from .deadline import PATIENCE, DeadlineExceeded, wait_until
from .free_ports import free_ports
from .postgres_cluster import APP_PASSWORD, APP_USER, DATABASE, MONITOR_PASSWORD, MONITOR_USER, TIMELINE_FUNCTION
from .postgres_node import PostgresNode, quote
from .run_as import popen_options, postgres_bin, server_user
from .watchdog import OwnedDirectory

# How long the leader's key outlives a leader that is gone. Patroni's default is 30 s; a test has not that much time.
TTL = 6
_PARAMETERS = {
    "max_connections": 200,
    "max_wal_senders": 10,
    "max_replication_slots": 10,
    "hot_standby": "on",
    "wal_level": "replica",
    "wal_log_hints": "on",
    "wal_keep_size": "256MB",
    "fsync": "off",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
}


class PatroniNode(PostgresNode):
    """A member: Patroni, and the PostgreSQL that it runs. Its REST API is at `url`."""

    def __init__(self, name: str, directory: pathlib.Path, port: int, rest_port: int, sockets: pathlib.Path) -> None:
        super().__init__(name, directory, port, sockets)
        self.url = f"http://127.0.0.1:{rest_port}"
        self.home = directory.parent / f"patroni-{name}"
        self.patroni: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Starts Patroni and returns at once."""
        assert self.patroni is None or self.patroni.poll() is not None
        with open(self.home / "patroni.log", "ab") as log:
            self.patroni = subprocess.Popen(
                ["/usr/bin/patroni", str(self.home / "patroni.yml")],
                cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, **popen_options(),
            )  # fmt: skip

    def running(self) -> bool:
        return bool(self._children())

    def kill(self) -> None:
        """Patroni and PostgreSQL at once, as a machine that loses power."""
        assert self.patroni is not None
        self.patroni.kill()
        self.patroni.wait(timeout=10 * PATIENCE)
        for pid in self._children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not self._children(), f"the last backend of {self.name} to be gone", 10)

    def stop_patroni(self) -> None:
        """In order, with its PostgreSQL: the member leaves the cluster at once."""
        assert self.patroni is not None
        self.patroni.send_signal(signal.SIGTERM)
        self.patroni.wait(timeout=60 * PATIENCE)

    def freeze_patroni(self) -> None:
        """Its PostgreSQL goes on without it: nobody demotes it when the leader's key expires."""
        assert self.patroni is not None
        self.patroni.send_signal(signal.SIGSTOP)

    def thaw_patroni(self) -> None:
        assert self.patroni is not None
        self.patroni.send_signal(signal.SIGCONT)

    def log_tail(self, lines: int = 20) -> str:
        try:
            text = (self.home / "patroni.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return f"--- end of the log of Patroni on {self.name}\n" + "\n".join(text[-lines:])


class PatroniCluster:
    """`nodes`, of which the last `spare` ones are made by add() only; `primary` is asked of Patroni."""

    def __init__(self, members: int = 3, spare: int = 0) -> None:
        user = server_user()
        self._owned = OwnedDirectory("tidemark-patroni-", user.pw_uid, user.pw_gid)
        self.directory = self._owned.path
        self.etcd: subprocess.Popen[bytes] | None = None
        self._etcd_ports = free_ports(2)
        sockets = self._folder("sockets")
        self._folder("etcd")
        ports = free_ports(2 * (members + spare))
        made = [
            PatroniNode(f"node{i}", self.directory / f"node{i}", ports[2 * i], ports[2 * i + 1], sockets)
            for i in range(members + spare)
        ]
        self.nodes, self.spare = made[:members], made[members:]
        for node in made:
            self._folder(f"patroni-{node.name}")
            (node.home / "patroni.yml").write_text(json.dumps(self._config(node)), encoding="utf-8")

    def _folder(self, name: str) -> pathlib.Path:
        folder = self.directory / name
        folder.mkdir()
        user = server_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
        return folder

    def _config(self, node: PatroniNode) -> dict[str, Any]:
        """JSON is YAML."""
        hba = [
            "local all all trust",
            "host all postgres 127.0.0.1/32 trust",
            "host replication postgres 127.0.0.1/32 trust",
            "host all all 127.0.0.1/32 scram-sha-256",
        ]
        rest = node.url.removeprefix("http://")
        return {
            "scope": "shop",
            "name": node.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"host": f"127.0.0.1:{self._etcd_ports[0]}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL, "loop_wait": 1, "retry_timeout": 2, "maximum_lag_on_failover": 1048576,
                    "postgresql": {"use_pg_rewind": True, "parameters": _PARAMETERS},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, {"auth": "trust"}, "no-sync"],
            },  # fmt: skip
            "postgresql": {
                "listen": node.address,
                "connect_address": node.address,
                "data_dir": str(node.directory),
                "bin_dir": str(postgres_bin()),
                "pgpass": str(node.home / "pgpass"),
                "authentication": {"superuser": {"username": "postgres"}, "replication": {"username": "postgres"}},
                "pg_hba": hba,
                "parameters": {"unix_socket_directories": str(node.sockets), "cluster_name": node.name},
                "basebackup": [{"checkpoint": "fast"}, "no-sync"],
            },
        }

    # -- making it ---------------------------------------------------------------------------------

    def __enter__(self) -> "PatroniCluster":
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
        self.start_etcd()
        self.nodes[0].launch()
        wait_until(
            lambda: self.leader_name() == "node0" and not self.nodes[0].in_recovery(), "the first member to lead", 60,
            detail=self.logs, ignore=(OSError, psycopg2.Error, DeadlineExceeded),
        )  # fmt: skip
        for node in self.nodes[1:]:
            node.launch()
        with self.nodes[0].connect() as sql:
            sql.rows(f"create role {APP_USER} login password {quote(APP_PASSWORD)}")
            sql.rows(f"create role {MONITOR_USER} login password {quote(MONITOR_PASSWORD)} in role pg_monitor")
            sql.rows(TIMELINE_FUNCTION)
            sql.rows(f"create database {DATABASE} owner {APP_USER}")
        self.wait_healthy()

    def start_etcd(self) -> None:
        """Returns when it answers; again after stop_etcd() with what it knew."""
        clients, peers = (f"http://127.0.0.1:{port}" for port in self._etcd_ports)
        folder = self.directory / "etcd"
        with open(folder / "etcd.log", "ab") as log:
            self.etcd = subprocess.Popen(
                [
                    "/usr/bin/etcd", "--data-dir", str(folder / "data"), "--listen-client-urls", clients,
                    "--advertise-client-urls", clients, "--listen-peer-urls", peers,
                    "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
                    "--unsafe-no-fsync",
                ],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, **popen_options(),
            )  # fmt: skip

        def healthy() -> bool:
            with urllib.request.urlopen(f"{clients}/health", timeout=2) as answer:
                return json.load(answer).get("health") == "true"

        wait_until(healthy, "etcd to answer", 20, ignore=(OSError,))

    def stop_etcd(self) -> None:
        assert self.etcd is not None
        self.etcd.kill()
        self.etcd.wait(timeout=10 * PATIENCE)

    # -- what Patroni says ---------------------------------------------------------------------------

    def rest(self, node: PatroniNode, path: str, body: Any = None, seconds: float = 30.0) -> str:
        """GET, or POST with a body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(node.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=seconds * PATIENCE) as answer:
            return answer.read().decode()

    def members(self) -> list[dict[str, Any]]:
        """As the first member tells that answers."""
        for node in [*self.nodes, *self.spare]:
            if node.patroni is None or node.patroni.poll() is not None:
                continue
            try:
                return json.loads(self.rest(node, "/cluster", seconds=1.0))["members"]
            except (OSError, ValueError):
                continue
        raise OSError("no member of Patroni's answers")

    def leader_name(self) -> str | None:
        return next((member["name"] for member in self.members() if member["role"] == "leader"), None)

    @property
    def primary(self) -> PatroniNode:
        def leading() -> PatroniNode | None:
            name = self.leader_name()
            return next((node for node in self.nodes if node.name == name), None)

        return wait_until(leading, "a leader", 60, detail=self.logs, ignore=(OSError,))  # type: ignore[return-value]

    @property
    def replicas(self) -> list[PatroniNode]:
        primary = self.primary
        return [node for node in self.nodes if node is not primary]

    def healthy(self) -> bool:
        """Whether there is a leader, and all others are replicas that stream from it."""
        members = self.members()
        primary = self.primary
        streaming = primary.value("select count(*) from pg_stat_replication where state = 'streaming'")
        # What pg_basebackup receives while it copies is streaming, too.
        run = [member for member in members if member["state"] in ("running", "streaming")]
        all_run = len(run) == len(members) == len(self.nodes)
        return all_run and streaming == len(self.nodes) - 1 and not primary.in_recovery()

    def wait_healthy(self, seconds: float = 60.0) -> None:
        wait_until(
            self.healthy, "every member to run", seconds, interval=0.1, detail=self.logs,
            ignore=(OSError, psycopg2.Error, DeadlineExceeded),
        )  # fmt: skip

    def heal(self) -> None:
        """Everything runs again, whatever a test did."""
        assert self.etcd is not None
        if self.etcd.poll() is not None:
            self.start_etcd()
        for node in self.nodes:
            assert node.patroni is not None
            if node.patroni.poll() is not None:
                node.launch()
            else:
                node.thaw_patroni()
        try:
            self.wait_healthy(10)
        except DeadlineExceeded:
            # A test may leave a member with WAL that the others have never had, and Patroni does not always see that
            # such a member cannot follow: it gets a new copy.
            for node in self.replicas:
                if not self.primary.value(f"select 1 from pg_stat_replication where application_name = '{node.name}'"):
                    self.rest(node, "/reinitialize", {"force": True})
            self.wait_healthy()

    # -- changes -------------------------------------------------------------------------------------

    def switch_over(self, candidate: PatroniNode) -> None:
        """A planned one; returns when Patroni says that it is done."""
        old = self.primary
        self.rest(old, "/switchover", {"leader": old.name, "candidate": candidate.name}, 60)

    def add(self) -> PatroniNode:
        """Starts a spare member, and returns when it streams."""
        node = self.spare.pop()
        self.nodes.append(node)
        node.launch()
        self.wait_healthy()
        return node

    def remove(self, node: PatroniNode) -> None:
        node.stop_patroni()
        self.nodes.remove(node)
        self.spare.append(node)

    def logs(self) -> str:
        return "\n".join(node.log_tail() for node in self.nodes)

    def close(self) -> None:
        for node in [*self.nodes, *self.spare]:
            if node.patroni is not None and node.patroni.poll() is None:
                node.thaw_patroni()
                node.patroni.kill()
        self._owned.close()
        for process in [self.etcd, *(node.patroni for node in [*self.nodes, *self.spare])]:
            if process is not None:
                process.wait(timeout=10 * PATIENCE)


def promoted_at(node: PostgresNode, seconds: float = 60.0) -> float:
    """When the node was first seen out of recovery."""
    with node.connect(seconds) as sql:
        wait_until(
            lambda: not sql.value("select pg_is_in_recovery()"), f"{node.name} to be promoted", seconds,
            interval=0.005, detail=node.log_tail,
        )  # fmt: skip
    return time.monotonic()

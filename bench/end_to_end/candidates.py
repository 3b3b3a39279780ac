"""What stands between pgbench and the servers: nothing, PgBouncer, HAProxy, or Tidemark. Each has one worker thread,
listens on the loopback address, asks for no password, and may open more server connections than pgbench has clients."""

from __future__ import annotations

import pathlib
from typing import Any

import programs
from support.direct import DirectServer
from support.free_ports import free_port
from support.pgbouncer_process import PgBouncerProcess
from support.postgres_cluster import PostgresCluster
from support.proxy_process import ProxyProcess
from support.run_as import popen_options
from support.server_process import ServerProcess

POOL_SIZE = 20
MODES = ("simple", "extended", "prepared")


class HaProxyProcess(ServerProcess):
    """HAProxy in TCP mode in front of one node: it forwards bytes."""

    kind = "haproxy"

    def __init__(self, node_port: int, program: str, directory: pathlib.Path) -> None:
        super().__init__(free_port(), directory)
        self._node_port = node_port
        self._program = program

    def command(self) -> list[str]:
        config = self.directory / f"haproxy-{self.port}.cfg"
        config.write_text(
            "global\n  nbthread 1\n  maxconn 3000\n"
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10m\n  timeout server 10m\n"
            f"listen postgres\n  bind {self.host}:{self.port}\n  server node {self.host}:{self._node_port}\n",
            encoding="utf-8",
        )
        return [self._program, "-db", "-q", "-f", str(config)]

    def popen_options(self) -> dict[str, Any]:
        return popen_options()


class Candidate:
    """One way to the servers. Most have one process; `server(mode)` says which one serves pgbench's -M <mode>."""

    # How many idle connections are asked of it; a forwarder needs a server connection for each.
    idle_clients = 1000

    def __init__(self, name: str, server: ServerProcess, prepared: ServerProcess | None = None, note: str = "") -> None:
        self.name = name
        self.note = note
        self._server = server
        self._prepared = prepared or server

    def server(self, mode: str = "simple") -> ServerProcess:
        return self._prepared if mode == "prepared" else self._server

    @property
    def is_process(self) -> bool:
        """Whether there is a process between client and server to be measured."""
        return not isinstance(self._server, DirectServer)

    def pid(self, mode: str = "simple") -> int:
        process = self.server(mode).process
        assert process is not None
        return process.pid

    def start(self, seconds: float = 20.0) -> None:
        for server in {self._server, self._prepared}:
            server.start(seconds)

    def close(self) -> None:
        for server in {self._server, self._prepared}:
            server.close()


def direct(cluster: PostgresCluster, directory: pathlib.Path) -> Candidate:
    return Candidate("direct", DirectServer(cluster.primary, directory))


def pgbouncer(cluster: PostgresCluster, directory: pathlib.Path, program: str) -> Candidate:
    """Transaction pooling. Before 1.21 it has no prepared statements there: a second process pools sessions."""

    class Chosen(PgBouncerProcess):
        def command(self) -> list[str]:
            return [program, *super().command()[1:]]

    version = programs.version(program, "--version")
    settings: dict[str, Any] = {"auth_type": "trust", "default_pool_size": POOL_SIZE}
    if version >= (1, 21):
        server = Chosen(cluster.primary.port, settings | {"max_prepared_statements": 200}, directory)
        return Candidate("PgBouncer", server)
    number = ".".join(map(str, version))
    return Candidate(
        "PgBouncer",
        Chosen(cluster.primary.port, settings, directory),
        Chosen(cluster.primary.port, settings | {"pool_mode": "session"}, directory),
        f"PgBouncer {number} has no prepared statements in transaction mode: -M prepared is with pool_mode=session",
    )


def haproxy(cluster: PostgresCluster, directory: pathlib.Path, program: str) -> Candidate:
    found = Candidate("HAProxy", HaProxyProcess(cluster.primary.port, program, directory))
    found.idle_clients = 200
    found.note = f"HAProxy forwards bytes, a server connection per client; its memory is with {found.idle_clients} idle"
    return found


def tidemark(cluster: PostgresCluster, directory: pathlib.Path) -> Candidate:
    """Routing on, session consistency, one worker: the reads go to the replicas."""
    overrides = {
        "auth": {"method": "trust", "users_file": None},
        "cluster": {"probe_interval": "200ms"},
        "pool": {"mode": "transaction", "size": POOL_SIZE},
        "routing": {"consistency": "session"},
        "workers": {"threads": 1},
    }
    return Candidate("Tidemark", ProxyProcess(cluster.addresses, overrides, directory=directory))


def candidates(cluster: PostgresCluster, directory: pathlib.Path, only: set[str]) -> tuple[list[Candidate], list[str]]:
    """Those that can run here and were asked for, and a line for each that cannot."""
    found, missing = [], []
    if not only or "direct" in only:
        found.append(direct(cluster, directory))
    if not only or "pgbouncer" in only:
        if program := programs.pgbouncer():
            found.append(pgbouncer(cluster, directory, program))
        else:
            missing.append("PgBouncer is not installed")
    if not only or "haproxy" in only:
        if program := programs.haproxy():
            found.append(haproxy(cluster, directory, program))
        else:
            missing.append("HAProxy is not installed")
    if not only or "tidemark" in only:
        if binary := programs.tidemark():
            found.append(tidemark(cluster, directory))
            found[-1].note = programs.build_warning(binary)
        else:
            missing.append("Tidemark is not built: cmake --preset release && cmake --build --preset release")
    return found, missing

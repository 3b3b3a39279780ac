"""Pgpool-II from Debian (package pgpool2), as a peer that splits reads and knows nothing of positions."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
from typing import Any

from support.deadline import PATIENCE
from support.free_ports import free_port
from support.postgres_cluster import PostgresCluster
from support.run_as import popen_options, server_user
from support.server_process import ServerProcess


def installed() -> str | None:
    return shutil.which("pgpool", path="/usr/sbin:/usr/bin")


class PgpoolProcess(ServerProcess):
    """Pgpool-II in streaming replication mode; its defaults, but for what is named in `_settings`.

    balance: whether reads go to the replicas at all. on_write: its disable_load_balance_on_write, what a write changes
    for the reads of its session that follow it.
    """

    kind = "pgpool"

    def __init__(self, cluster: PostgresCluster, balance: bool = True, on_write: str = "transaction") -> None:
        super().__init__(free_port(), cluster.directory)
        self._cluster = cluster
        self._balance = balance
        self._on_write = on_write

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "listen_addresses": self.host,
            "port": self.port,
            "socket_dir": self.directory,
            "pcp_port": free_port(),
            "pcp_socket_dir": self.directory,
            "pid_file_name": self.directory / f"pgpool-{self.port}.pid",
            "logdir": self.directory,
            "pool_passwd": "",
            "backend_clustering_mode": "streaming_replication",
            "load_balance_mode": "on" if self._balance else "off",
            "disable_load_balance_on_write": self._on_write,
            "sr_check_user": "postgres",
            "sr_check_database": "postgres",
            # A node that is slow, or restarts, is no reason to drop it, or its clients, in the midst of a measurement.
            "failover_on_backend_error": "off",
        }
        for number, node in enumerate([self._cluster.primary, *self._cluster.replicas]):
            settings |= {
                f"backend_hostname{number}": "127.0.0.1",
                f"backend_port{number}": node.port,
                # Reads are for the replicas alone, as Tidemark has it.
                f"backend_weight{number}": 0 if number == 0 else 1,
                f"backend_flag{number}": "DISALLOW_TO_FAILOVER",
            }
        return settings

    def _write(self, name: str, text: str) -> pathlib.Path:
        path = self.directory / f"pgpool-{self.port}-{name}"
        path.write_text(text, encoding="utf-8")
        if os.getuid() == 0:
            os.chown(path, server_user().pw_uid, server_user().pw_gid)
        return path

    def command(self) -> list[str]:
        lines = [f"{name} = '{value}'" for name, value in self._settings().items()]
        config = self._write("pgpool.conf", "\n".join(lines) + "\n")
        empty = self._write("empty.conf", "")
        # -D: not what another run in this directory wrote down of the nodes' state.
        return [installed() or "pgpool", "-n", "-D", "-f", str(config), "-F", str(empty), "-a", str(empty)]

    def popen_options(self) -> dict[str, Any]:
        return popen_options()

    def parameters(self, **changes: Any) -> dict[str, Any]:
        # The superuser is trusted by the servers: no password is kept in a third place.
        return super().parameters(user="postgres") | changes

    def close(self) -> None:
        if self.running():
            assert self.process is not None
            # Killed, it would leave its children and its shared memory behind; SIGTERM waits for its clients to go.
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=20 * PATIENCE)
        super().close()

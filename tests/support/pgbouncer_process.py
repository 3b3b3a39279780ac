"""PgBouncer from Debian, as a peer to measure against and a stand-in to try the tests on."""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import Any, Mapping

from .free_ports import free_port
from .postgres_cluster import APP_PASSWORD, APP_USER
from .run_as import popen_options, server_user
from .server_process import ServerProcess


class PgBouncerProcess(ServerProcess):
    """PgBouncer in transaction mode in front of one node. settings: lines of its [pgbouncer] section."""

    kind = "pgbouncer"

    def __init__(
        self, node_port: int, settings: Mapping[str, Any] | None = None, directory: pathlib.Path | None = None
    ) -> None:
        super().__init__(free_port(), directory)
        self._node_port = node_port
        self._settings = {
            "listen_addr": self.host,
            "listen_port": self.port,
            "unix_socket_dir": "",
            "pool_mode": "transaction",
            "default_pool_size": 20,
            "max_client_conn": 10000,
            "auth_type": "scram-sha-256",
            "auth_file": f"{self.directory}/pgbouncer-{self.port}-users.txt",
            "ignore_startup_parameters": "extra_float_digits,options",
            "log_connections": 0,
            "log_disconnections": 0,
        } | dict(settings or {})

    def command(self) -> list[str]:
        user = server_user()
        users = self.directory / f"pgbouncer-{self.port}-users.txt"
        users.write_text(f'"{APP_USER}" "{APP_PASSWORD}"\n', encoding="utf-8")
        users.chmod(0o600)
        lines = [f"{name} = {value}" for name, value in self._settings.items()]
        config = self.directory / f"pgbouncer-{self.port}.ini"
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={self._node_port}\n[pgbouncer]\n" + "\n".join(lines) + "\n",
            encoding="utf-8",
        )
        if os.getuid() == 0:
            os.chown(users, user.pw_uid, user.pw_gid)
        return [shutil.which("pgbouncer", path="/usr/sbin:/usr/bin") or "pgbouncer", str(config)]

    def popen_options(self) -> dict[str, Any]:
        return popen_options()

"""The proxy as users run it: its program, a configuration file, a users file."""

from __future__ import annotations

import os
import pathlib
import subprocess
import urllib.request
from typing import Any, Mapping, Sequence

from . import sanitizers
from .deadline import PATIENCE
from .free_ports import free_ports
from .metrics import Metrics
from .postgres_cluster import APP_PASSWORD, APP_USER, MONITOR_PASSWORD, MONITOR_USER
from .run_as import clean_environment
from .server_process import ServerProcess
from .toml_text import merged, toml_text

ROOT = pathlib.Path(__file__).resolve().parents[2]


def proxy_binary() -> pathlib.Path:
    """build/proxy/tidemark, or what the environment variable TIDEMARK_BINARY names."""
    path = pathlib.Path(os.environ.get("TIDEMARK_BINARY", ROOT / "build" / "proxy" / "tidemark"))
    if not path.exists():
        raise RuntimeError(f"{path} does not exist: build it, or name another in TIDEMARK_BINARY")
    return path.resolve()


class ProxyProcess(ServerProcess):
    """The proxy in front of `nodes` (a PostgresCluster's `addresses`).

    overrides: tables and keys laid over the configuration below; None removes a key.
    users: name -> password of the clients' users file.
    """

    kind = "tidemark"

    def __init__(
        self,
        nodes: Sequence[str],
        overrides: Mapping[str, Any] | None = None,
        users: Mapping[str, str] | None = None,
        directory: pathlib.Path | None = None,
    ) -> None:
        changes = overrides or {}
        ports = free_ports(2)
        port = changes.get("listen", {}).get("port", ports[0])
        self.http_port = changes.get("http", {}).get("port", ports[1])
        super().__init__(port, directory)
        self._checked = 0  # characters of the log that check_sanitizers() has seen
        self.users = dict(users or {APP_USER: APP_PASSWORD})
        self.config: dict[str, Any] = merged(
            {
                "listen": {"address": self.host, "port": port},
                "http": {"address": "127.0.0.1", "port": self.http_port},
                "auth": {"method": "scram-sha-256", "users_file": str(self._file("users.toml"))},
                "cluster": {
                    "nodes": list(nodes),
                    "monitor_user": MONITOR_USER,
                    "monitor_password_file": str(self._file("monitor-password")),
                    "monitor_database": "postgres",
                    "probe_interval": "100ms",
                },
                "workers": {"threads": 2},
            },
            changes,
        )
        self.write_config()

    def _file(self, name: str) -> pathlib.Path:
        return self.directory / f"{self.kind}-{self.port}-{name}"

    @property
    def config_file(self) -> pathlib.Path:
        return self._file("config.toml")

    def write_config(self) -> None:
        """Writes the three files from `config` and `users`; before reload(), after a change to them."""
        users = [{"name": name, "password": password} for name, password in self.users.items()]
        _write_secret(self._file("users.toml"), toml_text({"user": users}))
        _write_secret(self._file("monitor-password"), MONITOR_PASSWORD + "\n")
        self.config_file.write_text(toml_text(self.config), encoding="utf-8")

    def command(self) -> list[str]:
        return [str(proxy_binary()), "--config", str(self.config_file)]

    def popen_options(self) -> dict[str, Any]:
        return {"env": sanitizers.OPTIONS | clean_environment()}

    def tool(self, *arguments: str, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Runs the program with other arguments (`check`, `explain`) and returns what it said."""
        done = subprocess.run(
            [str(proxy_binary()), *arguments],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds * PATIENCE,
            check=False,
            **self.popen_options(),
        )
        sanitizers.assert_none_in(done.stdout + done.stderr, f"tidemark {' '.join(arguments)}")
        return done

    @property
    def sanitized(self) -> bool:
        """Whether memory() is more than the proxy's own: a sanitizer keeps books, and freed memory for a while."""
        return bool(sanitizers.sanitizer_of(proxy_binary()))

    def close(self) -> None:
        """Ends the process and looks at its whole log. A build with a sanitizer is ended in order, or it would not tell of leaks."""
        try:
            if self.running() and self.sanitized:
                code = self.stop()
                sanitizers.assert_none_in(self.log(), f"{self.kind} at its end")
                assert code == 0, f"{self.kind} ended with {code}\n{self.log_tail()}"
            sanitizers.assert_none_in(self.log(), self.kind)
        finally:
            super().close()

    def http(self, path: str, seconds: float = 5.0) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=seconds * PATIENCE) as answer:
            return answer.read().decode()

    def metrics(self) -> Metrics:
        return Metrics(self.http("/metrics"))

    def reads_from(self, address: str) -> bool:
        """Whether it takes the node for a replica that may be read."""
        metrics = self.metrics()
        return bool(
            metrics.sum("tidemark_node_role", node=address, role="replica")
            and metrics.sum("tidemark_node_eligible", node=address)
        )

    def check_sanitizers(self) -> None:
        """Raises if a sanitizer has reported something to the log since the last call, so that one test is to blame."""
        log = self.log()
        new, self._checked = log[self._checked :], len(log)
        sanitizers.assert_none_in(new, self.kind)


def _write_secret(path: pathlib.Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)

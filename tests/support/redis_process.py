"""A Redis of Debian's on a port of its own, which keeps nothing on disk."""

from __future__ import annotations

import pathlib
import shutil
import socket
from typing import Any

from .deadline import PATIENCE
from .free_ports import free_port
from .run_as import popen_options
from .server_process import ServerProcess


class RedisProcess(ServerProcess):
    """`command_line`: further arguments of redis-server."""

    kind = "redis"

    def __init__(self, directory: pathlib.Path | None = None, command_line: tuple[str, ...] = ()) -> None:
        super().__init__(free_port(), directory)
        self._further = command_line

    def command(self) -> list[str]:
        program = shutil.which("redis-server", path="/usr/bin:/usr/local/bin") or "redis-server"
        return [
            program, "--bind", self.host, "--port", str(self.port), "--save", "", "--appendonly", "no",
            "--maxmemory-policy", "noeviction", "--dir", str(self.directory), *self._further,
        ]  # fmt: skip

    def popen_options(self) -> dict[str, Any]:
        return popen_options()

    def start(self, seconds: float = 20.0, query: bool = False) -> None:
        super().start(seconds, query=False)

    def call(self, *words: str, seconds: float = 10.0) -> Any:
        """Sends one command; its answer, or RuntimeError with Redis' own words."""
        with socket.create_connection((self.host, self.port), timeout=seconds * PATIENCE) as connection:
            parts = [word.encode() for word in words]
            connection.sendall(
                b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
            )
            with connection.makefile("rb") as stream:
                return _read(stream)

    def hash(self, key: str) -> dict[str, str]:
        items = self.call("HGETALL", key)
        return dict(zip(items[::2], items[1::2]))


def _read(stream: Any) -> Any:
    line = stream.readline().rstrip(b"\r\n").decode()
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise RuntimeError(rest)
    if kind == "+":
        return rest
    if kind == ":":
        return int(rest)
    if kind == "$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
    return [_read(stream) for _ in range(int(rest))]

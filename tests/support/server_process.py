"""A program that listens on a port of ours, in an owned directory, with its log in a file."""

from __future__ import annotations

import pathlib
import re
import signal
import socket
import subprocess
from typing import Any

import psycopg2

from .deadline import PATIENCE, DeadlineExceeded, wait_until
from .postgres_cluster import APP_PASSWORD, APP_USER, DATABASE
from .run_as import clean_environment
from .sql import Sql
from .watchdog import OwnedDirectory


class ServerProcess:
    """Base of what clients connect to: `host`, `port`, `dsn()`, `connect()`; start, stop, kill, memory.

    It is given a directory to write in, or makes one of its own that is gone with the process.
    """

    kind = "server"

    def __init__(self, port: int, directory: pathlib.Path | None = None) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self._owned = None if directory else OwnedDirectory(f"tidemark-{self.kind}-")
        self.directory = directory or self._owned.path  # type: ignore[union-attr]
        self.log_file = self.directory / f"{self.kind}-{port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    # -- for subclasses --

    def command(self) -> list[str]:
        """The program and its arguments; writes whatever files it reads."""
        raise NotImplementedError

    def popen_options(self) -> dict[str, Any]:
        return {"env": clean_environment()}

    # -- the process --

    def launch(self) -> None:
        """Starts the program and returns at once."""
        assert self.process is None or self.process.poll() is not None
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.popen_options(),
            )

    def start(self, seconds: float = 20.0, query: bool = True) -> None:
        """Starts the program and returns when its port takes connections and, with `query`, answers one."""
        self.launch()
        self.wait_listening(seconds)
        if query:
            self.wait_answering(seconds)

    def wait_listening(self, seconds: float = 20.0) -> None:
        def listening() -> bool:
            self._assert_running()
            with socket.create_connection((self.host, self.port), timeout=1):
                return True

        wait_until(
            listening, f"{self.kind} to listen on {self.port}", seconds, detail=self.log_tail, ignore=(OSError,)
        )

    def wait_answering(self, seconds: float = 20.0) -> None:
        def answers() -> bool:
            self._assert_running()
            with self.connect(seconds=min(seconds, 15.0)) as sql:
                return sql.value("select 1") == 1

        wait_until(
            answers,
            f"{self.kind} on {self.port} to answer a query",
            seconds,
            detail=self.log_tail,
            ignore=(psycopg2.Error, DeadlineExceeded),
        )

    def _assert_running(self) -> None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.kind} ended with {self.process.returncode} at its start\n{self.log_tail()}")

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds: float = 20.0) -> int:
        """SIGTERM; its exit code. A process that has not ended by then is killed, which is an error."""
        assert self.process is not None
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DeadlineExceeded(f"{self.kind} did not stop in {seconds * PATIENCE:g} s\n{self.log_tail()}") from None

    def kill(self) -> None:
        if self.running():
            assert self.process is not None
            self.process.kill()
            self.process.wait(timeout=10 * PATIENCE)

    def reload(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def close(self) -> None:
        """Ends the process, however, and removes the directory if it was made here."""
        self.kill()
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> "ServerProcess":
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what it is doing --

    def log(self) -> str:
        try:
            return self.log_file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def log_lines(self, pattern: str = "") -> list[str]:
        """Lines of the log that contain the regular expression."""
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def log_tail(self, lines: int = 30) -> str:
        return f"--- end of the log of {self.kind}\n" + "\n".join(self.log().splitlines()[-lines:])

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes of resident memory: VmRSS now, VmHWM at its highest since start or reset_peak_memory()."""
        assert self.process is not None
        with open(f"/proc/{self.process.pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError(f"{self.kind}: no {field}; the process has ended\n{self.log_tail()}")

    def reset_peak_memory(self) -> None:
        assert self.process is not None
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        assert self.process is not None
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100.0

    # -- clients --

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """Connection parameters of libpq's names, as `app` to the database `shop` unless changed."""
        base = {"host": self.host, "port": self.port, "user": APP_USER, "password": APP_PASSWORD, "dbname": DATABASE}
        return base | changes

    def dsn(self, **changes: Any) -> str:
        return " ".join(f"{name}={value}" for name, value in self.parameters(**changes).items())

    def connect(self, seconds: float = 20.0, **changes: Any) -> Sql:
        """An autocommit connection with a deadline on everything."""
        return Sql(seconds, **self.parameters(**changes))

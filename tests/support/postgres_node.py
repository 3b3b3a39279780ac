"""One PostgreSQL server: its data directory, its process, and what one does to it in a test."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import time
from typing import Any, Mapping, Sequence

import psycopg2

from .deadline import PATIENCE, DeadlineExceeded, wait_until
from .run_as import popen_options, postgres_bin
from .sql import Sql

_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresNode:
    """A server on 127.0.0.1:`port` whose data lies in `directory`. Used through PostgresCluster."""

    def __init__(self, name: str, directory: pathlib.Path, port: int, sockets: pathlib.Path) -> None:
        self.name = name
        self.directory = directory
        self.port = port
        self.sockets = sockets
        self.log_file = sockets.parent / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """host:port, as the proxy's configuration and its metrics name the node."""
        return f"127.0.0.1:{self.port}"

    # -- the data directory ------------------------------------------------------------------------

    def program(self, name: str, *arguments: str, seconds: float = 120.0) -> str:
        """Runs one of PostgreSQL's programs as the servers' user; its output, or an error that quotes it."""
        done = subprocess.run(
            [str(postgres_bin() / name), *arguments],
            cwd=self.sockets.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds * PATIENCE,
            check=False,
            **popen_options(),
        )
        output = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise RuntimeError(f"{name} {' '.join(arguments)} ended with {done.returncode}:\n{output}")
        return output

    def append_settings(self, settings: Mapping[str, Any], file: str = "postgresql.conf") -> None:
        """Adds lines to a configuration file of a server that does not run."""
        lines = "".join(f"{name} = {quote(value)}\n" for name, value in settings.items())
        with open(self.directory / file, "a", encoding="utf-8") as target:
            target.write(lines)

    def remove_data(self) -> None:
        assert not self.running(), f"{self.name} still runs"
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- the process -------------------------------------------------------------------------------

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, seconds: float = 60.0, wait: bool = True) -> None:
        """Starts the server; with `wait`, returns when it takes connections (a replica: hot standby)."""
        assert not self.running(), f"{self.name} runs already"
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [str(postgres_bin() / "postgres"), "-D", str(self.directory)],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **popen_options(),
            )
        if wait:
            self.wait_ready(seconds)

    def wait_ready(self, seconds: float = 60.0) -> None:
        def ready() -> bool:
            if not self.running():
                raise RuntimeError(f"{self.name} ended at its start:\n{self.log_tail()}")
            return self.value("select 1", seconds=2.0) == 1

        wait_until(
            ready,
            f"{self.name} on port {self.port} to take connections",
            seconds,
            detail=self.log_tail,
            ignore=(psycopg2.Error, DeadlineExceeded),
        )

    def stop(self, mode: str = "fast", seconds: float = 60.0) -> None:
        """Shuts down as `pg_ctl stop -m` does: "smart", "fast" or "immediate"."""
        if not self.running():
            return
        assert self.process is not None
        self.sigcont()
        self.process.send_signal(_STOP_SIGNALS[mode])
        try:
            self.process.wait(timeout=seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded(f"{self.name} did not stop ({mode}) in {seconds * PATIENCE:g} s:\n{self.log_tail()}") from None

    def kill9(self) -> None:
        """Ends postmaster and backends at once, as a machine that loses power does."""
        if not self.running():
            return
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)  # no new children while we list them
        for pid in [*self._children(), self.process.pid]:
            _send(pid, signal.SIGKILL)
        self.process.wait(timeout=10 * PATIENCE)
        wait_until(lambda: not self._children(), f"the last backend of {self.name} to be gone", 10)

    def sigstop(self) -> None:
        """Freezes the whole server: its sockets stay open and the kernel still accepts, nobody answers."""
        assert self.running() and self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        for pid in self._children():
            _send(pid, signal.SIGSTOP)

    def sigcont(self) -> None:
        if self.running() and self.process is not None:
            for pid in [*self._children(), self.process.pid]:
                _send(pid, signal.SIGCONT)

    def restart(self, mode: str = "fast", seconds: float = 60.0) -> None:
        self.stop(mode, seconds)
        self.start(seconds)

    def reload(self) -> None:
        assert self.running() and self.process is not None
        os.kill(self.process.pid, signal.SIGHUP)

    def _children(self) -> list[int]:
        # A killed postmaster's children have another parent; their working directory still tells.
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or (self.process is not None and int(entry) == self.process.pid):
                continue
            try:
                if os.readlink(f"/proc/{entry}/cwd") == str(self.directory):
                    found.append(int(entry))
            except OSError:
                continue
        return found

    def log_tail(self, lines: int = 20) -> str:
        try:
            text = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return f"--- end of the log of {self.name}\n" + "\n".join(text[-lines:])

    # -- questions and orders in SQL (as superuser `postgres`) ----------------------------------------

    def connect(self, seconds: float = 20.0, **parameters: Any) -> Sql:
        defaults = {"host": "127.0.0.1", "port": self.port, "user": "postgres", "dbname": "postgres"}
        return Sql(seconds, **(defaults | {"connect_timeout": 10, "application_name": "tests"} | parameters))

    def rows(self, statement: str, parameters: Sequence[Any] | None = None, seconds: float = 20.0, **where: Any) -> list[tuple[Any, ...]]:
        with self.connect(seconds, **where) as sql:
            return sql.rows(statement, parameters)

    def value(self, statement: str, parameters: Sequence[Any] | None = None, seconds: float = 20.0, **where: Any) -> Any:
        with self.connect(seconds, **where) as sql:
            return sql.value(statement, parameters)

    def in_recovery(self) -> bool:
        return bool(self.value("select pg_is_in_recovery()"))

    def insert_lsn(self) -> str:
        """The end of the WAL inserted so far, on a primary."""
        return str(self.value("select pg_current_wal_insert_lsn()"))

    def replay_lsn(self) -> str | None:
        """The end of the WAL replayed so far, on a replica."""
        return self.value("select pg_last_wal_replay_lsn()::text")

    def wait_for_replay(self, lsn: str, seconds: float = 30.0) -> None:
        """Returns when this replica has replayed up to `lsn`."""
        with self.connect(seconds) as sql:
            wait_until(
                lambda: sql.value("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [lsn]),
                f"{self.name} to replay {lsn}",
                seconds,
                interval=0.005,
                detail=lambda: f"it is at {self.replay_lsn()}\n{self.log_tail()}",
            )

    def alter_system(self, settings: Mapping[str, Any]) -> None:
        """ALTER SYSTEM and reload; a value of None resets. Returns when new sessions see the change."""
        with self.connect() as sql:
            for name, value in settings.items():
                assignment = f"reset {name}" if value is None else f"set {name} = {quote(value)}"
                sql.rows(f"alter system {assignment}")
            loaded = sql.value("select pg_conf_load_time()")
            sql.rows("select pg_reload_conf()")
        wait_until(
            lambda: self.value("select pg_conf_load_time()") > loaded, f"{self.name} to reload its configuration", 10
        )

    def set_apply_delay(self, milliseconds: int) -> None:
        """Lets this replica show a commit no sooner than so long after its time on the primary; 0 ends it."""
        self.alter_system({"recovery_min_apply_delay": milliseconds or None})

    def pause_replay(self) -> None:
        with self.connect() as sql:
            sql.rows("select pg_wal_replay_pause()")
            wait_until(
                lambda: sql.value("select pg_get_wal_replay_pause_state()") == "paused", f"{self.name} to pause", 10
            )

    def resume_replay(self) -> None:
        self.rows("select pg_wal_replay_resume()")

    def promote(self, seconds: float = 60.0) -> float:
        """`pg_ctl promote`, and waits until the node is out of recovery; the seconds that took."""
        began = time.monotonic()
        self.program("pg_ctl", "promote", "-D", str(self.directory), "-W", seconds=seconds)
        with self.connect(seconds) as sql:
            wait_until(
                lambda: not sql.value("select pg_is_in_recovery()"),
                f"{self.name} to leave recovery",
                seconds,
                interval=0.005,
                detail=self.log_tail,
            )
        return time.monotonic() - began


def quote(value: Any) -> str:
    """A setting's value as postgresql.conf and ALTER SYSTEM take it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass

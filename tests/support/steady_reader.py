"""A user who never stops reading, while servers come and go: each answer is held against all that bound it."""

from __future__ import annotations

import itertools
import threading
from typing import Sequence

import psycopg

from .deadline import PATIENCE, wait_until
from .proxy_process import ProxyProcess

_READ = "select v, inet_server_port() from mark"
# s between two reads. What a proxy must learn can come after the next read, or before it: each has its own faults.
_PAUSES = (0.001, 0.005, 0.05)
_MOST = 20  # faults that are kept of one reader


class SteadyReader:
    """Reads `v` of the one row of table `mark` over `connection`, again and again, from `with` to its end.

    Values only grow, by the user's own write() or by anybody's, so a read must give no less than the user has read or
    written before it was sent, nor ever one of `impossible`: what was written where nobody should look. `wrong` holds
    what did, and the error that ended the reading, if one did.
    """

    def __init__(self, connection: psycopg.Connection, impossible: Sequence[int] = ()) -> None:
        self.wrong: list[str] = []
        self.shown: tuple[int, int] = (0, 0)  # the last answer, and the port of the server that gave it
        self.reads = 0
        self._connection = connection
        self._impossible = frozenset(impossible)
        self._written = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "SteadyReader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(20 * PATIENCE)
        if self._thread.is_alive():
            self.wrong.append("its last read is not answered")

    def write(self, value: int) -> None:
        """Over the same connection; what is read from now on may not be less."""
        self._connection.execute(f"update mark set v = {value}")
        self._written = value

    def _run(self) -> None:
        seen = 0
        try:
            for pause in itertools.cycle(_PAUSES):
                if self._ended.wait(pause):
                    return
                least = max(seen, self._written)
                row = self._connection.execute(_READ).fetchone()
                assert row is not None
                value, port = row
                if (value < least or value in self._impossible) and len(self.wrong) < _MOST:
                    self.wrong.append(f"{value} instead of {least}, at port {port}")
                if value not in self._impossible:
                    seen = max(seen, value)
                self.shown = (value, port)
                self.reads += 1
        except Exception as error:  # shown by the test
            self.wrong.append(f"{type(error).__name__}: {error}")


def wait_until_shown(readers: Sequence[SteadyReader], value: int, port: int) -> None:
    """Returns when each has been shown `value` by the server at `port`. Who has met a fault is not waited for."""
    wait_until(
        lambda: all(reader.shown == (value, port) or reader.wrong for reader in readers),
        f"all to read {value} at port {port}",
        20,
        detail=lambda: "\n".join(f"{reader.shown}, {reader.wrong}" for reader in readers),
    )


def wait_for_reads(readers: Sequence[SteadyReader], count: int) -> None:
    """Returns when each has been given `count` further answers. Who has met a fault is not waited for."""
    before = [reader.reads for reader in readers]
    wait_until(
        lambda: all(
            reader.reads >= had + count or reader.wrong for reader, had in zip(readers, before, strict=True)
        ),
        f"{count} further reads of each",
        20,
        detail=lambda: "\n".join(f"{reader.reads} reads, {reader.wrong}" for reader in readers),
    )


def wait_until_a_stranger_is_shown(proxy: ProxyProcess, value: int, port: int) -> None:
    """Returns when a new client, who has been shown nothing yet, is shown `value` by the server at `port`."""

    def is_shown() -> bool:
        with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as stranger:
            return stranger.execute(_READ).fetchone() == (value, port)

    wait_until(is_shown, f"a new client to read {value} at port {port}", 20)

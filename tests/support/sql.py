"""A connection for the tests' own questions, every one of which has a deadline, even to a frozen server."""

from __future__ import annotations

import select
from typing import Any, Sequence

import psycopg2
import psycopg2.extensions

from .deadline import PATIENCE, Deadline, DeadlineExceeded


class Sql:
    """One autocommit connection. `seconds`, times PATIENCE, bound the login and each statement."""

    def __init__(self, seconds: float = 20.0, **parameters: Any) -> None:
        self.seconds = seconds * PATIENCE
        self._address = f"{parameters.get('host')}:{parameters.get('port')}"
        self.connection = psycopg2.connect(async_=1, **parameters)
        try:
            self._wait("the login")
        except BaseException:
            self.connection.close()
            raise

    def _wait(self, what: str) -> None:
        deadline = Deadline(self.seconds)
        while True:
            state = self.connection.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            reads, writes = [], []
            (reads if state == psycopg2.extensions.POLL_READ else writes).append(self.connection.fileno())
            if not any(select.select(reads, writes, [], deadline.remaining())):
                raise DeadlineExceeded(f"{self._address} gave no answer within {self.seconds:g} s to {what}")

    def rows(self, statement: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Runs a statement; its rows, or an empty list if it returns none."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            self._wait(statement)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, parameters: Sequence[Any] | None = None) -> Any:
        """The first column of the first row, or None without rows."""
        rows = self.rows(statement, parameters)
        return rows[0][0] if rows else None

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> "Sql":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

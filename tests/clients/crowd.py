"""Clients that keep using the proxy while the tests run, so that server connections change hands between them and
the tests, with settings, prepared statements and transactions in between. Ends with its standard input; its exit code is 1
if one of its clients was told what it should not have been.

    crowd.py <connection string>
"""

from __future__ import annotations

import random
import select
import sys
import time

import psycopg

CLIENTS = 4
PAUSE = 0.01  # seconds between two statements: a neighbour, not a load


class Neighbour:
    """One client that knows what its session must look like."""

    def __init__(self, dsn: str, number: int) -> None:
        self.number = number
        self.connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=2)
        self.zone = "UTC"

    def expect(self, statement: str, wanted: object, *parameters: object) -> None:
        row = self.connection.execute(statement, parameters or None).fetchone()
        got = None if row is None else row[0]
        if got != wanted:
            raise AssertionError(f"client {self.number}: {statement} gave {got!r}, not {wanted!r}")

    def step(self) -> None:
        action = random.randrange(5)
        if action == 0:
            self.zone = random.choice(["UTC", "Asia/Tokyo", "Europe/Berlin"])
            self.connection.execute(f"set timezone to '{self.zone}'")
        elif action == 1:
            self.expect("select current_setting('timezone')", self.zone)
        elif action == 2:
            value = random.randrange(1000)
            self.expect("select %s::int * 2", value * 2, value)
        elif action == 3:
            with self.connection.transaction():
                self.connection.execute("set local datestyle to 'German'")
                self.expect("select date '2024-02-01'::text", "01.02.2024")
        else:
            self.expect("select date '2024-02-01'::text", "2024-02-01")


def main() -> int:
    neighbours = [Neighbour(sys.argv[1], number) for number in range(CLIENTS)]
    steps = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        random.choice(neighbours).step()
        steps += 1
        time.sleep(PAUSE)
    print(steps, "statements of the crowd answered as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())

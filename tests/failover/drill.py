"""Clients that live through a failover, each on one connection that it never replaces, and what they saw."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any, Callable

import psycopg

from support.deadline import PATIENCE, DeadlineExceeded
from support.proxy_process import ProxyProcess

UNDECIDED = "40003"  # the statement may have happened
ROLLED_BACK = "40001"  # it has not
MAY_BE_LOST = "TM001"  # an earlier one was acknowledged, and nobody knows how far the primary had come then


@dataclasses.dataclass
class Statement:
    """One statement that a client sent; times of the monotonic clock."""

    client: str
    start: float
    end: float
    id: int | None = None  # of the row, if it is an INSERT
    node: int | None = None  # the port of the server that answered
    rows: int | None = None  # what a reader counted
    sqlstate: str | None = None
    text: str = ""


class Client:
    """Base: a thread with one connection. `broken` says why the connection ended, if it did."""

    def __init__(self, drill: "Drill", name: str) -> None:
        self.name = name
        self.broken: str | None = None
        self.statements: list[Statement] = []
        self._drill = drill
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise DeadlineExceeded(f"{self.name} hangs; its last statements: {self.statements[-2:]}")

    def _run(self) -> None:
        try:
            with psycopg.connect(self._drill.dsn, autocommit=True) as connection:
                self._drill.connected.release()
                self.live(connection)
        except Exception as error:  # whatever ends a client is a finding
            self.broken = f"{type(error).__name__}: {error}".strip()

    def live(self, connection: psycopg.Connection[Any]) -> None:
        raise NotImplementedError

    def run(
        self, connection: psycopg.Connection[Any], text: str, values: Any = None, id: int | None = None
    ) -> Statement:
        """Runs one statement whose answer is (number, port); an SQL error is noted, a lost connection is raised."""
        statement = Statement(self.name, time.monotonic(), 0.0, id)
        try:
            row = connection.execute(text, values).fetchone()
            if row is not None:
                statement.rows, statement.node = row[0], row[1]
        except psycopg.Error as error:
            statement.sqlstate, statement.text = error.sqlstate or "none", str(error).strip()
            if connection.closed:
                raise
        finally:
            statement.end = time.monotonic()
            self.statements.append(statement)
        return statement


class Writer(Client):
    """Inserts one id after the other. Half of the writers use bound parameters, half literal statements."""

    def __init__(self, drill: "Drill", number: int) -> None:
        super().__init__(drill, f"writer {number}")
        self._next = number * 1_000_000
        self._bound = number % 2 == 0

    def live(self, connection: psycopg.Connection[Any]) -> None:
        while not self._drill.stopping.is_set():
            self._next += 1
            if self._bound:
                text, values = "insert into drill values (%s) returning id, inet_server_port()", [self._next]
            else:
                text, values = f"insert into drill values ({self._next}) returning id, inet_server_port()", None
            self.run(connection, text, values, self._next)
            time.sleep(0.002)


@dataclasses.dataclass
class Transaction:
    """One transaction of two rows; `at`: the statement that failed, if one did."""

    client: str
    start: float
    ids: tuple[int, int]
    end: float = 0.0
    sqlstate: str | None = None
    at: str = ""
    text: str = ""


class TransactionWriter(Client):
    """One transaction after the other, each of two rows; rolls back after an error, and goes on with other rows."""

    def __init__(self, drill: "Drill", number: int) -> None:
        super().__init__(drill, f"transactions {number}")
        self._next = 500_000_000 + number * 1_000_000
        self.transactions: list[Transaction] = []

    def live(self, connection: psycopg.Connection[Any]) -> None:
        # Nothing that tells one server from another: its transactions may be executed again elsewhere.
        insert = "insert into drill values (%s)"
        while not self._drill.stopping.is_set():
            self._next += 2
            done = Transaction(self.name, time.monotonic(), (self._next, self._next + 1))
            self.transactions.append(done)
            try:
                done.at = "begin"
                connection.execute("begin")
                done.at = "first"
                connection.execute(insert, [done.ids[0]])
                time.sleep(0.001)
                done.at = "second"
                connection.execute(insert, [done.ids[1]])
                done.at = "commit"
                connection.execute("commit")
                done.at = ""
            except psycopg.Error as error:
                done.sqlstate, done.text = error.sqlstate or "none", str(error).strip()
                if connection.closed:
                    raise
                self._roll_back(connection)
            finally:
                done.end = time.monotonic()
            time.sleep(0.002)

    def _roll_back(self, connection: psycopg.Connection[Any]) -> None:
        """Doubt about an earlier write is told at the next statement, whichever that is: it is noted as a transaction."""
        self._next += 2
        doubt = Transaction(self.name, time.monotonic(), (self._next, self._next + 1))
        doubt.at = "rollback"
        try:
            connection.execute("rollback")
        except psycopg.Error as error:
            if error.sqlstate != MAY_BE_LOST:
                raise
            doubt.sqlstate, doubt.text, doubt.end = error.sqlstate, str(error).strip(), time.monotonic()
            self.transactions.append(doubt)


class Reader(Client):
    """Counts the rows again and again."""

    def live(self, connection: psycopg.Connection[Any]) -> None:
        while not self._drill.stopping.is_set():
            self.run(connection, "select count(*), inet_server_port() from drill")
            time.sleep(0.01)


class Idler(Client):
    """Says something once, is silent through the failover, and then reads and writes on the same connection."""

    def __init__(self, drill: "Drill", number: int) -> None:
        super().__init__(drill, f"idler {number}")
        self._id = 900_000_000 + number

    def live(self, connection: psycopg.Connection[Any]) -> None:
        self.run(connection, "select count(*), inet_server_port() from drill")
        self._drill.wake_idle.wait(self._drill.seconds)
        self.run(connection, "select count(*), inet_server_port() from drill")
        self.run(connection, "insert into drill values (%s) returning id, inet_server_port()", [self._id], self._id)
        self.run(connection, "select count(*), inet_server_port() from drill")


class OpenTransaction(Client):
    """Has written in a transaction when the primary goes; a careless client that goes on sending."""

    ID = 990_000_000

    def live(self, connection: psycopg.Connection[Any]) -> None:
        insert = "insert into drill values (%s) returning id, inet_server_port()"
        connection.execute("begin")
        self.run(connection, insert, [self.ID], self.ID)
        self._drill.in_transaction.set()
        self._drill.wake_idle.wait(self._drill.seconds)
        self.run(connection, insert, [self.ID + 1], self.ID + 1)
        self.run(connection, insert, [self.ID + 2], self.ID + 2)
        connection.execute("rollback")
        self.run(connection, insert, [self.ID + 3], self.ID + 3)


class Drill:
    """All the clients together; every wait ends after `seconds`.

        with Drill(proxy) as drill:
            (break the primary, promote another)
            drill.wake_idle.set()
            drill.finish()
    """

    def __init__(
        self,
        proxy: ProxyProcess,
        writers: int = 8,
        readers: int = 8,
        idlers: int = 50,
        seconds: float = 90.0,
        transaction_writers: int = 8,
    ) -> None:
        self.seconds = seconds
        self.dsn = proxy.dsn(connect_timeout=20)
        self.stopping, self.wake_idle, self.in_transaction = threading.Event(), threading.Event(), threading.Event()
        self.connected = threading.Semaphore(0)
        self.writers = [Writer(self, number) for number in range(1, writers + 1)]
        self.readers = [Reader(self, f"reader {number}") for number in range(1, readers + 1)]
        self.idlers = [Idler(self, number) for number in range(1, idlers + 1)]
        self.transaction = OpenTransaction(self, "open transaction")
        self.transaction_writers = [TransactionWriter(self, number) for number in range(1, transaction_writers + 1)]
        self.clients: list[Client] = [
            *self.writers, *self.transaction_writers, *self.readers, *self.idlers, self.transaction
        ]  # fmt: skip
        self._proxy = proxy

    def __enter__(self) -> "Drill":
        for client in self.clients:
            client.start()
        for _ in self.clients:
            if not self.connected.acquire(timeout=30 * PATIENCE):
                raise DeadlineExceeded(f"not all clients connected: {self.broken()}\n{self._proxy.log_tail()}")
        if not self.in_transaction.wait(30 * PATIENCE):
            raise DeadlineExceeded(f"the transaction did not begin: {self.broken()}\n{self._proxy.log_tail()}")
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.wake_idle.set()

    def finish(self) -> None:
        """Ends all clients; one that does not end is an error."""
        self.stopping.set()
        self.wake_idle.set()
        for client in self.clients:
            client.join(45 * PATIENCE)

    def broken(self) -> list[str]:
        return [f"{client.name}: {client.broken}" for client in self.clients if client.broken]

    def statements(self, condition: Callable[[Statement], bool] = lambda _: True) -> list[Statement]:
        found = [statement for client in self.clients for statement in client.statements if condition(statement)]
        return sorted(found, key=lambda statement: statement.start)

    def transactions(self, condition: Callable[[Transaction], bool] = lambda _: True) -> list[Transaction]:
        return [each for writer in self.transaction_writers for each in writer.transactions if condition(each)]

    def acknowledged(self) -> list[Statement]:
        """Autocommit INSERTs that were answered with success."""
        inside = {OpenTransaction.ID + number for number in range(3)}
        return self.statements(lambda s: s.id is not None and s.sqlstate is None and s.id not in inside)

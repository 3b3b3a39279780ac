"""What a client is told of a statement, or of a transaction, whose server connection ends: what is certain, and no more."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
from typing import Any, Iterator

import psycopg
import pytest

from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only


@pytest.fixture
def connection(make_informed_proxy) -> Iterator[psycopg.Connection[Any]]:
    proxy = make_informed_proxy({"routing": {"consistency": "primary"}})
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as made:
        made.execute("select 1")
        yield made


@pytest.fixture
def target(nodes, shop) -> Iterator[str]:
    shop("create table lost_servers (v int)")
    yield "lost_servers"
    shop("drop table lost_servers")


class InBackground:
    """One statement, and how it ended: `sqlstate` is None if it succeeded."""

    def __init__(self, connection: psycopg.Connection[Any], sql: str) -> None:
        self.sqlstate: str | None = "not ended"
        self._thread = threading.Thread(target=self._run, args=(connection, sql), daemon=True)
        self._thread.start()

    def _run(self, connection: psycopg.Connection[Any], sql: str) -> None:
        try:
            connection.execute(sql)
            self.sqlstate = None
        except psycopg.Error as error:
            self.sqlstate = error.sqlstate

    def ended(self) -> str | None:
        wait_until(lambda: not self._thread.is_alive(), "the statement to end", 30)
        return self.sqlstate


def backend(nodes, what: str, other_than: int = 0) -> int:
    """The process that runs `what` at the primary, as soon as there is one."""
    found: list[Any] = []

    def looked() -> bool:
        found[:] = nodes.primary.rows(
            "select pid from pg_stat_activity where usename = 'app' and state = 'active' and query like %s and pid <> %s",
            [what, other_than],
        )
        return len(found) == 1

    wait_until(looked, f"{what} to run", 20)
    return int(found[0][0])


def terminate(nodes, pid: int) -> None:
    assert nodes.primary.value("select pg_terminate_backend(%s)", [pid])


def count(nodes, table: str) -> int:
    return int(nodes.primary.value(f"select count(*) from {table}", dbname="shop"))


SLOW_INSERT = "insert into lost_servers select 1 from pg_sleep(1.5)"


def test_a_statement_that_was_rolled_back_runs_again_as_often_as_that_happens(connection, nodes, target):
    """A dying server may have many connections in its pool, of which each says so for itself."""
    running = InBackground(connection, SLOW_INSERT)
    last = 0
    for _ in range(8):
        last = backend(nodes, "insert into lost_servers%", last)
        terminate(nodes, last)
    assert running.ended() is None
    assert count(nodes, target) == 1


def test_a_statement_that_was_rolled_back_and_then_lost_without_a_word_is_not_run_a_third_time(connection, nodes, target):
    running = InBackground(connection, SLOW_INSERT)
    first = backend(nodes, "insert into lost_servers%")
    terminate(nodes, first)
    os.kill(backend(nodes, "insert into lost_servers%", first), signal.SIGKILL)
    assert running.ended() == "40003"
    wait_until(nodes.primary.running, "the server to be there again", 20)
    wait_until(lambda: connection.execute("select 1").fetchone() == (1,), "the session to go on", 20)
    assert count(nodes, target) == 0


def test_a_commit_that_was_rolled_back_is_told_as_that(connection, nodes, target, shop):
    shop(
        "create function lost_servers_wait() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(20); return null; end $$"
    )
    shop(
        "create constraint trigger wait after insert on lost_servers deferrable initially deferred"
        " for each row execute function lost_servers_wait()"
    )
    try:
        connection.execute("begin")
        connection.execute("insert into lost_servers values (1)")
        running = InBackground(connection, "commit")
        terminate(nodes, backend(nodes, "commit"))
        assert running.ended() == "40001"
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert connection.execute("select count(*) from lost_servers").fetchone() == (0,)
    finally:
        shop("drop trigger wait on lost_servers; drop function lost_servers_wait()")


def begin(connection: psycopg.Connection[Any], *statements: str) -> int:
    for statement in statements:
        connection.execute(statement)
    return int(connection.execute("select pg_backend_pid()").fetchone()[0])


def test_the_commit_of_a_read_only_transaction_needs_no_server(connection, nodes):
    terminate(nodes, begin(connection, "begin read only", "select 1"))
    assert connection.execute("commit").statusmessage == "COMMIT"
    assert connection.execute("select 1").fetchone() == (1,)


def unread_bytes(pid: int) -> int:
    """What has reached the process by TCP, and it has not taken (proc(5), /proc/net/tcp: inode and rx_queue)."""
    links = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}
    table = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in table if row[9] in inodes)


class Crash:
    """The server process that the statement `statement` of `connection` has been sent to says that it ends (WARNING,
    57P01), and the postmaster ends all others in the same way (57P02) and starts anew."""

    def __init__(self, connection: psycopg.Connection[Any], nodes, pid: int, statement: str) -> None:
        self.notices: list[str | None] = []
        connection.add_notice_handler(lambda diagnostic: self.notices.append(diagnostic.sqlstate))
        os.kill(pid, signal.SIGSTOP)
        try:
            self.running = InBackground(connection, statement)
            wait_until(lambda: unread_bytes(pid) > 0, "the statement to be sent", 10)
            os.kill(pid, signal.SIGQUIT)
        finally:
            os.kill(pid, signal.SIGCONT)
        # From then on the postmaster lets nobody in until it has recovered.
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the process to end", 10)


@pytest.fixture
def recovered(nodes) -> Iterator[None]:
    yield
    nodes.primary.wait_ready()


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_server_that_says_it_ends_takes_nothing_from_the_end_of_a_read_only_transaction(connection, nodes, recovered, end):
    pid = begin(connection, "begin read only", "select 1")
    crash = Crash(connection, nodes, pid, end)
    assert crash.running.ended() is None
    assert crash.notices == []
    assert connection.execute("select 1").fetchone() == (1,)


def test_a_server_that_says_it_ends_takes_nothing_from_a_transaction_that_begins(connection, nodes, recovered):
    (pid,) = connection.execute("select pg_backend_pid()").fetchone()
    crash = Crash(connection, nodes, pid, "begin")
    assert crash.running.ended() is None
    assert crash.notices == []
    assert connection.execute("select 1").fetchone() == (1,)
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


def test_a_server_that_says_it_ends_leaves_a_write_in_doubt(connection, nodes, target, recovered):
    (pid,) = connection.execute("select pg_backend_pid()").fetchone()
    crash = Crash(connection, nodes, pid, "insert into lost_servers values (1)")
    assert crash.running.ended() == "40003"
    assert crash.notices == []


@pytest.mark.parametrize(
    "statements",
    [["begin"], ["begin read only", "set transaction read write"], ["begin read only", "set local transaction_read_only = off"]],
    ids=["read write", "made read write", "made read write by its name"],
)
def test_the_commit_of_a_transaction_that_may_have_written_is_refused(connection, nodes, statements):
    terminate(nodes, begin(connection, *statements))
    with pytest.raises(psycopg.Error) as refused:
        connection.execute("commit")
    assert refused.value.sqlstate == "40001"
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize("end", ["commit", "rollback", "end work", "abort"])
def test_the_end_of_a_failed_transaction_needs_no_server(connection, nodes, end):
    pid = begin(connection, "begin")
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("select 1/0")
    terminate(nodes, pid)
    assert connection.execute(end).statusmessage == "ROLLBACK"
    assert connection.execute("select 1").fetchone() == (1,)

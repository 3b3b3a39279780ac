"""A COMMIT whose server was lost while it was in flight is told as what it became, where the transaction was recorded."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, Iterator

import psycopg
import pytest

from support.deadline import wait_until
from support.proxy_process import ProxyProcess

pytestmark = pytest.mark.proxy_only


RECORDED = {"replay": {"transactions": True}}


def await_functions(proxy: ProxyProcess, cluster) -> None:
    """Returns when the proxy knows the database's functions: before that, any write may leave state in its session."""
    replicas = {node.port for node in cluster.replicas}
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as sql:
        asked = "/* tidemark: consistency=eventual */ select inet_server_port() * drill_one()"
        wait_until(lambda: sql.execute(asked).fetchone()[0] in replicas, "the functions to be read", 20)


@pytest.fixture(autouse=True)
def function(cluster) -> None:
    cluster.primary.rows("create function drill_one() returns int immutable language sql as 'select 1'", dbname="shop")
    cluster.wait_caught_up()


@pytest.fixture
def recording(cluster, function) -> Iterator[ProxyProcess]:
    with ProxyProcess(cluster.addresses, RECORDED, directory=cluster.directory) as made:
        await_functions(made, cluster)
        yield made
        assert made.running(), made.log_tail()
    made.check_sanitizers()


class Commit:
    """A transaction of row 1 whose COMMIT waits at the server, and how it ended."""

    def __init__(self, proxy: ProxyProcess, cluster, bound: bool = False) -> None:
        self.connection: psycopg.Connection[Any] = psycopg.connect(proxy.dsn(connect_timeout=20), autocommit=True)
        self.error: psycopg.Error | None = None
        self.tag: str | None = None
        self.connection.execute("begin")
        self.connection.execute("insert into drill values (1)")
        self._bound = bound
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.pid = 0
        wait_until(lambda: self._found(cluster), "COMMIT to run", 20)

    def _found(self, cluster) -> bool:
        found = cluster.primary.rows(
            "select pid from pg_stat_activity where usename = 'app' and state = 'active' and query = 'commit'"
            " and coalesce(wait_event, '') in ('SyncRep', 'PgSleep')"
        )
        self.pid = found[0][0] if found else 0
        return bool(found)

    def _run(self) -> None:
        try:
            if self._bound:
                self.tag = self.connection.execute("commit", prepare=True).statusmessage
            else:
                self.tag = self.connection.execute("commit").statusmessage
        except psycopg.Error as error:
            self.error = error

    def outcome(self) -> str | None:
        """The command's tag, or the SQLSTATE of its error; the session goes on in both cases."""
        self._thread.join(60)
        assert not self._thread.is_alive(), "COMMIT hangs"
        assert self.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        return self.error.sqlstate if self.error is not None else self.tag


def replays(proxy: ProxyProcess) -> float:
    return proxy.metrics().sum("tidemark_retries_total", reason="transaction_replayed")


def count(cluster) -> int:
    return cluster.primary.value("select count(*) from drill where id = 1", dbname="shop")


def let_commits_wait_for_nobody(node) -> None:
    """A commit is flushed, and sent to the replicas, and then waits for a standby that does not exist."""
    node.alter_system({"synchronous_standby_names": "nobody"})


def let_commits_sleep(node) -> None:
    """While a row says so, a commit waits before it does anything: a deferred trigger sleeps."""
    node.rows(
        "create table tired as select true as yes; grant select on tired to app;"
        "create function sleeps() returns trigger language plpgsql as"
        " $$ begin if (select yes from tired) then perform pg_sleep(60); end if; return null; end $$;"
        "create constraint trigger sleeps after insert on drill deferrable initially deferred"
        " for each row execute function sleeps()",
        dbname="shop",
    )


def crash(cluster, pid: int) -> None:
    """The backend dies, and with it the server; it recovers by itself, on the same timeline."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: cluster.primary.value("select not pg_is_in_recovery()"), "the server to recover", 30, ignore=(Exception,))


@pytest.mark.parametrize("bound", [False, True], ids=["simple", "prepared"])
def test_committed_and_the_server_recovers(cluster, recording, bound):
    let_commits_wait_for_nobody(cluster.primary)
    commit = Commit(recording, cluster, bound)
    with open(cluster.primary.directory / "postgresql.auto.conf", "a", encoding="utf-8") as file:
        file.write("synchronous_standby_names = ''\n")  # as it recovers
    crash(cluster, commit.pid)
    assert commit.outcome() == "COMMIT"
    assert count(cluster) == 1
    assert replays(recording) == 0
    assert commit.connection.execute("select count(*) from drill").fetchone() == (1,), "it reads what it wrote"


def test_not_committed_and_executed_again_when_the_server_has_recovered(cluster, recording):
    let_commits_sleep(cluster.primary)
    commit = Commit(recording, cluster)
    cluster.primary.rows("update tired set yes = false", dbname="shop")
    crash(cluster, commit.pid)
    assert commit.outcome() == "COMMIT"
    assert count(cluster) == 1
    assert replays(recording) == 1


def test_committed_and_on_the_new_primary(cluster, recording):
    let_commits_wait_for_nobody(cluster.primary)
    commit = Commit(recording, cluster)
    flushed = str(cluster.primary.value("select pg_current_wal_flush_lsn()"))
    cluster.replicas[0].wait_for_replay(flushed)
    cluster.primary.kill9()
    cluster.promote(cluster.replicas[0])
    assert commit.outcome() == "COMMIT"
    assert count(cluster) == 1
    assert commit.connection.execute("select count(*) from drill").fetchone() == (1,), "it reads what it wrote"


def test_committed_and_not_on_the_new_primary_where_it_is_executed_again(cluster, recording):
    """Its transaction id is one that the new primary gives to another transaction, which is committed there."""
    let_commits_wait_for_nobody(cluster.primary)
    cluster.wait_caught_up()
    for replica in cluster.replicas:
        replica.stop("fast")
    commit = Commit(recording, cluster)
    cluster.primary.kill9()
    new, other = cluster.replicas
    new.start()
    other.start()
    cluster.promote(new)
    new.alter_system({"synchronous_standby_names": None})
    for number in range(2, 6):
        new.rows("insert into drill values (%s)", [number], dbname="shop")
    cluster.follow(other)
    assert commit.outcome() == "COMMIT"
    assert count(cluster) == 1
    assert replays(recording) == 1


def test_without_a_new_primary_nobody_knows(cluster):
    changes = {**RECORDED, "cluster": {"failover_hold": "1s"}}
    with ProxyProcess(cluster.addresses, changes, directory=cluster.directory) as proxy:
        await_functions(proxy, cluster)
        let_commits_wait_for_nobody(cluster.primary)
        commit = Commit(proxy, cluster)
        cluster.primary.kill9()
        assert commit.outcome() == "40003"


def test_what_is_not_recorded_is_not_known(cluster, proxy):
    let_commits_wait_for_nobody(cluster.primary)
    commit = Commit(proxy, cluster)
    cluster.primary.kill9()
    cluster.promote(cluster.replicas[0])
    assert commit.outcome() == "40003"

"""A transaction that loses its server before COMMIT is executed again on another connection, where a rule allows it."""

from __future__ import annotations

import os
import pathlib
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterator

import psycopg
import pytest

from support import wire
from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only

PRIMARY = {"routing": {"consistency": "primary"}}


@pytest.fixture
def target(nodes, shop) -> Iterator[str]:
    shop("create table replayed (v int primary key, t text)")
    yield "replayed"
    shop("drop table replayed")


@pytest.fixture
def start(make_informed_proxy, target) -> Callable[..., Any]:
    return make_informed_proxy  # after the table is there


@pytest.fixture
def proxy(start) -> Any:
    return start({**PRIMARY, "replay": {"transactions": True}})


def connect(proxy) -> psycopg.Connection[Any]:
    connection = psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True)
    connection.execute("select 1")
    return connection


def lose_server(nodes, count: int = 1) -> None:
    """Ends the servers of all open transactions, and returns when that is done; there must be `count`."""
    found = nodes.primary.rows(
        "select pid from pg_stat_activity where usename = 'app' and (state like 'idle in transaction%' or state = 'active')"
    )
    assert len(found) == count, found
    for (pid,) in found:
        nodes.primary.value("select pg_terminate_backend(%s)", [pid])
        wait_until(lambda: not nodes.primary.rows("select 1 from pg_stat_activity where pid = %s", [pid]), "it to end", 10)


def replays(proxy) -> float:
    return proxy.metrics().sum("tidemark_retries_total", reason="transaction_replayed")


def running(nodes, statement: str) -> bool:
    return bool(nodes.primary.rows("select 1 from pg_stat_activity where state = 'active' and query like %s", [statement]))


def rows(nodes) -> list[tuple[Any, ...]]:
    return nodes.primary.rows("select v, t from replayed order by v", dbname="shop")


def test_it_goes_on_as_if_nothing_had_happened(proxy, nodes, target):
    with connect(proxy) as sql:
        sql.execute("begin")
        sql.execute("insert into replayed values (1, 'literal')")
        sql.execute("insert into replayed values (%s, %s)", [2, "bound"])
        lose_server(nodes)
        assert sql.execute("update replayed set t = upper(t) returning v, t").fetchall() == [(1, "LITERAL"), (2, "BOUND")]
        lose_server(nodes)
        assert sql.execute("commit").statusmessage == "COMMIT"
        assert sql.execute("select count(*) from replayed").fetchone() == (2,)
    assert rows(nodes) == [(1, "LITERAL"), (2, "BOUND")]
    assert replays(proxy) == 2


def test_without_a_rule_it_is_not_executed_again(start, nodes, target):
    proxy = start(PRIMARY)
    with connect(proxy) as sql:
        sql.execute("begin")
        sql.execute("insert into replayed values (1, '')")
        lose_server(nodes)
        with pytest.raises(psycopg.errors.SerializationFailure):
            sql.execute("insert into replayed values (2, '')")
        sql.execute("rollback")
    assert rows(nodes) == []


@pytest.mark.parametrize("application, replayed", [("worker", True), ("report", False)])
def test_a_rule_says_which(start, nodes, target, application, replayed):
    rule = {"match": {"application_name": "worker"}, "consistency": "primary", "replay": True}
    proxy = start({"routing": {"consistency": "primary", "rule": [rule]}})
    with psycopg.connect(proxy.dsn(application_name=application), autocommit=True) as sql:
        sql.execute("begin")
        sql.execute("insert into replayed values (1, '')")
        lose_server(nodes)
        if replayed:
            sql.execute("commit")
        else:
            with pytest.raises(psycopg.errors.SerializationFailure):
                sql.execute("commit")
    assert len(rows(nodes)) == replayed


def test_another_result_is_told_and_nothing_of_it_stays(proxy, nodes, target, shop):
    with connect(proxy) as sql:
        sql.execute("begin")
        assert sql.execute("select count(*) from replayed").fetchone() == (0,)
        sql.execute("insert into replayed values (1, '')")
        shop("insert into replayed values (7, 'of somebody else')")
        lose_server(nodes)
        with pytest.raises(psycopg.errors.SerializationFailure, match="another result"):
            sql.execute("insert into replayed values (2, '')")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            sql.execute("insert into replayed values (3, '')")
        sql.execute("rollback")
        assert sql.execute("select v from replayed").fetchall() == [(7,)]
    assert rows(nodes) == [(7, "of somebody else")]
    assert replays(proxy) == 0


def test_a_commit_after_another_result_is_refused(proxy, nodes, target, shop):
    with connect(proxy) as sql:
        sql.execute("begin")
        sql.execute("select count(*) from replayed")
        sql.execute("insert into replayed values (1, '')")
        shop("insert into replayed values (7, '')")
        lose_server(nodes)
        with pytest.raises(psycopg.errors.SerializationFailure, match="another result"):
            sql.execute("commit")
        assert sql.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert rows(nodes) == [(7, "")]


def test_an_error_in_the_second_execution_is_another_result(proxy, nodes, target, shop):
    shop("create sequence replayed_times")
    try:
        with connect(proxy) as sql:
            sql.execute("begin")
            sql.execute("insert into replayed select 1 / (2 - nextval('replayed_times'))")
            lose_server(nodes)
            with pytest.raises(psycopg.errors.SerializationFailure, match="another result"):
                sql.execute("insert into replayed values (2, '')")
            sql.execute("rollback")
        assert nodes.primary.value("select last_value from replayed_times", dbname="shop") == 2, "it was executed again"
        assert rows(nodes) == []
    finally:
        shop("drop sequence replayed_times")


@pytest.mark.parametrize("prepare", [True, False], ids=["prepared in it", "not prepared"])
def test_prepared_statements_mean_the_same_again(proxy, nodes, target, prepare):
    with connect(proxy) as sql:
        sql.execute("insert into replayed values (%s, %s)", [0, "before"], prepare=True)
        sql.execute("begin")
        sql.execute("insert into replayed values (%s, %s)", [1, "known"], prepare=True)
        sql.execute("update replayed set t = %s where v = %s", ["new", 0], prepare=prepare)
        sql.execute("update replayed set t = %s where v = %s", ["newer", 0], prepare=prepare)
        lose_server(nodes)
        sql.execute("insert into replayed values (%s, %s)", [2, "after"], prepare=True)
        sql.execute("commit")
    assert rows(nodes) == [(0, "newer"), (1, "known"), (2, "after")]
    assert replays(proxy) == 1


def test_savepoints_and_settings_of_the_transaction_are_there_again(proxy, nodes, target):
    with connect(proxy) as sql:
        sql.execute("begin isolation level repeatable read")
        sql.execute("set local work_mem = '7777kB'")
        sql.execute("insert into replayed values (1, 'stays')")
        sql.execute("savepoint here")
        sql.execute("insert into replayed values (2, 'goes')")
        lose_server(nodes)
        sql.execute("rollback to here")
        assert sql.execute("show work_mem").fetchone() == ("7777kB",)
        assert sql.execute("show transaction_isolation").fetchone() == ("repeatable read",)
        sql.execute("commit")
        assert sql.execute("show work_mem").fetchone() != ("7777kB",)
    assert rows(nodes) == [(1, "stays")]


NOT_AGAIN = {
    "a setting that stays": ["set work_mem = '5MB'"],
    "a lock that stays": ["select pg_advisory_lock(4711)", "select pg_advisory_unlock(4711)"],
    "an error": ["savepoint s", "select 1/0", "rollback to s"],
    "a chain": ["insert into replayed values (3, '')", "commit and chain"],
    "control among several": ["insert into replayed values (3, ''); commit; begin"],
    "a copy": ["copy (select 1) to stdout"],
}


@pytest.mark.parametrize("statements", NOT_AGAIN.values(), ids=NOT_AGAIN.keys())
def test_what_would_not_be_the_same_is_not_executed_again(proxy, nodes, target, statements):
    with wire.WireClient(proxy.host, proxy.port, seconds=30) as client:
        client.login("app", "app-secret", "shop")
        for statement in ["begin", "insert into replayed values (1, '')", *statements, "insert into replayed values (2, '')"]:
            client.ask(wire.query(statement))
        before = len(rows(nodes))
        lose_server(nodes)
        if "lock" not in statements[0]:
            answer = client.ask(wire.query("select 1"))
            assert answer[0].sqlstate == "40001", answer
            assert answer[-1].body == b"E"
            client.ask(wire.query("rollback"))
    assert len(rows(nodes)) == before
    assert replays(proxy) == 0


def test_a_transaction_that_is_too_long_is_not_executed_again(start, nodes, target):
    proxy = start({**PRIMARY, "replay": {"transactions": True, "max_size": "10kB"}})
    with connect(proxy) as sql:
        sql.execute("begin")
        sql.execute("insert into replayed values (1, %s)", ["x" * 12_000])
        lose_server(nodes)
        with pytest.raises(psycopg.errors.SerializationFailure):
            sql.execute("commit")
    assert rows(nodes) == []


def test_it_is_not_executed_again_for_ever(start, nodes, target):
    proxy = start({**PRIMARY, "replay": {"transactions": True, "max_attempts": 2}})
    with connect(proxy) as sql:
        sql.execute("begin")
        sql.execute("insert into replayed values (1, '')")
        for _ in range(2):
            lose_server(nodes)
            assert sql.execute("select count(*) from replayed").fetchone() == (1,)
        lose_server(nodes)
        with pytest.raises(psycopg.errors.SerializationFailure):
            sql.execute("commit")
    assert rows(nodes) == []
    assert replays(proxy) == 2


def test_servers_that_shut_down_one_after_the_other_do_not_count(start, nodes, target):
    """At a shutdown every connection of the pool says so for itself, to whoever takes it next."""
    proxy = start({**PRIMARY, "replay": {"transactions": True, "max_attempts": 1}})
    with connect(proxy) as sql:
        sql.execute("begin")
        sql.execute("insert into replayed select 1, '' from pg_sleep(1)")
        lose_server(nodes)
        with ThreadPoolExecutor(1) as pool:
            commit = pool.submit(sql.execute, "commit")
            for _ in range(5):
                wait_until(lambda: running(nodes, "insert into replayed%"), "it to be executed again", 20)
                lose_server(nodes)
            assert commit.result(20).statusmessage == "COMMIT"
    assert rows(nodes) == [(1, "")]
    assert replays(proxy) == 1


def test_what_it_does_to_servers_counts(start, nodes, target):
    """Executed again, it may be what makes them crash: it is not for ever."""
    proxy = start({**PRIMARY, "replay": {"transactions": True, "max_attempts": 2}})
    with connect(proxy) as sql, ThreadPoolExecutor(1) as pool:
        sql.execute("begin")
        sql.execute("insert into replayed select 1, '' from pg_sleep(1)")
        lose_server(nodes)
        commit = pool.submit(sql.execute, "commit")
        for _ in range(2):
            wait_until(lambda: running(nodes, "insert into replayed%"), "it to be executed again", 20)
            (pid,) = nodes.primary.rows("select pid from pg_stat_activity where state = 'active' and query like 'insert into replayed%'")[0]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the process to end", 10)
            nodes.primary.wait_ready()
        with pytest.raises(psycopg.errors.SerializationFailure):
            commit.result(20)
    assert rows(nodes) == []
    assert replays(proxy) == 0


def test_a_server_that_says_it_ends_has_begun_no_answer(proxy, nodes, target):
    """A warning (57P01, at SIGQUIT) comes in the middle of a statement, and is not for the client."""
    with connect(proxy) as sql, ThreadPoolExecutor(1) as pool:
        notices: list[str | None] = []
        sql.add_notice_handler(lambda diagnostic: notices.append(diagnostic.sqlstate))
        sql.execute("begin")
        insert = pool.submit(sql.execute, "insert into replayed select 1, '' from pg_sleep(1)")
        wait_until(lambda: running(nodes, "insert into replayed%"), "it to run", 20)
        (pid,) = nodes.primary.rows("select pid from pg_stat_activity where state = 'active' and query like 'insert into replayed%'")[0]
        os.kill(pid, signal.SIGQUIT)
        assert insert.result(20).statusmessage == "INSERT 0 1"
        assert sql.execute("commit").statusmessage == "COMMIT"
        assert notices == []
    assert rows(nodes) == [(1, "")]


def test_a_pipeline_in_flight_runs_once_and_is_answered_once(proxy, nodes, target):
    """Nothing of the transaction's first execution stays, and the client sees each answer once."""
    with wire.WireClient(proxy.host, proxy.port, seconds=30) as client:
        client.login("app", "app-secret", "shop")
        client.ask(wire.query("begin"))
        client.ask(wire.query("insert into replayed values (1, '')"))
        insert = wire.parse("", "insert into replayed select 2, 'in flight' from pg_sleep(2)") + wire.bind("") + wire.execute()
        client.send(insert + wire.SYNC)
        wait_until(
            lambda: nodes.primary.rows("select 1 from pg_stat_activity where state = 'active' and query like 'insert into replayed select%'"),
            "it to run",
            10,
        )
        lose_server(nodes)
        answer = client.until_ready()
        assert "".join(message.type for message in answer) == "12CZ", answer
        assert answer[-1].body == b"T"
        assert client.ask(wire.query("commit"))[-1].body == b"I"
    assert rows(nodes) == [(1, ""), (2, "in flight")]


def test_many_statements_sent_ahead_come_after_what_is_executed_again(proxy, nodes, target):
    with wire.WireClient(proxy.host, proxy.port, seconds=30) as client:
        client.login("app", "app-secret", "shop")
        client.ask(wire.query("begin"))
        client.ask(wire.query("insert into replayed values (1, '')"))
        ahead = ["select pg_sleep(1)", "insert into replayed values (2, '')", "select count(*) from replayed", "commit", "select 'next'"]
        client.send(b"".join(wire.query(statement) for statement in ahead))
        wait_until(
            lambda: nodes.primary.rows("select 1 from pg_stat_activity where state = 'active' and query = 'select pg_sleep(1)'"),
            "it to run",
            10,
        )
        lose_server(nodes)
        answers = [client.until_ready() for _ in ahead]
        assert ["".join(message.type for message in answer) for answer in answers] == ["TDCZ", "CZ", "TDCZ", "CZ", "TDCZ"]
        assert answers[2][1].body.endswith(b"2")
        assert [answer[-1].body for answer in answers] == [b"T", b"T", b"T", b"I", b"I"]
    assert rows(nodes) == [(1, ""), (2, "")]


def test_a_client_that_leaves_meanwhile_leaves_nothing(proxy, nodes, target):
    sql = connect(proxy)
    sql.execute("begin")
    sql.execute("insert into replayed values (1, '')")
    sql.execute("select pg_sleep(1)")
    lose_server(nodes)
    sql.close()
    wait_until(
        lambda: not nodes.primary.rows("select 1 from pg_stat_activity where usename = 'app' and state <> 'idle'"),
        "its servers to be idle",
        20,
    )
    assert rows(nodes) == []


def test_a_read_only_transaction_is_executed_again_at_another_replica(start, nodes, target, shop):
    shop("insert into replayed values (1, 'there')")
    nodes.wait_caught_up()
    proxy = start({"routing": {"consistency": "eventual"}, "replay": {"transactions": True}})
    with connect(proxy) as sql:
        sql.execute("begin read only")
        assert sql.execute("select t from replayed").fetchall() == [("there",)]
        ended = 0
        for node in nodes.nodes:
            for (pid,) in node.rows("select pid from pg_stat_activity where usename = 'app' and state = 'idle in transaction'"):
                node.value("select pg_terminate_backend(%s)", [pid])
                ended += 1
        assert ended == 1
        assert sql.execute("select count(*) from replayed").fetchone() == (1,)
        assert sql.execute("commit").statusmessage == "COMMIT"
    assert replays(proxy) == 1

"""Prepared statements and failed transactions at the seams: evictions, retries, errors inside pipelines."""

from __future__ import annotations

import pytest

from support import wire
from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only


def login(server) -> wire.WireClient:
    client = wire.WireClient(server.host, server.port, seconds=10)
    assert client.login("app", "app-secret", "shop")[-1].type == "Z"
    return client


def types(messages: list[wire.Message]) -> str:
    return "".join(message.type for message in messages)


def rows(messages: list[wire.Message]) -> list[bytes]:
    return [message.body[6:] for message in messages if message.type == "D"]


def run(name: str, *values: str) -> bytes:
    return wire.bind(name, values) + wire.execute() + wire.SYNC


@pytest.fixture
def small(make_proxy):
    """One server connection per node that keeps two statements."""
    pool = {"size": 1, "max_prepared_statements": 2}
    return make_proxy({"pool": pool, "workers": {"threads": 1}, "routing": {"consistency": "primary"}})


def test_a_statement_whose_eviction_was_skipped_is_still_there(small):
    with login(small) as client:
        client.ask(wire.parse("a", "select 'a'") + wire.SYNC)
        client.ask(wire.parse("b", "select 'b'") + wire.SYNC)
        # The error makes the server skip what follows: the Parse of c, and the Close that makes room for it.
        failing = wire.parse("", "select 1/0 + length($1)") + wire.bind("", ("x",)) + wire.execute()
        assert types(client.ask(failing + wire.parse("c", "select 'c'") + wire.SYNC)) == "1EZ"
        for name in "abab":
            assert rows(client.ask(run(name))) == [name.encode()]


@pytest.mark.parametrize("pin", ["", "set work_mem = '5MB'"])
@pytest.mark.parametrize("begin", ["", "begin"])
def test_deallocate_of_a_statement_of_the_protocol(small, pin, begin):
    with login(small) as client:
        for text in filter(None, [pin, begin]):
            client.ask(wire.query(text))
        client.ask(wire.parse("a", "select 'a'") + wire.SYNC)
        assert rows(client.ask(run("a"))) == [b"a"]
        assert types(client.ask(wire.query("deallocate a"))) == "CZ"
        if not begin:
            assert client.ask(run("a"))[0].sqlstate == "26000"
        client.ask(wire.parse("a", "select 'A'") + wire.SYNC)
        assert rows(client.ask(run("a"))) == [b"A"]


@pytest.mark.parametrize("text", ["deallocate all", "discard all"])
@pytest.mark.parametrize("how", ["simple", "unnamed", "described first"])
def test_a_pinned_session_that_ends_all_its_statements(small, text, how):
    with login(small) as client:
        client.ask(wire.query("set work_mem = '5MB'"))
        client.ask(wire.parse("a", "select 'a'") + wire.SYNC)
        assert rows(client.ask(run("a"))) == [b"a"]
        if how == "simple":
            assert types(client.ask(wire.query(text))) in ("CZ", "SCZ")
        elif how == "unnamed":
            assert types(client.ask(wire.parse("", text) + run(""))) in ("12CZ", "12SCZ")
        else:
            client.send(wire.parse("", text) + wire.describe_statement("") + wire.FLUSH)
            client.until("n")
            assert "C" in types(client.ask(run("")))
        assert types(client.ask(wire.parse("a", "select 'a'") + wire.SYNC)) == "1Z"
        assert rows(client.ask(run("a"))) == [b"a"]


def test_the_unnamed_statement_is_the_one_that_was_parsed_last(small, table, shop):
    shop(f"create table {table} (v int)")
    with login(small) as client:
        client.ask(wire.parse("", f"insert into {table} values (1)") + run(""))
        client.ask(wire.parse("", "deallocate all") + wire.SYNC)
        client.ask(run(""))
    assert shop(f"select count(*) from {table}") == [(1,)]


def test_a_refused_read_with_a_named_parse_is_run_again_in_full(make_proxy, table, shop):
    """The replica refuses it after it has parsed: what the client meant by its names is unchanged."""
    shop(f"create table {table} (v int)",
         f"create function {table}_write() returns int stable language plpgsql as $$ begin "
         f"execute 'insert into {table} values (1)'; return 1; end $$")  # fmt: skip
    proxy = make_proxy({"workers": {"threads": 1}})
    with login(proxy) as client:
        text = f"select {table}_write()"
        got = client.ask(wire.parse("s", text) + run("s"))
        assert types(got) in ("12DCZ", "12EZ"), got
        assert not got[2].type == "E" or got[2].sqlstate in ("0A000", "25006"), got
        # Closed in the unit that runs it.
        client.ask(wire.parse("t", text + " -- again") + wire.SYNC)
        got = client.ask(wire.bind("t") + wire.execute() + wire.close_statement("t") + wire.SYNC)
        assert got[0].type == "2", got
    shop(f"drop function {table}_write()")


def lose_transaction(proxy, cluster, client) -> None:
    pid = rows(client.ask(wire.query("select pg_backend_pid()::text from (select pg_current_xact_id()) x")))[0]
    cluster.primary.rows("select pg_terminate_backend(%s)", [int(pid)])
    wait_until(lambda: cluster.primary.value("select count(*) from pg_stat_activity where pid = %s", [int(pid)]) == 0,
               "the server to end", 10)  # fmt: skip


def test_a_fetch_from_a_lost_transaction_does_not_end_it(small, cluster, table, shop):
    shop(f"create table {table} (v int)")
    with login(small) as client:
        client.ask(wire.query("begin"))
        client.ask(wire.parse("", "select generate_series(1, 9)") + wire.bind("", portal="p") + wire.execute("p", 2) + wire.SYNC)
        lose_transaction(small, cluster, client)
        fetch = wire.execute("p", 2) + wire.SYNC
        first = client.ask(fetch)
        assert types(first) == "EZ" and first[0].sqlstate == "40001" and first[1].body == b"E"
        second = client.ask(fetch)
        assert types(second) == "EZ" and second[0].sqlstate == "25P02" and second[1].body == b"E"
        third = client.ask(wire.query(f"insert into {table} values (1)"))
        assert third[0].sqlstate == "25P02"
        call = client.ask(wire.message("F", b"\0\0\4\xd2\0\0\0\0\0\0"))
        assert types(call) == "EZ" and call[0].sqlstate == "25P02"
        assert types(client.ask(wire.query("rollback"))) == "CZ"
        assert rows(client.ask(wire.query("select 'well'"))) == [b"well"]
    assert shop(f"select count(*) from {table}") == [(0,)]


def test_a_lost_transaction_is_told_as_such_to_a_client_that_describes_first(small, cluster):
    with login(small) as client:
        client.ask(wire.query("begin"))
        lose_transaction(small, cluster, client)
        client.send(wire.parse("", "select 1") + wire.describe_statement("") + wire.FLUSH)
        assert client.until("E")[-1].sqlstate == "40001"
        assert client.ask(wire.SYNC)[-1].body == b"E"
        client.send(wire.parse("", "rollback") + wire.describe_statement("") + wire.FLUSH)
        client.until("n")
        assert types(client.ask(run(""))) == "2CZ"
        assert rows(client.ask(wire.query("select 'well'"))) == [b"well"]


def test_statements_behind_the_end_of_a_lost_transaction_do_not_run_unseen(small, cluster, table, shop):
    shop(f"create table {table} (v int)")
    with login(small) as client:
        client.ask(wire.query("begin"))
        lose_transaction(small, cluster, client)
        client.ask(wire.query("select 1"))
        insert = wire.parse("", f"insert into {table} values (1)") + wire.bind("") + wire.execute()
        got = client.ask(wire.parse("", "rollback") + wire.bind("") + wire.execute() + insert + wire.SYNC)
        assert types(got)[:3] == "12C"
        ends_in = got[-1].body
        assert ends_in == b"I"


@pytest.mark.parametrize("text", ["rollback to savepoint s", "/* back */ rollback to savepoint s"])
@pytest.mark.parametrize("known", [False, True])
def test_a_named_way_back_to_a_savepoint_in_a_failed_transaction(small, text, known):
    with login(small) as client, login(small) as other:
        if known:
            other.ask(wire.parse("x", text) + wire.SYNC)
        client.ask(wire.query("begin; savepoint s"))
        client.ask(wire.query("select 1/0"))
        assert types(client.ask(wire.parse("back", text) + run("back"))) == "12CZ"
        assert client.ask(wire.query("commit"))[-1].body == b"I"

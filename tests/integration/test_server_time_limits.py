"""Limits that a server keeps on idle sessions: told to the session that they concern, and to no other."""

from __future__ import annotations

import random
import time
from typing import Iterator

import pytest

from support import wire

IDLER = {"app": "app-secret", "idler": "idler-secret"}


def login(server, user: str = "app", **parameters: str) -> wire.WireClient:
    client = wire.WireClient(server.host, server.port)
    assert client.login(user, IDLER[user], "shop", **parameters)[-1].type == "Z"
    return client


def types(messages: list[wire.Message]) -> str:
    return "".join(message.type for message in messages)


def ends_with(client: wire.WireClient, sqlstate: str) -> None:
    last = client.receive()
    assert last.type == "E" and last.fields()["S"] == "FATAL" and last.sqlstate == sqlstate
    assert client.closed()


@pytest.fixture
def idler(cluster) -> Iterator[str]:
    """A role whose sessions may be idle for 20 ms only: servers close its connections all the time."""
    with cluster.primary.connect(dbname="shop") as sql:
        sql.rows("create role idler login password 'idler-secret'")
        sql.rows("alter role idler set idle_session_timeout = '20ms'")
        sql.rows("create schema idler authorization idler")
    cluster.wait_caught_up()
    yield "idler"
    with cluster.primary.connect(dbname="shop") as sql:
        sql.rows("drop schema idler cascade; drop role idler")


@pytest.mark.parametrize("begin", ["begin", "begin read only", "begin; select pg_current_xact_id()"])
def test_a_session_that_idles_in_its_transaction_is_ended_as_it_asked_for(proxy, begin):
    with login(proxy) as client:
        client.ask(wire.query("set idle_in_transaction_session_timeout = '50ms'"))
        client.ask(wire.query(begin))
        ends_with(client, "25P03")


def test_a_session_that_idles_is_ended_as_it_asked_for(proxy):
    with login(proxy) as client, login(proxy, options="-c idle_session_timeout=50ms") as other:
        client.ask(wire.query("select 1"))
        client.ask(wire.query("set idle_session_timeout = '50ms'"))
        ends_with(client, "57P05")
        ends_with(other, "57P05")


def test_a_limit_that_is_taken_back_is_none(proxy):
    with login(proxy) as client:
        for undo in ("set idle_session_timeout = 0", "reset idle_session_timeout", "reset all", "discard all"):
            client.ask(wire.query("set idle_session_timeout = '500ms'"))
            client.ask(wire.query(undo))
        time.sleep(0.7)  # a chance to go wrong
        assert types(client.ask(wire.query("select 1"))) == "TDCZ"


@pytest.mark.replaces_servers
def test_a_limit_of_one_session_does_not_end_others(proxy):
    with login(proxy) as idle, login(proxy) as other:
        for _ in range(20):
            idle.ask(wire.query("set idle_session_timeout = '2s'"))
            idle.ask(wire.query("set idle_in_transaction_session_timeout = '2s'"))
            assert types(other.ask(wire.query("begin; select pg_current_xact_id()")))[-1] == "Z"
            assert types(other.ask(wire.query("commit"))) == "CZ"


@pytest.mark.proxy_only
@pytest.mark.limit(120)
def test_a_server_that_closes_idle_connections_is_never_noticed(make_proxy, idler, cluster):
    """Its FATAL meets statements that were just sent: none of them was begun, so each runs elsewhere."""
    proxy = make_proxy(users=IDLER)
    dice = random.Random(1)
    count = 200
    with login(proxy, idler) as client:
        assert types(client.ask(wire.query("create table idler.kept (v int)"))) == "CZ"
        for number in range(count):
            time.sleep(dice.uniform(0.017, 0.023))
            insert = f"insert into idler.kept values ({number})"
            extended = wire.parse("", insert) + wire.bind("") + wire.execute() + wire.SYNC
            answer = client.ask(extended if number % 2 else wire.query(insert))
            assert types(answer) == ("12CZ" if number % 2 else "CZ"), answer
        rows = [message for message in client.ask(wire.query("table idler.kept")) if message.type == "D"]
    assert len(rows) == count
    with cluster.primary.connect(dbname="shop") as sql:
        assert sql.value("select count(distinct v) from idler.kept") == count

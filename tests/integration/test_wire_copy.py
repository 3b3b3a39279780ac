"""COPY FROM STDIN message by message: both protocols, errors in the middle, data that comes too late."""

from __future__ import annotations

import pytest

from support import wire


def login(server) -> wire.WireClient:
    client = wire.WireClient(server.host, server.port, seconds=15)
    assert client.login("app", "app-secret", "shop")[-1].type == "Z"
    return client


def types(messages: list[wire.Message]) -> str:
    return "".join(message.type for message in messages)


def rows(messages: list[wire.Message]) -> list[bytes]:
    return [message.body[6:] for message in messages if message.type == "D"]


DONE = wire.message("c")
FAIL = wire.message("f", b"no more\0")


def data(text: bytes) -> bytes:
    return wire.message("d", text)


def start(client: wire.WireClient, table: str, extended: bool) -> bytes:
    """Begins the COPY; returns what has to follow the end of its data."""
    if not extended:
        client.send(wire.query(f"copy {table} from stdin"))
        assert types(client.until("G")) == "G"
        return b""
    client.send(wire.parse("", f"copy {table} from stdin") + wire.bind("") + wire.execute() + wire.SYNC)
    assert types(client.until("G")) == "12G"
    return wire.SYNC


@pytest.fixture
def target(table, shop) -> str:
    shop(f"create table {table} (v int)")
    return table


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("begin", [False, True])
def test_copy_in(proxy, target, shop, extended, begin):
    with login(proxy) as client:
        if begin:
            client.ask(wire.query("begin"))
        after = start(client, target, extended)
        got = client.ask(b"".join(data(b"%d\n" % v) for v in range(1000)) + DONE + after)
        assert types(got) == "CZ" and got[-1].body == (b"T" if begin else b"I")
        if begin:
            client.ask(wire.query("commit"))
        assert rows(client.ask(wire.query("select 'next'"))) == [b"next"]
    assert shop(f"select count(*) from {target}") == [(1000,)]


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("begin", [False, True])
@pytest.mark.parametrize("together", [False, True])
def test_copy_in_with_an_error_in_the_middle(proxy, target, shop, extended, begin, together):
    """The client learns of the error only when it has sent much more: the rest is dropped as COPY data."""
    with login(proxy) as client:
        if begin:
            client.ask(wire.query("begin"))
        after = start(client, target, extended)
        # More than PostgreSQL reads at once, so that it fails while the data comes.
        lines = b"".join(b"%d\n" % v for v in range(20_000))
        client.send(data(b"no number\n") + data(lines))
        if not together:
            assert client.until("E")[-1].sqlstate == "22P02"
        client.send(b"".join(data(lines) for _ in range(20)) + DONE + after)
        got = client.until_ready()
        assert types(got) == ("EZ" if together else "Z") and got[-1].body == (b"E" if begin else b"I")
        if begin:
            client.ask(wire.query("rollback"))
        assert rows(client.ask(wire.query("select 'next'"))) == [b"next"]
    assert shop(f"select count(*) from {target}") == [(0,)]


@pytest.mark.parametrize("extended", [False, True])
def test_copy_fail(proxy, target, shop, extended):
    with login(proxy) as client:
        after = start(client, target, extended)
        got = client.ask(data(b"1\n") + FAIL + after)
        assert types(got) == "EZ" and got[0].sqlstate == "57014"
        assert rows(client.ask(wire.query("select 'next'"))) == [b"next"]
    assert shop(f"select count(*) from {target}") == [(0,)]


@pytest.mark.parametrize("extended", [False, True])
def test_copy_data_of_megabytes_in_one_message_and_in_small_pieces(proxy, target, shop, extended):
    with login(proxy) as client, login(proxy) as other:
        after = start(client, target, extended)
        client.send(data(b"7\n" * 2_000_000))
        whole = data(b"8\n") + DONE + after
        for place in range(len(whole)):
            client.send(whole[place : place + 1])
            if place % 4 == 0:
                other.ask(wire.query("select 1"))
        assert types(client.until_ready()) == "CZ"
    assert shop(f"select count(*) from {target}") == [(2_000_001,)]


def test_two_copies_in_one_query(proxy, target, shop):
    with login(proxy) as client:
        client.send(wire.query(f"copy {target} from stdin; copy {target} from stdin; select 'both'"))
        client.until("G")
        client.send(data(b"1\n") + DONE)
        client.until("G")
        got = client.ask(data(b"2\n") + DONE)
        assert rows(got) == [b"both"]
    assert shop(f"select count(*) from {target}") == [(2,)]


@pytest.mark.proxy_only
def test_a_server_that_ends_in_a_copy(proxy, cluster, target, shop):
    for extended in (False, True):
        with login(proxy) as client:
            after = start(client, target, extended)
            client.send(data(b"1\n"))
            cluster.primary.rows(
                f"select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy {target}%'"
            )
            assert client.until("E")[-1].sqlstate == "40003"
            client.send(data(b"2\n") + DONE + after)
            assert client.until_ready()[-1].body == b"I"
            assert rows(client.ask(wire.query("select 'next'"))) == [b"next"]
    assert shop(f"select count(*) from {target}") == [(0,)]


def test_copy_data_sent_before_the_servers_answer_is_loaded(proxy, table, shop):
    shop(f"create table {table} (v text)")
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.login("app", "app-secret", "shop")
        start = wire.parse("", f"copy {table} from stdin") + wire.bind("") + wire.execute()
        data = wire.message("d", b"one\n") + wire.message("d", b"two\n") + wire.message("c", b"")
        got = client.ask(start + data + wire.SYNC)
        assert "".join(message.type for message in got) == "12GCZ"
    assert shop(f"select v from {table} order by v") == [("one",), ("two",)]

"""Units longer than what the proxy holds: pipelines, queries and parameters of megabytes, in any pieces."""

from __future__ import annotations

import struct
import threading

import pytest

from support import wire


def login(server, seconds: float = 20) -> wire.WireClient:
    client = wire.WireClient(server.host, server.port, seconds=seconds)
    assert client.login("app", "app-secret", "shop")[-1].type == "Z"
    return client


def types(messages: list[wire.Message]) -> str:
    return "".join(message.type for message in messages)


def rows(messages: list[wire.Message]) -> list[bytes]:
    return [message.body[6:] for message in messages if message.type == "D"]


def send_aside(client: wire.WireClient, data: bytes) -> threading.Thread:
    thread = threading.Thread(target=client.send, args=(data,), daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("shift", range(0, 50, 7))
def test_a_pipeline_of_megabytes_before_its_sync(proxy, shift):
    one = wire.bind("", ("v" * 60,)) + wire.message("D", b"P\0") + wire.execute()
    count = 20_000
    with login(proxy) as client:
        text = "select $1::text, pg_current_xact_id()" + " " * shift
        sender = send_aside(client, wire.parse("", text) + one * count + wire.SYNC)
        got = types(client.until_ready())
        sender.join()
        assert got == "1" + "2TDC" * count + "Z"


def test_an_error_in_a_pipeline_of_megabytes_skips_to_its_sync(proxy, table, shop):
    shop(f"create table {table} (v int primary key)")
    with login(proxy) as client:
        many = b"".join(wire.bind("s", (str(v % 15_000), "x" * 100)) + wire.execute() for v in range(20_000))
        text = f"insert into {table} select $1::int where length($2) = 100"
        sender = send_aside(client, wire.parse("s", text) + many + wire.SYNC + wire.query("select 'next'"))
        got = client.until_ready()
        sender.join()
        assert types(got) == "1" + "2C" * 15_000 + "2EZ"
        assert got[-2].sqlstate == "23505"
        assert rows(client.until_ready()) == [b"next"]
    assert shop(f"select count(*) from {table}") == [(0,)]


@pytest.mark.parametrize("first", [5, 6, 8, 11])
def test_a_long_bind_whose_names_come_late(proxy, first):
    value = "y" * 3_000_000
    with login(proxy) as client:
        client.ask(wire.parse("name", "select length($1::text)::text") + wire.SYNC)
        data = wire.bind("name", (value,)) + wire.execute() + wire.SYNC
        client.send(data[:first])
        with login(proxy) as other:
            other.ask(wire.query("select 1"))
        client.send(data[first:])
        assert rows(client.until_ready()) == [b"3000000"]


@pytest.mark.proxy_only
def test_a_long_query_that_finds_no_server_is_answered_in_full(make_proxy):
    proxy = make_proxy({"pool": {"size": 1, "queue_timeout": "300ms"}, "workers": {"threads": 1}})
    with login(proxy) as holder, login(proxy) as client:
        holder.ask(wire.query("begin; select pg_current_xact_id()"))
        for size in (10, 3_000_000, 30_000_000):
            data = wire.query("select pg_current_xact_id() /*" + "z" * size + "*/")
            sender = send_aside(client, data)
            got = client.until_ready()
            sender.join()
            assert types(got) == "EZ" and got[0].sqlstate == "53300"
        holder.ask(wire.query("rollback"))
        assert rows(client.ask(wire.query("select 'well'"))) == [b"well"]


def test_a_server_that_ends_between_long_rows_leaves_whole_messages(proxy, cluster):
    """The client gets whole rows, and then an error: no error in the middle of a row."""
    size = 100_000
    for _ in range(10):
        with login(proxy) as client:
            client.send(wire.query(f"select pg_backend_pid()::text || repeat(' ', {size}) from generate_series(1, 3000)"))
            client.until("D")
            first = client.receive()
            assert first.type == "D"
            pid = int(first.body[6:].split()[0])
            for node in cluster.nodes:
                node.rows("select pg_terminate_backend(pid) from pg_stat_activity where pid = %s and usename = 'app'", [pid])
            try:
                while True:
                    got = client.receive()
                    assert got.type in "DENZC"
                    if got.type == "D":
                        assert struct.unpack("!I", got.body[2:6])[0] == len(got.body) - 6
                    if got.type == "Z":
                        break
            except wire.ConnectionClosed:
                pass  # the server ended in the middle of a row: nothing can be said any more


def test_a_long_bind_whose_execute_and_sync_come_apart(proxy):
    with login(proxy) as client, login(proxy) as other:
        client.ask(wire.parse("name", "select length($1::text)::text") + wire.SYNC)
        for part in (wire.bind("name", ("y" * 3_000_000,)), wire.execute(), wire.SYNC):
            client.send(part)
            other.ask(wire.query("select 1"))
        assert rows(client.until_ready()) == [b"3000000"]

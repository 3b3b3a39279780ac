"""Units longer than what the proxy holds: pipelines, queries and parameters of megabytes, in any pieces."""

from __future__ import annotations

import select
import ssl
import struct
import threading
import time

import pytest

from support import wire
from support.certificates import Files
from support.deadline import Deadline


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


class Hoarder:
    """Sends without reading for as long as anybody takes it, and reads then; one thread, so that it may be TLS."""

    def __init__(self, client: wire.WireClient, data: bytes) -> None:
        self.socket, self.rest = client.socket, memoryview(data)
        self.socket.setblocking(False)
        self.received = 0

    def _try(self, call) -> int:
        """How many bytes were moved; 0: it would have to wait."""
        try:
            moved = call()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        assert moved, "the proxy has closed"
        return moved if isinstance(moved, int) else len(moved)

    def send(self) -> int:
        sent = self._try(lambda: self.socket.send(self.rest[: 1 << 16])) if self.rest else 0
        self.rest = self.rest[sent:]
        return sent

    def send_until_nobody_takes_more(self) -> None:
        quiet = Deadline(1.0)
        while self.rest and not quiet.expired():
            if self.send():
                quiet = Deadline(1.0)
            else:
                time.sleep(0.01)

    def read_all(self, size: int, seconds: float) -> None:
        deadline = Deadline(seconds)
        while self.received < size:
            assert not deadline.expired(), f"stuck: {len(self.rest)} bytes to send, {size - self.received} to come"
            got = self._try(lambda: self.socket.recv(1 << 18))
            self.received += got
            if not self.send() and not got:
                select.select([self.socket], [self.socket] if self.rest else [], [], 0.05)


@pytest.mark.limit(200)
@pytest.mark.parametrize("how", ["queries", "extended", "one sync"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_hundred_megabytes_of_statements_sent_before_an_answer_is_read(make_proxy, tmp_path, how, encrypted):
    """Both directions fill all buffers, and nothing is stuck when the client reads at last."""
    size, count = 50_000, 2_000
    files = Files(tmp_path) if encrypted else None
    proxy = make_proxy(files.listen("require") if files else {})
    text = f"select repeat('x', {size})"
    if how == "queries":
        data = wire.query(text + " --" + "y" * size) * count
        ends = count
    else:
        one = wire.parse("", "select $1::text") + wire.bind("", ("y" * size,)) + wire.execute()
        data = (one + wire.SYNC) * count if how == "extended" else one * count + wire.SYNC
        ends = count if how == "extended" else 1
    with wire.WireClient(proxy.host, proxy.port, seconds=60) as client:
        if files is not None:
            client.send(wire.request(wire.SSL_REQUEST))
            assert client.receive_exactly(1) == b"S"
            context = ssl.create_default_context(cafile=str(files.servers.cert))
            client.socket = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
        assert client.login("app", "app-secret", "shop")[-1].type == "Z"
        row = 5 + 2 + 4 + size
        tag = 5 + len("SELECT 1") + 1
        # RowDescription is told for a Query only; ParseComplete and BindComplete for the others.
        head = 5 + 2 + (len("repeat") + 1 + 18) if how == "queries" else 10
        hoarder = Hoarder(client, data)
        hoarder.send_until_nobody_takes_more()
        assert hoarder.rest, "all was taken: nothing was full"
        hoarder.read_all(count * (head + row + tag) + ends * 6, 150)
        client.socket.setblocking(True)
        assert rows(client.ask(wire.query("select 'well'"))) == [b"well"]

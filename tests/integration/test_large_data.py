"""Gigabytes pass through; the proxy keeps next to nothing of them."""

from __future__ import annotations

import concurrent.futures
import subprocess
import threading
import time

import psycopg
import pytest

from support import wire
from support.run_as import clean_environment

MEBIBYTE = 1024 * 1024
LIMIT = 64 * MEBIBYTE
BLOCK = (b"x" * 1023 + b"\n") * 1024  # 1 MiB in rows of 1 KiB


def assert_small(proxy, what: str) -> None:
    if proxy.kind != "tidemark" or proxy.sanitized:
        return
    peak = proxy.memory("VmHWM")
    assert peak < LIMIT, f"{what}: the proxy's peak was {peak / MEBIBYTE:.0f} MiB"


def reset(proxy) -> None:
    if proxy.kind == "tidemark":
        proxy.reset_peak_memory()


@pytest.mark.slow
@pytest.mark.limit(240)
def test_copy_of_a_gibibyte_in_and_out(proxy, table):
    """By psql, in one transaction, into a table without WAL: the replicas have better things to store."""
    reset(proxy)
    received = 0

    def count(stream) -> None:
        nonlocal received
        while data := stream.read(MEBIBYTE):
            received += len(data)

    with subprocess.Popen(
        ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", proxy.dsn(connect_timeout=10)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(),
    ) as psql:  # fmt: skip
        assert psql.stdin and psql.stdout and psql.stderr
        reader = threading.Thread(target=count, args=(psql.stdout,))
        reader.start()
        psql.stdin.write(f"begin;\ncreate unlogged table {table} (v text);\ncopy {table} from stdin;\n".encode())
        for _ in range(1024):
            psql.stdin.write(BLOCK)
        psql.stdin.write(f"\\.\ncopy {table} to stdout;\nrollback;\n".encode())
        psql.stdin.close()
        reader.join()
        assert psql.wait() == 0, psql.stderr.read()
    assert received == 1024 * MEBIBYTE
    assert_small(proxy, "COPY in and out")


@pytest.mark.limit(120)
def test_a_row_of_200_megabytes(proxy):
    reset(proxy)
    with proxy.connect(seconds=100) as sql:
        value = sql.value("select repeat('0123456789', 20000000)")
        assert len(value) == 200_000_000 and value[:20] == value[-20:] == "01234567890123456789"
    assert_small(proxy, "row of 200 MB")


@pytest.mark.limit(120)
def test_a_parameter_of_100_megabytes(proxy):
    reset(proxy)
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as connection:
        assert connection.execute("select length(%b::bytea)", [b"z" * 100_000_000]).fetchone() == (100_000_000,)
    assert_small(proxy, "parameter of 100 MB")


@pytest.mark.limit(120)
def test_a_query_text_of_20_megabytes(proxy):
    with proxy.connect(seconds=100) as sql:
        assert sql.value("select length('" + "q" * 20_000_000 + "')") == 20_000_000


@pytest.mark.limit(120)
def test_a_slow_reader_is_not_read_ahead_for(proxy):
    """A client that does not read its 500 MB result costs the proxy buffers, not the result."""
    reset(proxy)
    with wire.WireClient(proxy.host, proxy.port, seconds=60) as client:
        client.login("app", "app-secret", "shop")
        client.send(wire.query("select repeat('x', 1000) from generate_series(1, 500000)"))
        client.receive_exactly(100_000)
        time.sleep(2)  # the time a proxy without backpressure would use to fill its memory
        assert_small(proxy, "a reader that pauses")
        with proxy.connect() as other:
            assert other.value("select 1") == 1


@pytest.mark.limit(120)
def test_a_slow_server_is_not_sent_ahead_to(proxy, cluster, table, shop):
    """A COPY that the server does not take (it waits for a lock) stops the client, not the proxy's memory."""
    shop(
        f"create table {table} (v text)",
        f"create function {table}_f() returns trigger language plpgsql as "
        "$$ begin perform pg_advisory_xact_lock(815); return new; end $$",
        f"create trigger waits before insert on {table} for each row execute function {table}_f()",
    )
    reset(proxy)
    sent = 0
    with cluster.primary.connect(dbname="shop") as holder, wire.WireClient(proxy.host, proxy.port) as client:
        holder.rows("select pg_advisory_lock(815)")
        client.login("app", "app-secret", "shop")
        client.send(wire.query(f"copy {table} from stdin"))
        client.until("G")

        def push() -> None:
            nonlocal sent
            client.socket.settimeout(30)
            try:
                while sent < 400:
                    client.send(wire.message("d", BLOCK))
                    sent += 1
            except OSError:
                pass

        pusher = threading.Thread(target=push)
        pusher.start()
        time.sleep(2)  # the time a proxy without backpressure would use to fill its memory
        taken = sent
        client.socket.shutdown(2)
        pusher.join()
        assert_small(proxy, "COPY into a server that waits")
        assert taken < 400, "400 MiB were taken from the client while the server read nothing"
    shop(f"drop table {table}", f"drop function {table}_f")


@pytest.mark.limit(120)
def test_ten_results_of_20_megabytes_at_once(proxy):
    reset(proxy)

    def fetch(_: int) -> int:
        with proxy.connect(seconds=100) as sql:
            return sum(len(row[0]) for row in sql.rows("select repeat('x', 10000) from generate_series(1, 2000)"))

    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        assert list(threads.map(fetch, range(10))) == [20_000_000] * 10
    assert_small(proxy, "ten results")

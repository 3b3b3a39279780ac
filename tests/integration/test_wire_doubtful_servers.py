"""What odd clients leave behind must never reach the next client of the same server connection."""

from __future__ import annotations

import pytest

from support import wire
from support.deadline import PATIENCE, wait_until

pytestmark = pytest.mark.proxy_only


def login(server) -> wire.WireClient:
    client = wire.WireClient(server.host, server.port, seconds=10)
    assert client.login("app", "app-secret", "shop")[-1].type == "Z"
    return client


def types(messages: list[wire.Message]) -> str:
    return "".join(message.type for message in messages)


def rows(messages: list[wire.Message]) -> list[bytes]:
    """The last column's value of each DataRow of one column."""
    return [message.body[6:] for message in messages if message.type == "D"]


@pytest.fixture
def small(make_proxy):
    """A proxy with one server connection per node: what one client leaves, the next one meets."""
    return make_proxy({"pool": {"size": 1}, "workers": {"threads": 1}, "routing": {"consistency": "primary"}})


def test_a_query_behind_a_failed_parse_does_not_leave_a_server_that_skips(small):
    with login(small) as odd, login(small) as other:
        # The server ignores everything up to a Sync, the Query too.
        odd.send(wire.parse("", "selec 1") + wire.query("select 'lost'"))
        assert odd.receive().sqlstate == "42601"
        odd.send(wire.query("select 'lost, too'"))
        odd.send(wire.SYNC)
        assert types(odd.until_ready()) == "Z"
        assert rows(other.ask(wire.query("select 'mine'"))) == [b"mine"]
        assert rows(odd.ask(wire.query("select 'again'"))) == [b"again"]


def test_a_lock_taken_by_a_statement_that_failed_in_a_transaction_is_not_left_to_others(small, cluster):
    held = "select count(*) from pg_locks where locktype = 'advisory' and objid = 8821"
    with login(small) as client:
        client.ask(wire.query("begin"))
        assert types(client.ask(wire.query("select pg_advisory_lock(8821); select 1/0")))[-2:] == "EZ"
        client.ask(wire.query("rollback"))
        client.send(wire.TERMINATE)
        assert client.closed()
    wait_until(lambda: cluster.primary.value(held) == 0, "the lock to be released", 10)


@pytest.mark.parametrize("megabytes", [2, 20])
def test_a_long_query_that_sets_something_sets_it_for_nobody_else(small, megabytes):
    filler = "/*" + "x" * megabytes * 1_000_000 + "*/"
    with login(small) as client, login(small) as other:
        client.ask(wire.query(f"select 1; set work_mem = '7777kB'; {filler} select 2"))
        client.send(wire.TERMINATE)
        assert client.closed()
        assert rows(other.ask(wire.query("show work_mem"))) == [b"4MB"]


def test_what_is_answered_before_the_process_ends_is_well_told(make_proxy):
    """The drain's deadline ends several open transactions at once."""
    proxy = make_proxy({"workers": {"threads": 1}})
    clients = [login(proxy) for _ in range(4)]
    for client in clients:
        client.ask(wire.query("begin; select pg_current_xact_id()"))
    proxy.process.terminate()
    for client in clients:
        assert client.receive().sqlstate == "57P01"
        assert client.closed()
    assert proxy.process.wait(timeout=20 * PATIENCE) == 0


@pytest.mark.limit(120)
def test_a_thousand_clients_that_wait_for_the_first_greeting_are_all_served(make_proxy, nodes):
    proxy = make_proxy({"pool": {"size": 1}, "workers": {"threads": 1}, "auth": {"method": "trust"}})
    clients = [wire.WireClient(proxy.host, proxy.port, seconds=60) for _ in range(1000)]
    for client in clients:
        client.send(wire.startup({"user": "app", "database": "shop"}) + wire.query("select 'here'"))
    for client in clients:
        client.until_ready()
        assert rows(client.until_ready()) == [b"here"]
        client.close()


def test_a_client_that_takes_no_answers_does_not_fill_the_memory(make_proxy):
    proxy = make_proxy({"workers": {"threads": 1}})

    def resident() -> int:
        with open(f"/proc/{proxy.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096

    with login(proxy) as client:
        before = resident()
        client.socket.settimeout(1.0)
        sent = 0
        try:
            while sent < 200_000_000:
                client.socket.sendall(wire.SYNC * 20_000)
                sent += 100_000
        except TimeoutError:
            pass
        assert proxy.sanitized or resident() - before < 50_000_000

"""Named prepared statements of many clients over few server connections."""

from __future__ import annotations

import concurrent.futures

import psycopg
import pytest

from support import wire

pytestmark = pytest.mark.replaces_servers


@pytest.fixture
def narrow(make_proxy):
    """Two server connections per node for however many clients."""
    return make_proxy({"pool": {"size": 2}})


def _client(proxy, number: int) -> bool:
    with psycopg.connect(proxy.dsn(connect_timeout=15), autocommit=True) as connection:
        connection.prepare_threshold = 0
        for index in range(40):
            # All clients call their statements _pg3_0, _pg3_1, …: the same names for different texts.
            assert connection.execute(f"select {number} * 1000 + %s::int", [index]).fetchone() == (number * 1000 + index,)
            assert connection.execute("select %s::text", [f"{number}/{index}"]).fetchone() == (f"{number}/{index}",)
    return True


def test_twenty_clients_with_the_same_names_over_two_servers(narrow):
    with concurrent.futures.ThreadPoolExecutor(20) as threads:
        assert all(threads.map(lambda number: _client(narrow, number), range(20)))


def test_the_server_pool_stays_at_its_size(narrow, cluster):
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda number: _client(narrow, number), range(10)))
        for node in cluster.nodes:
            count = node.value(
                "select count(*) from pg_stat_activity where datname = 'shop' and usename = 'app' "
                "and backend_type = 'client backend'"
            )
            assert count <= 2 + 20, f"{node.name}: {count}"  # the shared proxy of other tests has up to 20


def login(proxy) -> wire.WireClient:
    client = wire.WireClient(proxy.host, proxy.port)
    replies = client.login("app", "app-secret", "shop")
    assert replies[-1].type == "Z", replies[-1].fields()
    return client


def types(replies: list[wire.Message]) -> str:
    return "".join(reply.type for reply in replies)


def test_parse_bind_describe_execute_answer_in_the_protocols_order(proxy):
    with login(proxy) as client:
        replies = client.ask(
            wire.parse("s", "select $1::int + 1")
            + wire.describe_statement("s")
            + wire.bind("s", ("41",))
            + wire.execute()
            + wire.SYNC
        )
        assert types(replies) == "1tT2DCZ"
        assert replies[4].body.endswith(b"42")
        # In another transaction, perhaps on another server connection, the name is still there.
        for value in range(30):
            replies = client.ask(wire.bind("s", (str(value),)) + wire.execute() + wire.SYNC)
            assert types(replies) == "2DCZ" and replies[1].body.endswith(str(value + 1).encode())


def test_an_error_skips_to_sync(proxy):
    with login(proxy) as client:
        replies = client.ask(
            wire.parse("", "select 1/g from generate_series(0, 0) g") + wire.bind("") + wire.execute()
            + wire.parse("never", "select 1") + wire.bind("never") + wire.execute() + wire.SYNC
        )  # fmt: skip
        assert types(replies) == "12EZ" and replies[2].sqlstate == "22012"
        replies = client.ask(wire.bind("never") + wire.execute() + wire.SYNC)
        assert types(replies) == "EZ" and replies[0].sqlstate == "26000"
        assert types(client.ask(wire.query("select 1"))) == "TDCZ"


def test_a_syntax_error_in_parse_leaves_the_name_free(proxy):
    with login(proxy) as client:
        assert types(client.ask(wire.parse("s", "selec 1") + wire.SYNC)) == "EZ"
        assert types(client.ask(wire.parse("s", "select 1") + wire.bind("s") + wire.execute() + wire.SYNC)) == "12DCZ"


def test_parsing_a_name_twice_is_the_error_it_is_in_postgresql(proxy):
    with login(proxy) as client:
        assert types(client.ask(wire.parse("s", "select 1") + wire.SYNC)) == "1Z"
        replies = client.ask(wire.parse("s", "select 2") + wire.SYNC)
        assert types(replies) == "EZ" and replies[0].sqlstate == "42P05"


def test_close_frees_a_name_and_closing_nothing_is_no_error(proxy):
    with login(proxy) as client:
        replies = client.ask(
            wire.parse("s", "select 1") + wire.close_statement("s") + wire.close_statement("other")
            + wire.parse("s", "select 2") + wire.bind("s") + wire.execute() + wire.SYNC
        )  # fmt: skip
        assert types(replies) == "13312DCZ" and replies[5].body.endswith(b"2")


def test_an_unknown_statement_is_26000(proxy):
    with login(proxy) as client:
        replies = client.ask(wire.bind("nobody") + wire.execute() + wire.SYNC)
        assert types(replies) == "EZ" and replies[0].sqlstate == "26000"


def test_flush_brings_replies_before_sync(proxy):
    with login(proxy) as client:
        client.send(wire.parse("", "select 5") + wire.bind("") + wire.execute() + wire.FLUSH)
        assert types(client.until("C")) == "12DC"
        client.send(wire.SYNC)
        assert types(client.until_ready()) == "Z"


def test_a_portal_suspended_by_its_row_limit_goes_on(proxy):
    with login(proxy) as client:
        replies = client.ask(wire.query("begin"))
        client.send(wire.parse("", "select generate_series(1, 5)") + wire.bind("", portal="p") + wire.execute("p", 2) + wire.FLUSH)
        assert types(client.until("s")) == "12DDs"
        replies = client.ask(wire.execute("p", 2) + wire.execute("p", 2) + wire.SYNC)
        assert types(replies) == "DDsDCZ" and replies[-1].body == b"T"
        assert types(client.ask(wire.query("commit"))) == "CZ"


def test_ready_for_query_tells_the_transactions_state(proxy):
    with login(proxy) as client:
        states = [
            client.ask(wire.query(text))[-1].body
            for text in ("select 1", "begin", "select 1", "select 1/0", "select 1", "rollback", "select 1")
        ]
        assert states == [b"I", b"T", b"T", b"E", b"E", b"I", b"I"]


def test_a_thousand_statements_in_one_batch(proxy):
    with login(proxy) as client:
        client.send(b"".join(wire.parse("", f"select {index}") + wire.bind("") + wire.execute() for index in range(1000)) + wire.SYNC)
        replies = client.until_ready()
        rows = [int(reply.body[6:]) for reply in replies if reply.type == "D"]
        assert rows == list(range(1000)) and types(replies).count("C") == 1000


def test_queries_sent_without_waiting_are_answered_in_order(proxy):
    with login(proxy) as client:
        client.send(b"".join(wire.query(f"select {index}") for index in range(300)))
        rows = []
        for _ in range(300):
            rows += [int(reply.body[6:]) for reply in client.until_ready() if reply.type == "D"]
        assert rows == list(range(300))


def test_bytes_that_arrive_one_by_one_are_the_same_message(proxy):
    with login(proxy) as client:
        for byte in wire.parse("", "select 9") + wire.bind("") + wire.execute() + wire.SYNC:
            client.send(bytes([byte]))
        assert types(client.until_ready()) == "12DCZ"


def test_an_empty_query_is_answered_as_such(proxy):
    with login(proxy) as client:
        assert types(client.ask(wire.query(""))) == "IZ"
        assert types(client.ask(wire.query(" -- nothing but a comment"))) == "IZ"


@pytest.mark.proxy_only
def test_a_statement_whose_table_has_changed_is_prepared_anew(make_proxy, shop, table):
    # One server connection, so that the statement is certainly there in its old form.
    proxy = make_proxy({"pool": {"size": 1}, "routing": {"consistency": "primary"}})
    shop(f"create table {table} (v int)", f"insert into {table} values (1)")
    with login(proxy) as client:
        ask = wire.bind("s") + wire.execute() + wire.SYNC
        client.ask(wire.parse("s", f"select * from {table}") + wire.SYNC)
        assert types(client.ask(ask)) == "2DCZ"
        shop(f"alter table {table} add w text default 'old'")
        # Who has learned the types of the result before is told that they are others now, as by PostgreSQL.
        replies = client.ask(ask)
        assert types(replies) == "EZ" and replies[0].sqlstate == "0A000"
        assert types(client.ask(ask)) == "2DCZ"
        shop(f"alter table {table} add x text default 'new'")
        replies = client.ask(wire.describe_statement("s") + wire.SYNC)
        assert types(replies) == "tTZ" and b"x\0" in replies[1].body
        replies = client.ask(ask)
        assert types(replies) == "2DCZ" and replies[1].body.endswith(b"new")
    assert proxy.metrics().sum("tidemark_retries_total", reason="prepared_anew") >= 1


@pytest.mark.proxy_only
def test_in_a_transaction_a_changed_table_is_told_as_postgresql_tells_it(make_proxy, shop, table):
    proxy = make_proxy({"pool": {"size": 1}, "routing": {"consistency": "primary"}})
    shop(f"create table {table} (v int)")
    with login(proxy) as client:
        client.ask(wire.parse("s", f"select * from {table}") + wire.SYNC)
        client.ask(wire.bind("s") + wire.execute() + wire.SYNC)
        shop(f"alter table {table} add w text")
        client.ask(wire.query("begin"))
        replies = client.ask(wire.query("select 1"))
        assert replies[-1].body == b"T"
        replies = client.ask(wire.bind("s") + wire.execute() + wire.SYNC)
        assert types(replies) == "EZ" and replies[0].sqlstate == "0A000" and replies[1].body == b"E"
        client.ask(wire.query("rollback"))
        assert types(client.ask(wire.bind("s") + wire.execute() + wire.SYNC)) == "2CZ"


def test_a_text_with_constants_means_what_the_settings_of_its_own_session_say(narrow):
    text = "select '2026-07-01 12:00'::timestamptz at time zone 'UTC'"
    with login(narrow) as berlin, login(narrow) as tokyo:
        berlin.ask(wire.query("set timezone = 'Europe/Berlin'"))
        tokyo.ask(wire.query("set timezone = 'Asia/Tokyo'"))
        for _ in range(10):
            for client, hour in ((berlin, b"10:00:00"), (tokyo, b"03:00:00")):
                replies = client.ask(
                    wire.parse("same", text) + wire.bind("same") + wire.execute() + wire.close_statement("same")
                    + wire.SYNC
                )  # fmt: skip
                assert types(replies) == "12DC3Z" and replies[2].body.endswith(hour)


@pytest.mark.proxy_only
def test_statements_of_other_schemas_are_kept_apart(narrow, shop, table):
    shop(f"create schema {table}_a", f"create schema {table}_b", f"create table {table}_a.t as select 'a'::text as v",
         f"create table {table}_b.t as select 1 as v, 'b'::text as w")  # fmt: skip
    with login(narrow) as one, login(narrow) as other:
        one.ask(wire.query(f"set search_path = {table}_a"))
        other.ask(wire.query(f"set search_path = {table}_b"))
        for client in (one, other):
            client.ask(wire.parse("s", "select * from t") + wire.SYNC)
        for _ in range(10):
            for client, end in ((one, b"a"), (other, b"b")):
                replies = client.ask(wire.bind("s") + wire.execute() + wire.SYNC)
                assert types(replies) == "2DCZ" and replies[1].body.endswith(end)


def test_errors_name_the_clients_statement(proxy):
    with login(proxy) as client:
        client.ask(wire.parse("mine", "select 1") + wire.SYNC)
        replies = client.ask(wire.parse("mine", "select 2") + wire.SYNC)
        assert replies[0].sqlstate == "42P05"
        assert replies[0].fields()["M"] == 'prepared statement "mine" already exists'
        replies = client.ask(wire.bind("other") + wire.SYNC)
        assert replies[0].fields()["M"] == 'prepared statement "other" does not exist'

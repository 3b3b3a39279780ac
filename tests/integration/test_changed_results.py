"""Statements whose result changes (DDL) after their client was told of it, also where another server connection first
prepares them after the change: no row of the new types reaches who goes by the old ones."""

from __future__ import annotations

import contextlib
import struct
from typing import Iterator

import pytest

from support import wire

pytestmark = pytest.mark.replaces_servers

RUN = wire.bind("s") + wire.execute() + wire.SYNC


@pytest.fixture(params=["primary", "session"])
def target(request):
    """Two server connections per node; or, to show that it is no other, PostgreSQL itself."""
    if request.config.getoption("--target") != "proxy":
        return request.getfixturevalue("proxy")
    settings = {"pool": {"size": 2}, "workers": {"threads": 1}, "routing": {"consistency": request.param}}
    return request.getfixturevalue("make_proxy")(settings)


@pytest.fixture
def is_proxy(request) -> bool:
    return request.config.getoption("--target") == "proxy"


def login(target) -> wire.WireClient:
    client = wire.WireClient(target.host, target.port)
    assert client.login("app", "app-secret", "shop")[-1].type == "Z"
    return client


def types(replies: list[wire.Message]) -> str:
    return "".join(reply.type for reply in replies)


def value(replies: list[wire.Message]) -> str:
    row = next(reply for reply in replies if reply.type == "D").body
    return row[6 : 6 + struct.unpack("!I", row[2:6])[0]].decode()


def prepare(client: wire.WireClient, text: str, name: str = "s") -> int:
    """Prepares and describes it; returns the server process that has it."""
    replies = client.ask(
        wire.parse(name, text) + wire.describe_statement(name) + wire.parse("", "select pg_backend_pid() as pid, txid_current()")
        + wire.bind("") + wire.execute() + wire.SYNC
    )  # fmt: skip
    assert types(replies)[:3] in ("1tT", "1tn"), types(replies)
    return int(value(replies))


@contextlib.contextmanager
def held(target, *processes: int) -> Iterator[None]:
    """Other clients keep these server processes, so that nobody else is served by them."""
    with contextlib.ExitStack() as stack:
        others = []
        for _ in range(2):
            other = stack.enter_context(login(target))
            other.ask(wire.query("begin"))
            others.append((other, int(value(other.ask(wire.query("select pg_backend_pid()"))))))
            if others[-1][1] in processes:
                break
        for other, process in others:
            if process not in processes:
                other.ask(wire.query("rollback"))
        yield
        for other, _ in others:
            other.ask(wire.query("rollback"))


def is_told(replies: list[wire.Message], before: str = "", status: bytes = b"I") -> None:
    """… as PostgreSQL tells it, after the answers `before`."""
    assert types(replies) == before + "EZ", types(replies)
    fields = replies[-2].fields()
    assert (fields["S"], fields["C"], fields["M"], fields["R"]) == (
        "ERROR", "0A000", "cached plan must not change result type", "RevalidateCachedQuery")  # fmt: skip
    assert replies[-1].body == status


def prepares_anew(client: wire.WireClient, text: str) -> list[wire.Message]:
    """What drivers do when they are told."""
    replies = client.ask(wire.close_statement("s") + wire.parse("s", text) + wire.describe_statement("s") + wire.SYNC)
    assert types(replies) == "31tTZ", types(replies)
    return replies


def test_a_read(target, shop, table):
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    text = f"select * from {table}"
    with login(target) as client:
        process = prepare(client, text)
        assert types(client.ask(RUN)) == "2DCZ"
        shop(f"alter table {table} alter v type text using 'x' || v")
        with held(target, process):
            is_told(client.ask(RUN))
            is_told(client.ask(RUN))  # until it prepares anew
            prepares_anew(client, text)
            assert value(client.ask(RUN)) == "x7"
        assert value(client.ask(RUN)) == "x7"


def test_a_read_that_changes_nothing_for_its_client(target, shop, table):
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    with login(target) as client:
        process = prepare(client, f"select * from {table}")
        shop(f"create index on {table} (v)", f"alter table {table} add w int", f"alter table {table} drop w")
        with held(target, process):
            assert value(client.ask(RUN)) == "7"
        shop(f"drop table {table}", f"create table {table} (v int)")
        with held(target, process):
            assert types(client.ask(RUN)) == "2CZ"


def test_a_write_with_returning_has_no_effect(target, shop, table):
    shop(f"create table {table} (id int, v int)", f"insert into {table} values (1, 7)")
    text = f"update {table} set id = id + 1 returning v"
    with login(target) as client:
        process = prepare(client, text)
        shop(f"alter table {table} alter v type text using 'x' || v")
        with held(target, process):
            is_told(client.ask(RUN))
        is_told(client.ask(RUN))
        assert shop(f"select id from {table}") == [(1,)]
        with held(target, process):
            prepares_anew(client, text)
            assert value(client.ask(RUN)) == "x7"
        assert shop(f"select id from {table}") == [(2,)]


@pytest.mark.parametrize("begin", ["begin", "begin read only"])
def test_in_a_transaction(target, shop, table, begin):
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    text = f"select * from {table}"
    with login(target) as client:
        process = prepare(client, text)
        shop(f"alter table {table} alter v type text using 'x' || v")
        with held(target, process):
            client.ask(wire.query(begin))
            is_told(client.ask(RUN), status=b"E")
            replies = client.ask(RUN)
            assert types(replies) == "EZ" and replies[0].sqlstate == "25P02"
            assert client.ask(wire.query("commit"))[0].body == b"ROLLBACK\0"
            client.ask(wire.query(begin))
            prepares_anew(client, text)
            assert value(client.ask(RUN)) == "x7"
            assert client.ask(wire.query("commit"))[0].body == b"COMMIT\0"


def test_a_later_statement_of_a_transaction_and_what_it_did_before(target, shop, table):
    shop(f"create table {table} (v int)", f"create table {table}_log (v int)")
    with login(target) as client:
        process = prepare(client, f"insert into {table} values (1) returning v")
        shop(f"alter table {table} alter v type bigint")
        with held(target, process):
            client.ask(wire.query("begin"))
            client.ask(wire.query(f"insert into {table}_log values (1)"))
            is_told(client.ask(RUN), status=b"E")
            client.ask(wire.query("rollback"))
        assert shop(f"select (select count(*) from {table}), (select count(*) from {table}_log)") == [(0, 0)]


def test_in_the_middle_of_a_pipeline(target, shop, table):
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    pipeline = (
        wire.parse("", "select 1") + wire.bind("") + wire.execute() + wire.bind("s") + wire.execute()
        + wire.bind("") + wire.execute() + wire.SYNC
    )  # fmt: skip
    for text in (f"select * from {table}", f"update {table} set v = v returning v"):
        with login(target) as client:
            process = prepare(client, text)
            shop(f"alter table {table} alter v type text using v::text")
            with held(target, process):
                is_told(client.ask(pipeline), before="12DC")
                prepares_anew(client, text)
                assert types(client.ask(pipeline)) == "12DC2DC2DCZ"
            shop(f"alter table {table} alter v type int using v::int")


def test_in_a_sequence_without_sync(target, shop, table):
    shop(f"create table {table} (v int)", f"create table {table}_log (v int)")
    with login(target) as client:
        process = prepare(client, f"insert into {table} values (1) returning v")
        shop(f"alter table {table} alter v type text")
        with held(target, process):
            client.send(wire.parse("", f"insert into {table}_log values (1)") + wire.bind("") + wire.execute() + wire.FLUSH)
            assert types(client.until("C")) == "12C"
            client.send(wire.bind("s") + wire.execute() + wire.FLUSH)
            assert client.until("E")[-1].sqlstate == "0A000"
            assert types(client.ask(wire.SYNC)) == "Z"
        assert shop(f"select (select count(*) from {table}), (select count(*) from {table}_log)") == [(0, 0)]


def test_the_unnamed_statement(target, shop, table, is_proxy):
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    for text in (f"select * from {table}", f"update {table} set v = v returning v"):
        with login(target) as client:
            client.ask(wire.parse("", text) + wire.describe_statement("") + wire.SYNC)
            assert types(client.ask(wire.bind("") + wire.execute() + wire.SYNC)) == "2DCZ"
            shop(f"alter table {table} alter v type text using v::text")
            is_told(client.ask(wire.bind("") + wire.execute() + wire.SYNC))
            replies = client.ask(wire.parse("", text) + wire.describe_statement("") + wire.SYNC)
            assert types(replies) == "1tTZ"
            assert types(client.ask(wire.bind("") + wire.execute() + wire.SYNC)) == "2DCZ"
            shop(f"alter table {table} alter v type int using v::int")


def test_who_was_told_the_new_result_is_served_everywhere(target, shop, table):
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    text = f"select * from {table}"
    with login(target) as old, login(target) as new:
        process = prepare(old, text)
        shop(f"alter table {table} alter v type text using 'x' || v")
        with held(target, process):
            prepare(new, text)
        for _ in range(4):
            assert value(new.ask(RUN)) == "x7"
            is_told(old.ask(RUN))
        with held(target, process):
            new.ask(wire.query("begin"))
            assert value(new.ask(RUN)) == "x7"
            new.ask(wire.query("commit"))
        prepares_anew(old, text)
        for client in (old, new, old, new):
            assert value(client.ask(RUN)) == "x7"


def test_a_name_that_is_given_to_another_statement(target, shop, table):
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    text = f"update {table} set v = v returning v"
    with login(target) as client:
        process = prepare(client, text)
        shop(f"alter table {table} alter v type text using 'x' || v")
        with held(target, process):
            replies = client.ask(wire.close_statement("s") + wire.parse("s", text) + RUN)
            assert types(replies) == "312DCZ" and value(replies) == "x7"


def test_types_of_parameters_stay_as_they_were_told(target, shop, table):
    shop(f"create table {table} (v int)")
    with login(target) as client:
        process = prepare(client, f"insert into {table} values ($1)")
        shop(f"alter table {table} alter v type real")
        # Four bytes that mean another number as a real.
        body = b"\0s\0" + struct.pack("!HHHIIH", 1, 1, 1, 4, 5, 0)
        with held(target, process):
            assert types(client.ask(wire.message("B", body) + wire.execute() + wire.SYNC)) == "2CZ"
        assert shop(f"select v from {table}") == [(5,)]


def test_a_long_parameter(target, shop, table):
    shop(f"create table {table} (v text)")
    text = f"insert into {table} values ($1) returning 1"
    run = wire.bind("s", ("x" * 3_000_000,)) + wire.execute() + wire.SYNC
    with login(target) as client:
        process = prepare(client, text)
        with held(target, process):
            assert types(client.ask(run)) == "2DCZ"
        client.ask(wire.close_statement("s") + wire.SYNC)
        process = prepare(client, f"insert into {table} values ($1) returning *")
        shop(f"alter table {table} add w int")
        with held(target, process):
            is_told(client.ask(run))
            assert types(client.ask(wire.query("select 1"))) == "TDCZ"
        assert shop(f"select count(*) from {table}") == [(1,)]


def test_a_long_parameter_of_the_unnamed_statement(target):
    with login(target) as client:
        client.ask(wire.parse("", "select length($1::text)") + wire.describe_statement("") + wire.SYNC)
        for _ in range(2):
            assert value(client.ask(wire.bind("", ("x" * 3_000_000,)) + wire.execute() + wire.SYNC)) == "3000000"


def test_a_description_of_many_columns(target, shop, table):
    columns = ", ".join(f"{'c' * 50}{n} int" for n in range(1200))
    shop(f"create table {table} ({columns})", f"insert into {table} default values")
    with login(target) as client:
        process = prepare(client, f"select * from {table}")
        with held(target, process):
            assert types(client.ask(RUN)) == "2DCZ"
        shop(f"alter table {table} alter {'c' * 50}1199 type text")
        with held(target, process):
            is_told(client.ask(RUN))


@pytest.mark.proxy_only
def test_who_never_asked_goes_on(target, shop, table):
    # libpq asks with each execution (Describe of the portal), so it is always told the types of what it gets.
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    with login(target) as client:
        client.ask(wire.parse("s", f"select * from {table}") + wire.SYNC)
        shop(f"alter table {table} alter v type text using 'x' || v")
        replies = client.ask(wire.bind("s") + wire.message("D", b"P\0") + wire.execute() + wire.SYNC)
        assert types(replies) == "2TDCZ" and value(replies) == "x7"


@pytest.mark.proxy_only
def test_a_replica_that_has_not_replayed_the_change(make_proxy, shop, table, nodes):
    proxy = make_proxy({"routing": {"consistency": "eventual", "max_lag": "1h"}, "workers": {"threads": 1}})
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    text = f"select * from {table}"
    with login(proxy) as client:
        prepare(client, text)
        for replica in nodes.replicas:
            replica.pause_replay()
        nodes.primary.value(f"alter table {table} alter v type text using 'x' || v; select 1", dbname="shop")
        client.ask(wire.close_statement("s") + wire.SYNC)
        client.ask(wire.query("begin"))
        prepare(client, text)  # at the primary
        client.ask(wire.query("commit"))
        for _ in range(3):
            assert value(client.ask(RUN)) == "x7"


@pytest.mark.parametrize("write", [False, True])
def test_who_asked_for_a_portals_types_once(target, shop, table, write):
    # JDBC keeps what the first portal gave.
    text = f"update {table} set v = v returning v" if write else f"select * from {table}"
    shop(f"create table {table} (v int)", f"insert into {table} values (7)")
    with login(target) as client:
        client.ask(wire.parse("s", text) + wire.SYNC)
        client.ask(wire.query("begin"))
        process = int(value(client.ask(wire.query("select pg_backend_pid()"))))
        replies = client.ask(wire.bind("s") + wire.message("D", b"P\0") + wire.execute() + wire.SYNC)
        assert types(replies) == "2TDCZ"
        client.ask(wire.query("commit"))
        assert value(client.ask(RUN)) == "7"
        shop(f"alter table {table} alter v type text using 'x' || v")
        with held(target, process):
            is_told(client.ask(RUN))
            prepares_anew(client, text)
            assert value(client.ask(RUN)) == "x7"


def test_constants_mean_what_they_meant_when_the_statement_was_prepared(target):
    text = "select '2026-07-01 12:00'::timestamptz at time zone 'UTC', current_setting('timezone')"
    with login(target) as client:
        client.ask(wire.query("set timezone = 'Europe/Berlin'"))
        process = prepare(client, text)
        client.ask(wire.query("set timezone = 'Asia/Tokyo'"))
        with held(target, process):
            for _ in range(2):
                replies = client.ask(
                    wire.parse("", "select 1") + wire.bind("s") + wire.execute() + wire.bind("") + wire.execute() + wire.SYNC
                )  # fmt: skip
                assert types(replies) == "12DC2DCZ" and b"10:00:00" in replies[2].body and b"Asia/Tokyo" in replies[2].body
            assert value(client.ask(wire.query("show timezone"))) == "Asia/Tokyo"

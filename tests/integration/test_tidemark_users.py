"""Users over several connections, and tokens: what one connection did, another one of the same user sees."""

from __future__ import annotations

import psycopg
import pytest

from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only


@pytest.fixture
def connect(make_proxy, nodes, table):
    """Connections through a proxy with several workers, to replicas of which none shows a commit soon."""
    proxies = []
    made = []
    with nodes.primary.connect(dbname="shop") as sql:
        sql.rows(f"create table {table} (v int)")
        sql.rows(f"insert into {table} values (0)")
        sql.rows(f"grant all on {table} to public")
    nodes.wait_caught_up()

    def connect(**options):
        if not proxies:
            proxies.append(make_proxy({"workers": {"threads": 4}}))
        made.append(psycopg.connect(proxies[0].dsn(connect_timeout=10), autocommit=True, **options))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def delay(nodes, milliseconds=400):
    for node in nodes.replicas:
        node.set_apply_delay(milliseconds)


def read(connection, table):
    return connection.execute(f"select v from {table}").fetchone()[0]


def token(connection):
    return connection.execute("show tidemark.token").fetchone()[0]


def is_at_replica(connection, nodes):
    """Its last read was."""
    route = connection.execute("show tidemark.last_route").fetchone()[0]
    return "read at" in route and f":{nodes.primary.port}:" not in route


@pytest.mark.parametrize("how", ["set", "startup"])
def test_what_a_user_wrote_every_connection_of_theirs_reads(connect, nodes, table, how):
    def of_user(name):
        if how == "startup":
            return connect(options=f"-c tidemark.user={name}")
        connection = connect()
        connection.execute(f"set tidemark.user = '{name}'")
        return connection

    delay(nodes)
    writer = of_user("42")
    readers = [of_user("42") for _ in range(8)]
    for value in range(1, 30):
        writer.execute(f"update {table} set v = {value}")
        assert read(readers[value % 8], table) == value


def test_another_user_is_not_held_up(connect, nodes, table):
    writer, other = connect(), connect()
    writer.execute("set tidemark.user = '42'")
    other.execute("set tidemark.user = '43'")
    read(other, table)  # an unknown user counts as one who has just written
    wait_until(lambda: read(other, table) == 0 and is_at_replica(other, nodes), "reads at a replica", 20)
    delay(nodes, 60_000)
    writer.execute(f"update {table} set v = 1")
    assert read(other, table) == 0, "43 has written nothing: its replica answers, which does not show it yet"


def test_what_a_user_has_seen_does_not_disappear_on_another_connection(connect, nodes, table):
    writer, reader, other = connect(), connect(), connect()
    for connection in (reader, other):
        connection.execute("set tidemark.user = '42'")
    delay(nodes)
    writer.execute(f"update {table} set v = 1")
    reader.execute("set tidemark.node = 'primary'")
    assert read(reader, table) == 1
    assert read(other, table) == 1, "a read that the primary answered is seen, too"


def test_a_write_in_a_transaction_counts_from_its_commit(connect, nodes, table):
    writer, reader = connect(), connect()
    for connection in (writer, reader):
        connection.execute("set tidemark.user = '42'")
    delay(nodes)
    with writer.transaction():
        writer.execute(f"update {table} set v = 1")
    assert read(reader, table) == 1
    writer.execute(f"begin; update {table} set v = 2; commit")
    assert read(reader, table) == 2


def test_a_user_named_in_the_middle_of_a_transaction_has_written_it(connect, nodes, table):
    writer, reader = connect(), connect()
    reader.execute("set tidemark.user = '42'")
    delay(nodes)
    with writer.transaction():
        writer.execute("set local tidemark.user = '42'")
        writer.execute(f"update {table} set v = 1")
    assert writer.execute("show tidemark.user").fetchone() == ("",)
    assert read(reader, table) == 1


def test_who_has_written_and_then_says_who_they_are_reads_it(connect, nodes, table):
    connection = connect()
    read(connection, table)
    delay(nodes)
    connection.execute(f"update {table} set v = 1")
    connection.execute("set tidemark.user = '42'")
    assert read(connection, table) == 1


def test_a_hint_names_the_user_of_one_statement(connect, nodes, table):
    writer, reader = connect(), connect()
    delay(nodes)
    for value in range(1, 10):
        writer.execute(f"/* tidemark: user=42 */ update {table} set v = {value}")
        assert reader.execute(f"/* tidemark: user=42 */ select v from {table}").fetchone() == (value,)


def test_a_token_carries_a_write_to_a_connection_of_nobody(connect, nodes, table):
    writer, reader = connect(), connect()
    delay(nodes)
    for value in range(1, 10):
        writer.execute(f"update {table} set v = {value}")
        reader.execute(f"set tidemark.token = '{token(writer)}'")
        assert read(reader, table) == value


def test_a_token_at_the_start_of_a_connection(connect, nodes, table):
    writer = connect()
    delay(nodes)
    writer.execute(f"update {table} set v = 1")
    assert read(connect(options=f"-c tidemark.token={token(writer)}"), table) == 1


def test_a_token_stands_for_what_was_seen_at_a_replica_too(connect, nodes, table):
    reader, other = connect(), connect()
    read(reader, table)
    nodes.replicas[0].pause_replay()
    nodes.replicas[1].pause_replay()
    assert read(reader, table) == 0
    first = token(reader)
    assert first.startswith("tm1.")
    other.execute(f"set tidemark.token = '{first}'")
    assert read(other, table) == 0


def test_a_token_of_another_cluster_or_a_damaged_one_is_refused(connect, table):
    connection = connect()
    whole = token(connection)
    for bad, code in (("", "22023"), ("42", "22023"), (whole[:-1], "22023"), (whole[:6] + "AAAA" + whole[10:], "22023")):
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(f"set tidemark.token = '{bad}'")
        assert caught.value.sqlstate == code
        assert "tidemark.token" in str(caught.value)
    connection.execute(f"set tidemark.token = '{whole}'")


@pytest.mark.parametrize("level", ["session", "strong"])
def test_a_strong_read_misses_nothing_that_anybody_has_written(connect, nodes, table, level):
    writer, reader = connect(), connect()
    reader.execute(f"set tidemark.consistency = '{level}'")
    read(reader, table)
    wait_until(lambda: read(reader, table) == 0 and is_at_replica(reader, nodes), "reads at a replica", 20)
    delay(nodes)
    writer.execute(f"update {table} set v = 1")
    assert read(reader, table) == (1 if level == "strong" else 0)


def test_a_bound_of_staleness_is_kept_however_long_nothing_is_known(connect, nodes, table):
    writer, reader = connect(), connect()
    reader.execute("set tidemark.consistency = 'bounded_staleness'")
    reader.execute("set tidemark.max_staleness = '300ms'")
    wait_until(lambda: read(reader, table) == 0 and is_at_replica(reader, nodes), "reads at a replica", 20)
    delay(nodes, 60_000)
    writer.execute(f"update {table} set v = 1")
    wait_until(lambda: read(reader, table) == 1, "the bound to pass", 20)
    assert f":{nodes.primary.port}: fallback_staleness" in reader.execute("show tidemark.last_route").fetchone()[0]

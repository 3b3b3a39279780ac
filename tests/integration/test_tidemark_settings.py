"""Parameters of tidemark: SET, SHOW, RESET, startup options, hints; and which of them counts."""

from __future__ import annotations

import psycopg
import pytest

from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only

NAMES = ("consistency", "max_staleness", "max_staleness_bytes", "node", "trace", "user")


@pytest.fixture
def connect(proxy):
    made = []

    def connect(**options):
        made.append(psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True, **options))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
def connection(connect):
    return connect()


def value(connection, sql):
    return connection.execute(sql).fetchone()[0]


def level(connection) -> str:
    return value(connection, "show tidemark.consistency")


def route(connection) -> str:
    return value(connection, "show tidemark.last_route")


def error_of(connection, sql) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql)
    return caught.value


def test_a_level_that_is_set_counts_from_the_next_statement(connection, cluster):
    assert level(connection) == "session"
    connection.execute("set tidemark.consistency = 'primary'")
    assert level(connection) == "primary"
    assert value(connection, "select inet_server_port()") == cluster.primary.port
    connection.execute("reset tidemark.consistency")
    assert level(connection) == "session"
    # What the primary showed must have been replayed first, and may wait there for its WAL writer.
    wait_until(lambda: value(connection, "select inet_server_port()") != cluster.primary.port, "a read at a replica", 20)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_can_be_set_shown_and_reset(connection, name):
    before = value(connection, f"show tidemark.{name}")
    wanted = {"consistency": "strong", "max_staleness": "3s", "max_staleness_bytes": "64kB", "node": "primary",
              "trace": "on", "user": "it's 42"}[name]  # fmt: skip
    connection.execute(f"SET SESSION Tidemark.{name.upper()} TO '{wanted.replace(chr(39), chr(39) * 2)}' ;")
    assert value(connection, f"show tidemark.{name}") == wanted
    connection.execute(f"reset tidemark.{name}")
    assert value(connection, f"show tidemark.{name}") == before


@pytest.mark.parametrize("name, bad", [
    ("consistency", "serializable"), ("max_staleness", "soon"), ("max_staleness_bytes", "-1"), ("node", "replica"),
    ("trace", "perhaps"), ("user", "x" * 257), ("token", "tm1.nonsense"),
])  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused_and_changes_nothing(connection, name, bad):
    error = error_of(connection, f"set tidemark.{name} = '{bad}'")
    assert error.sqlstate == "22023"
    assert f"tidemark.{name}" in str(error)
    assert error.diag.message_detail
    assert level(connection) == "session"


def test_a_parameter_that_there_is_not_is_refused(connection):
    for sql in ("set tidemark.consistencey = 'strong'", "show tidemark.consistencey", "reset tidemark.consistencey"):
        error = error_of(connection, sql)
        assert error.sqlstate == "42704"
        assert "tidemark.consistency" in error.diag.message_hint


@pytest.mark.parametrize("sql", [
    "set tidemark.consistency = 'strong'; select 1", "select 1; set tidemark.consistency = 'strong'",
    "begin; set tidemark.consistency = 'strong'; commit", "select set_config('tidemark.user', '42', false)",
])  # fmt: skip
def test_among_other_statements_they_are_refused_instead_of_passed_on_without_effect(proxy, sql):
    with proxy.connect() as simple:
        with pytest.raises(Exception) as caught:
            simple.rows(sql)
        assert getattr(caught.value, "sqlstate", getattr(caught.value, "pgcode", None)) in ("0A000", "42601")
        assert simple.value("show tidemark.consistency") == "session"


def test_psql_and_the_simple_protocol_have_them_too(proxy):
    with proxy.connect() as simple:
        simple.rows("set tidemark.consistency to strong")
        assert simple.value("show tidemark.consistency") == "strong"


def test_set_local_ends_with_its_transaction(connection):
    with connection.transaction():
        connection.execute("set local tidemark.consistency = 'strong'")
        assert level(connection) == "strong"
    assert level(connection) == "session"


def test_set_in_a_transaction_is_taken_back_by_a_rollback(connection):
    connection.execute("begin")
    connection.execute("set tidemark.consistency = 'strong'")
    connection.execute("select 1")
    assert level(connection) == "strong"
    connection.execute("rollback")
    assert level(connection) == "session"
    connection.execute("begin")
    connection.execute("set tidemark.consistency = 'strong'")
    connection.execute("commit")
    assert level(connection) == "strong"


def test_set_in_a_transaction_that_fails_is_taken_back(connection):
    connection.execute("begin")
    connection.execute("set tidemark.consistency = 'strong'")
    assert error_of(connection, "select 1 / 0").sqlstate == "22012"
    connection.execute("commit")
    assert level(connection) == "session"


def test_set_in_a_read_only_transaction(connection, cluster):
    connection.execute("begin read only")
    connection.execute("set local tidemark.consistency = 'primary'")
    assert value(connection, "select inet_server_port()") == cluster.primary.port
    connection.execute("commit")
    assert level(connection) == "session"


def test_a_mistake_in_a_transaction_fails_the_transaction(connection, table):
    connection.execute(f"create table {table} (v int)")
    connection.execute("begin")
    connection.execute(f"insert into {table} values (1)")
    assert error_of(connection, "set tidemark.consistency = 'none'").sqlstate == "22023"
    assert error_of(connection, "select 1").sqlstate == "25P02"
    connection.execute("commit")
    assert value(connection, f"select count(*) from {table}") == 0


def test_set_local_outside_of_a_transaction_warns_and_sets_nothing(connection):
    warnings = []
    connection.add_notice_handler(lambda diagnostic: warnings.append(diagnostic.sqlstate))
    connection.execute("set local tidemark.consistency = 'strong'")
    assert warnings == ["25P01"]
    assert level(connection) == "session"


def test_a_startup_option_is_what_reset_goes_back_to(connect):
    connection = connect(options="-c tidemark.consistency=strong -c tidemark.user=u7")
    assert level(connection) == "strong"
    assert value(connection, "show tidemark.user") == "u7"
    connection.execute("set tidemark.consistency = 'eventual'")
    connection.execute("reset all")
    assert level(connection) == "strong"
    connection.execute("set tidemark.user = 'u8'")
    connection.execute("discard all")
    assert value(connection, "show tidemark.user") == "u7"


def test_a_startup_option_that_makes_no_sense_is_told_at_the_start(proxy):
    for options, code in (("-c tidemark.consistency=none", "22023"), ("-c tidemark.level=strong", "42704")):
        with pytest.raises(psycopg.OperationalError) as caught:
            psycopg.connect(proxy.dsn(connect_timeout=10), options=options)
        assert "tidemark." in str(caught.value), code


def test_they_never_reach_a_server(connection, cluster):
    connection.execute("set tidemark.user = 'nobody'")
    connection.execute("begin")
    assert error_of(connection, "select current_setting('tidemark.user')").sqlstate == "42704"
    connection.execute("rollback")


def test_prepared_and_described_as_drivers_do_it(connection):
    for _ in range(3):
        connection.execute("set tidemark.consistency = 'strong'", prepare=True)
        assert connection.execute("show tidemark.consistency", prepare=True).fetchone() == ("strong",)
        cursor = connection.execute("show tidemark.consistency", prepare=True)
        assert [column.name for column in cursor.description] == ["tidemark.consistency"]
        connection.execute("reset tidemark.consistency", prepare=True)


def test_binary_results_are_the_same_text(connection):
    with connection.cursor(binary=True) as cursor:
        assert cursor.execute("show tidemark.consistency").fetchone() == ("session",)


def test_the_last_route_says_where_and_why(connection, cluster, table):
    connection.execute(f"create table {table} (v int)")
    assert f":{cluster.primary.port}: write" in route(connection)
    connection.execute("select 1")
    told = route(connection)
    assert told.startswith("read at ")
    assert "level session (routing.consistency)" in told
    connection.execute("set tidemark.consistency = 'eventual'")
    connection.execute("select 1")
    assert "no_floor, level eventual (tidemark.consistency)" in route(connection)


def test_trace_tells_of_each_statement(connection, cluster):
    notices = []
    connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    connection.execute("set tidemark.trace = on")
    connection.execute("select 1")
    connection.execute("create temporary table traced (v int)")
    assert len(notices) == 2
    assert notices[0].startswith("tidemark: read at ")
    assert notices[1].startswith(f"tidemark: write at 127.0.0.1:{cluster.primary.port}: write")


def test_explain_route_shows_what_would_happen_and_does_not_do_it(connection, cluster, table):
    connection.execute(f"create table {table} (v int)")
    told = "\n".join(row[0] for row in connection.execute(f"explain route insert into {table} values (1)"))
    assert "statement: write" in told
    assert f"send to 127.0.0.1:{cluster.primary.port}" in told
    assert value(connection, f"select count(*) from {table}") == 0
    told = [row[0] for row in connection.execute(f"explain route select * from {table}")]
    assert sum(line.startswith("node:") for line in told) == 3
    assert any(line.startswith("level:") and "session (routing.consistency)" in line for line in told)
    assert error_of(connection, "explain route").sqlstate == "42601"
    assert connection.execute("explain (costs off) select 1").fetchone() == ("Result",)


def test_explain_route_in_a_pipeline_is_refused_and_the_connection_goes_on(connection):
    with pytest.raises(psycopg.Error) as caught:
        with connection.pipeline():
            connection.execute("select 1")
            connection.execute("set tidemark.consistency = 'strong'")
            connection.execute("select 2")
    assert caught.value.sqlstate == "0A000"
    assert value(connection, "select 3") == 3

"""psycopg 3: extended protocol, server-side prepared statements, pipelines, COPY."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def connection(proxy):
    made = psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True)
    yield made
    made.close()


def test_a_statement_is_prepared_past_the_threshold(connection):
    connection.prepare_threshold = 3
    assert [connection.execute("select %s::int * 2", [index]).fetchone() for index in range(20)] == [
        (index * 2,) for index in range(20)
    ]


def test_more_prepared_statements_than_the_client_keeps(connection):
    connection.prepare_threshold = 0
    connection.prepared_max = 10
    for index in range(50):
        assert connection.execute(f"select {index} + %s::int", [1]).fetchone() == (index + 1,)


def test_binary_parameters_and_results(connection):
    cursor = connection.cursor(binary=True)
    row = cursor.execute("select %b::int8, %b::text, %b::bytea, %b::float8", [2**40, "é", b"\0\xff", 0.5]).fetchone()
    assert row == (2**40, "é", b"\0\xff", 0.5)


def test_pipeline_mode_answers_in_order(connection, table):
    with connection.pipeline():
        connection.execute(f"create table {table} (v int)")
        cursors = [connection.execute(f"insert into {table} values (%s) returning v", [index]) for index in range(100)]
    assert [cursor.fetchone() for cursor in cursors] == [(index,) for index in range(100)]


def test_an_error_in_a_pipeline_aborts_up_to_the_sync_and_no_further(connection):
    with pytest.raises(errors.DivisionByZero), connection.pipeline() as pipeline:
        first = connection.execute("select 1")
        pipeline.sync()
        connection.execute("select 1/0")
        aborted = connection.execute("select 2")
        pipeline.sync()
    assert first.fetchone() == (1,)
    with pytest.raises(psycopg.Error):
        aborted.fetchone()
    assert connection.execute("select 3").fetchone() == (3,)


def test_executemany_returns_every_result(connection, table):
    connection.execute(f"create table {table} (v int)")
    cursor = connection.cursor()
    cursor.executemany(f"insert into {table} values (%s) returning v", [(index,) for index in range(50)], returning=True)
    seen = [cursor.fetchone()]
    while cursor.nextset():
        seen.append(cursor.fetchone())
    assert seen == [(index,) for index in range(50)]


def test_copy_in_and_out(connection, table):
    connection.execute(f"create table {table} (a int, b text)")
    with connection.cursor().copy(f"copy {table} from stdin") as copy:
        for index in range(20000):
            copy.write_row((index, f"text {index}"))
    with connection.cursor().copy(f"copy (select * from {table} order by a) to stdout") as copy:
        copy.set_types(["int4", "text"])
        rows = list(copy.rows())
    assert rows == [(index, f"text {index}") for index in range(20000)]


def test_a_copy_given_up_by_the_client(connection, table):
    connection.execute(f"create table {table} (a int)")
    with pytest.raises(errors.QueryCanceled):
        with connection.cursor().copy(f"copy {table} from stdin") as copy:
            copy.write_row((1,))
            raise RuntimeError("changed my mind")
    assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_a_copy_out_left_in_the_middle(connection):
    with pytest.raises(RuntimeError):
        with connection.cursor().copy("copy (select generate_series(1, 3000000)) to stdout") as copy:
            for _ in copy:
                raise RuntimeError("that is enough")
    assert connection.execute("select 1").fetchone() == (1,)


def test_notices_reach_the_handler(connection):
    heard: list[str] = []
    connection.add_notice_handler(lambda diagnostic: heard.append(diagnostic.message_primary))
    connection.execute("do $$ begin raise warning 'one'; raise notice 'two'; end $$")
    assert heard == ["one", "two"]


def test_a_server_cursor_in_a_transaction(connection):
    with connection.transaction(), connection.cursor(name="rows") as cursor:
        cursor.itersize = 500
        cursor.execute("select generate_series(1, 5000)")
        assert cursor.fetchone() == (1,)
        assert len(cursor.fetchmany(99)) == 99
        assert sum(1 for _ in cursor) == 4900


def test_a_scrollable_server_cursor(connection):
    with connection.transaction(), connection.cursor(name="rows", scrollable=True) as cursor:
        cursor.execute("select generate_series(1, 100)")
        cursor.scroll(49)
        assert cursor.fetchone() == (50,)
        cursor.scroll(-50)
        assert cursor.fetchone() == (1,)


def test_nested_transactions_by_savepoints(connection, table):
    connection.execute(f"create table {table} (v int)")
    with connection.transaction():
        connection.execute(f"insert into {table} values (1)")
        with pytest.raises(errors.DivisionByZero), connection.transaction():
            connection.execute(f"insert into {table} values (2)")
            connection.execute("select 1/0")
        connection.execute(f"insert into {table} values (3)")
    assert connection.execute(f"select array_agg(v order by v) from {table}").fetchone() == ([1, 3],)


def test_transaction_status_follows_the_server(connection):
    status = psycopg.pq.TransactionStatus
    assert connection.info.transaction_status == status.IDLE
    connection.execute("begin")
    assert connection.info.transaction_status == status.INTRANS
    with pytest.raises(errors.SyntaxError):
        connection.execute("no such statement")
    assert connection.info.transaction_status == status.INERROR
    assert connection.execute("commit").statusmessage == "ROLLBACK"
    assert connection.info.transaction_status == status.IDLE


def test_diagnostics_of_an_error_are_complete(connection, table):
    connection.execute(f"create table {table} (v int constraint {table}_positive check (v > 0))")
    with pytest.raises(errors.CheckViolation) as caught:
        connection.execute(f"insert into {table} values (-1)")
    diagnostic = caught.value.diag
    assert (diagnostic.sqlstate, diagnostic.table_name, diagnostic.constraint_name) == ("23514", table, f"{table}_positive")
    assert diagnostic.message_detail and diagnostic.source_file


def test_ddl_after_preparing_does_not_break_the_statement(connection, table):
    connection.prepare_threshold = 0
    connection.execute(f"create table {table} (a int)")
    connection.execute(f"insert into {table} values (1)")
    assert connection.execute(f"select a from {table}").fetchone() == (1,)
    connection.execute(f"alter table {table} add b int default 5")
    assert connection.execute(f"select a from {table}").fetchone() == (1,)


def test_an_empty_query(connection):
    assert connection.execute("").statusmessage in ("", None)
    assert connection.execute("select 1").fetchone() == (1,)


def test_parameter_status_changes_reach_the_client(connection):
    connection.execute("set timezone to 'Asia/Tokyo'")
    assert connection.info.parameter_status("TimeZone") == "Asia/Tokyo"
    connection.execute("set application_name to 'shopping'")
    assert connection.info.parameter_status("application_name") == "shopping"

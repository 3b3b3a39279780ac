"""psycopg2: the simple query protocol of libpq, as most Python applications know it."""

from __future__ import annotations

import decimal
import io

import psycopg2
import psycopg2.errors
import psycopg2.extras
import pytest


@pytest.fixture
def connection(proxy):
    made = psycopg2.connect(connect_timeout=10, **proxy.parameters())
    yield made
    made.close()


def test_a_transaction_commits_and_rolls_back(connection, table):
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create table {table} (v int)")
    with connection, connection.cursor() as cursor:
        cursor.execute(f"insert into {table} values (%s), (%s)", (1, 2))
    with pytest.raises(RuntimeError), connection, connection.cursor() as cursor:
        cursor.execute(f"insert into {table} values (3)")
        raise RuntimeError
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select sum(v) from {table}")
        assert cursor.fetchone() == (3,)


def test_values_of_many_types_come_back_as_they_went(connection):
    values = (1, 2.5, "é ' \\ \n", None, True, [1, 2, 3], b"\x00\xff\x01")
    with connection.cursor() as cursor:
        cursor.execute("select %s, %s, %s, %s, %s, %s, %s::bytea", (*values[:-1], psycopg2.Binary(values[-1])))
        row = cursor.fetchone()
    assert row is not None and row[:2] == (1, decimal.Decimal("2.5")) and row[2:6] == values[2:6]
    assert bytes(row[6]) == values[6]


def test_copy_expert_both_ways(connection, table):
    text = "".join(f"{index}\t{index * index}\n" for index in range(20000))
    with connection.cursor() as cursor:
        cursor.execute(f"create table {table} (a int, b bigint)")
        cursor.copy_expert(f"copy {table} from stdin", io.StringIO(text))
        result = io.StringIO()
        cursor.copy_expert(f"copy (select * from {table} order by a) to stdout", result)
    connection.commit()
    assert result.getvalue() == text


def test_a_failed_copy_leaves_a_usable_connection(connection, table):
    with connection.cursor() as cursor:
        cursor.execute(f"create table {table} (a int)")
        connection.commit()
        with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
            cursor.copy_expert(f"copy {table} from stdin", io.StringIO("1\nno number\n" + "2\n" * 100000))
        connection.rollback()
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)


def test_a_named_cursor_reads_in_parts(connection):
    with connection.cursor(name="parts") as cursor:
        cursor.itersize = 100
        cursor.execute("select generate_series(1, 1050)")
        assert sum(row[0] for row in cursor) == 1050 * 1051 // 2


def test_execute_values_and_execute_batch(connection, table):
    with connection.cursor() as cursor:
        cursor.execute(f"create table {table} (v int)")
        psycopg2.extras.execute_values(cursor, f"insert into {table} values %s", [(index,) for index in range(2500)])
        psycopg2.extras.execute_batch(cursor, f"insert into {table} values (%s)", [(index,) for index in range(250)])
        cursor.execute(f"select count(*) from {table}")
        assert cursor.fetchone() == (2750,)
    connection.commit()


def test_an_error_fails_the_transaction_until_rollback(connection):
    with connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.DivisionByZero):
            cursor.execute("select 1/0")
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("select 1")
        connection.rollback()
        cursor.execute("select 1")


def test_server_version_and_encoding_are_reported_at_login(connection, cluster):
    assert connection.server_version == cluster.primary.connect().connection.server_version
    assert connection.encoding == "UTF8"
    assert connection.get_parameter_status("standard_conforming_strings") == "on"
    assert connection.get_parameter_status("server_version")


def test_autocommit(connection, table):
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"create table {table} (v int)")
        cursor.execute(f"insert into {table} values (1) returning v")
        assert cursor.fetchone() == (1,)
        cursor.execute("vacuum " + table)  # refused inside a transaction


def test_isolation_level_and_read_only(connection, table, shop):
    shop(f"create table {table} (v int)")
    connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('transaction_read_only')")
        assert cursor.fetchone() == ("on",)
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            cursor.execute(f"insert into {table} values (1)")
    connection.rollback()


def test_two_phase_commit_is_told_by_the_server(connection):
    # max_prepared_transactions is 0: the server's own refusal has to come through.
    with connection.cursor() as cursor:
        cursor.execute("select pg_current_xact_id()")
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
            cursor.execute("prepare transaction 'x'")
    connection.rollback()

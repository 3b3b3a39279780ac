"""psycopg2: the simple protocol only, and libpq's asynchronous ways."""

from __future__ import annotations

import datetime
import decimal
import io
import select
import threading
import uuid

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool
import pytest
from psycopg2 import errors

TEXT = "0123456789" * 1_000_000


@pytest.fixture
def connection(login, table):  # closed before the table is dropped
    made = psycopg2.connect(**login.parameters())
    made.autocommit = True
    yield made
    made.close()


def rows(connection, statement: str, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def value(connection, statement: str, *parameters):
    return rows(connection, statement, *parameters)[0][0]


def test_log_in(method):
    connection = psycopg2.connect(**method.parameters())
    assert value(connection, "select current_user") == method.user
    connection.close()


def test_a_wrong_password_is_told_as_one(method):
    if method.password is None:
        return  # nothing to be wrong
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(**method.parameters(password="wrong"))


def test_prepared(connection):
    rows(connection, "prepare twice (int) as select $1 * 2")
    for index in range(20):
        assert value(connection, "execute twice(%s)", index) == 2 * index
    rows(connection, "deallocate twice")
    with pytest.raises(errors.InvalidSqlStatementName):
        rows(connection, "execute twice(1)")


def test_transactions(connection, table):
    rows(connection, f"create table {table} (v int)")
    connection.autocommit = False
    rows(connection, f"insert into {table} values (1)")
    rows(connection, "savepoint one")
    rows(connection, f"insert into {table} values (2)")
    rows(connection, "rollback to one")
    connection.commit()
    rows(connection, f"delete from {table}")
    connection.rollback()
    assert rows(connection, f"select v from {table}") == [(1,)]


def test_read_only(connection, table):
    rows(connection, f"create table {table} (v int)")
    connection.set_session(readonly=True, isolation_level="REPEATABLE READ", autocommit=False)
    assert value(connection, f"select count(*) from {table}") == 0
    with pytest.raises(errors.ReadOnlySqlTransaction):
        rows(connection, f"insert into {table} values (1)")
    connection.rollback()
    connection.set_session(readonly=False)
    rows(connection, f"insert into {table} values (1)")
    connection.commit()


def test_a_read_only_session_in_autocommit(connection, table):
    rows(connection, f"create table {table} (v int)")
    connection.set_session(readonly=True, autocommit=True)  # SET default_transaction_read_only
    assert value(connection, f"select count(*) from {table}") == 0
    with pytest.raises(errors.ReadOnlySqlTransaction):
        rows(connection, f"insert into {table} values (1)")
    connection.set_session(readonly=False)
    rows(connection, f"insert into {table} values (1)")


def test_copy(connection, table):
    rows(connection, f"create table {table} (a int, b text)")
    data = "".join(f"{index}\ttext {index}\n" for index in range(20000))
    with connection.cursor() as cursor:
        cursor.copy_expert(f"copy {table} from stdin", io.StringIO(data))
        assert cursor.rowcount == 20000
        out = io.StringIO()
        cursor.copy_expert(f"copy (select * from {table} order by a) to stdout", out)
        assert out.getvalue() == data
        with pytest.raises(errors.InvalidTextRepresentation):
            cursor.copy_from(io.StringIO("no number\tx\n"), table)
    assert value(connection, f"select count(*) from {table}") == 20000


def test_cancel(connection):
    done = threading.Event()

    def keep_asking() -> None:
        while not done.wait(0.1):
            connection.cancel()

    asker = threading.Thread(target=keep_asking)
    asker.start()
    try:
        with pytest.raises(errors.QueryCanceled):
            rows(connection, "select pg_sleep(40)")
    finally:
        done.set()
        asker.join()
    assert value(connection, "select 1") == 1


def test_listen(login, connection, table):
    other = psycopg2.connect(**login.parameters())
    other.autocommit = True
    rows(connection, f"listen {table}")
    for index in range(3):
        rows(other, "select pg_notify(%s, %s)", table, f"number {index}")
        assert select.select([connection], [], [], 10)[0], "no notification within 10 s"
        connection.poll()
        assert [(heard.channel, heard.payload) for heard in connection.notifies] == [(table, f"number {index}")]
        connection.notifies.clear()
    other.close()


def test_batch(connection, table):
    rows(connection, f"create table {table} (v int)")
    with connection.cursor() as cursor:
        psycopg2.extras.execute_batch(cursor, f"insert into {table} values (%s)", [(index,) for index in range(500)])
        found = psycopg2.extras.execute_values(
            cursor, f"insert into {table} values %s returning v", [(index,) for index in range(500)], fetch=True
        )
        assert found == [(index,) for index in range(500)]
    assert value(connection, f"insert into {table} values (1); select count(*) from {table}") == 1001


def test_arrays(connection):
    assert value(connection, "select %s::int[]", [1, 2, None]) == [1, 2, None]
    assert value(connection, "select %s::text[]", ["a", 'b "c"', "{}"]) == ["a", 'b "c"', "{}"]
    assert value(connection, "select count(*) from generate_series(1, 10) i where i in %s", (2, 4, 99)) == 2


def test_types(connection):
    psycopg2.extras.register_uuid(conn_or_curs=connection)
    when = datetime.datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=datetime.timezone.utc)
    for one in [
        when, datetime.date(2024, 2, 29), datetime.timedelta(days=3, seconds=5), decimal.Decimal("12345678901234567890.123456789"),
        uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "ü 漢 😀 '\"\\", True, None,
    ]:  # fmt: skip
        assert value(connection, "select %s", one) == one
    assert bytes(value(connection, "select %s", psycopg2.Binary(b"\0\xff"))) == b"\0\xff"
    assert value(connection, "select %s::jsonb", psycopg2.extras.Json({"a": [1, None, "ü"]})) == {"a": [1, None, "ü"]}


def test_large(connection, table):
    assert value(connection, "select %s::text", TEXT) == TEXT
    rows(connection, f"create table {table} (v bytea)")
    rows(connection, f"insert into {table} values (%s)", psycopg2.Binary(TEXT.encode()))
    assert bytes(value(connection, f"select v from {table}")) == TEXT.encode()


def test_large_object(connection):
    connection.autocommit = False
    made = connection.lobject(mode="wb")
    made.write(TEXT.encode()[:2_000_000])
    made.close()
    connection.commit()
    found = connection.lobject(made.oid, "rb")
    assert found.read() == TEXT.encode()[:2_000_000]
    found.unlink()
    connection.commit()


def test_errors(connection, table):
    for statement, error in [
        ("select 1/0", errors.DivisionByZero),
        ("no such statement", errors.SyntaxError),
        (f"select * from {table}", errors.UndefinedTable),
    ]:
        with pytest.raises(error):
            rows(connection, statement)
    rows(connection, f"create table {table} (v int constraint {table}_key unique)")
    rows(connection, f"insert into {table} values (1)")
    with pytest.raises(errors.UniqueViolation) as caught:
        rows(connection, f"insert into {table} values (1)")
    assert (caught.value.diag.constraint_name, caught.value.diag.table_name) == (f"{table}_key", table)
    assert value(connection, "select 1") == 1


def test_errors_in_transaction(connection, table):
    rows(connection, f"create table {table} (v int)")
    connection.autocommit = False
    rows(connection, f"insert into {table} values (1)")
    with pytest.raises(errors.DivisionByZero):
        rows(connection, "select 1/0")
    with pytest.raises(errors.InFailedSqlTransaction):
        rows(connection, "select 1")
    connection.rollback()
    assert value(connection, f"select count(*) from {table}") == 0


def test_settings(login, connection):
    other = psycopg2.connect(**login.parameters(options="-c work_mem=9MB -c search_path=pg_catalog"))
    connection.set_client_encoding("LATIN1")
    rows(connection, "set timezone to 'Asia/Tokyo'")
    for _ in range(20):
        assert connection.encoding == "LATIN1" and value(connection, "select 'ü'::text") == "ü"
        assert value(connection, "show timezone") == "Asia/Tokyo" and value(connection, "show work_mem") == "4MB"
        assert value(other, "show search_path") == "pg_catalog" and value(other, "show work_mem") == "9MB"
        assert value(other, "show client_encoding") == "UTF8"
        other.rollback()
    other.close()
    connection.reset()  # what the driver's pool does: ABORT, RESET ALL, SET SESSION AUTHORIZATION DEFAULT
    assert value(connection, "show timezone") == "UTC"


def test_cursor(connection):
    connection.autocommit = False
    with connection.cursor("rows") as cursor:
        cursor.itersize = 500
        cursor.execute("select generate_series(1, 5000)")
        assert [row[0] for row in cursor] == list(range(1, 5001))
    connection.commit()
    with connection.cursor("kept", withhold=True) as cursor:
        cursor.execute("select generate_series(1, 100)")
        connection.commit()
        assert len(cursor.fetchall()) == 100
    connection.commit()


def test_two_phase_commit(connection, table):
    """Refused by a server without max_prepared_transactions, and told so."""
    rows(connection, f"create table {table} (v int)")
    connection.autocommit = False
    connection.tpc_begin(connection.xid(1, table, "branch"))
    rows(connection, f"insert into {table} values (1)")
    with pytest.raises(errors.ObjectNotInPrerequisiteState):
        connection.tpc_prepare()
    connection.tpc_rollback()
    assert value(connection, f"select count(*) from {table}") == 0


def test_asynchronous_connection(login):
    connection = psycopg2.connect(async_=1, **login.parameters())

    def wait() -> None:
        while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
            sides = ([connection], []) if state == psycopg2.extensions.POLL_READ else ([], [connection])
            assert any(select.select(*sides, [], 10))

    wait()
    cursor = connection.cursor()
    cursor.execute("select %s", [TEXT])
    wait()
    assert cursor.fetchone() == (TEXT,)
    connection.close()


def test_pool(narrow_login, table):
    pool = psycopg2.pool.ThreadedConnectionPool(12, 12, **narrow_login.parameters())
    setup = pool.getconn()
    rows(setup, f"create table {table} (worker int, v int)")
    setup.commit()
    pool.putconn(setup)
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for index in range(20):
                connection = pool.getconn()
                rows(connection, f"insert into {table} values (%s, %s)", worker, index)
                assert value(connection, "select %s * 1000 + %s", worker, index) == worker * 1000 + index
                if index % 4 != 3:
                    connection.commit()
                pool.putconn(connection)  # rolls back what is open
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    workers = [threading.Thread(target=work, args=[worker]) for worker in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    last = pool.getconn()
    assert value(last, f"select count(*) from {table}") == 12 * 15
    pool.closeall()

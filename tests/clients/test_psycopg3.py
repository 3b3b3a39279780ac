"""psycopg 3: one connection at a time, asynchronous, and its pools."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import threading
import uuid

import psycopg
import psycopg_pool
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from support.deadline import PATIENCE, wait_until

TEXT = "0123456789" * 1_000_000


@pytest.fixture
def connection(login, table):  # closed before the table is dropped
    with psycopg.connect(login.dsn(), autocommit=True) as made:
        yield made


def value(connection, statement: str, *parameters):
    return connection.execute(statement, parameters or None).fetchone()[0]


def test_log_in(method):
    with psycopg.connect(method.dsn()) as connection:
        assert value(connection, "select current_user") == method.user


def test_a_wrong_password_is_told_as_one(method):
    if method.password is None:
        return  # nothing to be wrong
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(method.dsn(password="wrong"))


def test_prepared_past_the_threshold(connection, table):
    connection.prepare_threshold, connection.prepared_max = 3, 10
    for index in range(60):
        assert value(connection, f"select {index % 15} + %s::int", index) == index % 15 + index
    connection.execute(f"create table {table} (a int)")
    for _ in range(6):
        connection.execute(f"insert into {table} values (%s)", [1])
    assert value(connection, f"select count(*) from {table}") == 6


def test_statements_given_up_within_a_pipeline(connection):
    """psycopg deallocates what it has too many of, in the middle of the pipeline."""
    connection.prepare_threshold, connection.prepared_max = 0, 2
    for _ in range(3):
        with connection.pipeline():
            cursors = [connection.execute(f"select {index} * 100 + %s::int", [index]) for index in range(8)]
        assert [cursor.fetchone()[0] for cursor in cursors] == [index * 101 for index in range(8)]


def test_transactions(connection, table):
    connection.execute(f"create table {table} (v int)")
    with connection.transaction():
        connection.execute(f"insert into {table} values (1)")
        with pytest.raises(errors.DivisionByZero), connection.transaction():
            connection.execute(f"insert into {table} values (2)")
            connection.execute("select 1/0")
    with pytest.raises(RuntimeError), connection.transaction():
        connection.execute(f"delete from {table}")
        raise RuntimeError
    with connection.transaction(force_rollback=True):
        connection.execute(f"delete from {table}")
    assert connection.execute(f"select v from {table}").fetchall() == [(1,)]


def test_read_only(connection, table):
    connection.execute(f"create table {table} (v int)")
    connection.autocommit = False
    connection.read_only, connection.isolation_level = True, psycopg.IsolationLevel.REPEATABLE_READ
    assert value(connection, f"select count(*) from {table}") == 0
    with pytest.raises(errors.ReadOnlySqlTransaction):
        connection.execute(f"insert into {table} values (1)")
    connection.rollback()
    connection.read_only = None
    connection.execute(f"insert into {table} values (1)")
    connection.commit()


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_copy(connection, table, kind):
    connection.execute(f"create table {table} (a int, b text)")
    rows = [(index, None if index % 7 == 0 else f"text\t{index}\n") for index in range(5000)]
    with connection.cursor().copy(f"copy {table} from stdin (format {kind})") as copy:
        copy.set_types(["int4", "text"])
        for row in rows:
            copy.write_row(row)
    with connection.cursor().copy(f"copy (select * from {table} order by a) to stdout (format {kind})") as copy:
        copy.set_types(["int4", "text"])
        assert list(copy.rows()) == rows


def test_cancel(connection):
    done = threading.Event()

    def keep_asking() -> None:
        while not done.wait(0.1):
            connection.cancel()

    asker = threading.Thread(target=keep_asking)
    asker.start()
    try:
        with pytest.raises(errors.QueryCanceled):
            connection.execute("select pg_sleep(40)")
    finally:
        done.set()
        asker.join()
    wait_until(lambda: value(connection, "select 1") == 1, "an answer", 10, ignore=(errors.QueryCanceled,))


def test_listen(login, connection, table):
    connection.execute(f"listen {table}")
    with psycopg.connect(login.dsn(), autocommit=True) as other:
        heard = connection.notifies()
        for index in range(3):
            other.execute("select pg_notify(%s, %s)", [table, f"number {index}"])
            notification = next(heard)
            assert (notification.channel, notification.payload) == (table, f"number {index}")
        heard.close()
    connection.execute("unlisten *")


def test_batch(connection, table):
    connection.execute(f"create table {table} (v int primary key)")
    with connection.pipeline() as pipeline:
        first = [connection.execute(f"insert into {table} values (%s) returning v", [index]) for index in range(50)]
        pipeline.sync()
        second = [connection.execute("select %s::int * 2", [index]) for index in range(50)]
    assert [cursor.fetchone()[0] for cursor in first + second] == [*range(50), *range(0, 100, 2)]
    with pytest.raises(errors.UniqueViolation), connection.pipeline():
        connection.execute(f"insert into {table} values (100)")
        connection.execute(f"insert into {table} values (1)")
        connection.execute(f"insert into {table} values (101)")
    connection.cursor().executemany(f"insert into {table} values (%s)", [(index,) for index in range(200, 300)])
    assert value(connection, f"select count(*) from {table} where v <> 100") == 150


def test_binary(connection):
    cursor = connection.cursor(binary=True)
    for _ in range(8):
        row = cursor.execute("select %b::int8, %b::bytea, %b::float8, %b::text", [2**40, b"\0\xff", 0.1, None]).fetchone()
        assert row == (2**40, b"\0\xff", 0.1, None)
        assert cursor.pgresult.fformat(0) == 1


def test_arrays(connection):
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        row = cursor.execute("select %s::int[], %s::text[], %s::int[][]", [[1, 2, None], ["a", 'b "c"', "{}"], [[1], [2]]]).fetchone()
        assert row == ([1, 2, None], ["a", 'b "c"', "{}"], [[1], [2]])
    assert value(connection, "select count(*) from generate_series(1, 10) i where i = any(%s)", [2, 4, 99]) == 2


def test_types(connection):
    when = datetime.datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=datetime.timezone.utc)
    values = [
        when, datetime.date(2024, 2, 29), datetime.timedelta(days=3, seconds=5), decimal.Decimal("12345678901234567890.123456789"),
        uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "ü 漢 😀 '\"\\", True, 0.1, None, b"\0\xff",
    ]  # fmt: skip
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        marks = ", ".join(["%s"] * 8 + ["%s::int", "%s"])
        assert list(cursor.execute(f"select {marks}", values).fetchone()) == values
        assert cursor.execute("select %s", [Jsonb({"a": [1, None, "ü"]})]).fetchone() == ({"a": [1, None, "ü"]},)


def test_large(connection, table):
    assert value(connection, "select %s::text", TEXT) == TEXT
    connection.execute(f"create table {table} (v bytea)")
    connection.execute(f"insert into {table} values (%b)", [TEXT.encode()])
    assert connection.cursor(binary=True).execute(f"select v from {table}").fetchone() == (TEXT.encode(),)


@pytest.mark.parametrize("way", ["simple", "extended", "copy"])
def test_large_and_has_to_wait_for_a_server_connection(single, table, way):
    with psycopg.connect(single.dsn(), autocommit=True) as holder, psycopg.connect(single.dsn(), autocommit=True) as one:
        holder.execute(f"create table {table} (v text)")
        failures: list[BaseException] = []

        def send() -> None:
            try:
                if way == "simple":
                    one.execute(f"insert into {table} values ('{TEXT}')")
                elif way == "extended":
                    one.execute(f"insert into {table} values (%s)", [TEXT])
                else:
                    with one.cursor().copy(f"copy {table} from stdin") as copy:
                        copy.write(TEXT + "\n")
            except BaseException as failure:  # noqa: BLE001
                failures.append(failure)

        with holder.transaction():
            holder.execute(f"insert into {table} values ('held')")
            sender = threading.Thread(target=send)
            sender.start()
            sender.join(0.5)  # the statement gets its time to arrive and wait
        sender.join(20 * PATIENCE)
        assert not sender.is_alive() and not failures
        with holder.transaction():  # on the primary, which has what other clients have written
            assert value(holder, f"select sum(length(v)) from {table}") == len(TEXT) + len("held")


def test_errors(connection, table):
    for statement, error in [
        ("select 1/0", errors.DivisionByZero),
        ("no such statement", errors.SyntaxError),
        (f"select * from {table}", errors.UndefinedTable),
    ]:
        for prepare in (False, True):
            with pytest.raises(error):
                connection.execute(statement, prepare=prepare)
    with pytest.raises(errors.InvalidTextRepresentation):
        connection.execute("select %s::text::int", ["x"])
    connection.execute(f"create table {table} (v int constraint {table}_key unique)")
    connection.execute(f"insert into {table} values (1)")
    with pytest.raises(errors.UniqueViolation) as caught:
        connection.execute(f"insert into {table} values (%s)", [1])
    assert (caught.value.diag.constraint_name, caught.value.diag.table_name) == (f"{table}_key", table)
    assert value(connection, "select 1") == 1


def test_errors_in_transaction(connection, table):
    connection.execute(f"create table {table} (v int)")
    connection.autocommit = False
    connection.execute(f"insert into {table} values (%s)", [1])
    with pytest.raises(errors.DivisionByZero):
        connection.execute("select 1/%s", [0])
    with pytest.raises(errors.InFailedSqlTransaction):
        connection.execute("select 1")
    connection.commit()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert value(connection, f"select count(*) from {table}") == 0


def test_settings(login, connection):
    with psycopg.connect(login.dsn(application_name="other"), autocommit=True) as other:
        connection.execute("set timezone to 'Asia/Tokyo'")
        other.execute("select set_config('work_mem', '9MB', false)")
        for _ in range(20):
            assert connection.info.parameter_status("TimeZone") == "Asia/Tokyo"
            assert value(connection, "show timezone") == "Asia/Tokyo" and value(connection, "show work_mem") == "4MB"
            assert value(other, "show timezone") == "UTC" and value(other, "show work_mem") == "9MB"
            assert value(other, "select current_setting('application_name')") == "other"


def test_cursor(connection, table):
    with connection.transaction(), connection.cursor(name="rows") as cursor:
        cursor.itersize = 500
        cursor.execute("select generate_series(1, %s)", [5000])
        assert [row[0] for row in cursor] == list(range(1, 5001))
    with connection.transaction(), connection.cursor(name="rows", scrollable=True) as cursor:
        cursor.execute("select generate_series(1, 100)")
        cursor.scroll(49)
        assert cursor.fetchone() == (50,)
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchone() == (1,)
    with connection.cursor(name="kept", withhold=True) as cursor:
        cursor.execute("select generate_series(1, 100)")
        assert len(cursor.fetchall()) == 100


def test_pool(narrow_login, table):
    def work(worker: int, pool: psycopg_pool.ConnectionPool) -> None:
        for index in range(20):
            with pool.connection() as connection:
                connection.execute(f"insert into {table} values (%s, %s)", [worker, index])
                if index % 4 == 3:
                    connection.rollback()
            with pool.connection() as connection:
                assert value(connection, "select %s::int * 1000 + %s::int", worker, index) == worker * 1000 + index

    with psycopg_pool.ConnectionPool(narrow_login.dsn(), min_size=12, max_size=12) as pool:
        pool.wait(20 * PATIENCE)
        with pool.connection() as connection:
            connection.execute(f"create table {table} (worker int, v int)")
        failures: list[BaseException] = []

        def guarded(worker: int) -> None:
            try:
                work(worker, pool)
            except BaseException as failure:  # noqa: BLE001
                failures.append(failure)

        workers = [threading.Thread(target=guarded, args=[worker]) for worker in range(12)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not failures
        with pool.connection() as connection:
            assert value(connection, f"select count(*) from {table}") == 12 * 15


def run(body) -> None:
    asyncio.run(asyncio.wait_for(body, 50))


def test_async_pipeline_and_notification(login, table):
    async def body() -> None:
        async with await psycopg.AsyncConnection.connect(login.dsn(), autocommit=True) as connection:
            await connection.execute(f"listen {table}")
            async with connection.pipeline():
                cursors = [await connection.execute("select %s::int * 2", [index]) for index in range(50)]
            assert [(await cursor.fetchone())[0] for cursor in cursors] == list(range(0, 100, 2))
            async with await psycopg.AsyncConnection.connect(login.dsn(), autocommit=True) as other:
                await other.execute(f"notify {table}, 'news'")
            async for notification in connection.notifies():
                assert notification.payload == "news"
                break
            async with connection.cursor().copy("copy (select generate_series(1, 1000)) to stdout") as copy:
                assert [int(row[0]) async for row in copy.rows()] == list(range(1, 1001))

    run(body())


def test_async_cancel_of_a_task(login):
    """From version 3.2 the driver asks the server by itself; here the application does."""

    async def body() -> None:
        async with await psycopg.AsyncConnection.connect(login.dsn(), autocommit=True) as connection:
            sleeping = asyncio.create_task(connection.execute("select pg_sleep(40)"))
            while not sleeping.done():
                await asyncio.sleep(0.1)
                await asyncio.to_thread(connection.cancel)
            with pytest.raises(errors.QueryCanceled):
                await sleeping
            assert (await (await connection.execute("select 1")).fetchone()) == (1,)

    run(body())


def test_async_pool(narrow_login, table):
    async def body() -> None:
        async with psycopg_pool.AsyncConnectionPool(narrow_login.dsn(), min_size=12, max_size=12) as pool:
            async with pool.connection() as connection:
                await connection.execute(f"create table {table} (worker int, v int)")

            async def work(worker: int) -> None:
                for index in range(20):
                    async with pool.connection() as connection:
                        await connection.execute(f"insert into {table} values (%s, %s)", [worker, index])
                        cursor = await connection.execute("select %s::int * 1000 + %s::int", [worker, index])
                        assert (await cursor.fetchone()) == (worker * 1000 + index,)

            await asyncio.gather(*(work(worker) for worker in range(12)))
            async with pool.connection() as connection:
                cursor = await connection.execute(f"select count(*) from {table}")
                assert (await cursor.fetchone()) == (240,)

    run(body())

"""asyncpg: binary throughout, a cache of prepared statements, a pool that resets what it gets back."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import io
import json
import uuid

import asyncpg
import pytest

from support.deadline import PATIENCE

TEXT = "0123456789" * 1_000_000


def arguments(login, **changes):
    base = {
        "host": login.server.host, "port": login.server.port, "user": login.user, "password": login.password,
        "database": login.database, "timeout": 10,
    }  # fmt: skip
    return base | login.asyncpg_options() | changes


@pytest.fixture
def using(login):
    """Runs a coroutine function with a connection."""

    def call(body, **changes) -> None:
        async def whole() -> None:
            connection = await asyncpg.connect(**arguments(login, **changes))
            try:
                await asyncio.wait_for(body(connection), 50)
            finally:
                await connection.close(timeout=5 * PATIENCE)

        asyncio.run(whole())

    return call


def test_log_in(method):
    async def body() -> None:
        connection = await asyncpg.connect(**arguments(method))
        assert await connection.fetchval("select current_user") == method.user
        await connection.close()

    asyncio.run(body())


def test_a_wrong_password_is_told_as_one(method):
    if method.password is None:
        return  # nothing to be wrong
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(asyncpg.connect(**arguments(method, password="wrong")))


def test_prepared_with_the_cache(using, table):
    async def body(connection) -> None:
        for index in range(60):
            assert await connection.fetchval(f"select {index % 15} + $1::int", index) == index % 15 + index
        statement = await connection.prepare("select $1::text || '!'")
        assert [parameter.name for parameter in statement.get_parameters()] == ["text"]
        assert await statement.fetchval("go") == "go!"

    using(body, statement_cache_size=10)


def test_no_cache(using):
    async def body(connection) -> None:
        for index in range(20):
            assert await connection.fetchval("select $1::int * 2", index) == 2 * index

    using(body, statement_cache_size=0)


def test_a_result_type_that_changes(using, table):
    async def body(connection) -> None:
        await connection.execute(f"create table {table} (a int); insert into {table} values (1)")
        assert await connection.fetchval(f"select * from {table}") == 1
        await connection.execute(f"alter table {table} alter a type text using 'x' || a")
        # The driver throws away what it knew when it is told; its next attempt prepares anew.
        try:
            found = await connection.fetchval(f"select * from {table}")
        except asyncpg.InvalidCachedStatementError:
            found = await connection.fetchval(f"select * from {table}")
        assert found == "x1"

    using(body)


def test_transactions(using, table):
    async def body(connection) -> None:
        await connection.execute(f"create table {table} (v int)")
        async with connection.transaction():
            await connection.execute(f"insert into {table} values ($1)", 1)
            with pytest.raises(asyncpg.DivisionByZeroError):
                async with connection.transaction():
                    await connection.execute(f"insert into {table} values ($1)", 2)
                    await connection.fetchval("select 1/0")
        with pytest.raises(RuntimeError):
            async with connection.transaction(isolation="serializable"):
                await connection.execute(f"delete from {table}")
                raise RuntimeError
        assert await connection.fetch(f"select v from {table}") == [(1,)]

    using(body)


def test_read_only(using, table):
    async def body(connection) -> None:
        await connection.execute(f"create table {table} (v int)")
        async with connection.transaction(readonly=True, isolation="repeatable_read"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with connection.transaction(readonly=True):
                await connection.execute(f"insert into {table} values ($1)", 1)
        await connection.execute(f"insert into {table} values ($1)", 1)

    using(body)


def test_copy(using, table):
    async def body(connection) -> None:
        await connection.execute(f"create table {table} (a int, b text)")
        records = [(index, f"text {index}") for index in range(20000)]
        assert await connection.copy_records_to_table(table, records=records) == "COPY 20000"
        out = io.BytesIO()
        await connection.copy_from_query(f"select * from {table} order by a", output=out)
        assert out.getvalue() == "".join(f"{a}\t{b}\n" for a, b in records).encode()
        out.seek(0)
        assert await connection.copy_to_table(table, source=out) == "COPY 20000"
        with pytest.raises(asyncpg.PostgresError):
            await connection.copy_to_table(table, source=io.BytesIO(b"no number\tx\n"))
        assert await connection.fetchval(f"select count(*) from {table}") == 40000

    using(body)


def test_cancel_by_timeout(using):
    async def body(connection) -> None:
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await connection.fetchval("select pg_sleep(50)", timeout=1)
            assert await connection.fetchval("select 1") == 1

    using(body)


def test_cancel_of_a_task(using):
    async def body(connection) -> None:
        task = asyncio.create_task(connection.fetchval("select pg_sleep(40)"))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await connection.fetchval("select 1") == 1

    using(body)


def test_listen(using, login, table):
    async def body(connection) -> None:
        heard: asyncio.Queue = asyncio.Queue()
        await connection.add_listener(table, lambda _, pid, channel, payload: heard.put_nowait((channel, payload)))
        other = await asyncpg.connect(**arguments(login))
        for index in range(3):
            await other.execute("select pg_notify($1, $2)", table, f"number {index}")
            assert await asyncio.wait_for(heard.get(), 10) == (table, f"number {index}")
        await other.close()
        await connection.reset()  # ends the listening, too

    using(body)


def test_batch(using, table):
    async def body(connection) -> None:
        await connection.execute(f"create table {table} (v int primary key)")
        await connection.executemany(f"insert into {table} values ($1)", [(index,) for index in range(1000)])
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.executemany(f"insert into {table} values ($1)", [(2000,), (1,), (2001,)])
        assert await connection.fetchval(f"select count(*) from {table}") == 1000

    using(body)


def test_arrays(using):
    async def body(connection) -> None:
        assert await connection.fetchval("select $1::int[]", [1, 2, None]) == [1, 2, None]
        assert await connection.fetchval("select $1::text[]", ["a", 'b "c"', "{}"]) == ["a", 'b "c"', "{}"]
        assert await connection.fetchval("select $1::int[][]", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]
        assert await connection.fetchval("select count(*) from generate_series(1, 10) i where i = any($1)", [2, 4, 99]) == 2

    using(body)


def test_types(using, table):
    async def body(connection) -> None:
        when = datetime.datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=datetime.timezone.utc)
        for kind, one in [
            ("timestamptz", when), ("date", datetime.date(2024, 2, 29)), ("numeric", decimal.Decimal("12345678901234567890.123456789")),
            ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")), ("text", "ü 漢 😀"), ("bool", True), ("float8", 0.1),
            ("int8", None), ("bytea", b"\0\xff"), ("interval", datetime.timedelta(days=3, seconds=5)),
        ]:  # fmt: skip
            assert await connection.fetchval(f"select $1::{kind}", one) == one
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        assert await connection.fetchval("select $1::jsonb", {"a": [1, None, "ü"]}) == {"a": [1, None, "ü"]}
        # A type that the driver does not know: it asks the catalogs about it, and prepares that question.
        await connection.execute(f"create type {table}_pair as (a int, b text)")
        assert await connection.fetchval(f"select row(1, 'x')::{table}_pair") == (1, "x")
        await connection.execute(f"drop type {table}_pair")

    using(body)


def test_large(using, table):
    async def body(connection) -> None:
        assert await connection.fetchval("select $1::text", TEXT) == TEXT
        await connection.execute(f"create table {table} (v bytea)")
        await connection.execute(f"insert into {table} values ($1)", TEXT.encode())
        assert await connection.fetchval(f"select v from {table}") == TEXT.encode()

    using(body)


def test_errors(using, table):
    async def body(connection) -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetchval("select 1/$1::int", 0)
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await connection.fetchval("no such statement")
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.fetchval(f"select * from {table}")
        await connection.execute(f"create table {table} (v int constraint {table}_key unique)")
        await connection.execute(f"insert into {table} values ($1)", 1)
        with pytest.raises(asyncpg.UniqueViolationError) as caught:
            await connection.execute(f"insert into {table} values ($1)", 1)
        assert (caught.value.constraint_name, caught.value.table_name) == (f"{table}_key", table)
        assert await connection.fetchval("select 1") == 1

    using(body)


def test_errors_in_transaction(using, table):
    async def body(connection) -> None:
        await connection.execute(f"create table {table} (v int)")
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"insert into {table} values ($1)", 1)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetchval("select 1/$1::int", 0)
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await connection.fetchval("select 1")
        await transaction.rollback()
        assert await connection.fetchval(f"select count(*) from {table}") == 0

    using(body)


def test_settings(using, login):
    async def body(connection) -> None:
        other = await asyncpg.connect(**arguments(login, server_settings={"application_name": "other", "work_mem": "9MB"}))
        await connection.execute("set timezone to 'Asia/Tokyo'")
        assert connection.get_settings().TimeZone == "Asia/Tokyo"
        for _ in range(20):
            assert await connection.fetchval("show timezone") == "Asia/Tokyo"
            assert await connection.fetchval("show work_mem") == "4MB"
            assert await other.fetchval("select current_setting('work_mem')") == "9MB"
            assert await other.fetchval("select current_setting($1)", "application_name") == "other"
        await connection.reset()
        assert await connection.fetchval("show timezone") == "UTC"
        await other.close()

    using(body)


def test_cursor(using):
    async def body(connection) -> None:
        async with connection.transaction():
            found = [row[0] async for row in connection.cursor("select generate_series(1, $1::int)", 500, prefetch=60)]
            assert found == list(range(1, 501))
            cursor = await connection.cursor("select generate_series(1, 100)")
            await cursor.forward(10)
            assert (await cursor.fetchrow())[0] == 11

    using(body)


def test_the_reset_query_of_the_pool(narrow_login):
    """pg_advisory_unlock_all, CLOSE ALL, UNLISTEN *, RESET ALL after every use."""

    async def body() -> None:
        async with asyncpg.create_pool(min_size=1, max_size=1, **arguments(narrow_login)) as pool:
            async with pool.acquire() as connection:
                await connection.execute("set work_mem to '7MB'")
                assert await connection.fetchval("select pg_try_advisory_lock(99)")
            async with pool.acquire() as connection:
                assert await connection.fetchval("show work_mem") == "4MB"
            other = await asyncpg.connect(**arguments(narrow_login))
            assert await other.fetchval("select pg_try_advisory_lock(99)")
            await other.close()

    asyncio.run(asyncio.wait_for(body(), 50))


def test_pool(narrow_login, table):
    async def body() -> None:
        async with asyncpg.create_pool(min_size=12, max_size=12, **arguments(narrow_login)) as pool:
            await pool.execute(f"create table {table} (worker int, v int)")

            async def work(worker: int) -> None:
                for index in range(20):
                    async with pool.acquire() as connection, connection.transaction():
                        await connection.execute(f"insert into {table} values ($1, $2)", worker, index)
                    assert await pool.fetchval("select $1::int * 1000 + $2::int", worker, index) == worker * 1000 + index

            await asyncio.gather(*(work(worker) for worker in range(12)))
            async with pool.acquire() as connection, connection.transaction():  # on the primary, which has all
                assert await connection.fetchval(f"select count(*) from {table}") == 240

    asyncio.run(asyncio.wait_for(body(), 50))

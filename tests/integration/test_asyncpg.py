"""asyncpg: binary protocol of its own, prepares everything, no libpq."""

from __future__ import annotations

import asyncio
import io

import asyncpg
import pytest

from support.deadline import PATIENCE


def run(proxy, work, **options):
    async def with_connection():
        parameters = proxy.parameters()
        connection = await asyncpg.connect(
            host=parameters["host"], port=parameters["port"], user=parameters["user"],
            password=parameters["password"], database=parameters["dbname"], timeout=15 * PATIENCE, command_timeout=30 * PATIENCE,
            ssl=False, **options,
        )  # fmt: skip
        try:
            return await work(connection)
        finally:
            await connection.close(timeout=10 * PATIENCE)

    return asyncio.run(with_connection())


def test_fetch_with_parameters(proxy):
    async def work(connection):
        rows = await connection.fetch("select g, $1::text || g as t from generate_series(1, $2::int) g", "n", 100)
        return [tuple(row) for row in rows]

    assert run(proxy, work) == [(index, f"n{index}") for index in range(1, 101)]


def test_a_prepared_statement_is_used_many_times(proxy):
    async def work(connection):
        statement = await connection.prepare("select $1::int + $2::int")
        assert [parameter.name for parameter in statement.get_parameters()] == ["int4", "int4"]
        return [await statement.fetchval(index, 1) for index in range(200)]

    assert run(proxy, work) == [index + 1 for index in range(200)]


def test_executemany_and_read_back(proxy, table):
    async def work(connection):
        await connection.execute(f"create table {table} (a int, b text)")
        await connection.executemany(f"insert into {table} values ($1, $2)", [(index, str(index)) for index in range(3000)])
        return await connection.fetchval(f"select count(*) from {table}")

    assert run(proxy, work) == 3000


def test_transactions_and_savepoints(proxy, table):
    async def work(connection):
        await connection.execute(f"create table {table} (v int)")
        async with connection.transaction():
            await connection.execute(f"insert into {table} values (1)")
            with pytest.raises(asyncpg.DivisionByZeroError):
                async with connection.transaction():
                    await connection.execute(f"insert into {table} values (2)")
                    await connection.fetchval("select 1/0")
        with pytest.raises(RuntimeError):
            async with connection.transaction():
                await connection.execute(f"insert into {table} values (3)")
                raise RuntimeError
        return await connection.fetchval(f"select array_agg(v) from {table}")

    assert run(proxy, work) == [1]


def test_copy_records_and_copy_from_query(proxy, table):
    async def work(connection):
        await connection.execute(f"create table {table} (a int, b text)")
        await connection.copy_records_to_table(table, records=[(index, f"v{index}") for index in range(5000)])
        result = io.BytesIO()
        await connection.copy_from_query(f"select a from {table} order by a", output=result)
        return result.getvalue()

    assert run(proxy, work) == b"".join(b"%d\n" % index for index in range(5000))


def test_a_cursor_in_a_transaction(proxy):
    async def work(connection):
        async with connection.transaction():
            return [row[0] async for row in connection.cursor("select generate_series(1, 500)", prefetch=50)]

    assert run(proxy, work) == list(range(1, 501))


def test_a_command_timeout_cancels_and_the_connection_goes_on(proxy):
    async def work(connection):
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetchval("select pg_sleep(50)", timeout=1)
        return await connection.fetchval("select 7")

    assert run(proxy, work) == 7


def test_custom_types_are_introspected(proxy, table, shop):
    shop(f"create type {table}_mood as enum ('good', 'bad')", f"create table {table} (m {table}_mood, l int[])")

    async def work(connection):
        await connection.execute(f"insert into {table} values ($1, $2)", "good", [1, 2])
        return tuple(await connection.fetchrow(f"select * from {table}"))

    assert run(proxy, work) == ("good", [1, 2])
    shop(f"drop table {table}", f"drop type {table}_mood")


def test_server_settings_of_the_startup_message_apply(proxy):
    async def work(connection):
        return await connection.fetchval("select current_setting('work_mem') || current_setting('application_name')")

    assert run(proxy, work, server_settings={"work_mem": "5MB", "application_name": "shop-web"}) == "5MBshop-web"


def test_a_pool_of_connections(proxy):
    async def work():
        parameters = proxy.parameters()
        async with asyncpg.create_pool(
            host=parameters["host"], port=parameters["port"], user=parameters["user"], ssl=False,
            password=parameters["password"], database=parameters["dbname"], min_size=5, max_size=20,
        ) as pool:  # fmt: skip
            return sum(await asyncio.gather(*(pool.fetchval("select $1::int", index) for index in range(500))))

    assert asyncio.run(work()) == sum(range(500))

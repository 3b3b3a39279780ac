"""What a client has set or made in its session is there for it, and for nobody else."""

from __future__ import annotations

import psycopg
import pytest

from support.deadline import wait_until

pytestmark = pytest.mark.replaces_servers


@pytest.fixture
def two(proxy):
    """Two client connections of the same user."""
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as one:
        with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as other:
            yield one, other


def value(connection, statement: str):
    return connection.execute(statement).fetchone()[0]


def test_a_setting_follows_its_client_and_no_other(two):
    one, other = two
    one.execute("set work_mem to '7MB'")
    other.execute("set work_mem to '9MB'")
    for _ in range(20):
        assert value(one, "select current_setting('work_mem')") == "7MB"
        assert value(other, "select current_setting('work_mem')") == "9MB"
    one.execute("reset work_mem")
    assert value(one, "select current_setting('work_mem')") == "4MB"
    assert value(other, "select current_setting('work_mem')") == "9MB"


def test_a_setting_holds_on_primary_and_replica_alike(two, table):
    one, _ = two
    one.execute("set search_path to pg_catalog, public")
    one.execute(f"create table public.{table} (v text)")
    one.execute(f"insert into public.{table} select current_setting('search_path')")
    assert value(one, f"select v from public.{table}") == "pg_catalog, public"
    assert value(one, "select current_setting('search_path')") == "pg_catalog, public"


def test_a_setting_made_in_a_transaction_goes_with_its_rollback(two):
    one, _ = two
    one.execute("set work_mem to '5MB'")
    one.execute("begin")
    one.execute("set work_mem to '6MB'")
    one.execute("rollback")
    assert value(one, "select current_setting('work_mem')") == "5MB"
    one.execute("begin")
    one.execute("set local work_mem to '8MB'")
    assert value(one, "select current_setting('work_mem')") == "8MB"
    one.execute("commit")
    assert value(one, "select current_setting('work_mem')") == "5MB"


def test_set_config_follows_its_client(two):
    one, other = two
    one.execute("select set_config('shop.tenant', '42', false)")
    assert value(one, "select current_setting('shop.tenant', true)") == "42"
    assert value(other, "select current_setting('shop.tenant', true)") in (None, "")


def test_startup_options_are_settings_of_the_session(proxy):
    with psycopg.connect(proxy.dsn(connect_timeout=10) + " options='-c work_mem=11MB'", autocommit=True) as connection:
        for _ in range(5):
            assert value(connection, "select current_setting('work_mem')") == "11MB"


def test_a_temporary_table_stays_with_its_client(two):
    one, other = two
    one.execute("create temporary table basket (item text)")
    one.execute("insert into basket values ('tea')")
    for _ in range(10):
        assert value(one, "select item from basket") == "tea"
        with pytest.raises(psycopg.errors.UndefinedTable):
            other.execute("select item from basket")


def test_a_session_advisory_lock_is_held_by_its_client_and_freed_with_it(proxy, two):
    one, other = two
    assert value(one, "select pg_try_advisory_lock(4711)")
    assert not value(other, "select pg_try_advisory_lock(4711)")
    assert value(one, "select pg_advisory_unlock(4711)")
    assert value(other, "select pg_try_advisory_lock(4711)")
    with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as third:
        assert value(third, "select pg_try_advisory_lock(4712)")
    for _ in range(100):
        if value(one, "select pg_try_advisory_lock(4712)"):
            break
    else:
        pytest.fail("the lock of a client that has gone is still held")


def test_listen_hears_the_notification(proxy, two):
    one, other = two
    heard: list[tuple[str, str]] = []
    one.add_notify_handler(lambda notification: heard.append((notification.channel, notification.payload)))
    one.execute("listen news")
    other.execute("notify news, 'sold out'")
    wait_until(lambda: one.execute("select 1") and heard, "the notification", 10)
    assert heard == [("news", "sold out")]


def test_prepare_and_execute_in_sql(two):
    one, other = two
    one.execute("prepare twice (int) as select $1 * 2")
    for index in range(10):
        assert value(one, f"execute twice({index})") == index * 2
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        other.execute("execute twice(1)")


def test_a_cursor_with_hold_outlives_its_transaction(two):
    one, other = two
    one.execute("begin")
    one.execute("declare kept cursor with hold for select generate_series(1, 10)")
    one.execute("commit")
    other.execute("select 1")
    assert one.execute("fetch 3 from kept").fetchall() == [(1,), (2,), (3,)]


def test_discard_all_clears_the_session(two):
    one, _ = two
    one.execute("set work_mem to '7MB'")
    one.execute("create temporary table gone (v int)")
    one.execute("discard all")
    assert value(one, "select current_setting('work_mem')") == "4MB"
    with pytest.raises(psycopg.errors.UndefinedTable):
        one.execute("select * from gone")


def test_set_role_stays_with_its_client(cluster, two):
    one, other = two
    cluster.primary.rows("create role clerk nologin; grant clerk to app; grant pg_read_all_stats to clerk")
    try:
        one.execute("set role clerk")
        for _ in range(5):
            assert value(one, "select current_user") == "clerk"
            assert value(other, "select current_user") == "app"
        one.execute("reset role")
        assert value(one, "select current_user") == "app"
    finally:
        cluster.primary.rows("revoke clerk from app; drop role clerk")

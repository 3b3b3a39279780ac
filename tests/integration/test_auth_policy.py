"""Users who are known to the cluster alone, changed passwords, and what those are told who do not get in."""

from __future__ import annotations

import os
import threading

import psycopg2
import pytest

from auth_tools import AUTHENTICATIONS, asking, lookup, make_role, refusal, set_password, verifier, wire_login, without_chance  # noqa: F401
from support.deadline import wait_until
from support.free_ports import free_ports

pytestmark = pytest.mark.proxy_only


# -- the cluster's own users --------------------------------------------------------------------------


def test_without_a_users_file_a_client_writes_and_reads_as_a_user_of_the_cluster(make_proxy, cluster, lookup, make_role):
    role = make_role("his-own-secret")
    proxy = make_proxy(asking(lookup))
    with proxy.connect(user=role, password="his-own-secret", dbname="postgres") as sql:
        assert sql.value("select current_user") == role
        # Until a replica has replayed the new role, reads are the primary's.
        where = "select inet_server_port()"
        wait_until(lambda: cluster.node_by_port(sql.value(where)) in cluster.replicas, "a read at a replica", 10)
        sql.rows("begin")
        assert cluster.node_by_port(sql.value("select inet_server_port()")) is cluster.primary
        sql.rows("commit")
    for path in proxy.directory.glob(f"tidemark-{proxy.port}*"):
        if path.is_file():
            assert b"his-own-secret" not in path.read_bytes(), path
    assert proxy.metrics().sum(AUTHENTICATIONS, method="scram-sha-256", result="ok") >= 2


def test_every_worker_and_node_is_served_by_the_keys_of_one_login(make_proxy, cluster, lookup, make_role):
    """Clients of two workers at once, each in need of connections that nobody has opened yet."""
    role = make_role("secret")
    proxy = make_proxy(asking(lookup) | {"pool": {"size": 4}, "workers": {"threads": 4}})
    failures: list[BaseException] = []

    def client() -> None:
        try:
            with proxy.connect(user=role, password="secret", dbname="postgres") as sql:
                for _ in range(10):
                    assert sql.value("select 1") == 1
                    sql.rows("begin")
                    assert sql.value("select current_user") == role
                    sql.rows("rollback")
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_a_changed_password_is_noticed_at_the_next_attempt(make_proxy, cluster, lookup, make_role):
    role = make_role("before")
    # The answer would be believed for an hour.
    proxy = make_proxy(asking(lookup, query_cache="1h"))
    with proxy.connect(user=role, password="before", dbname="postgres") as old_session:
        assert old_session.value("select 1") == 1
        set_password(cluster, role, "after")
        refusal(proxy, user=role, password="after", dbname="postgres")  # what was remembered is doubted
        with proxy.connect(user=role, password="after", dbname="postgres") as sql:
            sql.rows("begin")
            assert sql.value("select current_user") == role
            sql.rows("rollback")
        assert "password authentication failed" in refusal(proxy, user=role, password="before", dbname="postgres")
        # Whoever is logged in stays, and is served by connections that the new password has opened, too.
        for _ in range(5):
            assert old_session.value("select current_user") == role


def test_connections_of_an_old_session_are_opened_with_the_new_keys(make_proxy, cluster, lookup, make_role):
    role = make_role("before")
    proxy = make_proxy(asking(lookup))
    with proxy.connect(user=role, password="before", dbname="postgres") as old_session:
        old_session.value("select 1")
        set_password(cluster, role, "after")
        refusal(proxy, user=role, password="after", dbname="postgres")
        with proxy.connect(user=role, password="after", dbname="postgres") as sql:
            sql.value("select 1")
        for node in cluster.nodes:
            node.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [role])
        wait_until(lambda: old_session.value("select current_user") == role, "the old session to be served again", 10)


@pytest.mark.parametrize("options", ["valid until '2001-01-01'", "valid until '-infinity'"])
def test_an_expired_password_is_a_wrong_one(make_proxy, lookup, make_role, options):
    role = make_role("secret", options=options)
    proxy = make_proxy(asking(lookup))
    assert "password authentication failed" in refusal(proxy, user=role, password="secret", dbname="postgres")
    assert proxy.log_lines(r"event=login_failed .*why=.the password has expired")


@pytest.mark.parametrize("options", ["valid until '2101-01-01 00:00:00.5+02'", "valid until '9999-12-31'", "valid until 'infinity'"])
def test_a_password_that_expires_later_is_good(make_proxy, lookup, make_role, options):
    role = make_role("secret", options=options)
    proxy = make_proxy(asking(lookup))
    with proxy.connect(user=role, password="secret", dbname="postgres") as sql:
        assert sql.value("select 1") == 1


def test_a_user_who_is_created_later_gets_in(make_proxy, cluster, lookup, make_role):
    proxy = make_proxy(asking(lookup))
    name = f"late{os.getpid()}"
    refusal(proxy, user=name, password="secret", dbname="postgres")
    cluster.primary.rows(f"create role {name} login password 'secret'")
    try:
        cluster.wait_caught_up()

        def gets_in() -> bool:
            with proxy.connect(user=name, password="secret", dbname="postgres") as sql:
                return sql.value("select 1") == 1

        wait_until(gets_in, "the new user to get in", 5, ignore=(psycopg2.OperationalError,))
    finally:
        cluster.primary.rows(f"drop role {name}")


def test_many_logins_at_once_share_one_question(make_proxy, lookup, make_role):
    """Asked for each of them, one after the other, the last would wait for longer than the timeout."""
    role = make_role("secret")
    slow = lookup.replace("($1)", "($1), pg_sleep(0.5)").replace("*", "usename, passwd")
    proxy = make_proxy(asking(slow, query_timeout="4s"), start=False)
    proxy.start(query=False)
    failures: list[BaseException] = []

    def client() -> None:
        try:
            proxy.connect(user=role, password="secret", dbname="postgres").close()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_the_users_file_comes_first(make_proxy, lookup):
    proxy = make_proxy({"auth": {"query": lookup}}, users={"app": "app-secret"})
    with proxy.connect() as sql:
        assert sql.value("select 1") == 1
    assert "password authentication failed" in refusal(proxy, password="wrong")


def test_an_unreachable_cluster_is_no_wrong_password(make_proxy, lookup):
    proxy = make_proxy(
        asking(lookup, query_timeout="300ms"), nodes=[f"127.0.0.1:{port}" for port in free_ports(2)], start=False
    )
    proxy.start(query=False)
    reply = wire_login(proxy, "app", "app-secret")[-1]
    assert reply.type == "E" and reply.sqlstate == "57P03", reply
    assert "cannot look up user" in reply.fields()["M"] and reply.fields()["S"] == "FATAL"
    assert proxy.metrics().sum(AUTHENTICATIONS, result="unavailable") == 1
    assert proxy.log_lines(r'event=login_failed user="app" database="shop" address=127.0.0.1 .*reason=unavailable')


@pytest.mark.parametrize(
    "query, why",
    [
        ("SELECT no_such_column FROM pg_class WHERE relname = $1", "no_such_column"),
        ("SELECT $1::text", "two columns"),
        ("SELECT 'somebody', 'else' WHERE $1 <> ''", "another user"),
        ("SELECT $1::text, 'x' FROM generate_series(1, 2)", "more than one row"),
        ("SELECT $1::text, 'x', 'tomorrow'", "no timestamp"),
    ],
)
def test_a_query_that_is_no_good_is_told_to_the_operator(make_proxy, query, why):
    proxy = make_proxy(asking(query), start=False)
    proxy.start(query=False)
    reply = wire_login(proxy, "app", "app-secret")[-1]
    assert reply.type == "E" and reply.sqlstate == "F0000", reply.fields()
    assert proxy.log_lines(why), proxy.log_tail()


# -- unknown users ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["file", "cluster", "md5", "md5-hash"])
def test_an_unknown_user_and_a_wrong_password_look_the_same(make_proxy, lookup, cluster, make_role, source):
    role = make_role("secret", encryption="md5" if source == "md5-hash" else "scram-sha-256")
    known = {"file": "secret", "md5": "secret", "md5-hash": verifier(cluster, role)}
    if source == "cluster":
        proxy = make_proxy(asking(lookup), start=False)
    else:
        method = "scram-sha-256" if source == "file" else "md5"
        proxy = make_proxy({"auth": {"method": method}}, users={role: known[source]}, start=False)
    proxy.start(query=False)
    stranger = role.replace("role", "nope")
    wrong = wire_login(proxy, role, "wrong")
    unknown = wire_login(proxy, stranger, "wrong")
    assert wrong[-1].type == "E" and wrong[-1].sqlstate == "28P01"
    assert without_chance(wrong, role) == without_chance(unknown, stranger)
    # The second time as the first: an unknown user's salt does not change.
    if source in ("file", "cluster"):
        salts = [reply.body.split(b",s=")[1] for reply in unknown + wire_login(proxy, stranger, "x") if b",s=" in reply.body]
        assert len(salts) == 2 and salts[0] == salts[1]


def test_failures_are_counted_and_logged_without_the_secret(make_proxy):
    proxy = make_proxy()
    before = proxy.metrics().sum(AUTHENTICATIONS, method="scram-sha-256", result="wrong_secret")
    refusal(proxy, password="a-wrong-secret-word")
    refusal(proxy, user="stranger", password="a-wrong-secret-word")
    assert proxy.metrics().sum(AUTHENTICATIONS, method="scram-sha-256", result="wrong_secret") == before + 2
    assert proxy.log_lines(
        r'event=login_failed user="app" database="shop" address=127.0.0.1 .*method=scram-sha-256 reason=wrong_secret'
    )
    assert "a-wrong-secret-word" not in proxy.log()

"""Host rules, methods, and their reload."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import Iterator

import pytest

from auth_tools import AUTHENTICATIONS, asking, lookup, make_role, refusal, rule, set_password, verifier, wire_login  # noqa: F401
from support.deadline import wait_until

pytestmark = pytest.mark.proxy_only


# -- host rules -----------------------------------------------------------------------------------------


def test_the_first_rule_that_matches_decides(make_proxy):
    proxy = make_proxy(
        {
            "auth": {
                "method": None,
                "rule": [
                    rule(method="reject", user=["app"], database=["postgres"]),
                    rule(method="reject", address="127.0.0.5/32"),
                    rule(user=["app"], database=["shop", "postgres"], address="127.0.0.0/8"),
                    rule(method="trust", user=["tidemark"]),
                ],
            }
        },
        users={"app": "app-secret", "tidemark": "monitor-secret"},
    )
    assert wire_login(proxy, "app", "app-secret")[-1].type == "Z"
    assert wire_login(proxy, "app", "app-secret", source="127.0.0.9")[-1].type == "Z"
    assert wire_login(proxy, "app", "wrong")[-1].sqlstate == "28P01"
    for told in (wire_login(proxy, "app", "app-secret", "postgres"), wire_login(proxy, "app", "app-secret", source="127.0.0.5")):
        assert told[0].type == "E" and told[0].sqlstate == "28000", "nothing is asked of who is rejected"
        assert "rejects" in told[0].fields()["M"]
    replies = wire_login(proxy, "tidemark", "", "postgres")
    assert replies[0].body == struct.pack("!I", 0) and replies[-1].type == "Z"
    (none,) = wire_login(proxy, "stranger", "", "shop")
    assert none.sqlstate == "28000"
    assert none.fields()["M"] == 'no host rule for host "127.0.0.1", user "stranger", database "shop", no encryption'
    assert "auth.rule" in none.fields()["H"]
    metrics = proxy.metrics()
    assert metrics.sum(AUTHENTICATIONS, result="rejected") == 2 and metrics.sum(AUTHENTICATIONS, result="no_rule") == 1
    assert proxy.log_lines(r"event=trust rule_line=\d+")


def test_a_rule_for_tls_does_not_match_plain_text(make_proxy):
    proxy = make_proxy(
        {"auth": {"method": None, "rule": [rule("hostssl", method="reject"), rule("hostnossl")]}}
    )
    assert wire_login(proxy, "app", "app-secret")[-1].type == "Z"


def test_sameuser_is_the_database_named_like_the_user(make_proxy):
    proxy = make_proxy({"auth": {"method": None, "rule": [rule(database=["sameuser"])]}}, start=False)
    proxy.start(query=False)
    assert wire_login(proxy, "app", "app-secret", "shop")[-1].sqlstate == "28000"
    assert wire_login(proxy, "app", "wrong", "app")[-1].sqlstate == "28P01"


# -- methods ------------------------------------------------------------------------------------------


def test_md5_with_a_password_in_the_users_file(make_proxy):
    proxy = make_proxy({"auth": {"method": "md5"}})
    replies = wire_login(proxy, "app", "app-secret")
    assert struct.unpack("!I", replies[0].body[:4])[0] == 5 and replies[-1].type == "Z"
    with proxy.connect() as sql:
        assert sql.value("select 1") == 1


@contextmanager
def md5_at_the_servers(cluster, role: str) -> Iterator[None]:
    """A line of pg_hba.conf for this role alone."""
    files = [node.directory / "pg_hba.conf" for node in cluster.nodes]
    before = [file.read_text() for file in files]
    for file, text in zip(files, before, strict=True):
        file.write_text(f"host all {role} 127.0.0.1/32 md5\n{text}")
    for node in cluster.nodes:
        node.alter_system({})
    try:
        yield
    finally:
        for file, text in zip(files, before, strict=True):
            file.write_text(text)
        for node in cluster.nodes:
            node.reload()


def test_an_md5_hash_of_the_cluster_logs_in_on_both_sides(make_proxy, cluster, lookup, make_role):
    role = make_role("secret", encryption="md5")
    proxy = make_proxy(asking(lookup, method="md5"))
    with md5_at_the_servers(cluster, role):
        with proxy.connect(user=role, password="secret", dbname="postgres") as sql:
            assert sql.value("select current_user") == role
    assert "password authentication failed" in refusal(proxy, user=role, password="wrong", dbname="postgres")


def test_md5_becomes_scram_where_the_cluster_has_a_scram_verifier(make_proxy, lookup, make_role):
    role = make_role("secret")
    proxy = make_proxy(asking(lookup, method="md5"))
    replies = wire_login(proxy, role, "secret", "postgres")
    assert struct.unpack("!I", replies[0].body[:4])[0] == 10 and replies[-1].type == "Z"


def test_a_login_to_the_server_without_keys_says_what_to_do(make_proxy, lookup, make_role):
    role = make_role("secret")
    settings = {"auth": {"method": None, "users_file": None, "query": lookup, "rule": [rule(method="trust", user=[role]), rule()]}}
    proxy = make_proxy(settings)
    told = wire_login(proxy, role, "", "postgres")
    assert told[0].body == struct.pack("!I", 0), "the proxy itself asks for nothing"
    error = told[-1]
    assert error.type == "E" and error.sqlstate == "28000", error
    assert "could not log in to the server" in error.fields()["M"] and "users_file" in error.fields()["H"]
    known = make_proxy({"auth": {"method": None, "rule": [rule(method="trust", user=[role]), rule()]}}, users={role: "secret", "app": "app-secret"})
    assert wire_login(known, role, "", "postgres")[-1].type == "Z"


def test_a_verifier_in_the_users_file_is_enough(make_proxy, cluster, make_role):
    role = make_role("secret")
    proxy = make_proxy(users={role: verifier(cluster, role), "app": "app-secret"})
    with proxy.connect(user=role, password="secret", dbname="postgres") as sql:
        sql.rows("begin")
        assert sql.value("select current_user") == role
        sql.rows("rollback")
    # Of another salt than the servers': the client gets in, and is told why no server does.
    set_password(cluster, role, "secret")
    error = wire_login(make_proxy(users={role: "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                                         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", "app": "app-secret"}),
                       role, "pencil", "postgres")[-1]  # fmt: skip
    assert error.type == "E" and "another SCRAM verifier" in error.fields()["M"], error


# -- reload --------------------------------------------------------------------------------------------


def reload(proxy, wanted: str) -> None:
    """Writes the proxy's files, sends SIGHUP, and waits for the log to say `wanted` once more."""
    before = len(proxy.log_lines(wanted))
    proxy.write_config()
    proxy.reload()
    wait_until(lambda: len(proxy.log_lines(wanted)) > before, f"the log to say {wanted}", 10, detail=proxy.log_tail)


def test_a_reload_reads_users_and_rules_anew_and_sessions_stay(make_proxy, cluster, make_role):
    role = make_role("secret")
    proxy = make_proxy()
    with proxy.connect() as session:
        assert session.value("select 1") == 1
        assert "password authentication failed" in refusal(proxy, user=role, password="secret", dbname="postgres")
        proxy.users[role] = "secret"
        reload(proxy, "event=reloaded")
        with proxy.connect(user=role, password="secret", dbname="postgres") as sql:
            assert sql.value("select current_user") == role
        proxy.config["auth"] = {"users_file": proxy.config["auth"]["users_file"], "rule": [rule(user=[role])]}
        reload(proxy, "event=reloaded")
        assert wire_login(proxy, "app", "app-secret")[-1].sqlstate == "28000"
        with proxy.connect(user=role, password="secret", dbname="postgres") as sql:
            assert sql.value("select current_user") == role
        assert session.value("select current_user") == "app"


def test_a_bad_file_changes_nothing(make_proxy):
    proxy = make_proxy()
    proxy.users["broken"] = "SCRAM-SHA-256$broken"
    reload(proxy, "event=reload_refused")
    assert proxy.log_lines("begins like a SCRAM-SHA-256 verifier")
    del proxy.users["broken"]
    rules = {"rule": [rule(method="trust", address="all")]}
    proxy.config["auth"] |= rules
    reload(proxy, "event=reload_refused")
    assert proxy.log_lines("trust.* lets everybody in")
    with proxy.connect() as sql:
        assert sql.value("select 1") == 1


def test_a_password_that_is_changed_in_the_users_file_is_used_for_servers_too(make_proxy, cluster, make_role):
    role = make_role("before")
    proxy = make_proxy(users={role: "before", "app": "app-secret"})
    with proxy.connect(user=role, password="before", dbname="postgres") as session:
        assert session.value("select 1") == 1
        set_password(cluster, role, "after")
        proxy.users[role] = "after"
        reload(proxy, "event=reloaded")
        assert "password authentication failed" in refusal(proxy, user=role, password="before", dbname="postgres")
        for node in cluster.nodes:
            node.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [role])
        wait_until(lambda: session.value("select current_user") == role, "the session to be served again", 10)
        with proxy.connect(user=role, password="after", dbname="postgres") as sql:
            assert sql.value("select current_user") == role

"""Certificates that may log in as users of other names."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from auth_tools import AUTHENTICATIONS, rule
from support.certificates import Authority, Certificate

pytestmark = pytest.mark.proxy_only


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("map"), "map authority")


@pytest.fixture
def mapped(make_proxy, authority) -> Any:
    """A certificate's common name is mapped for `app`, its whole subject for `tidemark`; the rest needs a password."""
    own = authority.issue("/CN=proxy", ["IP:127.0.0.1"])
    tls = {"mode": "allow", "cert": str(own.cert), "key": str(own.key), "client_ca": str(authority.cert)}
    rules = [
        rule("hostssl", method="cert", user=["app"], map="names"),
        rule("hostssl", method="cert", user=["tidemark"], map="subjects", clientname="DN"),
        rule("hostnossl"),
    ]
    maps = [
        {"name": "names", "system_user": "till 7", "database_user": "app"},
        {"name": "names", "system_user": "/^(.*)@shop\\.test$", "database_user": "\\1"},
        {"name": "subjects", "system_user": "/^CN=[^,]*,OU=watch,O=Shop$", "database_user": "tidemark"},
    ]
    settings = {"listen": {"tls": tls}, "auth": {"method": None, "rule": rules, "user_map": maps}}
    # A certificate proves nothing to a server: the proxy needs passwords of its own.
    return make_proxy(settings, users={"app": "app-secret", "tidemark": "monitor-secret"})


def login(proxy, certificate: Certificate, user: str = "app") -> str:
    """Who the server says we are."""
    more = {"user": user, "password": "useless", "dbname": "postgres", "sslmode": "require", "gssencmode": "disable"}
    files = {"sslcert": certificate.cert, "sslkey": certificate.key}
    with psycopg.connect(proxy.dsn(**more, **files), autocommit=True) as connection:
        return connection.execute("select current_user").fetchone()[0]


@pytest.mark.parametrize("subject", ["/CN=till 7", "/CN=app@shop.test", "/O=Shop/CN=app@shop.test"])
def test_a_common_name_of_the_map_is_let_in(mapped, authority, subject):
    assert login(mapped, authority.issue(subject)) == "app"


@pytest.mark.parametrize("subject", ["/CN=app", "/CN=web@shop.test", "/CN=app@shop.test.evil", "/CN=till 8", "/O=till 7"])
def test_another_name_is_not(mapped, authority, subject):
    before = mapped.metrics().sum(AUTHENTICATIONS, method="cert", result="certificate")
    with pytest.raises(psycopg.OperationalError, match='certificate authentication failed for user "app"'):
        login(mapped, authority.issue(subject))
    assert mapped.metrics().sum(AUTHENTICATIONS, method="cert", result="certificate") == before + 1
    assert mapped.log_lines(r'event=login_failed user="app" .*method=cert reason=certificate')


def test_the_whole_subject_can_be_what_counts(mapped, authority):
    assert login(mapped, authority.issue("/O=Shop/OU=watch/CN=night"), "tidemark") == "tidemark"
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        login(mapped, authority.issue("/O=Shop/OU=till/CN=night"), "tidemark")


def test_without_a_certificate_nobody_is_let_in_where_it_is_the_method(mapped):
    dsn = mapped.dsn(user="app", password="app-secret", sslmode="require", sslcert="/dev/null/none", gssencmode="disable")
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        psycopg.connect(dsn)
    with mapped.connect(sslmode="disable") as sql:
        assert sql.value("select current_user") == "app"

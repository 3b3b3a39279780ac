"""What the protocol says before the first statement: channel binding, certificates, versions, keys, replication."""

from __future__ import annotations

import hashlib
import os
import ssl
import struct
import threading
from typing import Any, Iterator

import psycopg
import psycopg2
import pytest

from support import wire
from support.certificates import Authority, Certificate
from support.deadline import wait_until
from support.postgres_cluster import APP_PASSWORD, APP_USER, DATABASE

pytestmark = pytest.mark.proxy_only

PROTOCOL_3_1, PROTOCOL_3_2 = wire.PROTOCOL_3_0 + 1, wire.PROTOCOL_3_0 + 2
PLUS, PLAIN = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"
BOUND = "p=tls-server-end-point,,"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("auth"), "authority")


@pytest.fixture(scope="module")
def certificate(authority) -> Certificate:
    return authority.issue("/CN=proxy", ["IP:127.0.0.1"])


@pytest.fixture
def tls(make_proxy, certificate) -> Any:
    return make_proxy({"listen": listen(certificate)})


def listen(certificate: Certificate, **more: Any) -> dict[str, Any]:
    return {"tls": {"mode": "allow", "cert": str(certificate.cert), "key": str(certificate.key)} | more}


def end_point(certificate: Certificate) -> bytes:
    """tls-server-end-point: the certificate's hash by its own signature's digest (SHA-256 here)."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.cert.read_text())).digest()


def encrypted(proxy) -> wire.WireClient:
    client = wire.WireClient(proxy.host, proxy.port)
    client.send(wire.request(wire.SSL_REQUEST))
    assert client.receive_exactly(1) == b"S"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client.socket = context.wrap_socket(client.socket)
    return client


def offered(client: wire.WireClient) -> list[str]:
    """Sends the startup message; the mechanisms that are offered."""
    client.send(wire.startup({"user": APP_USER, "database": DATABASE}))
    reply = client.receive()
    assert reply.type == "R" and reply.body[:4] == struct.pack("!I", 10), reply
    return reply.body[4:].decode().strip("\0").split("\0")


def exchange(client: wire.WireClient, mechanism: str, header: str, binding: bytes = b"") -> wire.Message:
    """An exchange with the right password: SASLFinal, or the error that ended it."""
    scram = wire.Scram(APP_PASSWORD, header, binding)
    client.send(wire.sasl_initial(mechanism, scram.first()))
    reply = client.receive()
    if reply.type == "E":
        return reply
    client.send(wire.message("p", scram.final(reply.body[4:])))
    reply = client.receive()
    assert reply.type == "E" or scram.server_proved(reply.body[4:])
    return reply


# -- channel binding --------------------------------------------------------------------------------------


def test_plus_is_offered_first_and_only_over_tls(tls):
    with encrypted(tls) as client:
        assert offered(client) == [PLUS, PLAIN]
    with wire.WireClient(tls.host, tls.port) as client:
        assert offered(client) == [PLAIN]


def test_a_bound_exchange_logs_in_and_the_session_works(tls, certificate):
    with encrypted(tls) as client:
        offered(client)
        reply = exchange(client, PLUS, BOUND, end_point(certificate))
        assert reply.type == "R" and reply.body[:4] == struct.pack("!I", 12)
        client.until_ready()
        assert [m.type for m in client.ask(wire.query("select 1"))] == ["T", "D", "C", "Z"]


def test_a_client_that_cannot_bind_may_still_log_in(tls):
    with encrypted(tls) as client:
        offered(client)
        assert exchange(client, PLAIN, "n,,").type == "R"


def test_a_password_of_another_channel_is_worth_nothing(tls, authority):
    """Somebody in between, with a certificate of his own, passes a client's messages on."""
    other = authority.issue("/CN=proxy", ["IP:127.0.0.1"])
    with encrypted(tls) as client:
        offered(client)
        reply = exchange(client, PLUS, BOUND, end_point(other))
        assert reply.sqlstate == "28000" and reply.fields()["M"] == "SCRAM channel binding check failed"
        assert client.closed()


def test_a_client_that_was_told_that_there_is_no_binding_is_refused(tls):
    """Somebody in between took PLUS out of the offer."""
    with encrypted(tls) as client:
        offered(client)
        reply = exchange(client, PLAIN, "y,,")
        assert reply.sqlstate == "28000" and reply.fields()["M"] == "SCRAM channel binding negotiation error"
    with wire.WireClient(tls.host, tls.port) as client:
        offered(client)
        assert exchange(client, PLAIN, "y,,").type == "R", "in the clear it was not offered indeed"


@pytest.mark.parametrize(
    "encrypt, mechanism, header, message",
    [
        (True, PLAIN, BOUND, "malformed SCRAM message"),
        (True, PLUS, "n,,", "malformed SCRAM message"),
        (True, PLUS, "y,,", "malformed SCRAM message"),
        (True, PLUS, "p=tls-unique,,", "unsupported SCRAM channel-binding type"),
        (False, PLAIN, BOUND, "malformed SCRAM message"),
        (False, PLUS, BOUND, "client selected an invalid SASL authentication mechanism"),
    ],
)
def test_contradictions_are_refused(tls, certificate, encrypt, mechanism, header, message):
    with encrypted(tls) if encrypt else wire.WireClient(tls.host, tls.port) as client:
        offered(client)
        reply = exchange(client, mechanism, header, end_point(certificate))
        assert reply.sqlstate == "08P01" and reply.fields()["M"] == message
        assert client.closed()


def test_libpq_binds_with_every_digest_of_a_certificate(make_proxy, authority):
    for digest in ("sha256", "sha384", "sha512"):
        proxy = make_proxy({"listen": listen(authority.issue("/CN=proxy", digest=digest))})
        with psycopg.connect(proxy.dsn(sslmode="require", channel_binding="require")) as connection:
            assert connection.execute("select 1").fetchone() == (1,), digest


# -- certificates -----------------------------------------------------------------------------------------


def by_certificate(make_proxy, certificate, authority, **rule: str) -> Any:
    """Over TLS a certificate is asked for, and in the clear the password."""
    auth: dict[str, Any] = {
        "method": None,
        "rule": [
            {"type": "hostssl", "address": "all", "method": "cert", **rule},
            {"type": "hostnossl", "address": "all", "method": "scram-sha-256"},
        ],
    }
    if rule:
        auth["user_map"] = [{"name": "staff", "system_user": "alice", "database_user": APP_USER}]
    return make_proxy({"listen": listen(certificate, client_ca=str(authority.cert)), "auth": auth})


def with_certificate(proxy, shown: Certificate | None) -> Any:
    files = {"sslcert": shown.cert, "sslkey": shown.key} if shown else {"sslcert": "/nowhere/none"}
    with psycopg.connect(proxy.dsn(sslmode="require", password="not-asked-for", **files)) as connection:
        return connection.execute("select current_user").fetchone()[0]


def test_a_certificate_is_enough_for_whom_it_names(make_proxy, certificate, authority):
    proxy = by_certificate(make_proxy, certificate, authority)
    assert with_certificate(proxy, authority.issue(f"/O=shop/CN={APP_USER}")) == APP_USER
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        with_certificate(proxy, None)
    with pytest.raises(psycopg.OperationalError, match=f'certificate authentication failed for user "{APP_USER}"'):
        with_certificate(proxy, authority.issue("/CN=alice"))


def test_a_user_map_says_whom_a_certificate_may_be(make_proxy, certificate, authority):
    proxy = by_certificate(make_proxy, certificate, authority, map="staff")
    assert with_certificate(proxy, authority.issue("/CN=alice")) == APP_USER
    with pytest.raises(psycopg.OperationalError, match=f'certificate authentication failed for user "{APP_USER}"'):
        with_certificate(proxy, authority.issue(f"/CN={APP_USER}"))


# -- protocol versions and cancel keys ---------------------------------------------------------------------


def login(client: wire.WireClient, version: int, **options: str) -> list[wire.Message]:
    client.send(wire.startup({"user": APP_USER, "database": DATABASE} | options, version=version))
    return list(client.authenticate(APP_PASSWORD))


@pytest.mark.parametrize("version, length", [(wire.PROTOCOL_3_0, 4), (PROTOCOL_3_1, 4), (PROTOCOL_3_2, 32)])
def test_versions_up_to_3_2_are_spoken_without_negotiation(proxy, version, length):
    with wire.WireClient(proxy.host, proxy.port) as client:
        replies = login(client, version)
        assert replies[-1].type == "Z" and "v" not in [reply.type for reply in replies]
        assert client.key is not None and len(client.key) == 4 + length


@pytest.mark.parametrize(
    "version, spoken, options",
    [
        (wire.PROTOCOL_3_0 + 3, PROTOCOL_3_2, {}),
        (wire.PROTOCOL_3_0 + 9999, PROTOCOL_3_2, {}),
        (wire.PROTOCOL_3_0, wire.PROTOCOL_3_0, {"_pq_.a": "1", "_pq_.b": ""}),
        (PROTOCOL_3_2, PROTOCOL_3_2, {"_pq_.a": "1"}),
    ],
)
def test_what_is_unknown_is_negotiated_away_and_the_session_goes_on(proxy, version, spoken, options):
    with wire.WireClient(proxy.host, proxy.port) as client:
        replies = login(client, version, **options)
        assert replies[0].type == "v"
        names = b"".join(name.encode() + b"\0" for name in options)
        assert replies[0].body == struct.pack("!II", spoken, len(options)) + names
        assert replies[-1].type == "Z"
        assert client.key is not None and len(client.key) == (36 if spoken == PROTOCOL_3_2 else 8)
        assert client.ask(wire.query("select 1"))[-1].type == "Z"


def sleeping(cluster) -> int:
    return cluster.primary.value("select count(*) from pg_stat_activity where query like 'select pg_sleep(77)%'")


def test_a_long_key_cancels_and_nothing_else_does(proxy, cluster):
    with wire.WireClient(proxy.host, proxy.port, seconds=30) as client:
        login(client, PROTOCOL_3_2)
        client.send(wire.query("select pg_sleep(77), pg_advisory_xact_lock(1)"))
        wait_until(lambda: sleeping(cluster) == 1, 10)
        assert client.key is not None
        changed = client.key[:-1] + bytes([client.key[-1] ^ 1])
        for key in (changed, client.key[:8], client.key[:-1], client.key + b"\0", client.key + bytes(220)):
            cancel(proxy, key)
        assert sleeping(cluster) == 1, "only the whole key counts"
        cancel(proxy, client.key)
        replies = client.until_ready()
        assert [r.sqlstate for r in replies if r.type == "E"] == ["57014"]


def cancel(proxy, key: bytes) -> None:
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(wire.request(wire.CANCEL_REQUEST, key))
        assert client.closed()


# -- replication ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["true", "on", "yes", "1", "t", "TRUE", "database"])
def test_replication_connections_are_refused_and_told_what_to_do(proxy, value):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(wire.startup({"user": APP_USER, "database": DATABASE, "replication": value}))
        reply = client.receive()
        assert reply.type == "E" and reply.sqlstate == "0A000" and reply.fields()["S"] == "FATAL"
        assert reply.fields()["M"] == "replication connections are not supported by Tidemark"
        assert reply.fields()["H"] == "Connect to the primary directly."
        assert client.closed()


@pytest.mark.parametrize("value", ["false", "off", "no", "0"])
def test_without_replication_is_an_ordinary_connection(proxy, value):
    with wire.WireClient(proxy.host, proxy.port) as client:
        assert login(client, wire.PROTOCOL_3_0, replication=value)[-1].type == "Z"
        assert client.ask(wire.query("select 1"))[-1].type == "Z"


def test_another_value_is_postgresqls_error(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(wire.startup({"user": APP_USER, "replication": "maybe"}))
        reply = client.receive()
        assert reply.sqlstate == "22023"
        assert reply.fields()["M"] == 'invalid value for parameter "replication": "maybe"'


# -- passwords outside ASCII --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password", ["gr\u00fc\u00dfe", "\u00bd\u00a0pint", "e\u0301te\u0301", "\u2168\u00ad", "\u0627\u00aa"]
)
def test_a_password_outside_ascii_logs_in_on_both_sides(make_proxy, cluster, password):
    """libpq prepares it, the proxy prepares it (twice), PostgreSQL prepares it."""
    role = f"prep{os.getpid()}"
    cluster.primary.rows(f"create role {role} login password '{password}'")
    try:
        cluster.wait_caught_up()
        proxy = make_proxy(users={APP_USER: APP_PASSWORD, role: password})
        with proxy.connect(user=role, password=password) as sql:
            assert sql.value("select current_user") == role
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            proxy.connect(user=role, password=password + "x").close()
    finally:
        cluster.primary.rows(f"drop role {role}")


# -- clients that go slowly, or away -------------------------------------------------------------------------


def test_a_login_that_takes_too_long_is_told_so(make_proxy):
    proxy = make_proxy({"auth": {"timeout": "1s"}})
    with wire.WireClient(proxy.host, proxy.port) as client:
        offered(client)
        reply = client.receive()
        assert reply.sqlstate == "57014" and reply.fields()["S"] == "FATAL"
        assert reply.fields()["M"] == "canceling authentication due to timeout"
        assert client.closed()
    with wire.WireClient(proxy.host, proxy.port) as silent:
        assert silent.socket.recv(1) == b"", "who says nothing is told nothing"


@pytest.fixture
def slow_lookup(cluster) -> Iterator[str]:
    cluster.primary.rows(
        """
        create function public.slow_lookup(wanted text) returns table (usename name, passwd text)
            language plpgsql security definer set search_path = pg_catalog
            as 'begin
                perform pg_sleep(0.3);
                return query select s.usename, s.passwd from pg_shadow s where s.usename = wanted;
            end';
        """
    )
    cluster.wait_caught_up()
    yield "select * from public.slow_lookup($1)"
    cluster.primary.rows("drop function public.slow_lookup(text)")


def test_clients_that_leave_while_their_user_is_looked_up_leave_nothing_behind(make_proxy, slow_lookup):
    proxy = make_proxy({"auth": {"query": slow_lookup}})

    def leave(number: int) -> None:
        with wire.WireClient(proxy.host, proxy.port) as client:
            client.send(wire.startup({"user": f"stranger{number % 7}", "database": DATABASE}))

    threads = [threading.Thread(target=leave, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with proxy.connect() as sql:
        assert sql.value("select 1") == 1
    with wire.WireClient(proxy.host, proxy.port) as client:
        assert client.login("stranger1", "x", DATABASE)[-1].sqlstate == "28P01"


@pytest.mark.parametrize("length", [1025, 1 << 16, 1 << 30])
def test_a_message_that_is_too_long_before_the_login_has_an_error_of_its_own(proxy, length):
    with wire.WireClient(proxy.host, proxy.port) as client:
        offered(client)
        client.send(b"p" + struct.pack("!I", length))
        reply = client.receive()
        assert reply.sqlstate == "08P01" and reply.fields()["M"] == "invalid length of SASL response"
        assert "1024" in reply.fields()["D"]
        assert client.closed()

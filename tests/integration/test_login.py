"""Who gets in, and what those get who do not: wrong words, wrong bytes, wrong protocols."""

from __future__ import annotations

import socket
import struct

import psycopg2
import pytest

from support import wire


def refused(proxy, **parameters) -> str:
    with pytest.raises(psycopg2.OperationalError) as caught:
        proxy.connect(seconds=15, **parameters).close()
    return str(caught.value)


def test_a_wrong_password(proxy):
    assert "password authentication failed" in refused(proxy, password="wrong")


def test_a_wrong_password_has_sqlstate_28P01(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        last = client.login("app", "wrong", "shop")[-1]
        assert last.type == "E" and last.fields()["S"] == "FATAL" and last.sqlstate == "28P01"
        assert client.closed()


def test_an_unknown_user_is_told_the_same_as_a_wrong_password(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        last = client.login("stranger", "whatever", "shop")[-1]
        assert last.type == "E" and last.sqlstate == "28P01", last.fields()
        assert 'user "stranger"' in last.fields()["M"]


def test_an_empty_password(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        last = client.login("app", "", "shop")[-1]
        assert last.type == "E" and last.sqlstate == "28P01"


def test_an_unknown_database(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        replies = client.login("app", "app-secret", "nosuchdb")
        if replies[-1].type == "Z":  # told at the first statement, where a server is needed first
            replies = client.ask(wire.query("select 1")) if not client_closed(client) else replies
        errors = [reply for reply in replies if reply.type == "E"]
        assert errors and errors[0].sqlstate == "3D000", [reply.fields() for reply in errors]
        assert "nosuchdb" in errors[0].fields()["M"]


def client_closed(client: wire.WireClient) -> bool:
    client.socket.settimeout(0.05)
    try:
        return client.socket.recv(1, socket.MSG_PEEK) == b""
    except TimeoutError:
        return False


def test_a_good_login_reports_what_a_server_reports(proxy, cluster):
    with wire.WireClient(proxy.host, proxy.port) as client:
        replies = client.login("app", "app-secret", "shop", application_name="till", client_encoding="UTF8")
        assert replies[-1].type == "Z" and replies[-1].body == b"I"
        assert client.key is not None
        for name in ("server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone", "integer_datetimes",
                     "standard_conforming_strings", "IntervalStyle", "application_name", "is_superuser"):  # fmt: skip
            assert name in client.parameters, name
        assert client.parameters["application_name"] == "till"
        assert client.parameters["server_version"] == cluster.primary.value("show server_version")


# A bare PostgreSQL of Debian accepts GSSENCRequest, hence proxy_only.
@pytest.mark.parametrize("code", [wire.SSL_REQUEST, pytest.param(wire.GSSENC_REQUEST, marks=pytest.mark.proxy_only)])
def test_encryption_is_refused_by_one_byte_and_the_same_connection_goes_on(proxy, code):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(wire.request(code))
        assert client.receive_exactly(1) == b"N"
        assert client.login("app", "app-secret", "shop")[-1].type == "Z"


@pytest.mark.proxy_only
def test_gss_then_ssl_then_plain(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        for code in (wire.GSSENC_REQUEST, wire.SSL_REQUEST):
            client.send(wire.request(code))
            assert client.receive_exactly(1) == b"N"
        assert client.login("app", "app-secret", "shop")[-1].type == "Z"


def test_sslmode_require_is_refused_by_the_client_library(proxy):
    assert "does not support SSL" in refused(proxy, sslmode="require")


def test_a_newer_minor_version_is_negotiated(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        parameters = {"user": "app", "database": "shop", "_pq_.unknown": "1"}
        client.send(wire.startup(parameters, version=wire.PROTOCOL_3_0 + 9))
        reply = client.receive()
        assert reply.type == "v", reply
        version, count = struct.unpack("!II", reply.body[:8])
        assert version >> 16 in (0, 3) and count == 1 and b"_pq_.unknown" in reply.body
        assert client.receive().type == "R"


def test_an_old_major_version_is_refused_in_words(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(wire.startup({"user": "app"}, version=2 << 16))
        assert b"nsupported frontend protocol" in receive_all(client)


def receive_all(client: wire.WireClient) -> bytes:
    data = b""
    client.socket.settimeout(10)
    try:
        while chunk := client.socket.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def test_an_http_request_is_refused_and_closed(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert client.closed()


@pytest.mark.parametrize(
    "garbage",
    [b"\x00\x00\x00\x00", b"\x00\x00\x00\x04", b"\x00\x00\x00\x07\x00\x03\x00", b"\xff" * 64, bytes(range(256)),
     b"\x00\x00\x00\x08\x00\x03\x00\x00", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ids=["zero", "four", "seven", "ones", "all", "no-terminator", "tls-hello"],
)  # fmt: skip
def test_garbage_is_closed_and_the_next_client_is_served(proxy, garbage):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(garbage)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.closed()
    with proxy.connect() as sql:
        assert sql.value("select 1") == 1


def test_an_over_long_message_before_login_is_refused_before_it_is_read(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(struct.pack("!II", 1 << 30, wire.PROTOCOL_3_0) + b"user\0")
        assert client.closed()


@pytest.mark.proxy_only
def test_an_over_long_password_message_is_refused(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(wire.startup({"user": "app", "database": "shop"}))
        assert client.receive().type == "R"
        client.send(b"p" + struct.pack("!I", 1 << 30))
        assert client.closed()


def test_a_statement_before_the_login_is_refused(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(wire.startup({"user": "app", "database": "shop"}))
        assert client.receive().type == "R"
        client.send(wire.query("select 1"))
        assert client.closed()


def test_a_startup_without_a_user_is_refused(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.send(wire.startup({"database": "shop"}))
        reply = client.receive()
        assert reply.type == "E" and reply.sqlstate in ("28000", "08P01"), reply
        assert client.closed()


@pytest.mark.replaces_servers
def test_an_unknown_message_type_after_login_ends_that_connection_only(proxy):
    with wire.WireClient(proxy.host, proxy.port) as other:
        other.login("app", "app-secret", "shop")
        with wire.WireClient(proxy.host, proxy.port) as client:
            client.login("app", "app-secret", "shop")
            client.send(wire.message("~", b"?"))
            reply = client.receive()
            assert reply.type == "E" and reply.sqlstate == "08P01"
            assert client.closed()
        assert other.ask(wire.query("select 1"))[-1].type == "Z"


@pytest.mark.replaces_servers
def test_a_message_with_an_impossible_length_ends_the_connection(proxy):
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.login("app", "app-secret", "shop")
        client.send(b"Q" + struct.pack("!I", 3))
        assert client.closed()


@pytest.mark.proxy_only
def test_secrets_are_not_in_the_log(proxy):
    refused(proxy, password="a-wrong-secret-word")
    text = proxy.log()
    for secret in ("a-wrong-secret-word", "app-secret", "monitor-secret"):
        assert secret not in text


@pytest.mark.proxy_only
def test_half_a_login_is_ended_after_the_login_time(make_proxy):
    proxy = make_proxy({"auth": {"timeout": "1s"}})
    with wire.WireClient(proxy.host, proxy.port, seconds=30) as client:
        client.send(b"\x00\x00")
        assert client.closed(), "a client that says nothing is let go"


@pytest.mark.proxy_only
def test_trust_lets_everybody_on_loopback_in(make_proxy):
    proxy = make_proxy({"auth": {"method": "trust"}})
    with wire.WireClient(proxy.host, proxy.port) as client:
        assert client.login("app", "", "shop")[-1].type == "Z"
        assert client.ask(wire.query("select 1"))[-1].type == "Z"

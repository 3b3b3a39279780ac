"""TLS between clients and the proxy: modes, certificates, direct TLS, what must not be accepted, reload."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
from typing import Any

import psycopg
import psycopg2
import pytest

from support import wire
from support.certificates import Certificate, Files
from support.deadline import PATIENCE, wait_until
from support.postgres_cluster import APP_PASSWORD, APP_USER, DATABASE

pytestmark = pytest.mark.proxy_only


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def require(make_proxy, files) -> Any:
    return make_proxy(files.listen("require"))


def dsn(proxy, sslmode: str = "require", certificate: Certificate | None = None, **more: Any) -> str:
    if certificate is not None:
        more |= {"sslcert": certificate.cert, "sslkey": certificate.key}
    more = {"sslmode": sslmode, "sslcert": "/dev/null/none", "gssencmode": "disable"} | more
    return proxy.dsn(**more)


def one(proxy, *arguments: Any, **more: Any) -> Any:
    with psycopg.connect(dsn(proxy, *arguments, **more), autocommit=True) as connection:
        return connection.execute("select 42").fetchone()[0]


def refusal(proxy, *arguments: Any, **more: Any) -> str:
    with pytest.raises(psycopg.OperationalError) as caught:
        one(proxy, *arguments, **more)
    return str(caught.value)


def context(files: Files, alpn: str | None = "postgresql", **more: Any) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(files.servers.cert))
    if alpn is not None:
        made.set_alpn_protocols([alpn])
    for name, value in more.items():
        setattr(made, name, value)
    return made


def encrypted(proxy, files: Files, direct: bool = False, **more: Any) -> wire.WireClient:
    """A byte-by-byte client inside TLS."""
    client = wire.WireClient("127.0.0.1", proxy.port)
    if not direct:
        client.send(wire.request(wire.SSL_REQUEST))
        assert client.receive_exactly(1) == b"S"
    client.socket = context(files, **more).wrap_socket(client.socket, server_hostname="127.0.0.1")
    return client


def log_in(client: wire.WireClient) -> None:
    assert client.login(APP_USER, APP_PASSWORD, DATABASE)[-1].type == "Z"


# -- modes ---------------------------------------------------------------------------------------------


def test_libpq_connects_with_every_mode_that_encrypts(require, files):
    for mode in ("require", "verify-ca", "verify-full"):
        with psycopg.connect(dsn(require, mode, sslrootcert=files.servers.cert)) as connection:
            assert connection.pgconn.ssl_in_use
            assert connection.execute("select 42").fetchone() == (42,)


def test_psql_connects_with_verify_full_and_says_so(require, files):
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD": APP_PASSWORD}
    done = subprocess.run(
        ["psql", dsn(require, "verify-full", sslrootcert=files.servers.cert), "-Xc", "\\conninfo", "-c", "select 42"],
        capture_output=True, text=True, timeout=30 * PATIENCE, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "SSL connection (protocol: TLSv1.3" in done.stdout and "42" in done.stdout


def test_a_client_that_trusts_another_authority_does_not_go_on(require, files):
    assert "certificate verify failed" in refusal(require, "verify-full", sslrootcert=files.strangers.cert)
    assert one(require) == 42


def test_require_refuses_plain_text_and_says_why(require):
    text = refusal(require, "disable")
    assert "TLS" in text or "SSL" in text
    assert "28000" in text or "FATAL" in text


def test_allow_takes_both(make_proxy, files):
    proxy = make_proxy(files.listen("allow"))
    assert one(proxy, "disable") == 42
    assert one(proxy, "require") == 42


def test_disable_answers_that_there_is_no_tls(make_proxy, files):
    proxy = make_proxy()
    assert "server does not support SSL" in refusal(proxy, "require")
    assert one(proxy, "prefer") == 42


def test_channel_binding_works_where_the_client_insists_on_it(make_proxy, files):
    assert one(make_proxy(files.listen("require")), channel_binding="require") == 42
    for kind in ({"rsa": True, "digest": "sha384"}, {"rsa": True, "digest": "sha512"}):
        certificate = files.servers.issue("/CN=proxy", ["IP:127.0.0.1"], **kind)
        proxy = make_proxy(files.listen("require", cert=certificate.cert, key=certificate.key))
        assert one(proxy, "verify-full", channel_binding="require", sslrootcert=files.servers.cert) == 42


def test_the_oldest_version_can_be_raised(make_proxy, files):
    proxy = make_proxy(files.listen("require", min_version="TLSv1.3"))
    assert "protocol version" in refusal(proxy, ssl_max_protocol_version="TLSv1.2")
    assert one(proxy) == 42


def test_nothing_older_than_1_2_is_spoken_and_1_2_is(require):
    assert one(require, ssl_max_protocol_version="TLSv1.2") == 42
    refusal(require, ssl_min_protocol_version="TLSv1", ssl_max_protocol_version="TLSv1.1")


def test_ciphers_can_be_chosen(make_proxy, files):
    proxy = make_proxy(files.listen("require", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"))
    with encrypted(proxy, files, maximum_version=ssl.TLSVersion.TLSv1_2) as client:
        assert client.socket.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


# -- client certificates -------------------------------------------------------------------------------


def test_verify_full_wants_a_good_certificate_of_the_client(make_proxy, files):
    proxy = make_proxy(files.listen("verify-full", client_ca=files.clients.cert, crl=files.crl), start=False)
    proxy.start(query=False)
    wait_until(lambda: one(proxy, certificate=files.app) == 42, "the proxy", ignore=(psycopg.Error,))
    refusal(proxy)
    refusal(proxy, certificate=files.stranger)
    refusal(proxy, certificate=files.expired)
    refusal(proxy, certificate=files.revoked)
    assert one(proxy, certificate=files.app) == 42
    for why in ("did not return a certificate", "certificate has expired", "certificate revoked", "issuer certificate"):
        assert proxy.log_lines(why), proxy.log_tail()


def test_with_a_client_ca_a_certificate_is_optional_but_must_be_good(make_proxy, files):
    proxy = make_proxy(files.listen("require", client_ca=files.clients.cert))
    assert one(proxy) == 42
    assert one(proxy, certificate=files.app) == 42
    refusal(proxy, certificate=files.stranger)


# -- direct TLS ----------------------------------------------------------------------------------------


def test_direct_tls_with_alpn(require, files):
    with encrypted(require, files, direct=True) as client:
        assert client.socket.selected_alpn_protocol() == "postgresql"
        log_in(client)
        assert [reply.type for reply in client.ask(wire.query("select 1"))] == ["T", "D", "C", "Z"]


def test_direct_tls_without_alpn_is_refused(require, files):
    with encrypted(require, files, direct=True, alpn=None) as client:
        client.send(wire.startup({"user": APP_USER, "database": DATABASE}))
        with pytest.raises(wire.ConnectionClosed):
            reply = client.receive()
            assert reply.type == "E" and "ALPN" in reply.fields()["M"]
            client.receive()


def test_another_protocol_is_refused_by_alert(require, files):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        encrypted(require, files, direct=True, alpn="http/1.1")
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        encrypted(require, files, alpn="http/1.1")


def test_alpn_is_not_needed_after_an_ssl_request(require, files):
    with encrypted(require, files, alpn=None) as client:
        log_in(client)


# -- what must not be accepted -------------------------------------------------------------------------


def test_plain_bytes_behind_an_ssl_request_are_refused(require):
    with wire.WireClient("127.0.0.1", require.port) as client:
        client.send(wire.request(wire.SSL_REQUEST) + wire.startup({"user": APP_USER, "database": DATABASE}))
        # Either way there is no session: an error in the clear, or a handshake that cannot begin.
        assert client.closed()
    assert one(require) == 42


@pytest.mark.parametrize("garbage", [b"\0" * 64, b"\xff" * 5000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70000])
def test_garbage_instead_of_a_client_hello_ends_the_connection(require, garbage):
    with wire.WireClient("127.0.0.1", require.port) as client:
        client.send(wire.request(wire.SSL_REQUEST))
        assert client.receive_exactly(1) == b"S"
        try:
            client.send(garbage)
        except OSError:
            pass
        assert client.closed()
    assert one(require) == 42


def test_a_stream_that_ends_in_the_middle_of_the_handshake_does_no_harm(require):
    for _ in range(20):
        with wire.WireClient("127.0.0.1", require.port) as client:
            client.send(wire.request(wire.SSL_REQUEST))
            assert client.receive_exactly(1) == b"S"
            client.send(b"\x16\x03\x01\x02\x00\x01\x00")
    assert one(require) == 42


def test_a_handshake_that_stalls_holds_nobody_up(make_proxy, files):
    proxy = make_proxy(files.listen("require") | {"workers": {"threads": 1}})
    stalled = []
    for _ in range(10):
        client = wire.WireClient("127.0.0.1", proxy.port)
        client.send(wire.request(wire.SSL_REQUEST))
        assert client.receive_exactly(1) == b"S"
        client.send(b"\x16\x03\x01\x02\x00\x01")
        stalled.append(client)
    assert one(proxy) == 42
    for client in stalled:
        client.close()


def test_a_handshake_that_stalls_is_ended_by_the_login_timeout(make_proxy, files):
    proxy = make_proxy(files.listen("require") | {"auth": {"timeout": "1s"}})
    with wire.WireClient("127.0.0.1", proxy.port) as client:
        client.send(wire.request(wire.SSL_REQUEST))
        assert client.receive_exactly(1) == b"S"
        client.send(b"\x16\x03\x01\x02\x00\x01")
        assert client.closed()


def test_renegotiation_is_refused(require, files):
    # Python cannot ask for it; openssl's own client can, by a line that says R.
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{require.port}", "-starttls", "postgres", "-tls1_2"],
        input="R\n", capture_output=True, text=True, timeout=30 * PATIENCE, check=False,
    )  # fmt: skip
    assert "no renegotiation" in done.stderr.lower(), done.stderr


def test_no_session_is_resumed_and_no_ticket_given(require):
    for version in ("-tls1_2", "-tls1_3"):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{require.port}", "-starttls", "postgres", version, "-reconnect"],
            input="", capture_output=True, text=True, timeout=30 * PATIENCE, check=False,
        )  # fmt: skip
        assert "Reused" not in done.stdout and "New, TLSv1" in done.stdout, done.stdout + done.stderr
        assert "session ticket" not in done.stdout.lower()


# -- the contract of the stream ------------------------------------------------------------------------


def test_bytes_may_come_in_records_of_any_size(require, files):
    with encrypted(require, files) as client:
        log_in(client)
        for byte in wire.query("select 'one byte a record'"):
            client.send(bytes([byte]))
        assert client.until_ready()[1].body.endswith(b"one byte a record")
        many = b"".join(wire.query(f"select {number}") for number in range(3000))
        answers = client.ask_many(many, 3000)
        places = [answers.find(wire.message("D", struct.pack("!HI", 1, len(n)) + n)) for n in map(b"%d".__mod__, range(3000))]
        assert -1 not in places and places == sorted(places)


def test_answers_of_every_size_arrive_whole(require, files):
    with encrypted(require, files) as client:
        log_in(client)
        for size in [1, 8000, 16383, 16384, 16385, 4 * 16384 - 12, 131072, 131073, 1_000_003]:
            row = client.ask(wire.query(f"select repeat('x', {size})"))[1]
            assert row.body == struct.pack("!HI", 1, size) + b"x" * size


@pytest.mark.limit(120)
def test_copy_of_100_mb_each_way_needs_little_memory(require, files, table):
    with psycopg.connect(dsn(require), autocommit=True) as connection:
        connection.execute(f"create table {table} (line text)")
        before = require.memory()
        line = b"x" * 999 + b"\n"
        with connection.cursor().copy(f"copy {table} from stdin") as copy:
            for _ in range(100):
                copy.write(line * 1000)
        assert connection.execute(f"select count(*), sum(length(line)) from {table}").fetchone() == (100_000, 99_900_000)
        got = 0
        with connection.cursor().copy(f"copy {table} to stdout") as copy:
            for data in copy:
                got += len(data)
        assert got == 100_000_000
        assert require.sanitized or require.memory() - before < 20_000_000


@pytest.mark.limit(120)
def test_a_slow_reader_of_a_large_result_does_not_fill_the_memory(require, files):
    with encrypted(require, files) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        log_in(client)
        before = require.memory()
        client.send(wire.query("select repeat('y', 10000) from generate_series(1, 10000)"))
        assert client.receive().type == "T"
        # Nobody reads now, and the proxy stops taking from the server: others go on, memory does not grow.
        for _ in range(5):
            assert one(require) == 42
        assert require.sanitized or require.memory() - before < 20_000_000
        for _ in range(10000):
            assert len(client.receive().body) == 10006
        assert [reply.type for reply in client.until_ready()] == ["C", "Z"]


def test_a_stream_that_is_cut_off_is_an_end(require, files):
    client = encrypted(require, files)
    log_in(client)
    client.send(wire.query("begin"))
    client.until_ready()
    raw = client.socket.detach()
    os.close(raw)  # no close_notify
    wait_until(lambda: require.metrics().sum("tidemark_clients") == 0, "the client to be gone", 10)
    assert one(require) == 42


def test_close_notify_alone_ends_the_session_too(require, files):
    client = encrypted(require, files)
    log_in(client)
    plain = client.socket.unwrap()  # sends close_notify and waits for the answer
    plain.close()


def test_a_server_shutdown_reaches_an_encrypted_client_in_words(make_proxy, files):
    proxy = make_proxy(files.listen("require"))
    with encrypted(proxy, files) as client:
        log_in(client)
        proxy.stop()
        reply = client.receive()
        assert reply.type == "E" and reply.sqlstate == "57P01"
        assert client.closed()


# -- cancel --------------------------------------------------------------------------------------------


def sleeping(client: wire.WireClient) -> None:
    client.send(wire.query("select pg_sleep(30)"))


@pytest.mark.parametrize("how", ["plain", "tls", "direct"])
def test_a_cancel_request_works_in_the_clear_and_over_tls(require, files, cluster, how):
    with encrypted(require, files) as client:
        log_in(client)
        sleeping(client)
        wait_until(
            lambda: sum(node.value("select count(*) from pg_stat_activity where query like 'select pg_sleep%%' and state = 'active'")
                        for node in cluster.nodes) > 0, "the statement to run", 10)
        request = wire.request(wire.CANCEL_REQUEST, client.key)
        canceller = wire.WireClient("127.0.0.1", require.port) if how == "plain" else encrypted(require, files, direct=how == "direct")
        with canceller:
            canceller.send(request)
            canceller.closed()
        replies = client.until_ready()
        assert [reply.sqlstate for reply in replies if reply.type == "E"] == ["57014"]


# -- start and reload ----------------------------------------------------------------------------------


def serial(proxy, files) -> str:
    with encrypted(proxy, files) as client:
        return str(client.socket.getpeercert()["serialNumber"])


def test_reload_takes_a_new_certificate_and_drops_nobody(make_proxy, files, tmp_path):
    cert, key = tmp_path / "s.crt", tmp_path / "s.key"

    def install(certificate: Certificate) -> None:
        cert.write_bytes(certificate.cert.read_bytes())
        key.write_bytes(certificate.key.read_bytes())
        key.chmod(0o600)

    install(files.proxy)
    proxy = make_proxy(files.listen("require", cert=cert, key=key))
    first = serial(proxy, files)
    with psycopg.connect(dsn(proxy)) as connection:
        connection.execute("create temporary table t as select 1 as v")
        install(files.servers.issue("/CN=proxy", ["IP:127.0.0.1"]))
        proxy.reload()
        wait_until(lambda: serial(proxy, files) != first, "the new certificate", 10, detail=proxy.log_tail)
        assert connection.execute("select v from t").fetchone() == (1,)
        second = serial(proxy, files)
        # A key that does not fit: nothing changes, and the log names the file.
        key.write_bytes(files.app.key.read_bytes())
        proxy.reload()
        wait_until(lambda: proxy.log_lines("reload_refused"), "the refusal", 10)
        assert proxy.log_lines(f"listen.tls.key.*{key}.*not the key of the certificate"), proxy.log_tail()
        assert serial(proxy, files) == second
        assert connection.execute("select v from t").fetchone() == (1,)


def test_reload_changes_the_mode_and_names_what_needs_a_restart(make_proxy, files):
    proxy = make_proxy(files.listen("allow"))
    with psycopg.connect(dsn(proxy, "disable"), autocommit=True) as connection:
        proxy.config["listen"]["tls"]["mode"] = "require"
        proxy.config["pool"] = {"size": 7}
        proxy.write_config()
        proxy.reload()
        wait_until(lambda: proxy.log_lines("event=reloaded"), "the reload", 10, detail=proxy.log_tail)
        refusal(proxy, "disable")
        assert one(proxy) == 42
        assert connection.execute("select 42").fetchone() == (42,)
    assert proxy.log_lines("event=reloaded changed=.listen.tls.mode.")
    assert proxy.log_lines("needs_restart=.pool.size.")


def test_reload_takes_a_new_revocation_list(make_proxy, files, tmp_path):
    crl = tmp_path / "c.crl"
    crl.write_bytes(files.crl.read_bytes())
    doomed = files.clients.issue("/CN=app")
    proxy = make_proxy(files.listen("require", client_ca=files.clients.cert, crl=crl))
    assert one(proxy, certificate=doomed) == 42
    crl.write_bytes(files.clients.revoke(doomed).read_bytes())
    proxy.reload()
    wait_until(lambda: proxy.log_lines("event=reloaded"), "the reload", 10, detail=proxy.log_tail)
    refusal(proxy, certificate=doomed)
    assert one(proxy, certificate=files.app) == 42


def check(proxy) -> tuple[int, str]:
    done = proxy.tool("check", "--config", str(proxy.config_file))
    return done.returncode, done.stderr


def test_check_and_start_name_the_file_that_is_wrong(make_proxy, files, tmp_path):
    open_key = tmp_path / "open.key"
    open_key.write_bytes(files.proxy.key.read_bytes())
    open_key.chmod(0o644)
    empty = tmp_path / "empty.pem"
    empty.touch(mode=0o600)
    cases = [
        ({"cert": tmp_path / "none.crt"}, "none.crt\" cannot be read: No such file"),
        ({"cert": tmp_path}, "cannot be read: it is a folder"),
        ({"cert": empty}, "empty.pem\" holds no usable certificate"),
        ({"key": empty}, "empty.pem\" holds no usable key"),
        ({"key": open_key}, "open.key\" may be read by others"),
        ({"key": files.app.key}, "is not the key of the certificate"),
        ({"client_ca": empty}, "empty.pem\" holds no usable certificate"),
        ({"client_ca": files.clients.cert, "crl": files.clients.cert}, "holds no usable revocation list"),
        ({"ciphers": "NO-SUCH"}, "OpenSSL knows no cipher"),
    ]
    for change, text in cases:
        proxy = make_proxy(files.listen("require", **change), start=False)
        proxy.may_fail = True
        code, said = check(proxy)
        assert code == 2 and text in said, (change, said)
        assert f"{proxy.config_file}:" in said and "error: \"listen.tls." in said
        done = proxy.tool("--config", str(proxy.config_file))
        assert done.returncode != 0 and text in done.stderr, (change, done.stderr)


def test_an_expired_certificate_is_a_warning(make_proxy, files):
    old = files.servers.issue("/CN=proxy", ["IP:127.0.0.1"], days=-1)
    proxy = make_proxy(files.listen("require", cert=old.cert, key=old.key))
    code, said = check(proxy)
    assert code == 0 and "warning" in said and "has expired" in said
    assert proxy.log_lines("listen.tls.cert.*has expired")
    assert one(proxy) == 42

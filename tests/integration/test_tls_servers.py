"""TLS between the proxy and PostgreSQL: sessions, the monitor and cancel requests alike."""

from __future__ import annotations

import pathlib
import select
import socket
import struct
import threading
from typing import Any, Iterator

import psycopg
import pytest

from support import wire
from support.certificates import Authority
from support.deadline import PATIENCE, wait_until
from support.postgres_cluster import PostgresCluster
from support.run_as import server_user
from support.watchdog import OwnedDirectory

pytestmark = pytest.mark.proxy_only


class Secured:
    """A primary and a replica that take users through TLS alone, and the authorities around them."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.servers = Authority(directory, "servers")
        self.clients = Authority(directory, "clients")
        self.strangers = Authority(directory, "strangers")
        certificate = self.servers.issue("/CN=node", ["IP:127.0.0.1"]).for_servers()
        self.nameless = self.servers.issue("/CN=elsewhere", ["DNS:elsewhere.test"]).for_servers()
        self.proxy = self.clients.issue("/CN=app")
        self.revoked = self.servers.revoke(certificate)
        settings = {
            "ssl": True,
            "ssl_cert_file": str(certificate.cert),
            "ssl_key_file": str(certificate.key),
            "ssl_ca_file": str(self.clients.cert),
        }
        self.cluster = PostgresCluster(replicas=1, fsync=False, settings=settings)


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    user = server_user()
    owned = OwnedDirectory("tidemark-tls-", user.pw_uid, user.pw_gid)
    try:
        made = Secured(owned.path)
        with made.cluster as cluster:
            for node in cluster.nodes:
                hba = node.directory / "pg_hba.conf"
                lines = hba.read_text(encoding="utf-8").splitlines()
                lines[-1:] = [lines[-1].replace("host ", "hostssl ", 1), "hostnossl all all 127.0.0.1/32 reject"]
                hba.write_text("\n".join(lines) + "\n", encoding="utf-8")
                node.reload()
            wait_until(
                lambda: all(_refuses_plain_text(node) for node in cluster.nodes), "the servers to insist on TLS", 20
            )
            yield made
    finally:
        owned.close()


def _refuses_plain_text(node: Any) -> bool:
    try:
        psycopg.connect(
            f"host=127.0.0.1 port={node.port} user=app password=app-secret dbname=shop sslmode=disable"
        ).close()
    except psycopg.OperationalError:
        return True
    return False


def server_tls(mode: str, **more: Any) -> dict[str, Any]:
    return {"cluster": {"server_tls": {"mode": mode} | {key: str(value) for key, value in more.items()}}}


def secure(make_proxy, secured: Secured, mode: str, start: bool = True, **more: Any):
    return make_proxy(server_tls(mode, **more), nodes=secured.cluster.addresses, start=start)


def all_encrypted(secured: Secured) -> bool:
    """Every connection of the proxy's, from the clients' pools and from the monitor."""
    for node in secured.cluster.nodes:
        rows = node.rows(
            "select usename, ssl from pg_stat_activity join pg_stat_ssl using (pid) where usename in ('app', 'tidemark')"
        )
        assert "tidemark" in {name for name, _ in rows}
        if not all(encrypted for _, encrypted in rows):
            return False
    return True


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-ca", "verify-full"])
def test_sessions_and_the_monitor_encrypt(make_proxy, secured, mode):
    files = {"ca": secured.servers.cert} if mode.startswith("verify") else {}
    proxy = secure(make_proxy, secured, mode, **files)
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("create temporary table t as select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert connection.execute("select ssl from t").fetchone() == (True,)
        assert all_encrypted(secured)
    large = "select repeat('x', 1000) from generate_series(1, 20000)"
    with psycopg.connect(proxy.dsn(), autocommit=True) as connection:
        assert sum(len(row[0]) for row in connection.execute(large)) == 20_000_000


def test_tls_1_3_can_be_insisted_on(make_proxy, secured):
    proxy = secure(make_proxy, secured, "require", min_version="TLSv1.3")
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("create temporary table t as select version from pg_stat_ssl where pid = pg_backend_pid()")
        assert connection.execute("select version from t").fetchone() == ("TLSv1.3",)


def test_prefer_goes_on_without_tls_and_require_does_not(make_proxy, cluster):
    proxy = make_proxy(server_tls("prefer"))
    with proxy.connect() as sql:
        assert sql.value("select 42") == 42
    strict = make_proxy(server_tls("require"), start=False)
    strict.start(query=False)
    wait_until(lambda: strict.log_lines("probe_failed.*server does not support SSL"), "the monitor's complaint", 10)


def unusable(make_proxy, secured: Secured, mode: str, **more: Any):
    proxy = secure(make_proxy, secured, mode, start=False, **more)
    proxy.start(query=False)
    return proxy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ca": "strangers"}, "certificate verify failed"),
        ({"ca": "servers", "crl": "revoked"}, "certificate (verify failed|revoked)"),
    ],
)
def test_a_server_that_is_not_to_be_trusted_is_not_used(make_proxy, secured, change, words):
    paths = {"strangers": secured.strangers.cert, "servers": secured.servers.cert, "revoked": secured.revoked}
    proxy = unusable(make_proxy, secured, "verify-ca", **{key: paths[name] for key, name in change.items()})
    wait_until(lambda: proxy.log_lines(f"probe_failed.*{words}"), "the monitor's complaint", 10, detail=proxy.log_tail)


def test_verify_full_wants_the_nodes_own_name(make_proxy, secured):
    primary = secured.cluster.primary
    primary.alter_system({"ssl_cert_file": secured.nameless.cert, "ssl_key_file": secured.nameless.key})
    try:
        lax = secure(make_proxy, secured, "verify-ca", ca=secured.servers.cert)
        with psycopg.connect(lax.dsn(), autocommit=True) as connection:
            assert connection.execute("select pg_current_xact_id() is not null").fetchone() == (True,)
        strict = unusable(make_proxy, secured, "verify-full", ca=secured.servers.cert)
        wait_until(
            lambda: strict.log_lines(f"probe_failed node={primary.address} .*does not match host name"),
            "the monitor's complaint", 10, detail=strict.log_tail,
        )  # fmt: skip
    finally:
        primary.alter_system({"ssl_cert_file": None, "ssl_key_file": None})


def test_a_certificate_that_is_replaced_under_way_is_told_with_its_reason(make_proxy, secured):
    """The data path checks for itself: the monitor's connection is older than the servers' new certificate."""
    proxy = secure(make_proxy, secured, "verify-full", ca=secured.servers.cert)
    nodes = secured.cluster.nodes
    for node in nodes:
        node.alter_system({"ssl_cert_file": secured.nameless.cert, "ssl_key_file": secured.nameless.key})
    try:
        held = []
        with pytest.raises(psycopg.OperationalError):
            for _ in range(30):  # more than there are connections in the pools
                held.append(psycopg.connect(proxy.dsn(connect_timeout=20)))
                held[-1].execute("create temporary table if not exists t (v int)")
        assert proxy.log_lines("server_failed.*does not name the host .127.0.0.1.|probe_failed.*does not match host name")
        for connection in held:
            connection.close()
    finally:
        for node in nodes:
            node.alter_system({"ssl_cert_file": None, "ssl_key_file": None})


def test_our_own_certificate_is_shown_to_servers_that_ask(make_proxy, secured):
    proxy = secure(make_proxy, secured, "require", cert=secured.proxy.cert, key=secured.proxy.key)
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("create temporary table t as select client_dn from pg_stat_ssl where pid = pg_backend_pid()")
        assert connection.execute("select client_dn from t").fetchone() == ("/CN=app",)


class Forwarder:
    """Passes connections on to a server and remembers how each one began."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.beginnings: list[bytearray] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            seen = bytearray()
            self.beginnings.append(seen)
            threading.Thread(target=self._pass_on, args=[client, seen], daemon=True).start()

    def _pass_on(self, client: socket.socket, seen: bytearray) -> None:
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    try:
                        data = source.recv(65536)
                        (server if source is client else client).sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    if source is client and len(seen) < 64:
                        seen += data

    def close(self) -> None:
        self.listener.close()


def test_a_cancel_request_is_encrypted_like_the_connection(make_proxy, secured):
    forwarder = Forwarder(secured.cluster.primary.port)
    proxy = make_proxy(
        server_tls("verify-full", ca=secured.servers.cert), nodes=[f"127.0.0.1:{forwarder.port}"]
    )
    with psycopg.connect(proxy.dsn(), autocommit=True) as connection:
        connection.execute("select 1")
        before = len(forwarder.beginnings)
        running = threading.Event()
        problems: list[Any] = []

        def run() -> None:
            running.set()
            try:
                connection.execute("select pg_sleep(30), pg_current_xact_id()")
            except psycopg.Error as error:
                problems.append(error.sqlstate)

        thread = threading.Thread(target=run)
        thread.start()
        running.wait()
        wait_until(
            lambda: secured.cluster.primary.value(
                "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(30)%%'"
            ),
            "the statement to run", 10,
        )  # fmt: skip
        connection.cancel()
        thread.join(20 * PATIENCE)
        assert problems == ["57014"]
        ssl_request, cancel = wire.request(wire.SSL_REQUEST), struct.pack("!I", wire.CANCEL_REQUEST)
        begun = forwarder.beginnings[before:]
        assert begun, "the cancel request came on a connection of its own"
        for bytes_ in begun:
            assert bytes_.startswith(ssl_request + b"\x16\x03") and cancel not in bytes_
    forwarder.close()

"""Clients that come through a Unix-domain socket."""

from __future__ import annotations

import pathlib
import shutil
import socket
import stat
import subprocess
import tempfile
from typing import Iterator

import psycopg2
import pytest

from support import wire
from support.deadline import PATIENCE
from support.run_as import clean_environment

pytestmark = pytest.mark.proxy_only


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """Short enough for the path of a socket."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="tm-"))
    yield made
    shutil.rmtree(made)


def test_psql_finds_the_socket_and_logs_in(make_proxy, folder):
    proxy = make_proxy({"listen": {"unix_socket_dir": str(folder)}})
    done = subprocess.run(
        ["psql", "-X", "-At", "-h", str(folder), "-p", str(proxy.port), "-U", "app", "-d", "shop", "-c", "select 6 * 7"],
        env=clean_environment() | {"PGPASSWORD": "app-secret"},
        capture_output=True,
        text=True,
        timeout=30 * PATIENCE,
        check=False,
    )
    assert done.stdout == "42\n", done
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(host=str(folder), port=proxy.port, user="app", password="wrong", dbname="shop")
    assert proxy.log_lines(r"event=login_failed .*address=\[local\]")


def test_local_rules_are_for_the_socket_alone(make_proxy, folder):
    rules = [
        {"type": "local", "method": "trust", "user": ["app"]},
        {"type": "host", "method": "reject", "address": "all", "user": ["postgres"]},
        {"type": "host", "method": "scram-sha-256", "address": "all"},
    ]
    proxy = make_proxy({"listen": {"unix_socket_dir": str(folder)}, "auth": {"method": None, "rule": rules}})
    with psycopg2.connect(host=str(folder), port=proxy.port, user="app", dbname="shop") as connection:
        connection.cursor().execute("select 1")
    connection.close()
    with pytest.raises(psycopg2.OperationalError, match='no host rule for host "\\[local\\]", user "postgres"'):
        psycopg2.connect(host=str(folder), port=proxy.port, user="postgres", dbname="shop")
    with wire.WireClient(proxy.host, proxy.port) as client:
        assert client.login("app", "wrong", "shop")[-1].sqlstate == "28P01"


def test_the_socket_has_its_permissions_and_is_gone_at_the_end(make_proxy, folder):
    proxy = make_proxy({"listen": {"unix_socket_dir": str(folder), "unix_socket_permissions": "0770"}})
    path = folder / f".s.PGSQL.{proxy.port}"
    assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o770
    assert proxy.stop() == 0
    assert not list(folder.iterdir())


def test_a_dead_process_s_socket_is_replaced(make_proxy, folder):
    proxy = make_proxy({"listen": {"unix_socket_dir": str(folder)}})
    proxy.kill()
    assert (folder / f".s.PGSQL.{proxy.port}").exists()
    proxy.start()
    connection = psycopg2.connect(host=str(folder), port=proxy.port, user="app", password="app-secret", dbname="shop")
    connection.close()


def test_a_socket_that_is_in_use_is_left_alone(make_proxy, folder):
    proxy = make_proxy({"listen": {"unix_socket_dir": str(folder)}}, start=False)
    path = folder / f".s.PGSQL.{proxy.port}"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        proxy.may_fail = True
        proxy.launch()
        assert proxy.process.wait(timeout=20 * PATIENCE) != 0
        assert proxy.log_lines("cannot listen on .*: another process does")
        assert path.exists()


def test_encryption_is_not_offered_on_the_socket(make_proxy, folder):
    proxy = make_proxy({"listen": {"unix_socket_dir": str(folder)}})
    with wire.WireClient(proxy.host, proxy.port) as client:
        client.socket.close()
        client.socket = socket.socket(socket.AF_UNIX)
        client.socket.connect(str(folder / f".s.PGSQL.{proxy.port}"))
        client.send(wire.request(wire.SSL_REQUEST))
        assert client.receive_exactly(1) == b"N"
        assert client.login("app", "app-secret", "shop")[-1].type == "Z"

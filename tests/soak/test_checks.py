"""The checks can fail: poolers that mix clients up, state that stays, memory that grows."""

from __future__ import annotations

import pathlib
import socket
import subprocess
import sys

import pytest

from soak import FINDINGS, assert_nothing_left, growth, run_driver
from support.deadline import DeadlineExceeded, wait_until
from support.free_ports import free_ports
from support.run_as import clean_environment


@pytest.fixture
def naive_pooler(cluster):
    """naive_pooler("rotate"): its port."""
    started = []

    def start(mode: str) -> int:
        (port,) = free_ports(1)
        program = pathlib.Path(__file__).with_name("naive_pooler.py")
        command = [sys.executable, str(program), mode, str(port), str(cluster.primary.port), "8", "shop"]
        started.append(subprocess.Popen(command, env=clean_environment()))

        def listens() -> bool:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True

        wait_until(listens, "the naive pooler to listen", 20, ignore=(OSError,))
        return port

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_settings_of_others_are_found(naive_pooler):
    report = run_driver(
        "naive pooler, rotating", naive_pooler("rotate"), 3, databases=["shop"], clients=20, only="set", vanish=0,
        patience=4,
    )  # fmt: skip
    assert report.exit_code == FINDINGS
    assert report["wrong_by_operation"].get("look at a setting", 0) > 0


def test_answers_to_others_are_found(naive_pooler):
    report = run_driver(
        "naive pooler, undrained", naive_pooler("undrained"), 3, databases=["shop"], clients=8, only="statement",
        vanish=0.2, patience=4,
    )  # fmt: skip
    assert report.exit_code == FINDINGS
    assert any("of somebody else" in finding for finding in report["findings"])


def test_a_client_that_stayed_is_found(make_proxy, cluster):
    proxy = make_proxy()
    assert_nothing_left(proxy, cluster, 1)
    sql = proxy.connect()
    try:
        sql.rows("listen something")
        with pytest.raises(DeadlineExceeded, match="no client"):
            assert_nothing_left(proxy, cluster, 1, seconds=1)
    finally:
        sql.connection.close()
    assert_nothing_left(proxy, cluster, 1)


def test_an_open_transaction_at_a_server_is_found(make_proxy, cluster):
    proxy = make_proxy()
    with cluster.primary.connect(user="second", password="second-secret", dbname="yard") as sql:
        sql.rows("begin")
        with pytest.raises(DeadlineExceeded, match="no busy session"):
            assert_nothing_left(proxy, cluster, 1, seconds=1)


def test_growing_memory_is_found():
    megabyte = 1024 * 1024
    warming = [20 * megabyte + n * megabyte for n in range(20)]
    assert growth(warming + [40 * megabyte] * 80).flat
    assert growth([40 * megabyte + (n % 7) * megabyte // 4 for n in range(100)]).flat
    assert not growth([40 * megabyte + n * megabyte // 10 for n in range(100)]).flat

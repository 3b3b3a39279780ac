"""Each test breaks a cluster for good, so each has its own: a primary and two replicas."""

from __future__ import annotations

import pathlib
import sys
from typing import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support.postgres_cluster import PostgresCluster  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from support.sanitizers import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--failovers", type=int, default=3, help="how many in test_random_failovers.py")
    parser.addoption("--failovers-seed", type=int, default=1, help="which ones, and when")


@pytest.fixture
def cluster() -> Iterator[PostgresCluster]:
    with PostgresCluster(replicas=2, fsync=False) as made:
        with made.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
            sql.rows("create table drill (id bigint primary key)")
        made.wait_caught_up()
        yield made


@pytest.fixture
def proxy(cluster: PostgresCluster) -> Iterator[ProxyProcess]:
    with ProxyProcess(cluster.addresses, directory=cluster.directory) as made:
        yield made
        ended_by_itself = not made.running()
        text = made.log_tail()
    assert not ended_by_itself, "the proxy ended by itself\n" + text
    made.check_sanitizers()

"""A cluster with two users and two databases, and proxies before it with few server connections."""

from __future__ import annotations

import pathlib
import sys
from typing import Any, Callable, Iterator, Mapping

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from soak import USERS, prepare  # noqa: E402
from support.postgres_cluster import PostgresCluster  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from support.sanitizers import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak-seconds", type=float, default=20, help="length of the main run")
    parser.addoption("--soak-clients", type=int, default=200, help="clients of the main run")
    parser.addoption("--soak-servers", type=int, default=20, help="server connections per node")
    parser.addoption("--soak-workers", type=int, default=2, help="worker threads of the proxy")
    parser.addoption("--soak-think-ms", type=float, default=50, help="mean pause between a client's operations")
    parser.addoption("--soak-seed", type=int, default=1, help="seed of the clients' choices")
    parser.addoption("--soak-only", default="", help="operations whose name contains this")


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    # A replica that ends reads for the sake of replay would add errors that say nothing about mix-ups.
    settings = {"hot_standby_feedback": True, "max_standby_streaming_delay": "60s", "autovacuum_naptime": "10s"}
    with PostgresCluster(replicas=2, fsync=False, settings=settings) as made:
        prepare(made)
        yield made


@pytest.fixture
def make_proxy(cluster: PostgresCluster) -> Iterator[Callable[..., ProxyProcess]]:
    """make_proxy({"pool": {...}}): a started proxy before all nodes."""
    made: list[ProxyProcess] = []

    def make(overrides: Mapping[str, Any] | None = None) -> ProxyProcess:
        proxy = ProxyProcess(cluster.addresses, overrides, users=USERS, directory=cluster.directory)
        made.append(proxy)
        proxy.start(seconds=60)
        return proxy

    yield make
    for proxy in made:
        ended_by_itself = not proxy.running()
        text = proxy.log_tail()
        print(text)  # shown with a test that failed
        if not ended_by_itself:
            # An orderly end lets a sanitizer look for leaks.
            assert proxy.stop(60) == 0, proxy.log_tail(200)
        proxy.check_sanitizers()
        proxy.close()
        assert not ended_by_itself, "a proxy ended by itself\n" + text

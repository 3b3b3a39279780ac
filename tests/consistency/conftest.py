"""A cluster of one primary and four replicas, and proxies before it; what a test breaks is healed after it."""

from __future__ import annotations

import pathlib
import sys
from typing import Any, Callable, Iterator, Mapping

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from driver import make_table  # noqa: E402
from support.postgres_cluster import PostgresCluster  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from support.sanitizers import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--history-reads", type=int, default=0, help="length of the main run in reads, instead of 20 seconds"
    )
    parser.addoption("--history-users", type=int, default=0, help="users of three connections in that run, besides")
    parser.addoption("--history-seed", type=int, default=1, help="seed of the sessions' choices")


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    settings = {"checkpoint_timeout": "30s"}
    with PostgresCluster(replicas=4, fsync=False, statement_statistics=True, settings=settings) as made:
        yield made


@pytest.fixture
def nodes(cluster: PostgresCluster) -> Iterator[PostgresCluster]:
    """The cluster with an empty history: no delays, all caught up, every version 0."""
    cluster.heal()
    make_table(cluster)
    yield cluster
    cluster.heal()


@pytest.fixture
def make_proxy(nodes: PostgresCluster) -> Iterator[Callable[..., ProxyProcess]]:
    """make_proxy("session", {"routing": {...}}): a started proxy before all nodes."""
    made: list[ProxyProcess] = []

    def make(consistency: str, overrides: Mapping[str, Any] | None = None) -> ProxyProcess:
        settings = {name: dict(table) for name, table in (overrides or {}).items()}
        settings.setdefault("routing", {})["consistency"] = consistency
        proxy = ProxyProcess(nodes.addresses, settings, directory=nodes.directory)
        made.append(proxy)
        proxy.start()
        return proxy

    yield make
    for proxy in made:
        ended_by_itself = not proxy.running()
        text = proxy.log_tail()
        print(text)  # shown with a test that failed
        proxy.close()
        proxy.check_sanitizers()
        assert not ended_by_itself, "a proxy ended by itself\n" + text


@pytest.fixture
def uneven(nodes: PostgresCluster) -> PostgresCluster:
    """Replicas that show a commit at once, after 20 ms, after 200 ms, and not at all."""
    for node, milliseconds in zip(nodes.replicas, (0, 20, 200)):
        if milliseconds:
            node.set_apply_delay(milliseconds)
    nodes.replicas[3].pause_replay()
    return nodes

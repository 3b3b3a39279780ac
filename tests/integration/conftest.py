"""One cluster and one proxy for all tests; what a test breaks is healed after it.

--target=postgres or --target=pgbouncer runs the same tests against those instead of the proxy: a test that
fails there asks for something unusual.
"""

from __future__ import annotations

import itertools
import pathlib
import signal
import sys
import threading
from typing import Any, Callable, Iterator, Mapping

import psycopg
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.deadline import PATIENCE, wait_until  # noqa: E402
from support.direct import DirectServer  # noqa: E402
from support.pgbouncer_process import PgBouncerProcess  # noqa: E402
from support.postgres_cluster import PostgresCluster  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from support.sanitizers import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401
from support.server_process import ServerProcess  # noqa: E402

_started: list[ServerProcess] = []
_names = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", choices=["proxy", "postgres", "pgbouncer"], default="proxy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    target = config.getoption("--target")
    for item in items:
        if target != "proxy" and item.get_closest_marker("proxy_only"):
            item.add_marker(pytest.mark.skip(reason=f"{target} has no such thing"))
        if target == "pgbouncer" and item.get_closest_marker("replaces_servers"):
            item.add_marker(pytest.mark.skip(reason="needs session state to follow the client"))


@pytest.fixture(autouse=True)
def time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends a test that hangs. Killing what it is connected to wakes a client library that sits in C code."""
    marker = request.node.get_closest_marker("limit")
    seconds = PATIENCE * (marker.args[0] if marker else 60)

    def expire() -> None:
        for server in _started:
            server.kill()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    def raise_timeout(*_: object) -> None:
        raise TimeoutError(f"the test took longer than {seconds} s; its servers were killed")

    before = signal.signal(signal.SIGALRM, raise_timeout)
    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    """A primary and two replicas. A test that changes a node takes `nodes` instead."""
    with PostgresCluster(replicas=2, fsync=False) as made:
        yield made


@pytest.fixture
def nodes(cluster: PostgresCluster) -> Iterator[PostgresCluster]:
    """The cluster for a test that stops, freezes, delays or promotes; all is well again afterwards."""
    yield cluster
    cluster.heal()
    cluster.wait_caught_up()


def _make(config: pytest.Config, cluster: PostgresCluster) -> ServerProcess:
    target = config.getoption("--target")
    if target == "postgres":
        return DirectServer(cluster.primary, cluster.directory)
    if target == "pgbouncer":
        return PgBouncerProcess(cluster.primary.port, {"server_reset_query": "discard all"}, cluster.directory)
    return ProxyProcess(cluster.addresses, directory=cluster.directory)


@pytest.fixture(scope="session")
def _shared_server(request: pytest.FixtureRequest, cluster: PostgresCluster) -> Iterator[ServerProcess]:
    server = _make(request.config, cluster)
    _started.append(server)
    yield server
    server.close()


@pytest.fixture
def proxy(_shared_server: ServerProcess) -> Iterator[Any]:
    """The proxy with default settings, shared by all tests; started anew if a test has brought it down."""
    if not _shared_server.running():
        _shared_server.start()
    yield _shared_server
    if isinstance(_shared_server, ProxyProcess):
        _shared_server.check_sanitizers()
        assert _shared_server.running(), "the proxy ended during the test\n" + _shared_server.log_tail()


@pytest.fixture
def make_proxy(request: pytest.FixtureRequest, cluster: PostgresCluster) -> Iterator[Callable[..., ProxyProcess]]:
    """Makes proxies with settings of their own: make_proxy({"pool": {"size": 2}}). Not for other targets."""
    made: list[ProxyProcess] = []

    def make(overrides: Mapping[str, Any] | None = None, start: bool = True, **options: Any) -> ProxyProcess:
        nodes = options.pop("nodes", cluster.addresses)
        server = ProxyProcess(nodes, overrides, directory=cluster.directory, **options)
        made.append(server)
        _started.append(server)
        if start:
            server.start()
        return server

    if request.config.getoption("--target") != "proxy":
        pytest.skip("needs a proxy of its own")
    yield make
    for server in made:
        crashed = server.process is not None and server.process.poll() not in (None, 0, -9, -15)
        text = server.log_tail()
        server.close()
        _started.remove(server)
        server.check_sanitizers()
        if crashed and not getattr(server, "may_fail", False):
            pytest.fail("a proxy ended by itself\n" + text)


@pytest.fixture
def shop(cluster: PostgresCluster) -> Callable[..., list[tuple[Any, ...]]]:
    """Runs SQL as `app` on the primary itself, past the proxy, and waits until the replicas have it."""

    def run(*statements: str) -> list[tuple[Any, ...]]:
        with cluster.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
            rows = [sql.rows(statement) for statement in statements][-1]
        cluster.wait_caught_up()
        return rows

    return run


@pytest.fixture
def make_informed_proxy(make_proxy, cluster: PostgresCluster, shop) -> Iterator[Callable[..., ProxyProcess]]:
    """Like make_proxy, but waits until the proxy knows the functions of the database: before that, whatever calls one
    that it does not know by itself may leave state in its session."""
    shop("create function known_one() returns int immutable language sql as 'select 1'")

    def make(*settings: Any, **options: Any) -> ProxyProcess:
        proxy = make_proxy(*settings, **options)
        replicas = {node.port for node in cluster.replicas}
        asked = "/* tidemark: consistency=eventual */ select inet_server_port() * known_one()"
        with psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True) as sql:
            wait_until(lambda: sql.execute(asked).fetchone()[0] in replicas, "the functions to be read", 20)
        return proxy

    yield make
    shop("drop function known_one()")


@pytest.fixture
def table(cluster: PostgresCluster) -> Iterator[str]:
    """A name for a table (and whatever begins with it) that no other test uses; dropped afterwards."""
    name = f"t{next(_names)}"
    yield name
    with cluster.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows(f"drop table if exists {name} cascade")

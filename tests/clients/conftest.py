"""One cluster, and proxies in front of it, for programs and drivers that know nothing of a proxy.

--target=postgres runs the same tests against PostgreSQL itself, where every one must pass, too.
"""

from __future__ import annotations

import itertools
import pathlib
import signal
import subprocess
import sys
import threading
from typing import Any, Callable, Iterator, Mapping

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.deadline import PATIENCE  # noqa: E402
from support.direct import DirectServer  # noqa: E402
from support.postgres_cluster import PostgresCluster  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from support.run_as import clean_environment  # noqa: E402
from support.sanitizers import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401
from support.server_process import ServerProcess  # noqa: E402

import logins  # noqa: E402
import programs  # noqa: E402

_servers: dict[str, ServerProcess] = {}
_names = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", choices=["proxy", "postgres"], default="proxy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    direct = config.getoption("--target") == "postgres"
    for item in items:
        if direct and item.get_closest_marker("proxy_only"):
            item.add_marker(pytest.mark.skip(reason="PostgreSQL itself has no such thing"))
        fault = item.get_closest_marker("known_fault")
        if fault and not direct:
            item.add_marker(pytest.mark.xfail(strict=True, reason=fault.args[0]))


@pytest.fixture(autouse=True)
def time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends a test that hangs. Killing what it is connected to wakes a client library that sits in C code."""
    marker = request.node.get_closest_marker("limit")
    seconds = PATIENCE * (marker.args[0] if marker else 60)

    def expire() -> None:
        for server in _servers.values():
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
    """A primary and a replica, to which the drivers' reads go."""
    # Autovacuum would be one more role in a database that a test wants to drop.
    with PostgresCluster(replicas=1, fsync=False, settings={"autovacuum": False}) as made:
        made.client_files = logins.prepare_server(made)  # type: ignore[attr-defined]
        yield made


@pytest.fixture(scope="session")
def _make_server(request: pytest.FixtureRequest, cluster: PostgresCluster) -> Iterator[Callable[..., ServerProcess]]:
    """Makes, or gives again, the proxy with these settings; PostgreSQL itself if that is the target."""

    def make(overrides: Mapping[str, Any]) -> ServerProcess:
        direct = request.config.getoption("--target") == "postgres"
        key = "postgres" if direct else repr(overrides)
        server = _servers.get(key)
        if server is None:
            server = (
                DirectServer(cluster.primary, cluster.directory)
                if direct
                else ProxyProcess(cluster.addresses, overrides, directory=cluster.directory)
            )
            _servers[key] = server
        if not server.running():
            server.start(query=overrides.get("auth", {}).get("method") != "cert")
        return server

    yield make
    for server in _servers.values():
        server.close()


def _checked(server: ServerProcess) -> Iterator[ServerProcess]:
    yield server
    if isinstance(server, ProxyProcess):
        server.check_sanitizers()
        assert server.running(), "the proxy ended during the test\n" + server.log_tail()


@pytest.fixture
def proxy(_make_server: Callable[..., ServerProcess]) -> Iterator[ServerProcess]:
    """The proxy that most tests share, with the crowd as a neighbour on its server connections."""
    yield from _checked(_make_server({}))


@pytest.fixture
def narrow(_make_server: Callable[..., ServerProcess]) -> Iterator[ServerProcess]:
    """A proxy with two server connections per node: fewer than any pool of a driver has."""
    yield from _checked(_make_server({"pool": {"size": 2, "queue_timeout": "30s"}}))


@pytest.fixture
def single(_make_server: Callable[..., ServerProcess]) -> Iterator[ServerProcess]:
    """A proxy with one server connection per node."""
    yield from _checked(_make_server({"pool": {"size": 1, "queue_timeout": "30s"}}))


@pytest.fixture
def login(proxy: ServerProcess) -> logins.Login:
    """How the tests log in that are not about logging in."""
    return logins.Login("scram-sha-256", proxy)


@pytest.fixture
def direct_login(cluster: PostgresCluster) -> logins.Login:
    """PostgreSQL itself, to compare with."""
    return logins.Login("scram-sha-256", DirectServer(cluster.primary, cluster.directory))


@pytest.fixture
def narrow_login(narrow: ServerProcess) -> logins.Login:
    return logins.Login("scram-sha-256", narrow)


@pytest.fixture(params=list(logins.METHODS))
def method(
    request: pytest.FixtureRequest, cluster: PostgresCluster, _make_server: Callable[..., ServerProcess]
) -> Iterator[logins.Login]:
    """Every way to log in, one after the other."""
    made = logins.METHODS[request.param](_make_server, cluster.client_files)  # type: ignore[attr-defined]
    for _ in _checked(made.server):
        yield made


@pytest.fixture(scope="session", autouse=True)
def crowd(_make_server: Callable[..., ServerProcess]) -> Iterator[None]:
    """A neighbour with settings and statements of its own on the same server connections, all the time."""
    server = _make_server({})
    arguments = [sys.executable, str(pathlib.Path(__file__).with_name("crowd.py")), server.dsn()]
    process = subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=clean_environment(),
    )  # fmt: skip
    yield
    output, _ = process.communicate(timeout=30 * PATIENCE)
    assert process.returncode == 0, "the crowd was not served as it should be:\n" + output


@pytest.fixture
def table(cluster: PostgresCluster) -> Iterator[str]:
    """A name for a table (and whatever begins with it) that no other test uses; dropped afterwards."""
    name = f"t{next(_names)}"
    yield name
    with cluster.primary.connect(dbname="shop") as sql:
        found = sql.rows("select relname from pg_class where relname like %s and relkind in ('r', 'v')", [name + "%"])
        for (relation,) in found:
            sql.rows(f"drop table if exists {relation} cascade")


@pytest.fixture(scope="session")
def build_directory() -> pathlib.Path:
    """Where the programs are built, beside the proxy's own build."""
    directory = programs.build_directory()
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest, build_directory: pathlib.Path) -> programs.Built:
    """The test program of one driver, built if it is not, or not from these sources."""
    return programs.PROGRAMS[request.param].build(build_directory)

"""Starting the proxy well and badly: the configuration, the ports, the nodes."""

from __future__ import annotations

import re
import socket
import threading
import time

import psycopg
import pytest

from support import wire
from support.deadline import wait_until
from support.free_ports import free_port

pytestmark = pytest.mark.proxy_only


def test_check_accepts_a_good_file(make_proxy):
    proxy = make_proxy(start=False)
    done = proxy.tool("check", "--config", str(proxy.config_file))
    assert done.returncode == 0, done.stdout + done.stderr


FIVE_MISTAKES = """\
[listen]
prot = 6432
[cluster]
nodes = "127.0.0.1:5432"
probe_interval = "soon"
[pool]
size = -3
[routing]
consistency = "sesion"
"""


def test_check_reports_five_mistakes_at_once_with_their_places(make_proxy, tmp_path):
    proxy = make_proxy(start=False)
    path = tmp_path / "bad.toml"
    path.write_text(FIVE_MISTAKES, encoding="utf-8")
    done = proxy.tool("check", "--config", str(path))
    assert done.returncode == 2
    text = done.stdout + done.stderr
    for line in (2, 4, 5, 7, 9):
        assert re.search(rf"bad\.toml:{line}:\d+", text), f"nothing about line {line} in:\n{text}"
    assert "port" in text and "session" in text, "the nearest known words"


def test_the_server_does_not_start_with_such_a_file(make_proxy, tmp_path):
    proxy = make_proxy(start=False)
    path = tmp_path / "bad.toml"
    path.write_text(FIVE_MISTAKES, encoding="utf-8")
    done = proxy.tool("--config", str(path))
    assert done.returncode == 2 and "bad.toml:2:" in done.stdout + done.stderr


def test_a_missing_file_is_an_error_that_names_it(make_proxy):
    proxy = make_proxy(start=False)
    done = proxy.tool("check", "--config", "/nowhere/tidemark.toml")
    assert done.returncode == 2 and "/nowhere/tidemark.toml" in done.stdout + done.stderr


def test_no_argument_and_a_wrong_one_say_how_to_use_it(make_proxy):
    proxy = make_proxy(start=False)
    assert proxy.tool("--no-such-option").returncode not in (0, None)
    done = proxy.tool("--help")
    assert done.returncode == 0 and "--config" in done.stdout


@pytest.mark.parametrize(
    ("statement", "node", "word"),
    [("select 1", "replica", "read"), ("insert into t values (1)", "primary", "write"), ("select now()", "replica", "read")],
)
def test_explain_tells_class_node_and_reason(make_proxy, statement, node, word):
    proxy = make_proxy(start=False)
    done = proxy.tool("explain", "--config", str(proxy.config_file), statement)
    assert done.returncode == 0, done.stdout + done.stderr
    assert word in done.stdout and (node in done.stdout or "127.0.0.1" in done.stdout), done.stdout


@pytest.mark.parametrize("which", ["listen", "http"])
def test_a_port_in_use_is_a_clear_error(make_proxy, which):
    proxy = make_proxy(start=False)
    port = proxy.port if which == "listen" else proxy.http_port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = proxy.tool("--config", str(proxy.config_file))
    assert done.returncode not in (0, 2) and done.returncode > 0
    assert str(port) in done.stdout + done.stderr and "in use" in (done.stdout + done.stderr).lower()


def test_sigterm_ends_it_with_code_0(make_proxy):
    proxy = make_proxy()
    with proxy.connect() as sql:
        assert sql.value("select 1") == 1
    assert proxy.stop() == 0


def test_health_and_metrics_answer(make_proxy):
    proxy = make_proxy()
    assert proxy.http("/healthz")
    assert proxy.http("/readyz")
    expected = {
        "tidemark_node_up", "tidemark_node_role", "tidemark_node_timeline", "tidemark_node_replay_lag_bytes",
        "tidemark_node_replay_lag_seconds", "tidemark_pool_connections", "tidemark_pool_waiting_clients",
        "tidemark_pool_wait_seconds_count", "tidemark_clients", "tidemark_statements_routed_total",
        "tidemark_position_wait_seconds_count", "tidemark_failovers_total", "tidemark_held_statements",
    }  # fmt: skip
    wait_until(lambda: expected <= proxy.metrics().names(), "the documented names", 5,
               detail=lambda: f"missing: {sorted(expected - proxy.metrics().names())}")  # fmt: skip


def test_node_roles_and_timelines_are_those_of_the_servers(make_proxy, cluster):
    proxy = make_proxy()
    timeline = cluster.primary.value("select timeline_id from pg_control_checkpoint()")
    for node in cluster.nodes:
        # A proxy that answers knows one node, and not yet all.
        wait_until(lambda node=node: proxy.metrics().sum("tidemark_node_up", node=node.address) == 1, "an observation", 10)
        metrics = proxy.metrics()
        role = "primary" if node is cluster.primary else "replica"
        assert metrics.sum("tidemark_node_role", node=node.address, role=role) == 1
        assert metrics.sum("tidemark_node_timeline", node=node.address) == timeline


def test_without_a_node_clients_are_told_57P03_after_the_queue_time_out(make_proxy):
    proxy = make_proxy({"pool": {"queue_timeout": "700ms"}, "cluster": {"failover_hold": "700ms"}}, start=False,
                       nodes=[f"127.0.0.1:{free_port()}"])  # fmt: skip
    proxy.start(query=False)
    began = time.monotonic()
    with wire.WireClient(proxy.host, proxy.port, seconds=20) as client:
        replies = client.login("app", "app-secret", "shop")
        if replies[-1].type == "Z":
            replies = client.ask(wire.query("select 1"))
        errors = [reply for reply in replies if reply.type == "E"]
        assert errors and errors[0].sqlstate == "57P03", [reply.fields() for reply in errors]
    assert time.monotonic() - began < 10
    assert proxy.running()
    assert proxy.log_lines("probe_failed"), proxy.log_tail()


@pytest.mark.limit(120)
def test_when_a_node_appears_clients_are_served(make_proxy, nodes):
    for node in nodes.nodes:
        node.stop("fast")
    proxy = make_proxy({"pool": {"queue_timeout": "30s"}}, start=False)
    proxy.start(query=False)
    time.sleep(0.5)  # so that it has seen all nodes down
    for node in nodes.nodes:
        node.start()
    with psycopg.connect(proxy.dsn(connect_timeout=30), autocommit=True) as connection:
        assert connection.execute("select pg_current_xact_id() is not null").fetchone() == (True,)


@pytest.mark.limit(120)
def test_a_client_that_waits_is_served_when_the_node_appears(make_proxy, nodes):
    for node in nodes.nodes:
        node.stop("fast")
    proxy = make_proxy({"pool": {"queue_timeout": "40s"}, "cluster": {"failover_hold": "40s"}}, start=False)
    proxy.start(query=False)
    timer = threading.Timer(1.0, lambda: [node.start() for node in nodes.nodes])
    timer.start()
    try:
        with psycopg.connect(proxy.dsn(connect_timeout=40), autocommit=True) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        timer.join()


def test_reload_with_a_bad_file_changes_nothing(make_proxy):
    proxy = make_proxy()
    proxy.config_file.write_text(FIVE_MISTAKES, encoding="utf-8")
    with proxy.connect() as before:
        proxy.reload()
        for _ in range(20):
            assert before.value("select 1") == 1
            with proxy.connect() as after:
                assert after.value("select 1") == 1
    assert proxy.running()

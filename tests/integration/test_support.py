"""What the other tests stand on: the cluster and the watchdog."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from support.deadline import DeadlineExceeded, wait_until
from support.metrics import Metrics
from support.toml_text import merged, toml_text
from support.watchdog import processes_inside

TESTS = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("end", ["kill -9", "exit"])
def test_a_cluster_does_not_outlive_its_process(end):
    program = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        "from support.postgres_cluster import PostgresCluster\n"
        "cluster = PostgresCluster(replicas=1, fsync=False)\n"
        "cluster.create()\n"
        "cluster.replicas[0].sigstop()\n"
        "print(cluster.directory, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdin and owner.stdout
        directory = pathlib.Path(owner.stdout.readline().decode().strip())
        assert directory.is_dir() and len(processes_inside(directory)) > 2
        if end == "kill -9":
            owner.kill()
    wait_until(lambda: not directory.exists(), "the directory to be gone", 20)
    assert processes_inside(directory) == {}


def test_a_delayed_replica_shows_a_write_late_and_heal_ends_that(nodes, shop, table):
    shop(f"create table {table} (v int)")
    replica = nodes.replicas[0]
    replica.set_apply_delay(60_000)
    nodes.primary.rows(f"insert into {table} values (1)", dbname="shop")
    nodes.replicas[1].wait_for_replay(nodes.primary.insert_lsn())
    assert replica.rows(f"select v from {table}", dbname="shop") == []
    nodes.heal()
    nodes.wait_caught_up()
    assert replica.rows(f"select v from {table}", dbname="shop") == [(1,)]


def test_a_paused_replica_stands_still(nodes, shop, table):
    shop(f"create table {table} (v int)")
    replica = nodes.replicas[1]
    replica.pause_replay()
    nodes.primary.rows(f"insert into {table} values (1)", dbname="shop")
    with pytest.raises(DeadlineExceeded, match="to replay"):
        replica.wait_for_replay(nodes.primary.insert_lsn(), 0.3)
    replica.resume_replay()
    replica.wait_for_replay(nodes.primary.insert_lsn())


def test_a_frozen_node_is_an_error_and_no_hang(nodes):
    replica = nodes.replicas[0]
    replica.sigstop()
    with pytest.raises(DeadlineExceeded):
        replica.value("select 1", seconds=0.5)
    replica.sigcont()
    assert replica.value("select 1") == 1


@pytest.mark.limit(120)
def test_promotion_and_return(nodes, shop, table):
    first, second = nodes.nodes[:2]
    first.kill9()
    nodes.promote(second)
    nodes.heal()
    assert nodes.primary is second and first.in_recovery()
    shop(f"create table {table} (v int)")
    nodes.primary.stop()
    nodes.promote(first)
    nodes.heal()
    assert nodes.primary is first and second.in_recovery()
    nodes.wait_caught_up()


def test_metrics_are_read():
    metrics = Metrics('# HELP a b\na{x="1",y="q\\"uote"} 2\na{x="2"} 3\nb 1e3\n')
    assert metrics.sum("a") == 5 and metrics.sum("a", x="1") == 2 and metrics.sum("b") == 1000
    assert metrics.sum("missing") == 0 and metrics.names() == {"a", "b"}


def test_toml_is_written():
    text = toml_text(merged({"a": {"b": 1, "c": "x"}}, {"a": {"c": None, "d": True}, "r": [{"k": "v"}, {"k": "w"}]}))
    assert text == '[a]\nb = 1\nd = true\n[[r]]\nk = "v"\n[[r]]\nk = "w"\n'

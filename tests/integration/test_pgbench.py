"""pgbench in every protocol, with a connection per transaction, and with pipelines."""

from __future__ import annotations

import re
import subprocess

import pytest

from support.deadline import PATIENCE
from support.direct import DirectServer
from support.run_as import clean_environment


def pgbench(server, *arguments: str, seconds: float = 60) -> str:
    environment = clean_environment() | {"PGPASSWORD": "app-secret", "PGCONNECT_TIMEOUT": "10"}
    done = subprocess.run(
        ["pgbench", "-h", server.host, "-p", str(server.port), "-U", "app", *arguments, "shop"],
        capture_output=True, text=True, timeout=seconds * PATIENCE, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def processed(output: str) -> int:
    found = re.search(r"number of transactions actually processed: (\d+)", output)
    assert found, output
    failed = re.search(r"number of failed transactions: (\d+)", output)
    assert failed is None or failed[1] == "0", output
    return int(found[1])


@pytest.fixture(scope="module")
def bank(cluster):
    """pgbench's tables, made on the primary itself."""
    pgbench(DirectServer(cluster.primary, cluster.directory), "-i", "-s", "1", "-q")
    cluster.wait_caught_up()
    yield
    with cluster.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows("drop table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers")


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_transactions(proxy, bank, mode):
    assert processed(pgbench(proxy, "-M", mode, "-n", "-c", "8", "-j", "2", "-t", "100")) == 800


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_selects(proxy, bank, mode):
    assert processed(pgbench(proxy, "-M", mode, "-n", "-S", "-c", "16", "-j", "2", "-t", "500")) == 8000


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_a_connection_per_transaction(proxy, bank, mode):
    assert processed(pgbench(proxy, "-M", mode, "-n", "-S", "-C", "-c", "4", "-t", "25")) == 100


@pytest.mark.parametrize("mode", ["extended", "prepared"])
def test_pipelines(proxy, bank, mode, tmp_path):
    script = tmp_path / "pipeline.sql"
    script.write_text(
        "\\set aid random(1, 100000)\n\\startpipeline\n"
        "select abalance from pgbench_accounts where aid = :aid;\n"
        "update pgbench_accounts set abalance = abalance + 1 where aid = :aid;\n"
        "select abalance from pgbench_accounts where aid = :aid;\n\\endpipeline\n",
        encoding="utf-8",
    )
    assert processed(pgbench(proxy, "-M", mode, "-n", "-f", str(script), "-c", "8", "-t", "100")) == 800


@pytest.mark.parametrize("mode", ["extended", "prepared"])
def test_a_pipeline_with_a_transaction_in_it(proxy, bank, mode, tmp_path):
    script = tmp_path / "pipeline.sql"
    script.write_text(
        "\\set aid random(1, 100000)\n\\startpipeline\nbegin;\n"
        "update pgbench_accounts set abalance = abalance + 1 where aid = :aid;\n"
        "select abalance from pgbench_accounts where aid = :aid;\ncommit;\n\\endpipeline\n",
        encoding="utf-8",
    )
    assert processed(pgbench(proxy, "-M", mode, "-n", "-f", str(script), "-c", "8", "-t", "100")) == 800


def test_initialisation_through_the_proxy(proxy, bank):
    output = pgbench(proxy, "-i", "-s", "1", "-q", "-I", "dtgvp")
    assert "done" in output


def test_balances_agree_after_the_load(proxy, bank):
    pgbench(proxy, "-i", "-s", "1", "-q", "-I", "dtgp")
    processed(pgbench(proxy, "-M", "prepared", "-n", "-c", "8", "-t", "100"))
    with proxy.connect() as sql:
        totals = sql.rows(
            "select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches), "
            "(select sum(tbalance) from pgbench_tellers), (select sum(delta) from pgbench_history), "
            "(select count(*) from pgbench_history)"
        )[0]
    assert totals[0] == totals[1] == totals[2] == totals[3] and totals[4] == 800

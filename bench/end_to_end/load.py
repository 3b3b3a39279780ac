"""pgbench as the load: one run, and what it says of itself."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
from typing import NamedTuple

import programs  # noqa: F401  (makes the tests' support package importable)
from support.postgres_cluster import APP_PASSWORD, APP_USER, DATABASE
from support.run_as import clean_environment, postgres_bin
from support.server_process import ServerProcess

# 1,280 rows of 8 KiB, which cost the server little to make and the client little to read.
LARGE_RESULT = "select repeat('x', 8160) from generate_series(1, 1280);\n"
ONE_QUERY = "select 1;\n"


class Load(NamedTuple):
    transactions: int
    per_second: float
    latencies_us: list[int]  # a sample of the transactions, sorted


def percentile(ordered: list[int], share: float) -> float | None:
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if ordered else None


def parse_pgbench(output: str) -> tuple[int, float]:
    """Transactions, and transactions per second without the time of connecting (with -C: with it)."""
    processed = re.search(r"^number of transactions actually processed: (\d+)", output, re.MULTILINE)
    speed = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
    if not processed or not speed:
        raise RuntimeError(f"pgbench's output is not understood:\n{output}")
    return int(processed[1]), float(speed[1])


def _pgbench(server: ServerProcess, directory: pathlib.Path, arguments: list[str],
             seconds: float) -> subprocess.CompletedProcess[str]:
    beside = postgres_bin() / "pgbench"
    program = str(beside) if beside.exists() else shutil.which("pgbench") or "pgbench"
    done = subprocess.run(
        [program, "-h", server.host, "-p", str(server.port), "-U", APP_USER, *arguments, DATABASE], cwd=directory,
        capture_output=True, text=True, timeout=seconds, check=False,
        env=clean_environment() | {"PGPASSWORD": APP_PASSWORD})
    if done.returncode or "aborted" in done.stderr:
        raise RuntimeError(f"pgbench {' '.join(arguments)} through {server.kind} failed:\n"
                           f"{done.stdout}{done.stderr}"[-2000:] + server.log_tail(10))
    return done


def run(server: ServerProcess, directory: pathlib.Path, arguments: list[str], log_share: float = 0.0,
        seconds: float = 60.0) -> Load:
    """pgbench with `arguments` through `server`; fails if a single client met an error.

    log_share: which share of the transactions' latencies to keep. seconds: when to give up.
    """
    prefix = directory / "transactions"
    for old in directory.glob("transactions.*"):
        old.unlink()
    logging = ["--log", f"--log-prefix={prefix}", f"--sampling-rate={log_share}"] if log_share else []
    done = _pgbench(server, directory, ["-n", *arguments, *logging], seconds)
    transactions, per_second = parse_pgbench(done.stdout)
    latencies = []
    for log in directory.glob("transactions.*"):
        latencies += [int(line.split()[2]) for line in log.read_text(encoding="ascii").splitlines()]
        log.unlink()
    return Load(transactions, per_second, sorted(latencies))


def fill(server: ServerProcess, directory: pathlib.Path, scale: int) -> None:
    """Makes pgbench's tables, owned by `app`."""
    _pgbench(server, directory, ["-i", "-q", "-s", str(scale)], 60.0)

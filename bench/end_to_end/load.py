"""pgbench as the load: one run, and what it says of itself."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
from typing import NamedTuple

from candidates import Candidate
from support.postgres_cluster import APP_USER
from support.run_as import clean_environment, postgres_bin

# 1,280 rows of 8 KiB, which cost the server little to make and the client little to read.
LARGE_RESULT = "select repeat('x', 8160) from generate_series(1, 1280);\n"
LARGE_RESULT_BYTES = 10 * 1024 * 1024
ONE_QUERY = "select 1;\n"


class Load(NamedTuple):
    transactions: int
    per_second: float
    latencies_us: list[int]  # a sample of the transactions, sorted


def percentile(ordered: list[int], share: float) -> float | None:
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if ordered else None


def _pgbench() -> str:
    beside = postgres_bin() / "pgbench"
    found = str(beside) if beside.exists() else shutil.which("pgbench")
    if found is None:
        raise RuntimeError("pgbench is not installed: it comes with the package postgresql-contrib or postgresql")
    return found


def run(candidate: Candidate, directory: pathlib.Path, arguments: list[str], prepared: bool = False,
        log_share: float = 0.0, seconds: float = 60.0) -> Load:
    """pgbench with `arguments` through `candidate`; fails if a single client met an error."""
    prefix = directory / "transactions"
    for old in directory.glob("transactions.*"):
        old.unlink()
    command = [_pgbench(), "-n", "-h", "127.0.0.1", "-p", str(candidate.port), "-U", APP_USER, *arguments]
    if log_share:
        command += ["--log", f"--log-prefix={prefix}", f"--sampling-rate={log_share}"]
    command.append(candidate.prepared_database if prepared else candidate.database)
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=seconds, check=False,
                          env=clean_environment())
    processed = re.search(r"actually processed: (\d+)", done.stdout)
    speed = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not processed or not speed or "aborted" in done.stderr:
        raise RuntimeError(f"pgbench through {candidate.name} failed ({' '.join(arguments)}):\n"
                           f"{done.stdout}{done.stderr}"[-2000:])
    latencies = []
    for log in directory.glob("transactions.*"):
        latencies += [int(line.split()[2]) for line in log.read_text(encoding="ascii").splitlines()]
        log.unlink()
    return Load(int(processed[1]), float(speed[1]), sorted(latencies))


def fill(candidate: Candidate, directory: pathlib.Path, scale: int) -> None:
    """pgbench's tables, as `app` in its database."""
    subprocess.run([_pgbench(), "-i", "-q", "-s", str(scale), "-h", "127.0.0.1", "-p", str(candidate.port),
                    "-U", APP_USER, candidate.database], cwd=directory, check=True, capture_output=True, timeout=60,
                   env=clean_environment())

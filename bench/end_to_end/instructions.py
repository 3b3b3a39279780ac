#!/usr/bin/python3
"""Counts user-space instructions per transaction. Started by instructions.sh, which explains the arguments."""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys

import programs
import candidates
import load
from callgrind import Callgrind
from support.postgres_cluster import PostgresCluster
from support.run_as import server_user
from support.server_process import ServerProcess
from support.watchdog import OwnedDirectory

BASELINE = pathlib.Path(__file__).with_name("instructions.baseline")
MODES = ("simple", "prepared")
CLIENTS = 16
# Transactions per client of the short and of the long run. Their difference is counted: logging in, connecting to the
# servers and whatever else happens once is in both.
SHORT, LONG = 100, 700
ALLOWED_GROWTH = 1.10


def pgbench(server: ServerProcess, directory: pathlib.Path, mode: str, transactions: int) -> int:
    """Runs so many transactions per client; how many that were."""
    arguments = ["-S", "-M", mode, "-c", str(CLIENTS), "-t", str(transactions)]
    return load.run(server, directory, arguments, seconds=120).transactions


def per_transaction(counted: Callgrind, server: ServerProcess, directory: pathlib.Path, mode: str,
                    profile: bool) -> tuple[float, int]:
    """Instructions of the busiest thread per transaction, and how many of all threads' were another's, in percent.
    The busiest is the worker; the others' work follows the clock, and a clock means nothing under valgrind."""
    totals: list[tuple[int, dict[int, int]]] = []
    for transactions in (SHORT, LONG):
        counted.reset()
        totals.append((pgbench(server, directory, mode, transactions), counted.take()))
    (few, short), (many, long) = totals
    worker = max(long, key=lambda thread: long[thread])
    if worker not in short:
        raise RuntimeError(f"callgrind's files of {server.kind} name no common thread: {short} {long}")
    if profile:
        print(f"{server.kind}, {mode}, {many} transactions and {CLIENTS} logins:\n{counted.profile(worker)}")
    others = sum(long.values()) - long[worker]
    return (long[worker] - short[worker]) / (many - few), round(100 * others / sum(long.values()))


def measure(one: candidates.Candidate, directory: pathlib.Path, profile: bool) -> dict[str, float]:
    """Mode -> instructions per transaction; each mode in a fresh process."""
    figures = {}
    for mode in MODES:
        server = one.server(mode)
        command = server.command
        try:
            counted = Callgrind(server)
            pgbench(server, directory, mode, 20)
            counted.begin()
            pgbench(server, directory, mode, 20)
            figures[mode], others = per_transaction(counted, server, directory, mode, profile)
        finally:
            server.close()
            server.command = command  # type: ignore[method-assign]
        note = f"; {others} % more in other threads, not counted" if others else ""
        print(f"{one.name}, {mode}: {figures[mode]:,.0f} instructions per transaction{note}", flush=True)
    return figures


def read_baseline() -> dict[str, float]:
    if not BASELINE.exists():
        return {}
    lines = [line.split() for line in BASELINE.read_text(encoding="ascii").splitlines()]
    return {words[0]: float(words[1]) for words in lines if len(words) == 2 and words[0] in MODES}


def store(figures: dict[str, float]) -> None:
    lines = ["# Tidemark's user-space instructions per transaction (instructions.sh --store)."]
    lines += [f"{mode} {figures[mode]:.0f}" for mode in MODES]
    BASELINE.write_text("\n".join(lines) + "\n", encoding="ascii")
    print(f"stored in {BASELINE.name}")


def check(figures: dict[str, float]) -> int:
    allowed = read_baseline()
    if set(allowed) != set(MODES):
        print(f"{BASELINE.name} holds no figures yet: run instructions.sh --store and commit it", file=sys.stderr)
        return 1
    failed = False
    for mode in MODES:
        growth = figures[mode] / allowed[mode]
        verdict = "too many" if growth > ALLOWED_GROWTH else "good"
        failed |= growth > ALLOWED_GROWTH
        print(f"{mode}: {growth:.3f} x the stored {allowed[mode]:,.0f}: {verdict}")
        if growth < 0.95:
            print(f"{mode}: store the better figure, so that it stays")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--check", action="store_true", help="fail when the stored figures are exceeded by over 10 %%")
    task.add_argument("--store", action="store_true", help="write the stored figures")
    parser.add_argument("--profile", action="store_true", help="also print in which functions the instructions are")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        print("valgrind is not installed", file=sys.stderr)
        return 2
    binary, pgbouncer = programs.tidemark(), programs.pgbouncer()
    ours_only = arguments.check or arguments.store
    if binary is None:
        print("Tidemark is not built: cmake --preset release && cmake --build --preset release", file=sys.stderr)
        if ours_only:
            return 2
    user = server_user()
    owned = OwnedDirectory("tidemark-bench-", user.pw_uid, user.pw_gid)
    figures: dict[str, dict[str, float]] = {}
    try:
        with PostgresCluster(replicas=2, auth="trust") as cluster:
            load.fill(candidates.direct(cluster, owned.path).server(), owned.path, scale=1)
            cluster.wait_caught_up()
            if binary:
                if warning := programs.build_warning(binary):
                    print(warning)
                figures["Tidemark"] = measure(candidates.tidemark(cluster, owned.path), owned.path, arguments.profile)
            if pgbouncer and not ours_only:
                other = candidates.pgbouncer(cluster, owned.path, pgbouncer)
                figures["PgBouncer"] = measure(other, owned.path, arguments.profile)
                if other.note:
                    print(other.note)
    finally:
        owned.close()
    if len(figures) == 2:
        for mode in MODES:
            print(f"{mode}: {figures['Tidemark'][mode] / figures['PgBouncer'][mode]:.2f} x PgBouncer")
    if arguments.store:
        store(figures["Tidemark"])
    return check(figures["Tidemark"]) if arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())

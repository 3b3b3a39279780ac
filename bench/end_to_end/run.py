#!/usr/bin/python3
"""Measures the candidates beside each other and prints one table. Started by run.sh; README.md explains the method."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import re
import sys
import time

import load
from candidates import MODES, Candidate, candidates, direct
from idle_clients import IdleClients
from process import SystemCalls, cpu_seconds, resident_bytes
from support.postgres_cluster import PostgresCluster
from support.run_as import server_user
from support.watchdog import OwnedDirectory
from table import Results, one_decimal, thousands, two_decimals

CLIENTS = 16
CONNECTING_CLIENTS = 8
LARGE_CLIENTS = 2
ROWS = [
    row
    for mode in MODES
    for row in (
        (f"{mode}.tps", f"-S -M {mode}: transactions/s", thousands),
        (f"{mode}.p50", f"-S -M {mode}: latency p50, us", thousands),
        (f"{mode}.p99", f"-S -M {mode}: latency p99, us", thousands),
        (f"{mode}.cpu", f"-S -M {mode}: proxy CPU/transaction, us", one_decimal),
        (f"{mode}.calls", f"-S -M {mode}: system calls/transaction", two_decimals),
        (f"{mode}.waits", f"-S -M {mode}: of waiting, beside them", two_decimals),
    )
] + [
    ("connect.tps", f"connect + query, {CONNECTING_CLIENTS} clients: per second", thousands),
    ("connect.cpu", "connect + query: proxy CPU each, us", one_decimal),
    ("large.tps", f"10 MB results, {LARGE_CLIENTS} clients: per second", one_decimal),
    ("large.cpu", "10 MB results: proxy CPU each, ms", two_decimals),
    ("idle.bytes", "memory per idle client, bytes", thousands),
]


class Bench:
    def __init__(self, directory: pathlib.Path, contestants: list[Candidate], rounds: int, seconds: int) -> None:
        self.directory = directory
        self.contestants = contestants
        self.rounds = rounds
        self.seconds = seconds
        reference = next((one.name for one in contestants if one.name == "PgBouncer"), contestants[0].name)
        self.results = Results([one.name for one in contestants], reference)
        self.calls: list[str] = []
        self.script = {name: directory / f"{name}.sql" for name in ("connect", "large")}
        self.script["connect"].write_text(load.ONE_QUERY, encoding="ascii")
        self.script["large"].write_text(load.LARGE_RESULT, encoding="ascii")

    def _in_turn(self, number: int) -> list[Candidate]:
        """A B C D, then B C D A, …: nobody always follows the same one."""
        first = number % len(self.contestants)
        return self.contestants[first:] + self.contestants[:first]

    def _measure(self, name: str, one: Candidate, arguments: list[str], cpu_unit: float, mode: str = "simple",
                 log_share: float = 0.0) -> None:
        before = cpu_seconds(one.pid(mode)) if one.is_process else 0.0
        done = load.run(one.server(mode), self.directory, ["-M", mode, *arguments], log_share)
        self.results.add(f"{name}.tps", one.name, done.per_second)
        if one.is_process:
            spent = cpu_seconds(one.pid(mode)) - before
            self.results.add(f"{name}.cpu", one.name, spent / done.transactions * cpu_unit)
        for title, share in (("p50", 0.50), ("p99", 0.99)):
            self.results.add(f"{name}.{title}", one.name, load.percentile(done.latencies_us, share))

    def _processes(self) -> list[Candidate]:
        return [one for one in self.contestants if one.is_process]

    def idle_memory(self) -> None:
        for one in self._processes():
            # What the first connections make it allocate once is not the price of a client.
            with IdleClients(one.server(), 20):
                pass
            before = resident_bytes(one.pid())
            with IdleClients(one.server(), one.idle_clients):
                time.sleep(0.5)
                grown = resident_bytes(one.pid()) - before
            self.results.add("idle.bytes", one.name, grown / one.idle_clients)

    def warm_up(self) -> None:
        for one in self.contestants:
            for mode in MODES:
                load.run(one.server(mode), self.directory, ["-S", "-M", mode, "-c", str(CLIENTS), "-t", "200"])

    def select_only(self) -> None:
        for number in range(self.rounds):
            for mode in MODES:
                for one in self._in_turn(number):
                    self._measure(mode, one, ["-S", "-c", str(CLIENTS), "-T", str(self.seconds)], 1e6, mode,
                                  log_share=0.2)

    def connecting(self) -> None:
        arguments = ["-C", "-f", str(self.script["connect"]), "-c", str(CONNECTING_CLIENTS)]
        for number in range(self.rounds):
            for one in self._in_turn(number):
                self._measure("connect", one, [*arguments, "-T", str(max(1, self.seconds // 2))], 1e6)

    def large_results(self) -> None:
        arguments = ["-f", str(self.script["large"]), "-c", str(LARGE_CLIENTS), "-j", "2"]
        for number in range(self.rounds):
            for one in self._in_turn(number):
                self._measure("large", one, [*arguments, "-T", str(max(1, self.seconds // 2))], 1e3)

    def system_calls(self) -> None:
        for mode in ("simple", "prepared"):
            for one in self._processes():
                with SystemCalls(one.pid(mode), self.directory) as counted:
                    done = load.run(one.server(mode), self.directory,
                                    ["-S", "-M", mode, "-c", str(CLIENTS), "-t", "500"])
                self.results.add(f"{mode}.calls", one.name, counted.per(done.transactions, waiting=False))
                self.results.add(f"{mode}.waits", one.name, counted.per(done.transactions, waiting=True))
                self.calls.append(f"{one.name}, {mode}: {counted.named(done.transactions)}")


def machine() -> str:
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: does it run? (not for quoting)")
    parser.add_argument("--only", default="", help="comma-separated: direct,pgbouncer,haproxy,tidemark")
    parser.add_argument("--json", type=pathlib.Path, help="write every round's values to this file")
    arguments = parser.parse_args()
    rounds, seconds = (1, 1) if arguments.quick else (3, 4)
    began = time.monotonic()
    user = server_user()
    owned = OwnedDirectory("tidemark-bench-", user.pw_uid, user.pw_gid)
    started: list[Candidate] = []
    try:
        with PostgresCluster(replicas=2, auth="trust") as cluster:
            only = {name for name in arguments.only.lower().split(",") if name}
            contestants, missing = candidates(cluster, owned.path, only)
            if not contestants:
                print("nobody left to measure; " + "; ".join(missing), file=sys.stderr)
                return 2
            load.fill(direct(cluster, owned.path).server(), owned.path, scale=10)
            cluster.wait_caught_up()
            for one in contestants:
                started.append(one)
                one.start()
            bench = Bench(owned.path, contestants, rounds, seconds)
            steps = [bench.idle_memory, bench.warm_up, bench.select_only, bench.connecting, bench.large_results]
            if SystemCalls.available():
                steps.append(bench.system_calls)
            else:
                missing.append("strace is not installed: no system calls")
            for step in steps:
                print(f"[{time.monotonic() - began:4.0f} s] {step.__name__.replace('_', ' ')}", file=sys.stderr)
                step()
    finally:
        for one in started:
            one.close()
        owned.close()

    print(machine())
    print(f"{rounds} rounds of {seconds} s each, {CLIENTS} clients; medians; in brackets the ratio to "
          f"{bench.results.reference} within a round\n")
    print(bench.results.markdown(ROWS))
    print()
    for line in [one.note for one in contestants if one.note] + bench.calls + missing:
        print(line)
    if arguments.quick:
        print("--quick: these figures only show that it runs")
    if arguments.json:
        arguments.json.write_text(json.dumps(bench.results.as_dictionary(), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

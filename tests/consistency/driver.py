"""Runs the history driver against a proxy and gives back its verdict."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.deadline import PATIENCE
from support.postgres_cluster import PostgresCluster  # noqa: E402
from support.proxy_process import proxy_binary  # noqa: E402
from support.run_as import clean_environment  # noqa: E402

KEYS = 500
HELD, VIOLATED, COULD_NOT_RUN, PROVES_NOTHING = range(4)


def driver_binary() -> pathlib.Path:
    """What TIDEMARK_HISTORY_DRIVER names, or the driver of the build that the proxy's program is from."""
    named = os.environ.get("TIDEMARK_HISTORY_DRIVER")
    path = pathlib.Path(named) if named else proxy_binary().parents[1] / "tests" / "consistency" / "history_driver"
    if not path.exists():
        raise RuntimeError(f"{path} does not exist: build the target history_driver")
    return path.resolve()


def primary_dsn(cluster: PostgresCluster) -> str:
    return f"host=127.0.0.1 port={cluster.primary.port} user=postgres dbname=shop"


def make_table(cluster: PostgresCluster) -> None:
    """The table kv anew, with every version 0, at all nodes that run and replay."""
    with cluster.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
        sql.rows("drop table if exists kv")
        sql.rows("create table kv (key int primary key, version bigint not null) with (fillfactor = 50)")
        sql.rows(f"insert into kv select key, 0 from generate_series(0, {KEYS - 1}) key")
    cluster.wait_caught_up()


# What cannot be had: a READ ONLY transaction, or a pipeline, that has shown something dies with its server, or with a
# recovery conflict on it, and may be tried again.
CUT_OFF = frozenset({"later read in transaction 40001", "later read in pipeline 40001"})


class Report(dict[str, Any]):
    """The driver's JSON object, and how it ended."""

    exit_code: int = -1

    def table(self, title: str) -> str:
        """The figures that matter, one per line."""
        lines = [f"--- {title}: exit {self.exit_code}"]
        lines += [f"  {name:30} {value}" for name, value in self.items() if isinstance(value, (int, float))]
        lines += [f"  reads at {node:21} {count}" for node, count in self["reads_by_node"].items()]
        lines += [f"  {count} x {name}: {self['error_texts'].get(name)}" for name, count in self["errors"].items()]
        lines += [f"  {text}" for text in self["first_violations"] + self["proves_nothing"]]
        return "\n".join(lines)


class DriverRun:
    """One run of the driver: `with DriverRun(...) as run: (do harm); report = run.report()`.

    Options are the driver's, with underscores: DriverRun(dsn, primary, seconds=20, think_ms=5).
    """

    def __init__(self, conninfo: str, primary: str, **options: Any) -> None:
        self.seconds = float(options.get("seconds", 10))
        command = [str(driver_binary()), "--json", "--conninfo", conninfo, "--primary", primary]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )

    def __enter__(self) -> "DriverRun":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends the run early; its report is as good as that of a whole one."""
        self._process.terminate()

    def report(self, title: str = "") -> Report:
        """Waits for the end of the run; prints what was seen."""
        output, errors = self._process.communicate(timeout=self.seconds + 120 * PATIENCE)
        if self._process.returncode not in (HELD, VIOLATED, PROVES_NOTHING):
            raise RuntimeError(f"the driver ended with {self._process.returncode}: {errors}")
        report = Report(json.loads(output))
        report.exit_code = self._process.returncode
        print(report.table(title))
        return report


def assert_undisturbed(report: Report, tolerated: frozenset[str] = frozenset()) -> None:
    """No client saw an error that is not tolerated, lost its connection, or got an answer that was not its own."""
    assert {name: count for name, count in report["errors"].items() if name not in tolerated} == {}
    for name in ("broken_busy", "broken_idle", "connect_failures", "stuck", "wrong_answers", "impossible_version"):
        assert report[name] == 0, name


def assert_held(report: Report) -> None:
    """No guarantee was broken that the run was judged by."""
    assert report["proves_nothing"] == []
    assert report["violations"] == 0, report["first_violations"]


def assert_caught(report: Report, *kinds: str) -> None:
    """The run broke its guarantee, in each of these ways, and nothing else was wrong with it."""
    assert report.exit_code == VIOLATED, report["proves_nothing"]
    for kind in kinds:
        assert report[kind] > 0, kind
    assert_undisturbed(report, CUT_OFF)


def run_driver(title: str, conninfo: str, primary: str, **options: Any) -> Report:
    with DriverRun(conninfo, primary, **options) as run:
        return run.report(title)

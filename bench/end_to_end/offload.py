"""What each level of consistency buys and costs: share of reads at replicas, added latency, questions to the primary.

One primary and two replicas whose replay is delayed alike; writers who read back what they wrote, and readers of what
others write. Every history is judged; under a level that promises less, what a session would call a violation is counted.

    bench/end_to_end/offload.sh [--quick] [--levels session,strong,pgpool] [--seconds 4] [--delays 20] [--thinks 0,5]

Pgpool-II runs the same load where it is installed: it is judged as a session, and its base is itself without balancing.
`--levels pgpool,pgpool_always` runs it alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "consistency"), str(ROOT / "tests")]

from pgpool_process import PgpoolProcess, installed  # noqa: E402

from driver import Report, make_table, primary_dsn, run_driver  # noqa: E402
from support.postgres_cluster import MONITOR_USER, PostgresCluster  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from support.server_process import ServerProcess  # noqa: E402

LEVELS = ("primary", "eventual", "bounded_staleness", "monotonic_reads", "read_your_writes", "session", "strong")
DELAYS = (0, 5, 20, 200)  # ms
THINK = (0, 5, 50)  # ms between a session's transactions
# Rows of Pgpool-II, by its disable_load_balance_on_write: the default, and what knows that a session has written.
PEERS = {"pgpool": "transaction", "pgpool_always": "always"}
TITLES = {level: f"`{level}`" for level in LEVELS} | {"pgpool": "Pgpool-II", "pgpool_always": "Pgpool-II, `always`"}

# What the level promises is what its history is judged by; eventual promises nothing: a session's guarantees, to see.
JUDGES = {"primary": "session", "eventual": "session", "bounded_staleness": "bounded_staleness=1000ms"}
JUDGES |= dict.fromkeys(PEERS, "session")

# Of the monitor's statements at the primary those that no clock asks, but sessions: for positions, and by rule 11.
QUESTIONS = f"""
    select coalesce(sum(calls), 0)::int from pg_stat_statements s join pg_roles r on r.oid = s.userid
     where r.rolname = '{MONITOR_USER}' and query not ilike '%pg_walfile_name%'
       and query ~* 'pg_current_wal_insert_lsn|pg_stat_get_activity'
"""
# What Pgpool-II's sessions ask the primary: of relations and functions, to know what may be balanced.
PEER_QUESTIONS = r"""
    select coalesce(sum(calls), 0)::int from pg_stat_statements
     where query ~* '\mfrom pg_(catalog\.|class\M|proc\M|namespace\M)' and query !~* 'pg_stat_statements'
"""


def run_cell(cluster: PostgresCluster, proxy: ServerProcess, level: str, think: int, seconds: float) -> tuple[Report, float]:
    questions = PEER_QUESTIONS if level in PEERS else QUESTIONS
    before = cluster.primary.value(questions, dbname="shop")
    with contextlib.redirect_stdout(io.StringIO()):
        report = run_driver(
            level, proxy.dsn(), primary_dsn(cluster), seconds=seconds, think="fixed", think_ms=think,
            writers=8, reads_per_write=4, counter_writers=1, counter_readers=4, counter_think_ms=5, shared=4,
            transactions=0, judge=JUDGES.get(level, level), min_own_reads=0, min_advancing_reads=0, min_nodes=1,
        )  # fmt: skip
    asked = cluster.primary.value(questions, dbname="shop") - before
    return report, asked / max(1, report["writes"])


def violations(level: str, report: Report) -> str:
    if level in PEERS:
        return f"{report['stale_read'] + report['step_back']} of {report['reads']}"
    return str(report["stale_read"] + report["step_back"] if level == "eventual" else report["violations"])


def cell(level: str, report: Report, base: Report, asked: float) -> str:
    share = f"{100 * report['share_of_reads_elsewhere']:.1f} %"
    p50, p99 = (report[f"read_{p}_ms"] - base[f"read_{p}_ms"] for p in ("p50", "p99"))
    # A load that did not run as it was meant to is not for quoting.
    errors = sum(report["errors"].values()) + sum(base["errors"].values())
    failed = f" · {errors} errors" if errors else ""
    return f"{share} · {p50:+.1f} / {p99:+.1f} ms · {asked:.2f} · {violations(level, report)}{failed}"


def set_delay(cluster: PostgresCluster, delay: int) -> None:
    """Every version 0, and all replicas that far behind."""
    for node in cluster.replicas:
        node.set_apply_delay(0)
    make_table(cluster)
    for node in cluster.replicas:
        node.set_apply_delay(delay)


def tidemark_cells(
    cluster: PostgresCluster, levels: list[str], delay: int, think: int, seconds: float
) -> tuple[dict[str, str], int]:
    """By level; and how often one was broken that promises something. The first is what the others are measured by."""
    cells: dict[str, str] = {}
    wrong = 0
    base: Report | None = None
    for level in levels:
        set_delay(cluster, delay)
        overrides = {"routing": {"consistency": level}, "workers": {"threads": 1}}
        with ProxyProcess(cluster.addresses, overrides, directory=cluster.directory) as proxy:
            report, asked = run_cell(cluster, proxy, level, think, seconds)
        base = base or report
        cells[level] = cell(level, report, base, asked)
        if level != "eventual":
            wrong += report["violations"]
    return cells, wrong


def peer_cells(cluster: PostgresCluster, peers: list[str], delay: int, think: int, seconds: float) -> dict[str, str]:
    def run(peer: str, balance: bool) -> tuple[Report, float]:
        set_delay(cluster, delay)
        with PgpoolProcess(cluster, balance, PEERS[peer]) as pgpool:
            return run_cell(cluster, pgpool, peer, think, seconds)

    if not peers:
        return {}
    base, _ = run(peers[0], balance=False)
    return {peer: cell(peer, report, base, asked) for peer in peers for report, asked in [run(peer, balance=True)]}


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one second per cell, 0 and 20 ms of delay, 0 and 5 ms of think time")
    parser.add_argument("--levels", default=",".join(TITLES), help="the rows: some of %(default)s")
    parser.add_argument("--seconds", type=float, default=4, help="per cell")
    parser.add_argument("--delays", type=numbers, default=DELAYS, help="of replay, in ms")
    parser.add_argument("--thinks", type=numbers, default=THINK, help="times between a session's transactions, in ms")
    options = parser.parse_args()
    wanted = options.levels.split(",")
    unknown = sorted(set(wanted) - set(TITLES))
    if unknown:
        parser.error(f"no such level: {', '.join(unknown)}")
    peers = [peer for peer in PEERS if peer in wanted]
    levels = [level for level in LEVELS if level in wanted]
    if levels and "primary" not in levels:
        levels.insert(0, "primary")
    missing = bool(peers) and installed() is None
    if missing:
        peers = []
    delays, thinks, seconds = options.delays, options.thinks, options.seconds
    if options.quick:
        delays, thinks, seconds = (0, 20), (0, 5), 1
    wrong = 0
    print("Share of reads at replicas · read latency, p50 / p99, beside reading at the primary through the same proxy ·"
          " questions to the primary per write · violations")  # fmt: skip
    with PostgresCluster(replicas=2, fsync=False, statement_statistics=True) as cluster:
        for think in thinks:
            print(f"\nThink time {think} ms\n")
            print("| level | " + " | ".join(f"replay {delay} ms behind" for delay in delays) + " |")
            print("|---|" + "---|" * len(delays), flush=True)
            rows: dict[str, list[str]] = {level: [] for level in [*levels, *peers]}
            for delay in delays:
                cells, broken = tidemark_cells(cluster, levels, delay, think, seconds)
                wrong += broken
                cells |= peer_cells(cluster, peers, delay, think, seconds)
                for level, text in cells.items():
                    rows[level].append(text)
            for level, row in rows.items():
                print(f"| {TITLES[level]} | " + " | ".join(row) + " |", flush=True)
    if missing:
        print("\nLeft out, because it is not installed: Pgpool-II (Debian's package pgpool2)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

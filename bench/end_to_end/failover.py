"""What the clients of each proxy notice of a dead primary: connections broken, statements failed, writes lost, time.

One primary and two replicas of PostgreSQL, and the load of tests/failover/drill.py: 8 writers, 8 writers of transactions,
8 readers, 50 idle sessions, one open transaction, each on one connection that it never replaces. The primary is shut down
or killed, the first replica is promoted by pg_ctl, the other follows it.

    bench/end_to_end/failover.sh [--programs tidemark,tidemark_replay,pgbouncer,haproxy,pgpool]

Everybody is told of the new primary as quickly as they can be: Tidemark and Pgpool-II look for themselves; HAProxy asks
each node's health check every 200 ms, as it does of Patroni's REST API; PgBouncer's file is rewritten and reloaded at the
end of the promotion, as a script of an operator's would. A stranger connects anew again and again, and writes: with
connections that break, that is what an application does.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import os
import pathlib
import signal
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "failover"), str(ROOT / "tests")]

import psycopg  # noqa: E402
from drill import Drill  # noqa: E402
from pgpool_process import PgpoolProcess, installed  # noqa: E402
from programs import haproxy, pgbouncer, tidemark  # noqa: E402

from support.deadline import DeadlineExceeded, wait_until  # noqa: E402
from support.free_ports import free_port  # noqa: E402
from support.pgbouncer_process import PgBouncerProcess  # noqa: E402
from support.postgres_cluster import APP_PASSWORD, APP_USER, DATABASE, PostgresCluster  # noqa: E402
from support.postgres_node import PostgresNode  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from support.server_process import ServerProcess  # noqa: E402

CHECK_MS = 200  # as Tidemark's default probe_interval
TITLES = {
    "tidemark": "Tidemark",
    "tidemark_replay": "Tidemark, `replay.transactions`",
    "pgbouncer": "PgBouncer, reloaded",
    "haproxy": "HAProxy, health checks",
    "pgpool": "Pgpool-II",
}


class HealthCheck:
    """Answers 200 to /primary while a node is out of recovery, as Patroni's REST API does."""

    def __init__(self, node: PostgresNode) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._sql: psycopg.Connection | None = None
        check = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                self.send_response(200 if check.is_primary() else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def is_primary(self) -> bool:
        with self._lock:
            try:
                if self._sql is None or self._sql.closed:
                    self._sql = psycopg.connect(
                        f"host=127.0.0.1 port={self._node.port} user=postgres dbname=postgres connect_timeout=1",
                        autocommit=True,
                    )
                return not self._sql.execute("select pg_is_in_recovery()").fetchone()[0]  # type: ignore[index]
            except psycopg.Error:
                if self._sql is not None:
                    self._sql.close()
                return False

    def close(self) -> None:
        self._server.shutdown()


class HAProxyProcess(ServerProcess):
    """HAProxy, which forwards bytes to whichever node its health check calls the primary."""

    kind = "haproxy"

    def __init__(self, cluster: PostgresCluster) -> None:
        super().__init__(free_port(), cluster.directory)
        self._checks = [HealthCheck(node) for node in cluster.nodes]
        self._cluster = cluster

    def command(self) -> list[str]:
        servers = [
            f"  server {node.name} 127.0.0.1:{node.port} check port {check.port}"
            for node, check in zip(self._cluster.nodes, self._checks)
        ]
        lines = [
            "global", "  maxconn 2000", "defaults", "  mode tcp", "  timeout connect 2s", "  timeout client 1h",
            "  timeout server 1h", "listen primary", f"  bind 127.0.0.1:{self.port}",
            "  option httpchk GET /primary", "  http-check expect status 200",
            f"  default-server inter {CHECK_MS}ms fastinter {CHECK_MS}ms fall 1 rise 1 on-marked-down shutdown-sessions",
            *servers,
        ]  # fmt: skip
        config = self.directory / f"haproxy-{self.port}.cfg"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [haproxy() or "haproxy", "-db", "-f", str(config)]

    def close(self) -> None:
        super().close()
        for check in self._checks:
            check.close()


class PgBouncerOfThePrimary(PgBouncerProcess):
    def repoint(self, node: PostgresNode) -> None:
        self._node_port = node.port
        self.command()
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGHUP)


class PgpoolThatFailsOver(PgpoolProcess):
    """With its own detection: a backend that refuses, or a failed health check, is detached, and a primary searched."""

    def _settings(self) -> dict[str, object]:
        settings = super()._settings() | {
            "failover_on_backend_error": "on",
            "health_check_period": 1,
            "health_check_timeout": 1,
            "health_check_user": "postgres",
            "health_check_database": "postgres",
            "sr_check_period": 1,
            "search_primary_node_timeout": 60,
            "num_init_children": 120,
            "max_pool": 1,
        }
        return {name: "ALLOW_TO_FAILOVER" if name.startswith("backend_flag") else value for name, value in settings.items()}


class Stranger:
    """Connects, writes one row, disconnects, again and again; when it first succeeded after a moment."""

    def __init__(self, server: ServerProcess) -> None:
        self._dsn = server.dsn(connect_timeout=2)
        self._wrote: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 800_000_000
        while not self._stopping.is_set():
            number += 1
            with contextlib.suppress(psycopg.Error):
                with psycopg.connect(self._dsn, autocommit=True) as sql:
                    sql.execute("insert into drill values (%s)", [number])
                self._wrote.append(time.monotonic())
            time.sleep(0.005)

    def first_after(self, moment: float) -> float | None:
        return next((at for at in list(self._wrote) if at > moment), None)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)


def make_server(name: str, cluster: PostgresCluster) -> ServerProcess:
    if name == "pgbouncer":
        # By default it waits 15 s before it tries a server again that has refused.
        return PgBouncerOfThePrimary(cluster.primary.port, {"server_login_retry": 1}, cluster.directory)
    if name == "haproxy":
        return HAProxyProcess(cluster)
    if name == "pgpool":
        return PgpoolThatFailsOver(cluster)
    changes = {"cluster": {"probe_interval": f"{CHECK_MS}ms"}, "replay": {"transactions": name == "tidemark_replay"}}
    return ProxyProcess(cluster.addresses, changes, directory=cluster.directory)


def seconds(value: float | None) -> str:
    return "none in 30 s" if value is None else f"{value:.2f} s"


def run_drill(name: str, how: str) -> str:
    """One cell of the table."""
    with contextlib.ExitStack() as stack:
        # Room for HAProxy, which has no pool: a server connection for each client.
        cluster = stack.enter_context(PostgresCluster(replicas=2, fsync=False))
        with cluster.primary.connect(user=APP_USER, password=APP_PASSWORD, dbname=DATABASE) as sql:
            sql.rows("create table drill (id bigint primary key)")
        cluster.wait_caught_up()
        server = stack.enter_context(make_server(name, cluster))
        time.sleep(2)  # until health checks have told the replicas apart
        drill = stack.enter_context(Drill(server))  # type: ignore[arg-type]
        stranger = Stranger(server)
        time.sleep(2)
        old, (new, other) = cluster.primary, cluster.replicas
        old.kill9() if how == "kill -9" else old.stop("fast")
        cluster.promote(new)
        promoted = time.monotonic()
        if isinstance(server, PgBouncerOfThePrimary):
            server.repoint(new)
        cluster.follow(other)
        with contextlib.suppress(DeadlineExceeded):
            wait_until(lambda: stranger.first_after(promoted) is not None, "somebody to write again", 10)
        time.sleep(1)
        drill.wake_idle.set()
        drill.stopping.set()
        stuck = 0
        for client in drill.clients:
            try:
                client.join(5)
            except DeadlineExceeded:
                stuck += 1
        stranger.stop()
        present = {row[0] for row in new.rows("select id from drill", dbname=DATABASE)}
        done = {s.id for s in drill.acknowledged()}
        done |= {i for t in drill.transactions(lambda t: t.sqlstate is None and t.end > 0) for i in t.ids}
        told = {s.client for s in drill.statements(lambda s: s.sqlstate == "TM001")}
        told |= {t.client for t in drill.transactions(lambda t: t.sqlstate == "TM001")}
        failed = len(drill.statements(lambda s: s.sqlstate is not None and s.client != drill.transaction.name))
        failed += len(drill.transactions(lambda t: t.sqlstate is not None))
        of_clients = [s.end for s in drill.acknowledged() if s.end > promoted]
        first = min([at for at in [stranger.first_after(promoted), *of_clients] if at is not None], default=None)
        parts = [
            f"{len(drill.broken())} of {len(drill.clients)}" + (f" (+{stuck} stuck)" if stuck else ""),
            f"{failed}",
            f"{len(done - present)} / {len(told)}",
            seconds(first - promoted if first is not None else None),
        ]
        return " · ".join(parts)


def available(name: str) -> bool:
    return bool({"pgbouncer": pgbouncer, "haproxy": haproxy, "pgpool": installed}.get(name, tidemark)())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--programs", default=",".join(TITLES))
    chosen = arguments.parse_args().programs.split(",")
    unknown = set(chosen) - set(TITLES)
    if unknown:
        sys.exit(f"unknown programs: {', '.join(sorted(unknown))}; there are {', '.join(TITLES)}")
    print("Client connections broken · statements and transactions failed · acknowledged writes missing / clients told of a"
          " possible loss · first write after the end of the promotion, by anybody.\n")  # fmt: skip
    print("| | fast shutdown | kill -9 |\n|---|---|---|")
    for name in chosen:
        if not available(name):
            print(f"| {TITLES[name]} | not installed | |", flush=True)
            continue
        cells = [run_drill(name, how) for how in ("fast shutdown", "kill -9")]
        print(f"| {TITLES[name]} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

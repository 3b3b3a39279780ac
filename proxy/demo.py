"""The story that `proxy/demo` tells. Every value printed was read from a server; every claim is checked."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

import psycopg2  # noqa: E402
from support.deadline import wait_until  # noqa: E402
from support.free_ports import free_port  # noqa: E402
from support.postgres_cluster import APP_PASSWORD, APP_USER, DATABASE, PostgresCluster  # noqa: E402
from support.proxy_process import ProxyProcess  # noqa: E402
from support.sql import Sql  # noqa: E402

COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ
DELAY_MS = 2000
ROUNDS = 300
READ = "select status, inet_server_port() from payments where id = 1"


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOURS else text


def headline(text: str) -> None:
    print("\n" + paint("1", text), flush=True)


def say(text: str) -> None:
    print("  " + text, flush=True)


class Story:
    """Counts the claims that held and those that did not."""

    def __init__(self, cluster: PostgresCluster, proxy: ProxyProcess) -> None:
        self.cluster = cluster
        self.proxy = proxy
        self.failed = 0

    def claim(self, held: bool, text: str) -> None:
        if not held:
            self.failed += 1
        mark = paint("32", "[holds]") if held else paint("31;1", "[FAILS]")
        print(f"  {mark} {text}", flush=True)

    def name(self, port: int) -> str:
        node = self.cluster.node_by_port(port)
        role = "primary" if node is self.cluster.primary else "replica"
        return f"{role} :{port}"

    def direct(self, node) -> Sql:
        return node.connect(user=APP_USER, password=APP_PASSWORD, dbname=DATABASE)

    def tell(self) -> None:
        with self.direct(self.cluster.primary) as sql:
            sql.rows("create table payments (id int primary key, status text not null)")
            sql.rows("insert into payments values (1, 'pending')")
        self.cluster.wait_caught_up()
        self.stale_without_the_proxy()
        with self.proxy.connect(seconds=60) as client:
            self.fresh_through_the_proxy(client)
            self.many_rounds(client)
            self.failover(client)

    def stale_without_the_proxy(self) -> None:
        headline(f"1. Replicas that are {DELAY_MS / 1000:g} s behind, read directly")
        for node in self.cluster.replicas:
            node.set_apply_delay(DELAY_MS)
        replica = self.cluster.replicas[0]
        with self.direct(self.cluster.primary) as writer, self.direct(replica) as reader:
            writer.rows("update payments set status = 'completed' where id = 1")
            status, port = reader.rows(READ)[0]
        say(f"The payment page writes 'completed' on the primary :{self.cluster.primary.port}")
        say(f"and reads the confirmation from the {self.name(port)}: '{status}'.")
        self.claim(status == "pending", "read directly, the replica's answer is stale: the user would pay again")

    def fresh_through_the_proxy(self, client: Sql) -> None:
        headline("2. The same through Tidemark")
        client.rows("update payments set status = 'refunded' where id = 1")
        began = time.monotonic()
        status, port = client.rows(READ)[0]
        say(f"The client writes 'refunded' and reads at once: '{status}', answered by the {self.name(port)}")
        say(f"in {(time.monotonic() - began) * 1000:.1f} ms.")
        self.claim(status == "refunded", "the client reads its own write while every replica lags")

        def by_replica() -> tuple[str, int] | None:
            row = client.rows(READ)[0]
            return row if row[1] != self.cluster.primary.port else None

        try:
            status, port = wait_until(by_replica, "a replica's answer", 20, interval=0.1)
            say(f"{time.monotonic() - began:.1f} s later the same read: '{status}', answered by the {self.name(port)}.")
        except AssertionError:
            port = self.cluster.primary.port
        self.claim(
            status == "refunded" and port != self.cluster.primary.port,
            "as soon as a replica has replayed the write, the reads go there again",
        )

    def many_rounds(self, client: Sql) -> None:
        for node in self.cluster.replicas:
            node.set_apply_delay(0)
        self.cluster.wait_caught_up()
        headline(f"3. {ROUNDS} times write, then read, with replicas as fast as they can be")
        stale_direct = stale_proxy = at_replica = 0
        with self.direct(self.cluster.primary) as writer, self.direct(self.cluster.replicas[0]) as reader:
            for number in range(ROUNDS):
                writer.rows("update payments set status = %s where id = 1", [f"direct {number}"])
                stale_direct += reader.rows(READ)[0][0] != f"direct {number}"
        for number in range(ROUNDS):
            client.rows("update payments set status = %s where id = 1", [f"proxy {number}"])
            status, port = client.rows(READ)[0]
            stale_proxy += status != f"proxy {number}"
            at_replica += port != self.cluster.primary.port
        say(f"read directly from a replica: {stale_direct} of {ROUNDS} answers were stale")
        say(f"through Tidemark:             {stale_proxy} of {ROUNDS}; {at_replica} of them came from a replica")
        self.claim(stale_proxy == 0, "through Tidemark no read missed the write before it")

    def failover(self, client: Sql) -> None:
        headline("4. The primary dies")
        old, heir = self.cluster.primary, self.cluster.replicas[0]
        client.rows("insert into payments values (100, 'before')")
        self.cluster.wait_caught_up()
        ours = local_port(client)
        where = "returning pg_backend_pid(), inet_server_port()"
        backend, port = client.rows(f"update payments set status = 'before' where id = 100 {where}")[0]
        self.cluster.wait_caught_up()
        say(f"The client (its TCP port: {ours}) has just written at the {self.name(port)}, backend {backend}.")
        old.kill9()
        killed = time.monotonic()
        say(f"kill -9 of the primary :{old.port}. The client sends its next INSERT; nobody is there to take it.")
        promoted: list[float] = []

        def promote() -> None:
            time.sleep(1.0)  # the time that a failover manager takes to be sure
            self.cluster.promote(heir)
            promoted.append(time.monotonic())

        manager = threading.Thread(target=promote)
        manager.start()
        errors = []
        row = None
        for _ in range(10):
            try:
                row = client.rows(f"insert into payments values (101, 'after') {where}")[0]
                break
            except psycopg2.Error as error:
                errors.append(f"{error.pgcode} {str(error).splitlines()[0]}")
                if client.connection.closed:
                    break
        written = time.monotonic()
        manager.join()
        for text in errors:
            say(f"the client was told: {text}")
        same = client.connection.closed == 0 and local_port(client) == ours
        if row is None:
            self.claim(False, "the client goes on writing")
            return
        say(f"pg_ctl promote of :{heir.port} 1 s later. The INSERT was done by the {self.name(row[1])}, backend {row[0]},")
        say(f"{max(0.0, written - promoted[0]) * 1000:.0f} ms after the promotion, {written - killed:.2f} s after the kill.")
        self.claim(same and row[1] == heir.port and not errors,
                   f"the same client connection (TCP port {local_port(client)}) goes on writing, without an error")  # fmt: skip
        statuses = [status for (status,) in client.rows("select status from payments where id >= 100 order by id")]
        with self.direct(heir) as sql:
            there = [status for (status,) in sql.rows("select status from payments where id >= 100 order by id")]
        self.claim(statuses == there == ["before", "after"], f"what it wrote before and after is there: {statuses}")
        self.cluster.heal()
        self.cluster.wait_caught_up()
        say(f"The old primary :{old.port} is back as a replica of :{heir.port}.")


def local_port(client: Sql) -> int:
    with socket.socket(fileno=os.dup(client.connection.fileno())) as copy:
        return copy.getsockname()[1]


def usable(port: int) -> int:
    """`port` if it is free, else another one."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return port
        except OSError:
            return free_port()


def leave_running(proxy: ProxyProcess) -> None:
    headline("All of it keeps running until Ctrl-C")
    say(f"psql:     PGPASSWORD={APP_PASSWORD} psql -h 127.0.0.1 -p {proxy.port} -U {APP_USER} {DATABASE}")
    say(f"metrics:  curl http://127.0.0.1:{proxy.http_port}/metrics")
    say(f"log:      {proxy.log_file}")
    try:
        while proxy.running():
            time.sleep(0.5)
    except KeyboardInterrupt:
        print("\nStopping; nothing is left behind.")
        return
    raise RuntimeError("the proxy has ended by itself\n" + proxy.log_tail())


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    once = "--once" in sys.argv[1:]
    began = time.monotonic()
    print("Starting a PostgreSQL primary, two replicas, and Tidemark in front of them.", flush=True)
    with PostgresCluster(replicas=2) as cluster:
        ports = {"listen": {"port": usable(6432)}, "http": {"port": usable(9432)}}
        with ProxyProcess(cluster.addresses, ports, directory=cluster.directory) as proxy:
            version = cluster.primary.value("show server_version")
            say(f"PostgreSQL {version}: primary :{cluster.primary.port}, replicas "
                + ", ".join(f":{node.port}" for node in cluster.replicas)
                + f"; Tidemark :{proxy.port}; up in {time.monotonic() - began:.1f} s")  # fmt: skip
            story = Story(cluster, proxy)
            story.tell()
            if story.failed:
                headline(f"{story.failed} claim(s) did not hold. The end of the proxy's log:")
                print(proxy.log_tail())
            elif once:
                headline(f"Every claim held ({time.monotonic() - began:.0f} s).")
            if not once:
                leave_running(proxy)
            return 1 if story.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, AssertionError, psycopg2.Error) as error:
        print(f"\nThe demo could not go on: {error}", file=sys.stderr)
        sys.exit(1)

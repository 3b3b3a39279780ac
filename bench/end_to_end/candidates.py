"""What stands between pgbench and the servers: nothing, PgBouncer, HAProxy, or Tidemark. Each as one process with
one worker thread, on the loopback address, with trust, and with as many server connections as pgbench has clients."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess

import programs
from support.deadline import wait_until
from support.free_ports import free_port
from support.postgres_cluster import APP_USER, DATABASE, MONITOR_PASSWORD, MONITOR_USER, PostgresCluster
from support.run_as import popen_options

POOL_SIZE = 20


class Candidate:
    """One way to the servers. `prepared_database`: the database name to use for named prepared statements."""

    name = "direct"
    note = ""
    # As many idle connections as can be asked of it; a forwarder needs a server connection for each.
    idle_clients = 0

    def __init__(self, port: int, database: str = DATABASE, prepared_database: str | None = None) -> None:
        self.port = port
        self.database = database
        self.prepared_database = prepared_database or database
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, directory: pathlib.Path) -> None:
        """Starts the process in `directory`; returns when it accepts connections."""

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def command(self, directory: pathlib.Path) -> tuple[list[str], dict]:
        """The program with its arguments, and the options of Popen (another user, where root is refused)."""
        raise NotImplementedError

    def launch(self, directory: pathlib.Path, wrapper: tuple[str, ...] = (), seconds: float = 20.0) -> None:
        """Starts it under `wrapper` (valgrind …); the log is <name>.log in `directory`."""
        arguments, options = self.command(directory)
        log = directory / f"{self.name.lower()}.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*wrapper, *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, **options)

        def accepts() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{log.read_text()[-2000:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False

        wait_until(accepts, f"{self.name} to accept connections", seconds, detail=lambda: log.read_text()[-2000:])


class PgBouncer(Candidate):
    """pool_mode=transaction. Before 1.21 it knows no prepared statements in that mode: they get a database of their
    own with pool_mode=session, in the same process."""

    idle_clients = 1000

    def __init__(self, server_port: int, program: str) -> None:
        super().__init__(free_port())
        self.program = program
        self.server_port = server_port
        version = programs.version(program, "--version")
        self.name = "PgBouncer"
        self.version = ".".join(map(str, version))
        self.knows_prepared = version >= (1, 21)
        if not self.knows_prepared:
            self.prepared_database = f"{DATABASE}_session"
            self.note = (f"PgBouncer {self.version} has no prepared statements in transaction mode: "
                         "its row of -M prepared is pool_mode=session")

    def command(self, directory: pathlib.Path) -> tuple[list[str], dict]:
        server = f"host=127.0.0.1 port={self.server_port} dbname={DATABASE}"
        lines = [
            "[databases]",
            f"{DATABASE} = {server} pool_mode=transaction",
            f"{DATABASE}_session = {server} pool_mode=session",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = trust",
            "auth_file = pgbouncer_users.txt",
            "max_client_conn = 3000",
            f"default_pool_size = {POOL_SIZE}",
            "ignore_startup_parameters = extra_float_digits",
            "log_connections = 0",
            "log_disconnections = 0",
        ]
        if self.knows_prepared:
            lines.append("max_prepared_statements = 200")
        (directory / "pgbouncer.ini").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (directory / "pgbouncer_users.txt").write_text(f'"{APP_USER}" ""\n', encoding="utf-8")
        return [self.program, "-q", "pgbouncer.ini"], popen_options()

    def start(self, directory: pathlib.Path) -> None:
        self.launch(directory)


class HaProxy(Candidate):
    """mode tcp: bytes are forwarded, and every client has a server connection of its own."""

    name = "HAProxy"
    idle_clients = 200

    def __init__(self, server_port: int, program: str) -> None:
        super().__init__(free_port())
        self.program = program
        self.server_port = server_port
        self.version = ".".join(map(str, programs.version(program, "-v")))
        self.note = f"HAProxy forwards bytes; its memory is taken with {self.idle_clients} idle clients"

    def command(self, directory: pathlib.Path) -> tuple[list[str], dict]:
        (directory / "haproxy.cfg").write_text(
            "global\n  nbthread 1\n  maxconn 3000\n"
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10m\n  timeout server 10m\n"
            f"listen postgres\n  bind 127.0.0.1:{self.port}\n  server primary 127.0.0.1:{self.server_port}\n",
            encoding="utf-8")
        return [self.program, "-db", "-q", "-f", "haproxy.cfg"], popen_options()

    def start(self, directory: pathlib.Path) -> None:
        self.launch(directory)


class Tidemark(Candidate):
    """Routing on, session consistency, one worker: reads go to the replicas."""

    name = "Tidemark"
    idle_clients = 1000

    def __init__(self, addresses: list[str], program: pathlib.Path) -> None:
        super().__init__(free_port())
        self.program = program
        self.addresses = addresses
        self.version = ".".join(map(str, programs.version(str(program), "--version"))) or "(no version)"

    def command(self, directory: pathlib.Path) -> tuple[list[str], dict]:
        (directory / "monitor_password").write_text(MONITOR_PASSWORD + "\n", encoding="utf-8")
        (directory / "monitor_password").chmod(0o600)
        nodes = ", ".join(f'"{address}"' for address in self.addresses)
        (directory / "tidemark.toml").write_text(
            f'[listen]\naddress = "127.0.0.1"\nport = {self.port}\n'
            f'[http]\naddress = "127.0.0.1"\nport = {free_port()}\n'
            '[auth]\nmethod = "trust"\n'
            f'[cluster]\nnodes = [{nodes}]\nmonitor_user = "{MONITOR_USER}"\n'
            f'monitor_password_file = "{directory / "monitor_password"}"\n'
            f'[pool]\nmode = "transaction"\nsize = {POOL_SIZE}\n'
            '[routing]\nconsistency = "session"\n'
            "[workers]\nthreads = 1\n",
            encoding="utf-8")
        return [str(self.program), "--config", str(directory / "tidemark.toml")], {"env": dict(os.environ)}

    def start(self, directory: pathlib.Path) -> None:
        self.launch(directory)


def candidates(cluster: PostgresCluster, only: set[str]) -> tuple[list[Candidate], list[str]]:
    """Those that can run here and were asked for, and a line for each that cannot."""
    found: list[Candidate] = [Candidate(cluster.primary.port)]
    missing = []
    if program := programs.pgbouncer():
        found.append(PgBouncer(cluster.primary.port, program))
    else:
        missing.append("PgBouncer is not installed")
    if program := programs.haproxy():
        found.append(HaProxy(cluster.primary.port, program))
    else:
        missing.append("HAProxy is not installed")
    if binary := programs.tidemark():
        found.append(Tidemark(cluster.addresses, binary))
    else:
        missing.append("Tidemark is not built: cmake --preset release && cmake --build --preset release")
    return [one for one in found if not only or one.name.lower() in only], missing

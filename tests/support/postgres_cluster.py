"""A primary and its streaming replicas from the installed PostgreSQL, in a directory of their own.

    with PostgresCluster(replicas=2) as cluster:
        cluster.primary.rows("create table t (v int)", dbname="shop")
        cluster.replicas[0].set_apply_delay(200)

Roles: `postgres` (superuser, trusted on the loopback address), `app` (password "app-secret", owner of the
database `shop`) and `tidemark` (password "monitor-secret", member of pg_monitor, with the function by which it
reads the timeline's history).
"""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any, Mapping

from .deadline import PATIENCE, DeadlineExceeded, wait_until
from .free_ports import free_port, free_ports
from .postgres_node import PostgresNode, quote
from .run_as import server_user
from .watchdog import OwnedDirectory

APP_USER, APP_PASSWORD, DATABASE = "app", "app-secret", "shop"
MONITOR_USER, MONITOR_PASSWORD = "tidemark", "monitor-secret"


def _timeline_function() -> str:
    """The SQL that README.md gives operators in "What the monitor's role needs", so that it is tried out."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^create function public\.tidemark_timeline_history.*^grant execute [^;]* to tidemark;$", text, re.M | re.S)
    assert found, "README.md has lost its functions"
    return found[0]


TIMELINE_FUNCTION = _timeline_function()

_SETTINGS: dict[str, Any] = {
    "listen_addresses": "127.0.0.1",
    "max_connections": 300,
    "shared_buffers": "64MB",
    # Dynamic shared memory in the data directory: a server that was killed leaves nothing behind elsewhere.
    "dynamic_shared_memory_type": "mmap",
    "wal_level": "replica",
    "wal_log_hints": True,  # what pg_rewind needs
    "wal_keep_size": "256MB",
    "max_wal_size": "2GB",
    "max_wal_senders": 12,
    "max_replication_slots": 12,
    "hot_standby": True,
    "wal_retrieve_retry_interval": "100ms",
    "wal_receiver_status_interval": "1s",
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    "jit": False,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "lc_messages": "C",
}


class PostgresCluster:
    """`nodes[0]` begins as the primary; `primary` and `replicas` tell who is what now.

    auth: how `app` and `tidemark` log in ("scram-sha-256", "md5" or "trust").
    settings: added to every node's postgresql.conf. slots: one physical slot per replica.
    statement_statistics: loads pg_stat_statements and creates it in `shop` and `postgres`.
    """

    def __init__(
        self,
        replicas: int = 2,
        auth: str = "scram-sha-256",
        settings: Mapping[str, Any] | None = None,
        fsync: bool = True,
        slots: bool = False,
        statement_statistics: bool = False,
    ) -> None:
        user = server_user()
        self._owned = OwnedDirectory("tidemark-pg-", user.pw_uid, user.pw_gid)
        self.directory: pathlib.Path = self._owned.path
        self._auth = auth
        self._slots = slots
        self._settings = _SETTINGS | {"fsync": fsync} | dict(settings or {})
        self._statement_statistics = statement_statistics
        if statement_statistics:
            self._settings |= {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
        if auth == "md5":
            self._settings |= {"password_encryption": "md5"}
        sockets = self.directory / "sockets"
        sockets.mkdir()
        os.chown(sockets, user.pw_uid, user.pw_gid)
        names = ["node0", *(f"node{index}" for index in range(1, replicas + 1))]
        self.nodes = [
            PostgresNode(name, self.directory / name, port, sockets)
            for name, port in zip(names, free_ports(len(names)), strict=True)
        ]
        self.primary = self.nodes[0]

    @property
    def replicas(self) -> list[PostgresNode]:
        """All nodes but the primary, in the order they were made."""
        return [node for node in self.nodes if node is not self.primary]

    @property
    def addresses(self) -> list[str]:
        return [node.address for node in self.nodes]

    def node_by_port(self, port: int) -> PostgresNode:
        """The node whose inet_server_port() is `port`."""
        return next(node for node in self.nodes if node.port == port)

    # -- making it ---------------------------------------------------------------------------------

    def __enter__(self) -> "PostgresCluster":
        try:
            self.create()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self) -> None:
        """Makes the data directories, starts every node, and returns when all replicas stream."""
        node = self.primary
        node.program(
            "initdb", "-D", str(node.directory), "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        node.append_settings(
            self._settings
            | {"port": node.port, "unix_socket_directories": str(node.sockets), "cluster_name": node.name}
        )
        self._write_hba(node)
        node.start()
        with node.connect() as sql:
            sql.rows(f"create role {APP_USER} login password {quote(APP_PASSWORD)}")
            sql.rows(f"create role {MONITOR_USER} login password {quote(MONITOR_PASSWORD)} in role pg_monitor")
            sql.rows(TIMELINE_FUNCTION)
            sql.rows(f"create database {DATABASE} owner {APP_USER}")
        if self._statement_statistics:
            for database in ("postgres", DATABASE):
                node.rows("create extension pg_stat_statements", dbname=database)
        for replica in self.replicas:
            self.build_replica(replica)
        self.wait_streaming()

    def _write_hba(self, node: PostgresNode) -> None:
        lines = [
            "local all all trust",
            "host all postgres 127.0.0.1/32 trust",
            "host replication postgres 127.0.0.1/32 trust",
            f"host all all 127.0.0.1/32 {self._auth}",
        ]
        (node.directory / "pg_hba.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _connection_to(self, upstream: PostgresNode, node: PostgresNode) -> str:
        return f"host=127.0.0.1 port={upstream.port} user=postgres application_name={node.name}"

    def build_replica(self, node: PostgresNode, upstream: PostgresNode | None = None) -> None:
        """Fills an empty node by pg_basebackup -R and starts it as a replica of `upstream`."""
        source = upstream or self.primary
        node.remove_data()
        arguments = ["-D", str(node.directory), "-d", self._connection_to(source, node)]
        arguments += ["-X", "stream", "-c", "fast", "--no-sync", "-R"]
        if self._slots:
            slot = f"slot_{node.name}"
            exists = source.value("select true from pg_replication_slots where slot_name = %s", [slot])
            arguments += ["-S", slot] if exists else ["-C", "-S", slot]
        node.program("pg_basebackup", *arguments)
        # Copied from the source and true of it alone: port, name, and what ALTER SYSTEM set there.
        node.append_settings({"port": node.port, "cluster_name": node.name})
        node.append_settings({"primary_conninfo": self._connection_to(source, node)}, "postgresql.auto.conf")
        node.start()

    # -- changing roles ------------------------------------------------------------------------------

    def promote(self, node: PostgresNode, seconds: float = 60.0) -> float:
        """Promotes `node` and counts it as the primary from now on; the seconds until it took writes."""
        took = node.promote(seconds)
        self.primary = node
        return took

    def follow(self, node: PostgresNode, upstream: PostgresNode | None = None) -> None:
        """Lets a running replica stream from `upstream` (default: the present primary)."""
        node.alter_system({"primary_conninfo": self._connection_to(upstream or self.primary, node)})

    def diverge(self, node: PostgresNode, statement: str) -> None:
        """Gives a stopped replica a history of its own: promoted, `statement` done there in `shop`, stopped again.

        All that at a port that nobody knows: at its own it would be the node on the highest timeline, which for a proxy
        is the primary.
        """
        assert not node.running() and node is not self.primary
        known_port, node.port = node.port, free_port()
        try:
            node.append_settings({"port": node.port})
            node.append_settings({"primary_conninfo": ""}, "postgresql.auto.conf")
            node.start()
            node.promote()
            node.rows(statement, dbname=DATABASE)
        finally:
            node.stop("fast")
            node.port = known_port
            node.append_settings({"port": node.port})

    def rewind(self, node: PostgresNode, apply_delay: int = 0) -> None:
        """Takes a stopped node back to where it left the present primary's history, by pg_rewind; does not start it.

        apply_delay: ms for which it holds replay back when it has come to where the primary is now.
        """
        assert not node.running() and node is not self.primary
        # pg_rewind reads the source's timeline from its control file, which a promotion updates late.
        self.primary.rows("checkpoint")
        node.program(
            "pg_rewind", "-D", str(node.directory), "--no-sync",
            f"--source-server={self._connection_to(self.primary, node)} dbname=postgres",
        )  # fmt: skip
        node.append_settings({"port": node.port, "cluster_name": node.name})
        auto = {"primary_conninfo": self._connection_to(self.primary, node), "recovery_min_apply_delay": apply_delay}
        node.append_settings(auto, "postgresql.auto.conf")
        (node.directory / "standby.signal").touch()

    def rejoin(self, node: PostgresNode, rewind: bool = True) -> None:
        """Brings a stopped, former primary back as a replica: pg_rewind, or a new copy if that is refused."""
        if rewind:
            try:
                self.rewind(node)
                node.start()
                return
            except RuntimeError:
                if node.running():
                    node.stop("immediate")
        self.build_replica(node)

    def rejoin_if_ahead(self, node: PostgresNode) -> None:
        """After a crash and follow(): a replica that had received more than the new primary cannot follow as it is.

        Its sender has told nobody of that, so nothing acknowledged is among it. The new primary's control file must have
        its timeline already: rewind() sees to that.
        """
        timeline = self.primary.value("select timeline_id from pg_control_checkpoint()")
        received = "select received_tli from pg_stat_wal_receiver where status = 'streaming'"
        try:
            wait_until(lambda: (node.value(received) or 0) >= timeline, f"{node.name} to follow", 3)
        except DeadlineExceeded:
            node.stop("immediate")
            self.rejoin(node)

    # -- waiting -------------------------------------------------------------------------------------

    def wait_streaming(self, seconds: float = 60.0) -> None:
        """Returns when every running replica streams, from whichever node it follows."""
        for node in self.replicas:
            if node.running():
                with node.connect() as sql:
                    wait_until(
                        lambda: sql.value("select status from pg_stat_wal_receiver") == "streaming",
                        f"{node.name} to stream",
                        seconds,
                        detail=node.log_tail,
                    )

    def wait_caught_up(self, seconds: float = 60.0) -> None:
        """Returns when every running replica has replayed what the primary has written by now."""
        lsn = str(self.primary.value("select pg_current_wal_flush_lsn()"))
        for node in self.replicas:
            if node.running():
                node.wait_for_replay(lsn, seconds)

    def heal(self, seconds: float = 60.0) -> None:
        """Undoes what a test did to the nodes: all run, follow the present primary, replay without delay.

        Costs a few milliseconds when there is nothing to undo.
        """
        for node in self.nodes:
            node.sigcont()
            if not node.running():
                if node is self.primary:
                    node.start(seconds)
                else:
                    self._revive(node)
        for node in self.replicas:
            if not node.in_recovery():
                node.stop("fast")
                self.rejoin(node)
            if node.value("select current_setting('recovery_min_apply_delay')") != "0":
                node.set_apply_delay(0)
            if node.value("select pg_is_wal_replay_paused()"):
                node.resume_replay()
            if f"port={self.primary.port} " not in node.value("select current_setting('primary_conninfo')"):
                self.follow(node)
        self.wait_streaming(seconds)

    def _revive(self, node: PostgresNode) -> None:
        if (node.directory / "standby.signal").exists():
            node.start()
        else:
            self.rejoin(node)

    def close(self) -> None:
        """Ends every server of this cluster and removes its directory."""
        self._owned.close()
        for node in self.nodes:
            if node.process is not None:
                node.process.wait(timeout=10 * PATIENCE)

"""The admin console: who may, what it shows, PAUSE and DRAIN; by psql and by psycopg."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from typing import Any

import psycopg
import pytest
from psycopg import errors

from support.deadline import PATIENCE, wait_until
from support.run_as import clean_environment

pytestmark = pytest.mark.proxy_only

USERS = {"app": "app-secret", "boss": "boss-secret", "watcher": "watcher-secret"}
ADMIN = {"admin": {"users": ["boss"], "stats_users": ["watcher"]}}


@pytest.fixture
def console(make_proxy) -> Any:
    return make_proxy(ADMIN, users=USERS)


def connect(proxy, user: str = "boss", **options: Any) -> psycopg.Connection[Any]:
    dsn = proxy.dsn(user=user, password=USERS[user], dbname="tidemark", connect_timeout=10)
    return psycopg.connect(dsn, autocommit=True, **options)


def app(proxy) -> psycopg.Connection[Any]:
    return psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True)


def shown(proxy, what: str) -> list[dict[str, str]]:
    with connect(proxy) as connection:
        connection.row_factory = psycopg.rows.dict_row  # type: ignore[assignment]
        return connection.execute(f"show {what}").fetchall()  # type: ignore[return-value]


def state(proxy) -> dict[str, str]:
    return {row["key"]: row["value"] for row in shown(proxy, "state")}


def psql(proxy, command: str, user: str = "boss") -> subprocess.CompletedProcess[str]:
    dsn = proxy.dsn(user=user, password=USERS[user], dbname="tidemark", connect_timeout=10)
    return subprocess.run(
        ["psql", "-qAtX", "-d", dsn, "-c", command],
        capture_output=True, text=True, timeout=60 * PATIENCE, env=clean_environment(), check=False,
    )  # fmt: skip


class InBackground:
    """Runs one statement in a thread; `error` and `rows` say what came of it."""

    def __init__(self, connection: psycopg.Connection[Any], statement: str) -> None:
        self.error: BaseException | None = None
        self.rows: list[Any] = []
        self._connection, self._statement = connection, statement
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            cursor = self._connection.execute(self._statement)  # type: ignore[arg-type]
            self.rows = cursor.fetchall() if cursor.description else []
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def running(self) -> bool:
        return self._thread.is_alive()

    def finish(self) -> None:
        self._thread.join(30 * PATIENCE)
        assert not self._thread.is_alive(), self._statement


def test_psql_shows_the_nodes_with_their_roles(console, cluster):
    wait_until(lambda: console.reads_from(cluster.replicas[0].address), "a replica to be read", 10)
    done = psql(console, "show nodes;")
    assert done.returncode == 0, done.stderr
    roles = {line.split("|")[0]: line.split("|")[1] for line in done.stdout.splitlines()}
    assert roles[cluster.primary.address] == "primary"
    assert roles[cluster.replicas[0].address] == "replica"


def test_every_command_of_show_answers_in_both_protocols(console):
    with app(console) as client, connect(console) as connection:
        client.execute("select 1")
        wait_until(lambda: len(shown(console, "replication")) == 2, "both replicas to be known", 20)
        for what in ("help", "version", "nodes", "pools", "clients", "servers", "state", "lists", "config", "replication"):
            simple = psql(console, f"SHOW {what.upper()}")
            assert (simple.returncode, simple.stderr) == (0, ""), what
            extended = connection.execute(f"show {what}")
            assert extended.description and extended.fetchall(), what
            named = connection.execute(f"show {what}", prepare=True)
            assert named.fetchall(), what


def test_it_shows_who_is_connected_and_no_secret(console):
    with app(console) as client:
        client.execute("select 1")
        assert [row["user"] for row in shown(console, "clients")] == ["app"]
        assert {row["user"] for row in shown(console, "servers")} == {"app"}
        assert {row["database"] for row in shown(console, "pools")} == {"shop"}
        config = {row["key"]: row["value"] for row in shown(console, "config")}
        assert config["admin.users"] == "boss" and config["pool.size"] == "20"
        text = str(config)
        for password in [*USERS.values(), "monitor-secret"]:
            assert password not in text


def test_who_is_not_named_may_not_come_in_and_is_told_what_to_set(console):
    done = psql(console, "show nodes", "app")
    assert done.returncode == 2
    assert 'user "app" may not use the admin console' in done.stderr


def test_nobody_may_come_in_by_default(make_proxy):
    done = psql(make_proxy(users=USERS), "show nodes")
    assert done.returncode == 2 and "may not use the admin console" in done.stderr


def test_a_wrong_password_is_refused_as_for_any_database(console):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(console.dsn(user="boss", password="wrong", dbname="tidemark", connect_timeout=10))


def test_a_stats_user_may_look_and_not_act(console):
    with connect(console, "watcher") as connection:
        assert connection.execute("show nodes").fetchall()
        for command in ("pause", "resume", "reload", "drain '127.0.0.1:1'"):
            with pytest.raises(errors.InsufficientPrivilege, match="may only SHOW"):
                connection.execute(command)  # type: ignore[arg-type]
        assert connection.execute("show version").fetchall()


def test_anything_else_is_an_error_that_lists_the_commands(console):
    done = psql(console, "select 1")
    assert done.returncode == 1
    assert "unknown command" in done.stderr and "DRAIN '<host:port>'" in done.stderr
    with connect(console) as connection:
        answer = connection.pgconn.exec_params(b"show nodes", [b"1"])
        assert answer.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"0A000"
        assert connection.execute("show nodes").fetchall()


def test_reload_says_what_is_wrong_with_the_file(console):
    with connect(console) as connection:
        assert connection.execute("reload").statusmessage == "RELOAD"
        good = console.config_file.read_text(encoding="utf-8")
        console.config_file.write_text(good + "\n[nonsense]\n", encoding="utf-8")
        with pytest.raises(errors.ConfigFileError, match="was not reloaded"):
            connection.execute("reload")
        console.config_file.write_text(good, encoding="utf-8")
        assert connection.execute("reload").statusmessage == "RELOAD"


def test_pause_holds_what_begins_and_resume_lets_it_go(console, table, shop):
    shop(f"create table {table} (v int)")
    with app(console) as writer, app(console) as reader, connect(console) as admin:
        writer.execute("select 1")
        reader.execute("select 1")
        assert admin.execute("pause").statusmessage == "PAUSE"
        assert state(console)["paused"] == "yes"
        assert console.metrics().sum("tidemark_paused") == 1
        write = InBackground(writer, f"insert into {table} values (1) returning v")
        read = InBackground(reader, "select 1")
        wait_until(lambda: state(console)["held_clients"] == "2", "both to be held", 10)
        assert write.running() and read.running()
        assert shop(f"select count(*) from {table}") == [(0,)]
        assert admin.execute("resume").statusmessage == "RESUME"
        for statement in (write, read):
            statement.finish()
            assert statement.error is None and statement.rows == [(1,)]
    wait_until(lambda: console.metrics().sum("tidemark_held_statements") == 0, "nothing to be held", 10)


def test_pause_waits_for_open_transactions_which_go_on(console, table, shop):
    shop(f"create table {table} (v int)")
    with app(console) as writer, connect(console) as admin:
        writer.execute("begin")
        writer.execute(f"insert into {table} values (1)")
        pause = InBackground(admin, "pause")
        wait_until(lambda: state(console)["paused"] == "yes", "the pause", 10)
        writer.execute(f"insert into {table} values (2)")
        assert pause.running()
        writer.execute("commit")
        pause.finish()
        assert pause.error is None
        admin.execute("resume")
    assert shop(f"select count(*) from {table}") == [(2,)]


def test_a_pause_that_is_cancelled_or_left_ends(console):
    with app(console) as writer:
        writer.execute("begin")
        writer.execute("select pg_current_xact_id()")
        with connect(console) as admin:
            pause = InBackground(admin, "pause")
            wait_until(lambda: state(console)["paused"] == "yes", "the pause", 10)
            admin.cancel()
            pause.finish()
            assert isinstance(pause.error, errors.QueryCanceled)
            wait_until(lambda: state(console)["paused"] == "no", "its end", 10)
            pause = InBackground(admin, "pause")
            wait_until(lambda: state(console)["paused"] == "yes", "the pause", 10)
            with socket.socket(fileno=os.dup(admin.pgconn.socket)) as leaving:
                leaving.shutdown(socket.SHUT_RDWR)
            pause.finish()
            wait_until(lambda: state(console)["paused"] == "no", "its end", 10)
        writer.execute("rollback")


def test_a_pause_that_lasts_too_long_fails_and_ends(make_proxy):
    proxy = make_proxy(ADMIN | {"cluster": {"failover_hold": "1s"}}, users=USERS)
    with app(proxy) as writer, connect(proxy) as admin:
        writer.execute("begin")
        writer.execute("select pg_current_xact_id()")
        with pytest.raises(errors.QueryCanceled, match="1 server connections are still in use"):
            admin.execute("pause")
        writer.execute("rollback")
        assert writer.execute("select 1").fetchone() == (1,)


def test_what_is_held_can_be_cancelled_and_ends_with_its_time(make_proxy):
    proxy = make_proxy(ADMIN | {"cluster": {"failover_hold": "3s"}}, users=USERS)
    with app(proxy) as first, app(proxy) as second, connect(proxy) as admin:
        admin.execute("pause")
        cancelled = InBackground(first, "select pg_current_xact_id()")
        late = InBackground(second, "select pg_current_xact_id()")
        wait_until(lambda: state(proxy)["held_clients"] == "2", "both to be held", 10)
        first.cancel()
        cancelled.finish()
        assert isinstance(cancelled.error, errors.QueryCanceled)
        late.finish()
        assert isinstance(late.error, errors.CannotConnectNow) and "paused" in str(late.error)
        admin.execute("resume")
        assert first.execute("select 1").fetchone() == second.execute("select 1").fetchone() == (1,)


def test_a_pinned_session_is_held_too_and_keeps_its_state(console):
    with app(console) as client, connect(console) as admin:
        client.execute("create temporary table mine (v int)")
        client.execute("insert into mine values (7)")
        admin.execute("pause")
        read = InBackground(client, "select v from mine")
        wait_until(lambda: state(console)["held_clients"] == "1", "it to be held", 10)
        admin.execute("resume")
        read.finish()
        assert read.error is None and read.rows == [(7,)]


def app_connections(node) -> int:
    return int(node.value("select count(*) from pg_stat_activity where usename = 'app'"))


def read_from(client: psycopg.Connection[Any]) -> int:
    return int(client.execute("select inet_server_port()").fetchone()[0])  # type: ignore[index]


def clients_of_each(proxy, ports: set[int]) -> list[psycopg.Connection[Any]]:
    """Sessions that read from all of these servers; which one a session reads from is drawn for each."""
    clients: list[psycopg.Connection[Any]] = []
    met: set[int] = set()
    while met != ports:
        assert len(clients) < 60, f"60 sessions read from {met}"
        clients.append(app(proxy))
        met.add(read_from(clients[-1]))
    return clients


def test_a_drained_replica_gets_nothing_until_undrain(console, cluster):
    first, second = cluster.replicas
    ports = {first.port, second.port}
    wait_until(lambda: all(console.reads_from(node.address) for node in (first, second)), "replicas", 10)
    with connect(console) as admin:
        clients = clients_of_each(console, ports)
        assert admin.execute(f"drain '{first.address}'").statusmessage == "DRAIN"  # type: ignore[arg-type]
        wait_until(lambda: app_connections(first) == 0, "the server to see the connections end", 10)
        for client in clients:
            assert read_from(client) != first.port
            # By the primary at first, as long as it is not known how much the drained replica has shown.
            wait_until(lambda client=client: read_from(client) == second.port, "the other replica", 10)
        node = {row["node"]: row for row in shown(console, "nodes")}[first.address]
        assert (node["drained"], node["eligible"], node["excluded"]) == ("yes", "no", "drained")
        assert console.metrics().sum("tidemark_node_drained", node=first.address) == 1
        explained = clients[0].execute("explain route select 1").fetchall()
        assert any("excluded: drained" in row[0] for row in explained)
        assert admin.execute(f"undrain {first.address};").statusmessage == "UNDRAIN"  # type: ignore[arg-type]
        more = clients_of_each(console, ports)
        for client in [*clients, *more]:
            client.close()


def test_drain_names_who_keeps_a_connection_and_waits_for_it(console, cluster):
    notices: list[str] = []
    with app(console) as client, connect(console) as admin:
        admin.add_notice_handler(lambda notice: notices.append(f"{notice.message_primary} {notice.message_detail}"))
        client.execute("listen news")
        drain = InBackground(admin, f"drain '{cluster.primary.address}'")
        wait_until(lambda: notices, "the notice", 10)
        assert "user app, database shop" in notices[0] and "LISTEN" in notices[0]
        assert drain.running()
        client.execute("unlisten news")
        drain.finish()
        assert drain.error is None
        write = InBackground(client, "select pg_current_xact_id()")
        wait_until(lambda: state(console)["held_clients"] == "1", "the write to be held", 10)
        admin.execute(f"undrain '{cluster.primary.address}'")  # type: ignore[arg-type]
        write.finish()
        assert write.error is None


def test_an_unknown_node_is_an_error_that_lists_the_nodes(console, cluster):
    with connect(console) as admin, pytest.raises(errors.UndefinedObject) as refused:
        admin.execute("drain 'nowhere:1'")
    assert cluster.primary.address in str(refused.value.diag.message_hint)


def test_the_proxy_shuts_down_while_it_is_paused(console):
    with app(console) as client, connect(console) as admin:
        admin.execute("pause")
        held = InBackground(client, "select 1")
        wait_until(lambda: state(console)["held_clients"] == "1", "it to be held", 10)
        assert console.stop() == 0
        held.finish()
        assert held.error is not None

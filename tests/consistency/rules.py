"""One scenario per rule of routing/README.md: what a client sees that a broken rule would let it see.

Each takes the cluster and a function that makes proxies, and returns what was wrong: nothing, if the rule held.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any, Callable, Iterator

import psycopg

from driver import primary_dsn, run_driver
from support.deadline import PATIENCE, wait_until
from support.lsn import lsn
from support.postgres_cluster import PostgresCluster
from support.steady_reader import SteadyReader, wait_for_reads, wait_until_a_stranger_is_shown, wait_until_shown

LONG = 60_000  # ms of replay delay: not within a test
WAL_PAGE, WAL_PAGE_HEADER = 8192, 40  # bytes; the longer kind of header (PostgreSQL: access/xlog_internal.h)

MakeProxy = Callable[..., Any]
Scenario = Callable[[PostgresCluster, MakeProxy], list[str]]


@contextlib.contextmanager
def clients(proxy: Any, *names: str, **options: Any) -> Iterator[list[psycopg.Connection]]:
    with contextlib.ExitStack() as stack:
        made = []
        for name in names:
            dsn = proxy.dsn(connect_timeout=10)
            made.append(stack.enter_context(psycopg.connect(dsn, autocommit=True, **options)))
            if name:
                made[-1].execute(f"set tidemark.user = '{name}'")
        yield made


def table(nodes: PostgresCluster) -> None:
    """One row in a table of its own, on all nodes."""
    with nodes.primary.connect(dbname="shop") as sql:
        sql.rows("drop table if exists mark")
        sql.rows("create table mark (v int)")
        sql.rows("insert into mark values (0)")
        sql.rows("grant all on mark to public")
    nodes.wait_caught_up()


def delay(nodes: PostgresCluster, milliseconds: int = LONG) -> None:
    for node in nodes.replicas:
        node.set_apply_delay(milliseconds)


def write(connection: psycopg.Connection, value: int) -> None:
    connection.execute(f"update mark set v = {value}")


def read(connection: psycopg.Connection, prefix: str = "") -> int:
    return connection.execute(f"{prefix}select v from mark").fetchone()[0]  # type: ignore[index]


class Meanwhile:
    """Something that another thread does; its result, or its error as a text."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.result: Any = None
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._function()
        except Exception as error:  # shown by the scenario
            self.result = f"{type(error).__name__}: {error}"

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds * PATIENCE)

    def done(self) -> bool:
        return not self._thread.is_alive()


def port_of(told: str) -> int:
    """Of the node that a route names: "read at 127.0.0.1:5433: pinned, …"."""
    return int(told.split(": ")[0].rpartition(":")[2])


def route(connection: psycopg.Connection) -> str:
    return connection.execute("show tidemark.last_route").fetchone()[0]  # type: ignore[index]


def would_go_to(connection: psycopg.Connection, address: str) -> bool:
    told = [row[0] for row in connection.execute("explain route select v from mark")]
    return f"decision:  send to {address}" in told


def wait_for_replica(connection: psycopg.Connection, nodes: PostgresCluster) -> None:
    """Until its reads are answered by a replica."""

    def at_replica() -> bool:
        read(connection)
        return f":{nodes.primary.port}:" not in route(connection)

    wait_until(at_replica, "reads at a replica", 20)


def an_idle_cluster_is_read_at_replicas(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    """Behind a switch of segments the insert position stands behind a page header, and replay before it."""
    table(nodes)
    with clients(make_proxy("session"), "") as [client]:
        wait_for_replica(client, nodes)
        for _ in range(10):
            nodes.primary.rows("select pg_switch_wal()")
            idle_at = nodes.primary.insert_lsn()
            if lsn(idle_at) % WAL_PAGE > WAL_PAGE_HEADER:
                continue  # something was written behind the switch
            for node in nodes.replicas:
                node.wait_for_replay(str(node.value("select %s::pg_lsn - %s", [idle_at, WAL_PAGE_HEADER])))
            client.execute("/* tidemark: node=primary */ select 1")
            wrong = reads_at_primary(client, nodes, 1 * PATIENCE)
            if nodes.primary.insert_lsn() == idle_at:
                return wrong
        raise AssertionError("the cluster was never idle: something wrote WAL after each switch of segments")


def reads_at_primary(connection: psycopg.Connection, nodes: PostgresCluster, seconds: float) -> list[str]:
    """Reads until a replica answers: nothing is wrong; or the last one, if none has within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        read(connection)
        if f":{nodes.primary.port}:" not in route(connection):
            return []
    return [f"all reads at the primary of an idle cluster: {route(connection)}"]


def an_asynchronous_commit_is_read_back(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    wrong = []
    with clients(make_proxy("session"), "") as [client]:
        client.execute("set synchronous_commit = off")
        for value in range(1, 101):
            write(client, value)
            time.sleep(0.003)  # as long as it takes to learn the position: only which one is asked for is at stake
            if (got := read(client)) != value:
                wrong.append(f"{got} instead of {value}")
    return wrong


def writes_under_load_are_read_back(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    for node in nodes.replicas:
        node.set_apply_delay(20)
    proxy = make_proxy("session")
    report = run_driver(
        "rules: under load", proxy.dsn(), primary_dsn(nodes), seconds=6, think_ms=3, min_nodes=1, writers=24
    )
    return [f"{report[name]} x {name}" for name in ("stale_read", "step_back") if report[name]]


def a_replica_that_came_back_in_its_past_is_not_read(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    victim, *others = nodes.replicas
    for node in others:
        node.stop("fast")
    nodes.primary.rows("checkpoint")
    nodes.wait_caught_up()
    victim.rows("checkpoint")
    # The client has written, and nobody has shown it anything since: it requires its write's position, no more.
    with clients(make_proxy("session"), "", "") as [client, other]:
        write(client, 7)
        client.execute("show tidemark.token")
        wait_for_replica(other, nodes)
        # The proxy knows that the replica has it, and could go by that afterwards.
        wait_until(lambda: would_go_to(client, victim.address), "a probe", 20)
        victim.rows("alter system set recovery_min_apply_delay = '1h'")
        victim.kill9()
        victim.start()
        assert victim.value("select v from mark", dbname="shop") == 0, "the replica did not come back in its past"
        # It is offered to the client, wrongly, or it is not. Not to read meanwhile: what the primary answers is a higher floor.
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and not would_go_to(client, victim.address):
            time.sleep(0.02)
        wrong = []
        for _ in range(20):
            if (got := read(client)) != 7:
                wrong.append(f"{got} instead of 7: {route(client)}")
        return wrong


def a_replica_that_was_rewound_is_not_read_before_it_has_caught_up(
    nodes: PostgresCluster, make_proxy: MakeProxy
) -> list[str]:
    """The users' replica takes a way of its own, is rewound, and comes back with less than they have been shown since.

    They read all the while: at the other replica, then, when that has died, at the primary. Who requires nothing is
    served by the one that came back, so it is the floors that keep the users away from it.
    """
    table(nodes)
    for node in nodes.replicas[2:]:
        node.stop("fast")
    proxy = make_proxy("session", {"routing": {"max_lag": "1h"}})
    with contextlib.ExitStack() as stack:
        connected = stack.enter_context(clients(proxy, "", "", ""))
        for client in connected:
            wait_for_replica(client, nodes)
        ports = [port_of(route(client)) for client in connected]
        victim = nodes.node_by_port(max(ports, key=ports.count))
        [other] = [node for node in nodes.replicas[:2] if node is not victim]
        chosen = [client for client, port in zip(connected, ports) if port == victim.port][:2]
        users = [stack.enter_context(SteadyReader(client, impossible=[1000])) for client in chosen]
        writer = users[0]

        writer.write(1)
        wait_until_shown(users, 1, victim.port)
        victim.stop("fast")
        wait_until(lambda: not proxy.reads_from(victim.address), "the proxy to miss the replica", 20)
        wait_until_shown(users, 1, other.port)
        nodes.diverge(victim, "update mark set v = 1000")
        writer.write(2)
        nodes.rewind(victim, apply_delay=LONG)
        writer.write(3)
        wait_until_shown(users, 3, other.port)

        victim.start()
        wait_until(lambda: proxy.reads_from(victim.address), "the proxy to know the replica again", 20)
        wait_until_a_stranger_is_shown(proxy, 2, victim.port)
        wait_for_reads(users, 50)
        other.kill9()
        wait_until(lambda: not proxy.reads_from(other.address), "the proxy to miss the other replica", 20)
        wait_until_shown(users, 3, nodes.primary.port)
        wait_until_a_stranger_is_shown(proxy, 2, victim.port)
        wait_for_reads(users, 50)
        assert victim.value("select v from mark", dbname="shop") == 2, "it has caught up, and proves nothing any more"

        victim.set_apply_delay(0)
        wait_until_shown(users, 3, victim.port)
        writer.write(4)
        wait_until_shown(users, 4, victim.port)
    return [fault for user in users for fault in user.wrong]


def a_write_is_read_back_from_delayed_replicas(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    wrong = []
    # Long enough that it is waited for, and not given up as hopeless.
    with clients(make_proxy("session", {"routing": {"replica_wait": "500ms"}}), "") as [client]:
        wait_for_replica(client, nodes)
        delay(nodes, 30)
        for value in range(1, 31):
            write(client, value)
            if (got := read(client)) != value:
                wrong.append(f"{got} instead of {value}: {route(client)}")
    return wrong


def leaving_a_replica_does_not_go_back_in_time(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    with clients(make_proxy("monotonic_reads"), "") as [client]:
        wait_for_replica(client, nodes)
        mine = nodes.node_by_port(port_of(route(client)))
        for node in nodes.replicas:
            if node is not mine:
                node.set_apply_delay(LONG)
        nodes.primary.rows("update mark set v = 1", dbname="shop")
        wait_until(lambda: read(client) == 1, "the write to be seen", 20)
        mine.kill9()
        deadline = time.monotonic() + 1.5
        wrong = []
        while time.monotonic() < deadline:
            if (got := read(client)) != 1:
                wrong.append(f"{got} instead of 1: {route(client)}")
        return wrong


def what_the_primary_showed_does_not_disappear(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    with clients(make_proxy("monotonic_reads"), "") as [client]:
        wait_for_replica(client, nodes)
        delay(nodes)
        nodes.primary.rows("update mark set v = 1", dbname="shop")
        first = read(client, "/* tidemark: node=primary */ ")
        second = read(client)
        return [] if (first, second) == (1, 1) else [f"read {first}, then {second}: {route(client)}"]


def a_strong_read_shows_what_was_committed_before(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    with clients(make_proxy("strong"), "") as [client]:
        wait_for_replica(client, nodes)
        delay(nodes)
        wrong = []
        for value in range(1, 6):
            nodes.primary.rows(f"update mark set v = {value}", dbname="shop")
            if (got := read(client)) != value:
                wrong.append(f"{got} instead of {value}: {route(client)}")
        return wrong


def beyond_its_bound_a_replica_is_not_read(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    """Of a primary that does not answer nobody knows what it has committed since."""
    table(nodes)
    settings = {"routing": {"max_staleness": "500ms"}, "cluster": {"failover_hold": "0s", "probe_timeout": "30s"}}
    with clients(make_proxy("bounded_staleness", settings), "") as [client]:
        wait_for_replica(client, nodes)
        nodes.primary.sigstop()
        try:
            time.sleep(0.7)
            answer = Meanwhile(lambda: read(client))
            answer.wait(1.0)
            wrong = [f"answered past the bound: {answer.result}"] if answer.done() else []
        finally:
            nodes.primary.sigcont()
        answer.wait(20)
        return wrong


def another_connection_of_the_user_reads_the_write(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    wrong = []
    # Waits long enough not to be given up as hopeless.
    proxy = make_proxy("session", {"workers": {"threads": 4}, "routing": {"replica_wait": "500ms"}})
    with clients(proxy, *["42"] * 8) as [writer, *readers]:
        wait_for_replica(writer, nodes)
        delay(nodes, 50)
        for value in range(1, 31):
            # What was required so far has been replayed by then: only this write is at stake.
            time.sleep(0.1)
            write(writer, value)
            if (got := read(readers[value % 7])) != value:
                wrong.append(f"{got} instead of {value}")
    return wrong


def a_token_is_a_floor(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    with clients(make_proxy("session"), "", "") as [writer, reader]:
        wait_for_replica(reader, nodes)
        delay(nodes)
        write(writer, 1)
        token = writer.execute("show tidemark.token").fetchone()[0]  # type: ignore[index]
        reader.execute(f"set tidemark.token = '{token}'")
        return [] if (got := read(reader)) == 1 else [f"{got} instead of 1"]


def after_a_restart_a_user_still_reads_the_write(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    table(nodes)
    # The other proxy knows as little of the user as this one would after a restart; its replicas are in use already.
    before, after = make_proxy("session"), make_proxy("session")
    with clients(before, "42") as [client], clients(after, "") as [stranger]:
        wait_for_replica(client, nodes)
        wait_for_replica(stranger, nodes)
        delay(nodes)
        write(client, 1)
        with clients(after, "42") as [same]:
            return [] if (got := read(same)) == 1 else [f"{got} instead of 1: {route(same)}"]


def the_primary_is_read_only_when_it_shows_what_a_replica_has_shown(
    nodes: PostgresCluster, make_proxy: MakeProxy
) -> list[str]:
    """A commit that waits for a synchronous standby is visible at replicas, and not yet at the primary."""
    table(nodes)
    with clients(make_proxy("monotonic_reads"), "") as [client]:
        wait_for_replica(client, nodes)
        mine = nodes.node_by_port(port_of(route(client)))
        held, *others = [node for node in nodes.replicas if node is not mine]
        for node in others:
            node.stop("fast")
        nodes.primary.alter_system({"synchronous_standby_names": held.name, "synchronous_commit": "remote_apply"})
        try:
            held.pause_replay()
            commit = Meanwhile(lambda: nodes.primary.rows("update mark set v = 1", dbname="shop"))
            wait_until(lambda: read(client) == 1, "a replica to show what is not acknowledged", 20)
            mine.kill9()
            # Who reads at the primary must wait until the commit has ended.
            answer = Meanwhile(lambda: read(client))
            answer.wait(0.3)
            held.resume_replay()
            answer.wait(20)
            commit.wait(20)
        finally:
            nodes.primary.alter_system({"synchronous_standby_names": "", "synchronous_commit": "on"})
        return [] if answer.result == 1 else [f"{answer.result} instead of 1: {route(client)}"]


@contextlib.contextmanager
def stalled_commit(nodes: PostgresCluster, make_proxy: MakeProxy, **cluster: Any) -> Iterator[Any]:
    """v = 1 at a replica that two clients have read it from, and that is gone; and not yet at the primary.

    Gives the clients, the standby that the commit waits for, one that is stopped, and the commit.
    """
    table(nodes)
    held, shows, late, *others = nodes.replicas
    for node in (late, *others):
        node.stop("fast")
    nodes.primary.alter_system({"synchronous_standby_names": held.name, "synchronous_commit": "remote_apply"})
    try:
        wait_until(lambda: nodes.primary.value("show synchronous_standby_names") == held.name, "the setting", 10)
        with clients(make_proxy("session", {"cluster": cluster}), *[""] * 16) as connected:
            for client in connected:
                wait_for_replica(client, nodes)
            chosen = [client for client in connected if port_of(route(client)) == shows.port][:2]
            assert len(chosen) == 2, "16 clients, and not two of them at the same one of two replicas"
            held.pause_replay()
            commit = Meanwhile(lambda: nodes.primary.rows("update mark set v = 1", dbname="shop"))
            for client in chosen:
                wait_until(lambda client=client: read(client) == 1, "a replica to show what is not acknowledged", 20)
            shows.kill9()
            yield chosen, held, late, commit
    finally:
        nodes.primary.alter_system({"synchronous_standby_names": "", "synchronous_commit": "on"})


def in_transaction(client: psycopg.Connection) -> int:
    with client.transaction():
        return read(client)


def a_commit_that_waits_for_its_standby_is_waited_for(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    """That can last for as long as one likes: neither a read nor a transaction goes past it."""
    wrong = []
    with stalled_commit(nodes, make_proxy, failover_hold="5min") as ((reading, writing), held, late, commit):
        plain = Meanwhile(lambda: read(reading))
        transaction = Meanwhile(lambda: in_transaction(writing))
        plain.wait(2.5 / PATIENCE)  # longer than a statement that only runs for long would be waited for
        wrong += [f"{name.result}, not waited for" for name in (plain, transaction) if name.done()]
        late.start()
        plain.wait(20)
        if plain.result != 1 or commit.done():
            wrong.append(f"{plain.result} instead of 1 from the replica that is back")
        if transaction.done():
            wrong.append(f"{transaction.result}: the transaction did not wait")
        held.resume_replay()
        transaction.wait(20)
        commit.wait(20)
        if not transaction.done() or transaction.result != 1:
            wrong.append(f"{transaction.result} instead of 1 in a transaction")
    return wrong


def a_commit_that_waits_for_ever_is_an_error(nodes: PostgresCluster, make_proxy: MakeProxy) -> list[str]:
    wrong = []
    with stalled_commit(nodes, make_proxy, failover_hold="2s") as ((reading, _), held, _, commit):
        answer = Meanwhile(lambda: read(reading))
        answer.wait(20)
        if "the primary does not show yet what this user has seen" not in str(answer.result):
            wrong.append(f"{answer.result} instead of an error")
        held.resume_replay()
        commit.wait(20)
        if read(reading) != 1:
            wrong.append("the client did not go on")
    return wrong


# What breaks if a rule is broken: the mutation, and the scenario in which a client notices.
NOTICED_BY: dict[str, Scenario] = {
    "page_header_kept": an_idle_cluster_is_read_at_replicas,
    "write_position": an_asynchronous_commit_is_read_back,
    "flush_assumed": an_asynchronous_commit_is_read_back,
    "asked_before_the_reply": writes_under_load_are_read_back,
    "position_after_restart": a_replica_that_came_back_in_its_past_is_not_read,
    "sent_before_the_wait": a_write_is_read_back_from_delayed_replicas,
    "floor_forgotten": leaving_a_replica_does_not_go_back_in_time,
    "primary_reads_unseen": what_the_primary_showed_does_not_disappear,
    "strong_without_asking": a_strong_read_shows_what_was_committed_before,
    "sample_age_ignored": beyond_its_bound_a_replica_is_not_read,
    "raised_after_the_reply": another_connection_of_the_user_reads_the_write,
    "marks_unshared": another_connection_of_the_user_reads_the_write,
    "token_ignored": a_token_is_a_floor,
    "unknown_is_clean": after_a_restart_a_user_still_reads_the_write,
    "doubt_is_fine": a_write_is_read_back_from_delayed_replicas,
    "visibility_ignored": the_primary_is_read_only_when_it_shows_what_a_replica_has_shown,
}

# Rules that a further scenario needs, too.
ALSO_NOTICED_BY: list[tuple[str, Scenario]] = [
    ("sent_before_the_wait", a_replica_that_was_rewound_is_not_read_before_it_has_caught_up),
    ("floor_forgotten", a_replica_that_was_rewound_is_not_read_before_it_has_caught_up),
]

# Scenarios beside those that a mutation has.
FURTHER: list[Scenario] = [
    a_replica_that_was_rewound_is_not_read_before_it_has_caught_up,
    a_commit_that_waits_for_its_standby_is_waited_for,
    a_commit_that_waits_for_ever_is_an_error,
]

# Those that only a failover shows: tests/failover/test_lost_writes.py.
NOTICED_IN_A_FAILOVER = {"timeline_ignored", "loss_untold"}

"""The primary dies under load and another node is promoted: the clients keep their connections, and the truth."""

from __future__ import annotations

import collections
import re
import time
from typing import Sequence

import pytest

from drill import (
    MAY_BE_LOST, ROLLED_BACK, UNDECIDED, Drill, OpenTransaction, Statement, Transaction, TransactionWriter,
)  # fmt: skip
from support.deadline import wait_until
from support.lsn import lsn
from support.proxy_process import ProxyProcess

pytestmark = pytest.mark.proxy_only

# How long after the death of the primary a statement may still run into a connection to it.
NOTICED_WITHIN = 1.0


class Times:
    """When what happened in one failover; of the monotonic clock."""

    began_to_die = dead = promoted = 0.0
    noticed_within = NOTICED_WITHIN

    def __repr__(self) -> str:
        return f"[{self.began_to_die:.3f} to {self.dead:.3f}, promoted at {self.promoted:.3f}]"

    def had_in_flight(self, what: Statement | Transaction) -> bool:
        return what.start <= self.dead + self.noticed_within and what.end >= self.began_to_die


def failover_of(what: Statement | Transaction, failovers: Sequence[Times]) -> int:
    """The number of the one in which it was in flight."""
    found = [number for number, times in enumerate(failovers) if times.had_in_flight(what)]
    assert found, f"not in flight when a primary died: {what}"
    return found[-1]


class InFlight:
    """Of each client and failover one statement, or one transaction, is cut off: the one that was in flight. A second one
    only if the first had ended while the primary was dying still, since its processes die one after the other."""

    def __init__(self, failovers: Sequence[Times]) -> None:
        self._failovers = failovers
        self._found: dict[tuple[str, int], list[Statement | Transaction]] = collections.defaultdict(list)

    def add(self, what: Statement | Transaction) -> None:
        self._found[what.client, failover_of(what, self._failovers)].append(what)

    def check(self) -> None:
        for (_, number), found in self._found.items():
            late = [what for what in found if what.end > self._failovers[number].dead]
            assert len(late) <= 1, f"more than one was cut off: {late}"


def fail_over(cluster, drill: Drill, how: str) -> Times:
    """Ends the primary, promotes the first replica, lets the second follow it."""
    old, new, other = cluster.primary, cluster.replicas[0], cluster.replicas[1]
    times = Times()
    times.began_to_die = time.monotonic()
    if how == "kill -9":
        old.kill9()
    else:
        old.stop("fast")
    times.dead = time.monotonic()
    cluster.promote(new)
    times.promoted = time.monotonic()
    new.rows("alter system reset synchronous_standby_names")
    cluster.follow(other)
    try:
        wait_until(
            lambda: all(writer.broken or wrote_at(writer.statements, new.port) for writer in drill.writers)
            and all(writer.broken or committed_after(writer, times.promoted) for writer in drill.transaction_writers),
            "every writer to write at the new primary",
            30,
        )
    finally:
        report_errors(drill)
    return times


def wrote_at(statements: list[Statement], port: int) -> bool:
    return any(statement.node == port for statement in statements[-20:])


def committed_after(writer: TransactionWriter, moment: float) -> bool:
    return any(each.start > moment and each.sqlstate is None and each.end for each in writer.transactions[-20:])


def report_errors(drill: Drill) -> None:
    failed = drill.statements(lambda s: s.sqlstate is not None)
    seen = collections.Counter((s.client.split()[0], s.sqlstate, s.text.partition("\n")[0]) for s in failed)
    for (client, sqlstate, text), count in seen.items():
        print(f"  {count} x {client}: {sqlstate} {text}")
    seen = collections.Counter(
        (each.sqlstate, each.at, each.text.partition("\n")[0]) for each in drill.transactions(lambda t: t.sqlstate is not None)
    )
    for (sqlstate, at, text), count in seen.items():
        print(f"  {count} x transactions, {at}: {sqlstate} {text}")
    for text in drill.broken():
        print(f"  broken: {text}")


def print_table(drill: Drill, cluster, times: Times, missing: list[int]) -> None:
    new = cluster.primary.port
    first = first_write(drill, new)
    slowest_read = max(s.end - s.start for reader in drill.readers for s in reader.statements)
    print(f"  clients                                  {len(drill.clients)}")
    print(f"  connections broken                       {len(drill.broken())}")
    print(f"  statements / errors                      {len(drill.statements())} / {len(errors(drill))}")
    print(f"  death to end of promotion                {times.promoted - times.dead:.3f} s")
    print(f"  promotion to first acknowledged write    {first - times.promoted:.3f} s")
    print(f"  death to first acknowledged write        {first - times.dead:.3f} s")
    print(f"  slowest read                             {slowest_read:.3f} s")
    print(f"  acknowledged writes / missing            {len(drill.acknowledged())} / {len(missing)}")


def first_write(drill: Drill, port: int, after: float = 0.0) -> float:
    return min(s.end for s in drill.acknowledged() if s.node == port and s.end > after)


def errors(drill: Drill) -> list[Statement]:
    """Of all clients but the one with the open transaction, whose errors are judged apart."""
    return drill.statements(lambda s: s.sqlstate is not None and s.client != drill.transaction.name)


def check_doubt(error: Statement | Transaction) -> None:
    """Doubt is told (routing/README.md, rule 9) of what was acknowledged in the last moment, before its position was
    learned, and of a position that the new timeline does not contain: a crash leaves some, if nobody received them."""
    if "was not known" in error.text:
        return
    told = re.search(r"It is up to (\S+) on timeline \d+; .* which left the old one at (\S+?)[. ]", error.text)
    assert told, error
    assert lsn(told[1]) > lsn(told[2]), f"the new timeline contains it: {error}"


def check_clients(drill: Drill, failovers: Sequence[Times], in_order: bool) -> None:
    """`in_order`: each primary was shut down, and did not crash: then no statement may fail."""
    assert drill.broken() == []
    if in_order:
        assert errors(drill) == []
    in_flight = InFlight(failovers)
    doubts: collections.Counter[str] = collections.Counter()
    for error in errors(drill):
        if error.sqlstate == MAY_BE_LOST:
            check_doubt(error)
            doubts[error.client] += 1
            continue
        assert error.sqlstate in (ROLLED_BACK, UNDECIDED), error
        in_flight.add(error)
    in_flight.check()
    # The doubt about an earlier one is told once.
    assert all(count <= len(failovers) for count in doubts.values()), f"more than one doubt: {doubts}"
    for idler in drill.idlers:
        assert [s.sqlstate for s in idler.statements] == [None] * 4, idler.statements


def check_transactions(
    drill: Drill, failovers: Sequence[Times], present: set[int], in_order: bool, none_may_miss: bool
) -> None:
    """Both rows of a transaction are there, or none: both if it was acknowledged, none if it was refused. Unless nothing
    is in doubt, the last word may be that nobody knows, of a COMMIT in flight."""
    in_flight = InFlight(failovers)
    for each in drill.transactions():
        there = len(present & set(each.ids))
        assert there in (0, 2), f"half a transaction: {each}"
        if each.sqlstate is None:
            assert there == 2 or not none_may_miss, f"acknowledged, and not there: {each}"
            continue
        if each.sqlstate == MAY_BE_LOST:
            assert not in_order and there == 0, each
            check_doubt(each)
            continue
        assert each.sqlstate == ROLLED_BACK or (each.sqlstate == UNDECIDED and each.at == "commit"), each
        assert each.sqlstate != UNDECIDED or not in_order, f"the server has said what became of it: {each}"
        assert each.sqlstate == UNDECIDED or there == 0, f"refused, and there nevertheless: {each}"
        in_flight.add(each)
    in_flight.check()


def check_open_transaction(drill: Drill) -> None:
    first, after_death, next_one, after_rollback = drill.transaction.statements
    assert first.sqlstate is None
    assert after_death.sqlstate == ROLLED_BACK, after_death
    assert next_one.sqlstate == "25P02", next_one
    assert after_rollback.sqlstate is None, after_rollback


def check_readers(drill: Drill) -> None:
    """Nobody who has counted n rows counts fewer later; what idlers wrote they count themselves."""
    for client in [*drill.readers, *drill.idlers]:
        seen = 0
        for statement in client.statements:
            if statement.sqlstate is None and statement.id is None:
                assert (statement.rows or 0) >= seen, f"{client.name} counted {seen} before: {statement}"
                seen = statement.rows or 0


def rows_of(cluster) -> set[int]:
    return {row[0] for row in cluster.primary.rows("select id from drill", dbname="shop")}


def missing_writes(drill: Drill, present: set[int]) -> list[int]:
    check_unacknowledged(drill, present)
    return sorted({s.id for s in drill.acknowledged() if s.id is not None} - present)


def check_unacknowledged(drill: Drill, present: set[int]) -> None:
    """What was answered with an error other than 40003 has not happened."""
    for statement in drill.statements(lambda s: s.id is not None and s.sqlstate not in (None, UNDECIDED)):
        assert statement.id not in present, f"refused, and there nevertheless: {statement}"
    assert OpenTransaction.ID not in present, "a part of the transaction that was cut off is there"


def check_old_primary_gets_nothing(cluster, old, drill: Drill, times: Times) -> None:
    """Starts the old primary as it is, writable, while the writers go on, and looks what reaches it."""
    old.start()
    assert not old.in_recovery()
    before = old.value("select count(*) from drill", dbname="shop")
    written = len(drill.acknowledged())
    wait_until(lambda: len(drill.acknowledged()) > written + 200, "the writers to go on", 30)
    time.sleep(1)
    assert old.value("select count(*) from drill", dbname="shop") == before
    late = {s.id for s in drill.statements(lambda s: s.id is not None and s.start > times.promoted)}
    there = {row[0] for row in old.rows("select id from drill", dbname="shop")}
    assert not late & there, "writes after the promotion reached the old primary"
    assert not old.rows("select pid, query from pg_stat_activity where usename = 'app'")


def check_nothing_is_left_open(cluster) -> None:
    """The clients are gone: the servers' connections of the pool are idle, outside any transaction."""
    for node in cluster.nodes:
        wait_until(
            lambda: not node.rows("select 1 from pg_stat_activity where usename = 'app' and state <> 'idle'"),
            f"{node.name}'s connections to be idle",
            10,
            detail=lambda: str(node.rows("select pid, state, query from pg_stat_activity where usename = 'app'")),
        )
        held = node.value("select count(*) from pg_stat_activity where usename = 'app'")
        assert held <= 20, f"{node.name} holds {held} connections of a pool of 20"


def make_synchronous(cluster) -> None:
    """Acknowledged is from now on: also replayed at the first replica, which is to be promoted."""
    cluster.primary.alter_system(
        {"synchronous_standby_names": f"FIRST 1 ({cluster.replicas[0].name})", "synchronous_commit": "remote_apply"}
    )


@pytest.fixture
def replaying(cluster):
    with ProxyProcess(cluster.addresses, {"replay": {"transactions": True}}, directory=cluster.directory) as made:
        yield made
        assert made.running(), made.log_tail()
    made.check_sanitizers()


@pytest.mark.parametrize("how", ["fast shutdown", "kill -9"])
def test_transactions_that_are_executed_again_go_on(cluster, replaying, how):
    """No transaction fails at a shutdown, and at a crash only those whose COMMIT was in flight, or that a crash has lost."""
    if how == "kill -9":
        make_synchronous(cluster)
    with Drill(replaying, idlers=5) as drill:
        time.sleep(2)
        print(f"--- {how}, transactions executed again")
        times = fail_over(cluster, drill, how)
        drill.wake_idle.set()
        drill.finish()
    present = rows_of(cluster)
    print_table(drill, cluster, times, missing_writes(drill, present))
    check_clients(drill, [times], in_order=how == "fast shutdown")
    check_transactions(drill, [times], present, in_order=how == "fast shutdown", none_may_miss=True)
    failed = drill.transactions(lambda each: each.sqlstate not in (None, MAY_BE_LOST))
    if how == "fast shutdown":
        assert failed == []
        assert not drill.transactions(lambda each: each.sqlstate is not None)
    assert [each for each in failed if each.at != "commit"] == []
    replayed = replaying.metrics().sum("tidemark_retries_total", reason="transaction_replayed")
    print(f"  transactions executed again              {replayed:.0f}")
    # A crash may meet none that is open, or only such whose clients have to be told of an earlier write.
    assert replayed > 0 or how == "kill -9"
    # Its answers name the server: they are others on the new one.
    check_open_transaction(drill)


@pytest.fixture
def lossless(cluster):
    with ProxyProcess(cluster.addresses, {"cluster": {"lossless_failover": True}}, directory=cluster.directory) as made:
        yield made
        assert made.running(), made.log_tail()
    made.check_sanitizers()


def test_where_no_commit_can_be_lost_nobody_is_told_of_a_lost_write(cluster, lossless):
    """What is told is what is lost: nothing. Only what another replica has shown may be gone."""
    with Drill(lossless, idlers=5) as warm:
        # Functions are known to be harmless when the databases' catalogs have been read.
        warm.finish()
    cluster.primary.rows("delete from drill", dbname="shop")
    make_synchronous(cluster)
    with Drill(lossless) as drill:
        time.sleep(2)
        print("--- kill -9, synchronous, lossless_failover")
        times = fail_over(cluster, drill, "kill -9")
        drill.wake_idle.set()
        drill.finish()
    present = rows_of(cluster)
    print_table(drill, cluster, times, missing_writes(drill, present))
    assert missing_writes(drill, present) == []
    told = [error for error in [*errors(drill), *drill.transactions()] if error.sqlstate == MAY_BE_LOST]
    assert [each for each in told if "an acknowledged write" in each.text] == []
    check_clients(drill, [times], in_order=False)
    check_transactions(drill, [times], present, in_order=False, none_may_miss=True)
    check_open_transaction(drill)


# With synchronous replication, and after a fast shutdown, which sends the replicas everything, no acknowledged write
# may be missing. A crash with asynchronous replication may lose some: how many is told, and they must be few.
@pytest.mark.parametrize(
    "how, synchronous", [("kill -9", True), ("kill -9", False), ("fast shutdown", False)],
    ids=["kill-9-synchronous", "kill-9-asynchronous", "fast-shutdown"],
)  # fmt: skip
def test_the_primary_dies_under_load(cluster, proxy, how, synchronous):
    if synchronous:
        make_synchronous(cluster)
    exact = synchronous or how == "fast shutdown"
    old = cluster.primary
    with Drill(proxy) as drill:
        time.sleep(2)
        print(f"--- {how}, {'synchronous' if synchronous else 'asynchronous'}")
        times = fail_over(cluster, drill, how)
        drill.wake_idle.set()
        check_old_primary_gets_nothing(cluster, old, drill, times)
        old.stop("immediate")
        drill.finish()
    present = rows_of(cluster)
    missing = missing_writes(drill, present)
    print_table(drill, cluster, times, missing)
    check_clients(drill, [times], in_order=how == "fast shutdown")
    check_open_transaction(drill)
    check_transactions(drill, [times], present, in_order=how == "fast shutdown", none_may_miss=exact)
    if exact or not missing:
        assert missing == []
        check_readers(drill)
    assert first_write(drill, cluster.primary.port) - times.promoted < 5
    old.start()  # for the count of its connections only
    check_nothing_is_left_open(cluster)

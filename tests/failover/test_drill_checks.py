"""The drill's judges find what they are there to find: each is shown a made-up failover with one thing wrong."""

from __future__ import annotations

import pytest

from drill import Drill, OpenTransaction, Statement, Transaction
from test_failover import (
    Times, check_clients, check_doubt, check_open_transaction, check_readers, check_transactions, check_unacknowledged,
)  # fmt: skip

OLD, NEW = 5432, 5433


class NoProxy:
    def dsn(self, **_: object) -> str:
        return ""


@pytest.fixture
def times() -> Times:
    made = Times()
    made.began_to_die, made.dead, made.promoted = 10.0, 10.1, 11.0
    return made


@pytest.fixture
def drill() -> Drill:
    """A failover in which everything went well; the writer had one statement in flight."""
    made = Drill(NoProxy(), writers=1, readers=1, idlers=1, transaction_writers=1)  # type: ignore[arg-type]
    made.writers[0].statements = [
        Statement("writer 1", 9.0, 9.1, 1, OLD),
        Statement("writer 1", 9.9, 10.2, 2, sqlstate="40003"),
        Statement("writer 1", 10.3, 11.1, 3, NEW),
    ]
    made.readers[0].statements = [Statement("reader 1", 9.0, 9.1, rows=1), Statement("reader 1", 12.0, 12.1, rows=2)]
    made.idlers[0].statements = [
        Statement("idler 1", 8.0, 8.1, rows=0),
        Statement("idler 1", 12.0, 12.1, rows=2),
        Statement("idler 1", 12.2, 12.3, 900_000_001, NEW),
        Statement("idler 1", 12.4, 12.5, rows=3),
    ]
    first = OpenTransaction.ID
    made.transaction.statements = [
        Statement("open transaction", 8.0, 8.1, first, OLD),
        Statement("open transaction", 12.0, 12.1, first + 1, sqlstate="40001"),
        Statement("open transaction", 12.2, 12.3, first + 2, sqlstate="25P02"),
        Statement("open transaction", 12.4, 12.5, first + 3, NEW),
    ]
    return made


def test_a_failover_that_went_well_is_accepted(drill, times):
    check_clients(drill, [times], in_order=False)
    check_open_transaction(drill)
    check_readers(drill)
    check_unacknowledged(drill, {1, 2, 3})
    assert [s.id for s in drill.acknowledged()] == [1, 3, 900_000_001, OpenTransaction.ID + 3]


def test_a_broken_connection_is_found(drill, times):
    drill.idlers[0].broken = "OperationalError: server closed the connection unexpectedly"
    with pytest.raises(AssertionError):
        check_clients(drill, [times], in_order=False)


@pytest.mark.parametrize("sqlstate", ["57P01", "25006", "08006", "none"])
def test_an_error_of_another_kind_is_found(drill, times, sqlstate):
    drill.writers[0].statements[1].sqlstate = sqlstate
    with pytest.raises(AssertionError):
        check_clients(drill, [times], in_order=False)


@pytest.mark.parametrize("start, end", [(5.0, 5.1), (12.5, 12.6)])
def test_an_error_of_a_statement_not_in_flight_is_found(drill, times, start, end):
    drill.writers[0].statements[1].start, drill.writers[0].statements[1].end = start, end
    with pytest.raises(AssertionError):
        check_clients(drill, [times], in_order=False)


def test_a_second_error_of_one_client_is_found(drill, times):
    drill.writers[0].statements.append(Statement("writer 1", 10.2, 10.3, 4, sqlstate="40001"))
    with pytest.raises(AssertionError):
        check_clients(drill, [times], in_order=False)


def doubt(detail: str) -> Statement:
    return Statement("reader 1", 12.0, 12.1, sqlstate="TM001", text=f"may have been lost in a failover\nDETAIL:  {detail}")


NOT_KNOWN = "Its position was not known when the primary was lost; the new primary is on timeline 2."
BEHIND = "It is up to 1/20 on timeline 1; the new primary is on timeline 2, which left the old one at 1/1F."
CONTAINED = "It is up to 0/F0 on timeline 1; the new primary is on timeline 2, which left the old one at 1/1F."


def test_doubt_that_a_crash_gives_reason_for_is_accepted():
    check_doubt(doubt(NOT_KNOWN))
    check_doubt(doubt(BEHIND))


@pytest.mark.parametrize("detail", [CONTAINED, "It may be."])
def test_doubt_without_a_reason_is_found(detail):
    with pytest.raises(AssertionError):
        check_doubt(doubt(detail))


def test_any_error_of_a_switchover_is_found(drill, times):
    drill.writers[0].statements[1].sqlstate = None
    check_clients(drill, [times], in_order=True)
    for sqlstate in ("40001", "40003", "TM001"):
        drill.writers[0].statements[1].sqlstate = sqlstate
        with pytest.raises(AssertionError):
            check_clients(drill, [times], in_order=True)


def one_transaction(drill, **what):
    drill.transaction_writers[0].transactions = [Transaction("transactions 1", 9.9, (11, 12), 10.2, **what)]


@pytest.mark.parametrize(
    "what, present",
    [({}, {11, 12}), ({"sqlstate": "40001", "at": "commit"}, set()), ({"sqlstate": "40003", "at": "commit"}, {11, 12})],
)
def test_a_transaction_that_was_told_truly_is_accepted(drill, times, what, present):
    one_transaction(drill, **what)
    check_transactions(drill, [times], present, in_order=False, none_may_miss=True)


@pytest.mark.parametrize(
    "what, present",
    [
        ({}, {11}),
        ({}, set()),
        ({"sqlstate": "40001", "at": "commit"}, {11, 12}),
        ({"sqlstate": "40001", "at": "second"}, {11}),
        ({"sqlstate": "40003", "at": "second"}, set()),
        ({"sqlstate": "57P01", "at": "first"}, set()),
    ],
)
def test_a_transaction_that_was_told_wrongly_is_found(drill, times, what, present):
    one_transaction(drill, **what)
    with pytest.raises(AssertionError):
        check_transactions(drill, [times], present, in_order=False, none_may_miss=True)


def test_two_transactions_cut_off_by_one_failover_are_found(drill, times):
    one_transaction(drill, sqlstate="40001", at="first")
    drill.transaction_writers[0].transactions *= 2
    with pytest.raises(AssertionError):
        check_transactions(drill, [times], set(), in_order=False, none_may_miss=True)


def test_an_error_of_an_idle_client_is_found(drill, times):
    drill.idlers[0].statements[1].sqlstate = "40001"
    with pytest.raises(AssertionError):
        check_clients(drill, [times], in_order=False)


@pytest.mark.parametrize("index, sqlstate", [(1, None), (1, "40003"), (2, None), (3, "25P02")])
def test_an_open_transaction_that_goes_on_wrongly_is_found(drill, index, sqlstate):
    drill.transaction.statements[index].sqlstate = sqlstate
    with pytest.raises(AssertionError):
        check_open_transaction(drill)


def test_a_reader_who_counts_fewer_rows_is_found(drill):
    drill.readers[0].statements[1].rows = 0
    with pytest.raises(AssertionError):
        check_readers(drill)


def test_a_refused_write_that_happened_is_found(drill):
    drill.writers[0].statements[1].sqlstate = "40001"
    with pytest.raises(AssertionError):
        check_unacknowledged(drill, {1, 2, 3})


def test_a_part_of_the_cut_off_transaction_is_found(drill):
    with pytest.raises(AssertionError):
        check_unacknowledged(drill, {1, 2, 3, OpenTransaction.ID})

"""Random conversations, sent to PostgreSQL itself and through the proxy: the replies must be the same bytes.

Each seed is one conversation: messages of the extended and the simple protocol in any order, with errors,
transactions, settings and named statements, sent at once or step by step. What was written must agree too.
A failure is reduced to the shortest conversation that still shows it.
"""

from __future__ import annotations

import itertools
import random
from typing import Iterable

import pytest

from support import wire
from support.direct import DirectServer

END = "the end of the conversation"
TABLE = "same_as_postgresql"
STATEMENTS = [
    "select 1",
    "select {0} + g from generate_series(1, {1}) g",
    "select v from {table} order by v",
    "select count(*) from {table}",
    "insert into {table} values ({0})",
    "insert into {table} values ({0}) returning v",
    "update {table} set v = v + 1 where v < {1}",
    "delete from {table} where v = {1}",
    "select 1/(g - {1}) from generate_series(0, 3) g",
    "select * from {table}_missing",
    "selec 1",
    "",
    "begin",
    "begin read only",
    "start transaction isolation level repeatable read",
    "commit",
    "rollback",
    "savepoint s",
    "rollback to savepoint s",
    "release savepoint s",
    "set work_mem to '{0}MB'",
    "set local work_mem to '9MB'",
    "show work_mem",
    "reset work_mem",
    "select current_setting('work_mem')",
    "set application_name to 'a{0}'",
    "declare c cursor for select generate_series(1, 9)",
    "fetch {1} from c",
    "close c",
    "prepare p as select {0}",
    "execute p",
    "deallocate p",
    "deallocate all",
    "explain (costs off) select 1",
    "do $$ begin raise notice 'heard {0}'; end $$",
    "copy (select generate_series(1, {1})) to stdout",
    "values (1), ({0})",
    "table {table}",
    "lock table {table} in share mode",
]
SEVERAL = [
    "select 1; select 2",
    "insert into {table} values ({0}); select count(*) from {table}",
    "insert into {table} values ({0}); select 1/0",
    "begin; insert into {table} values ({0})",
    "begin; insert into {table} values ({0}); commit",
    "select 1; commit",
    "commit; select 3",
]

# Conversations that come upon a difference that must be, and which.
DIFFERENT = {
    1031: "in a failed transaction, binds what its server has not prepared: 25P02 of Parse, not of Bind",
    1068: "in a failed transaction, describes what its server has not prepared: 25P02",
    1171: "LOCK TABLE … IN SHARE MODE in a READ ONLY transaction, which is at a replica",
}


def conversation(seed: int, usual: bool) -> list[bytes]:
    """Messages to send. usual: as client libraries do it, each statement parsed, bound and executed in turn under
    a name of its own, and a Sync before each Query; else in any order, with names taken twice and missing ones.
    """
    dice = random.Random(seed)
    names = (f"s{number}" for number in itertools.count())

    def statement(many: bool = False) -> str:
        text = dice.choice(STATEMENTS + (SEVERAL if many else []))
        return text.format(dice.randrange(10, 90), dice.randrange(1, 4), table=TABLE)

    def extended() -> list[bytes]:
        name = dice.choice(["", next(names)] if usual else ["", "", "a", "b"])
        portal = dice.choice(["", "", "x"])
        kind = dice.randrange(6 if usual else 12)
        if kind < 6:  # the usual course
            course = [wire.parse(name, statement())]
            course += [wire.describe_statement(name)] if dice.random() < 0.3 else []
            course += [wire.bind(name, portal=portal)]
            course += [wire.message("D", b"P" + portal.encode() + b"\0")] if dice.random() < 0.5 else []
            return [*course, wire.execute(portal, dice.choice([0, 0, 2]))]
        if kind == 6:
            return [wire.bind(name, portal=portal), wire.execute(portal)]
        single = {
            7: wire.close_statement(name),
            8: wire.describe_statement(name),
            9: wire.message("C", b"P" + portal.encode() + b"\0"),
            10: wire.execute(portal),
            11: wire.parse(name, statement()),
        }
        return [single[kind]]

    messages: list[bytes] = []
    for _ in range(dice.randrange(4, 25)):
        if dice.random() < 0.4:
            messages.append(wire.query(statement(many=True)))
        else:
            for _ in range(dice.randrange(1, 5)):
                messages += extended()
            messages.append(wire.SYNC if usual or dice.random() < 0.9 else wire.FLUSH)
    return messages


def talk(server, messages: list[bytes], together: bool) -> list[str]:
    """Every reply as text. together: all is sent at once; else the replies are awaited at every Sync."""
    ending = [wire.SYNC, wire.query("rollback"), wire.query(f"select '{END}'")]
    with wire.WireClient(server.host, server.port, seconds=5) as client:
        assert client.login("app", "app-secret", "shop")[-1].type == "Z"
        replies: list[wire.Message] = []
        packet = b""
        for sent in [*messages, *ending]:
            packet += sent
            if sent == wire.SYNC and not together:
                client.send(packet)
                replies += client.until_ready()
                packet = b""
        client.send(packet)
        while not (replies and replies[-1].type == "D" and END.encode() in replies[-1].body):
            replies.append(client.receive())
        replies += client.until_ready()
    return [f"{reply.type} {reply.body!r}" for reply in replies]


class Comparison:
    """Has both ends of the comparison, and the one table (a second one would have another OID)."""

    def __init__(self, proxy, cluster) -> None:
        self.targets = (DirectServer(cluster.primary, cluster.directory), proxy)
        self.cluster = cluster

    def answers(self, messages: list[bytes], together: bool) -> list[list[str]]:
        """What PostgreSQL and what the proxy answered; the contents of the table is the last line of each."""
        told = []
        with self.cluster.primary.connect(user="app", password="app-secret", dbname="shop") as sql:
            for target in self.targets:
                sql.rows(f"truncate {TABLE}")
                self.cluster.wait_caught_up()
                try:
                    lines = talk(target, messages, together)
                except (OSError, wire.ConnectionClosed) as error:
                    lines = [repr(error)]
                told.append([*lines, f"table: {sql.rows(f'select v from {TABLE} order by v')}"])
        return told

    def shortest(self, messages: list[bytes], together: bool) -> list[bytes]:
        """Leaves out messages for as long as the answers still differ."""
        index = 0
        while index < len(messages):
            fewer = messages[:index] + messages[index + 1 :]
            expected, told = self.answers(fewer, together)
            if expected != told:
                messages = fewer
            else:
                index += 1
        return messages


@pytest.fixture
def comparison(proxy, cluster, shop):
    shop(f"create table if not exists {TABLE} (v int)")
    yield Comparison(proxy, cluster)
    shop(f"drop table {TABLE}")


def readable(message: bytes) -> str:
    return f"{chr(message[0])} {message[5:].decode(errors='replace')!r}"


def compare(comparison: Comparison, seeds: Iterable[int], usual: bool) -> None:
    for seed in seeds:
        messages, together = conversation(seed, usual), seed % 2 == 0
        expected, told = comparison.answers(messages, together)
        if told != expected:
            messages = comparison.shortest(messages, together)
            expected, told = comparison.answers(messages, together)
            pytest.fail(
                f"seed {seed}, {'at once' if together else 'step by step'}:\n"
                + "\n".join(map(readable, messages))
                + "\nPostgreSQL:\n  " + "\n  ".join(expected) + "\nthe proxy:\n  " + "\n  ".join(told)
            )  # fmt: skip


@pytest.mark.proxy_only
@pytest.mark.limit(150)
@pytest.mark.parametrize("start", range(0, 100, 50))
def test_fifty_conversations_as_client_libraries_hold_them(comparison, start):
    compare(comparison, range(start, start + 50), usual=True)


@pytest.mark.proxy_only
@pytest.mark.limit(150)
@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 1200, 50))
def test_fifty_conversations_in_any_order(comparison, start):
    compare(comparison, [seed for seed in range(start, start + 50) if seed not in DIFFERENT], usual=False)

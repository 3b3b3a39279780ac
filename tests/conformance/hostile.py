"""Other clients of the same pool, who see to it that a script never meets the same server connection twice in a row.

Between any two steps of a script the others change whatever a session can
change, on the connection that the script has just used (with POOL_SIZE 3 no other is free), and then hold that connection in a
transaction of their own while they let go of another, on the primary and on the replica alike. So the script's next
step goes to a connection on which others have been. What they set must never be seen by the script, and what the
script has set must be there.
"""

from __future__ import annotations

import random
import select

from support import wire
from support.deadline import Deadline
from support.wire import WireClient

POOL_SIZE = 3
SETTINGS = {"pool": {"size": POOL_SIZE, "max_prepared_statements": 3, "queue_timeout": "3s"}, "workers": {"threads": 1},
            "routing": {"replica_wait": "2s"}}
PATIENCE = 0.04  # seconds that others wait for a connection the script may be keeping, before they let go of theirs

_CHANGES = [
    "set work_mem = '{0}MB'",
    "set search_path = pg_catalog",
    "set application_name = 'churn {0}'",
    "set datestyle = 'German'",
    "set timezone = 'Asia/Tokyo'",
    "set bytea_output = 'escape'",
    "set extra_float_digits = -3",
    "set statement_timeout = '3s'",
    "set default_transaction_isolation = 'repeatable read'",
    "set standard_conforming_strings = off",
    "set client_encoding = 'LATIN1'",
    "set intervalstyle = 'iso_8601'",
    "set my.setting = 'churn {0}'",
    "set client_min_messages = 'error'",
    "set default_transaction_read_only = on",
    "begin; set local work_mem = '{0}MB'; commit",
    "begin; set work_mem = '{0}MB'; rollback",
    "select set_config('my.setting', 'churn {0}', false)",
    "reset all",
    "reset work_mem",
    "reset search_path",
    "select 1",
]
# These come to the replica with the next read, and nothing about them keeps reads away from it.
_FOR_READS = [
    "set work_mem = '{0}MB'",
    "set search_path = pg_catalog",
    "set datestyle = 'German'",
    "set timezone = 'Asia/Tokyo'",
    "set application_name = 'churn {0}'",
    "reset work_mem",
]
_NAMES = ["s", "a", "b", "p", "q", "s1", "s2"]


class Churn:
    """Two pairs of clients who take turns in holding connections: one of a pair at the primary, one at the replica.

    A third pair holds one more connection for a script that has only one client.
    """

    def __init__(self, host: str, port: int, password: str, database: str) -> None:
        self._dice = random.Random(0)
        self._pairs = [[WireClient(host, port, seconds=6) for _ in range(2)] for _ in range(3)]
        for pair in self._pairs:
            for client in pair:
                assert client.login("app", password, database)[-1].type == "Z"
        self._holding, self._idle, self._ballast = self._pairs

    def begin(self, seed: str, alone: bool) -> None:
        """A new script: what follows depends on nothing but the seed. alone: it has one client."""
        self._dice = random.Random(seed)
        _ask(self._holding, [_BEGIN, _BEGIN_READ])
        _keep_off_the_primary(self._holding[1])
        if alone:
            _ask(self._ballast, [_BEGIN, _BEGIN_READ])
            _keep_off_the_primary(self._ballast[1])

    def step(self) -> None:
        """What happens between two steps of the script."""
        dice = self._dice
        changes = [wire.query(dice.choice(some).format(dice.randrange(10, 99))) for some in (_CHANGES, _FOR_READS)]
        name = dice.choice(_NAMES)
        text = f"select 'churn {dice.randrange(5)}', $1::text"
        named = wire.close_statement(name) + wire.parse(name, text) + wire.bind(name, ("x",)) + wire.execute() + wire.SYNC
        _ask(self._idle, [[changes[0], *_BEGIN], [changes[1], named, *_BEGIN_READ]], self._holding)
        self._holding, self._idle = self._idle, self._holding
        _keep_off_the_primary(self._holding[1])

    def end(self) -> None:
        """Lets go of everything."""
        _ask(self._holding, [[_END], [_END]])
        _ask(self._ballast, [[_END], [_END]])

    def close(self) -> None:
        for pair in self._pairs:
            for client in pair:
                client.close()


_BEGIN = [wire.query("begin read write"), wire.query("select txid_current_if_assigned() is null")]
_BEGIN_READ = [wire.query("begin read only"), wire.query("select 1")]
_END = wire.query("rollback")


def _keep_off_the_primary(reader: WireClient) -> None:
    """A reader whose replica was not there in time is at the primary, and would hold the connection that the script needs."""
    answers = reader.ask(wire.query("select pg_is_in_recovery()"))
    if any(answer.type == "D" and answer.body.endswith(b"f") for answer in answers):
        reader.ask(_END)


def _ask(pair: list[WireClient], asked: list[list[bytes]], others: list[WireClient] | None = None) -> None:
    """Sends what each is to ask and waits for all answers; after a while, or at last, `others` end their transactions."""
    owed = {}
    for client, questions in zip(pair, asked, strict=True):
        client.send(b"".join(questions))
        owed[client] = len(questions)
    _read(owed, PATIENCE if others else 6)
    for client in others or []:
        client.send(_END)
        owed[client] = 1
    _read(owed, 6)


def _read(owed: dict[WireClient, int], seconds: float) -> None:
    """Reads the ReadyForQuery that each client is owed, for as long as the time lasts."""
    deadline = Deadline(seconds)
    while waiting := [client for client, count in owed.items() if count]:
        ready, _, _ = select.select([client.socket for client in waiting], [], [], deadline.remaining())
        if not ready:
            return
        for client in waiting:
            if client.socket in ready and client.receive().type == "Z":
                owed[client] -= 1

"""Plays a script against a server or the proxy and writes down what its clients see."""

from __future__ import annotations

import subprocess
from collections import deque
from typing import Callable, Sequence

from dsl import (
    Answers, Await, Blocked, Bytes, Cancel, Closes, HangUp, Login, On, Open, Outside, Psql, Query, Running, Script,
    Send, Sent, Step,
)  # fmt: skip
from stage import PASSWORDS, Stage
from support import wire
from support.run_as import clean_environment, postgres_bin
from support.wire import ConnectionClosed, Message, WireClient
from readable import Trace, in_common_terms

SECONDS = 10.0  # for each answer, on a machine that others load, too; only a script that fails waits so long

# What ends the answer to a message; messages that are not here have none of their own.
_ENDS = {"Q": "Z", "S": "Z", "F": "Z", "P": "1", "B": "2", "C": "3", "E": "CIs", "D": "Tn", "DS": "Tn", "DP": "Tn"}
_SILENT = {"d", "c", "f", "H", "X"}


class Client:
    """One connection of a script, and what the server owes it."""

    def __init__(self, name: str, host: str, port: int, trace: Trace) -> None:
        self.name, self.trace = name, trace
        self.wire = WireClient(host, port, seconds=SECONDS)
        self.owed: deque[str] = deque()
        self.open = True
        self.skipping = False  # an error has been told, and no Sync been sent since
        self.copying = ""  # the kind of message whose COPY waits for data

    def log_in(self, step: Login, database: str, shown: bool) -> None:
        parameters = {"user": step.user, "database": step.database or database} | dict(step.parameters)
        version = (step.version[0] << 16) | step.version[1]
        password = step.password if step.password is not None else PASSWORDS.get(step.user, "")
        try:
            self.wire.send(wire.startup(parameters, version))
            for message in self.wire.authenticate(password):
                if shown:
                    self.trace.received(self.name, message)
                if message.type == "E":
                    self.closes()
                    break
        except ConnectionClosed:
            self._closed()

    def send(self, messages: Sequence[Sent]) -> None:
        for message in messages:
            self.trace.note(self.name, f"> {message.label}")
        kinds = [message.kind for message in messages]
        if self.copying:
            kinds = self._copied(self.copying, kinds)
        self.owed += kinds
        if self.skipping:
            self._skip_to_sync()
        try:
            self.wire.send(b"".join(message.data for message in messages))
        except OSError:
            pass  # the server has closed; what it said before is still to be read

    def answers(self) -> None:
        """Reads until nothing is owed. Behind the last Sync, Flush or Query nothing is owed yet."""
        while self.open and self._due():
            self._receive()

    def _due(self) -> bool:
        while self.owed and self.owed[0] in _SILENT:
            self.owed.popleft()
        return any(kind in "QSFH" or not (kind in _ENDS or kind in _SILENT) for kind in self.owed)

    def _receive(self) -> Message | None:
        try:
            message = self.wire.receive()
        except ConnectionClosed:
            self._closed()
            return None
        except TimeoutError:
            self.trace.note(self.name, f"! no answer within {SECONDS:g} s; still owed: {' '.join(self.owed)}")
            raise
        self.trace.received(self.name, message)
        self._settle(message)
        return message

    def _settle(self, message: Message) -> None:
        """What this message leaves to be answered."""
        while self.owed and self.owed[0] in _SILENT:
            self.owed.popleft()
        if message.type == "E":
            if message.body.startswith((b"SFATAL\0", b"SPANIC\0")):
                self.closes()
            elif self.owed and self.owed[0] not in "QFS":
                self._skip_to_sync()
        elif message.type == "G":
            self._enter_copy_in()
        elif self.owed and message.type in _ENDS.get(self.owed[0], ""):
            self.owed.popleft()

    def _skip_to_sync(self) -> None:
        """After an error in the extended protocol the server reads on, silently, up to a Sync."""
        while self.owed and self.owed[0] != "S":
            self.owed.popleft()
        self.skipping = not self.owed

    def _enter_copy_in(self) -> None:
        """The server now waits for data."""
        self.owed = deque(self._copied(self.owed[0], list(self.owed)[1:]))

    def _copied(self, head: str, kinds: list[str]) -> list[str]:
        """What is owed if these follow the answer CopyInResponse to `head`: up to the data's end nothing has an answer."""
        ends = next((place for place, kind in enumerate(kinds) if kind in ("c", "f")), None)
        if ends is None:
            self.copying = head
            return [kind for kind in kinds if kind not in ("S", "H")]
        self.copying = ""
        return [head, *kinds[ends + 1 :]]

    def wait_for(self, kind: str) -> None:
        while self.open:
            message = self._receive()
            if message is not None and message.type == kind:
                return

    def closes(self) -> None:
        while self.open:
            try:
                self.trace.received(self.name, self.wire.receive())
            except ConnectionClosed:
                self._closed()
            except TimeoutError:
                self.trace.note(self.name, f"! not closed within {SECONDS:g} s")
                raise

    def _closed(self) -> None:
        self.trace.note(self.name, "< closed")
        self.hang_up()

    def hang_up(self) -> None:
        self.open = False
        self.owed.clear()
        self.wire.close()

    def finish(self) -> None:
        """Terminates; a message that comes although nothing is owed belongs to the trace."""
        if not self.open:
            return
        try:
            self.wire.send(wire.TERMINATE)
            while True:
                self.trace.received(self.name, self.wire.receive())
        except (ConnectionClosed, OSError):
            pass
        self.hang_up()


class Player:
    """between: called before every step (what the other clients of a hostile run do in the meantime)."""

    def __init__(self, stage: Stage, host: str, port: int, between: Callable[[], None] = lambda: None) -> None:
        self.stage, self.host, self.port, self.between = stage, host, port, between
        self.clients: dict[str, Client] = {}
        self.last = ""  # who acted last
        self.trace = Trace()

    def play(self, script: Script) -> list[str]:
        try:
            for step in script.steps:
                self._step("a", step)
            for client in self.clients.values():
                client.finish()
        except TimeoutError as error:
            self.trace.note("-", f"! given up: {error}")
        finally:
            for client in self.clients.values():
                client.hang_up()
        return self.trace.lines

    def _client(self, name: str) -> Client:
        if name not in self.clients:
            self.clients[name] = Client(name, self.host, self.port, self.trace)
            self.clients[name].log_in(Login(), self.stage.database, shown=False)
        return self.clients[name]

    def _connect(self, name: str) -> Client:
        if name in self.clients:
            self.clients[name].finish()
        self.clients[name] = Client(name, self.host, self.port, self.trace)
        return self.clients[name]

    def _step(self, name: str, step: Step) -> None:
        if isinstance(step, On):
            for inner in step.steps:
                self._step(step.client, inner)
            return
        self.between()
        if name != self.last or isinstance(step, (Login, Open)):
            # A session is promised to see its own writes at once; another's, when they have been replayed.
            self.stage.wait_caught_up()
            self.last = name
        if isinstance(step, Login):
            self.trace.note(name, f"> {step}")
            self._connect(name).log_in(step, self.stage.database, shown=True)
        elif isinstance(step, Open):
            self._connect(name)
        elif isinstance(step, Outside):
            self.trace.note("-", f"outside: {step.text}")
            self.stage.outside(step.text)
        elif isinstance(step, Running):
            self.stage.wait_running(step.text)
        elif isinstance(step, Blocked):
            self.stage.wait_blocked(step.count)
        elif isinstance(step, Psql):
            self._psql(step)
        elif isinstance(step, Cancel):
            self._cancel(step)
        else:
            self._converse(self._client(name), step)

    def _converse(self, client: Client, step: Step) -> None:
        if isinstance(step, Send):
            client.send(_messages(step.step))
        elif isinstance(step, Answers):
            client.answers()
        elif isinstance(step, Await):
            client.wait_for(step.type)
        elif isinstance(step, Closes):
            client.closes()
        elif isinstance(step, HangUp):
            client.hang_up()
        elif isinstance(step, Bytes):
            client.trace.note(client.name, f"> {step.data!r}")
            client.wire.send(step.data)
            if step.reply:
                try:
                    client.trace.note(client.name, f"< {client.wire.receive_exactly(step.reply)!r}")
                except ConnectionClosed as error:
                    client.trace.note(client.name, f"< closed {error}")
        else:
            messages = _messages(step)
            client.send(messages)
            if any(message.kind == "X" for message in messages):
                client.closes()
            client.answers()

    def _cancel(self, step: Cancel) -> None:
        key = self.clients[step.of].wire.key
        assert key is not None
        if step.wrong:
            key = key[:-1] + bytes([key[-1] ^ 0x55])
        with WireClient(self.host, self.port, seconds=SECONDS) as other:
            other.send(wire.request(wire.CANCEL_REQUEST, key))
            self.trace.note("-", f"CancelRequest for {step.of}, closed: {other.closed()}")

    def _psql(self, step: Psql) -> None:
        target = f"host={self.host} port={self.port} user=app dbname={self.stage.database} {step.parameters}"
        done = subprocess.run(
            [str(postgres_bin() / "psql"), *step.arguments, target],
            input=step.text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=20,
            check=False,
            env=clean_environment() | {"PGPASSWORD": PASSWORDS["app"], "LC_ALL": "C.UTF-8"},
        )
        for line in in_common_terms(done.stdout.decode(errors="backslashreplace")).splitlines():
            self.trace.note("psql", f"< {line}")
        self.trace.note("psql", f"ended with {done.returncode}")


def _messages(step: Step) -> list[Sent]:
    if isinstance(step, str):
        return [Query(step)]
    if isinstance(step, Sent):
        return [step]
    assert isinstance(step, (list, tuple)), f"no step: {step!r}"
    flat: list[Sent] = []
    for part in step:
        flat += _messages(part)
    return flat

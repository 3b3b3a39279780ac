"""What a script is written with: frontend messages by the names of PostgreSQL's manual, and a few steps around them.

    script("a SET that is rolled back is undone",
           "begin", "set work_mem = '5MB'", "rollback", "show work_mem")

A string is a Query. A message is sent alone, a list of messages in one packet. After each step the player waits for
every answer that PostgreSQL owes by then. README.md lists all there is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Callable, Sequence, Union

from support import wire


@dataclass(frozen=True)
class Sent:
    """A frontend message. kind: its type byte; `label` is how a trace shows it."""

    kind: str
    data: bytes
    label: str


# -- messages ------------------------------------------------------------------------------------------


def _text(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _short(value: object, limit: int = 160) -> str:
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def Raw(kind: str, body: bytes = b"", length: int | None = None) -> Sent:
    """Any message. length: what its length field says, if that is not the truth."""
    told = len(body) + 4 if length is None else length
    data = kind.encode("latin-1") + struct.pack("!i", told) + body
    return Sent(kind, data, f"Raw {kind} {_short(body)}" + ("" if length is None else f" length {length}"))


def Query(text: str | bytes) -> Sent:
    return Sent("Q", wire.message("Q", _text(text) + b"\0"), f"Query {_short(text)}")


def Parse(text: str | bytes, name: str = "", types: Sequence[int] = ()) -> Sent:
    """types: OIDs of the parameters' types."""
    body = name.encode() + b"\0" + _text(text) + b"\0" + struct.pack(f"!H{len(types)}I", len(types), *types)
    return Sent("P", wire.message("P", body), f"Parse {name!r} {_short(text)}")


Value = Union[str, bytes, int, None]


def Bind(
    *values: Value, statement: str = "", portal: str = "", formats: Sequence[int] = (), results: Sequence[int] = ()
) -> Sent:
    """formats, results: 0 text, 1 binary; none, one for all, or one each. A bytes value is sent as it is."""
    body = portal.encode() + b"\0" + statement.encode() + b"\0"
    body += struct.pack(f"!H{len(formats)}H", len(formats), *formats) + struct.pack("!H", len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            data = _text(str(value) if isinstance(value, int) else value)
            body += struct.pack("!i", len(data)) + data
    body += struct.pack(f"!H{len(results)}H", len(results), *results)
    return Sent("B", wire.message("B", body), f"Bind {portal!r} {statement!r} {_short(values)}")


def DescribeStatement(name: str = "") -> Sent:
    return Sent("DS", wire.message("D", b"S" + name.encode() + b"\0"), f"Describe statement {name!r}")


def DescribePortal(name: str = "") -> Sent:
    return Sent("DP", wire.message("D", b"P" + name.encode() + b"\0"), f"Describe portal {name!r}")


def Execute(rows: int = 0, portal: str = "") -> Sent:
    """rows: at most so many, then PortalSuspended; 0: all."""
    return Sent("E", wire.message("E", portal.encode() + b"\0" + struct.pack("!i", rows)), f"Execute {portal!r} {rows}")


def CloseStatement(name: str = "") -> Sent:
    return Sent("C", wire.message("C", b"S" + name.encode() + b"\0"), f"Close statement {name!r}")


def ClosePortal(name: str = "") -> Sent:
    return Sent("C", wire.message("C", b"P" + name.encode() + b"\0"), f"Close portal {name!r}")


SYNC = Sent("S", wire.SYNC, "Sync")
FLUSH = Sent("H", wire.FLUSH, "Flush")
TERMINATE = Sent("X", wire.TERMINATE, "Terminate")


def CopyData(data: str | bytes) -> Sent:
    return Sent("d", wire.message("d", _text(data)), f"CopyData {_short(data)}")


COPY_DONE = Sent("c", wire.message("c"), "CopyDone")


def CopyFail(text: str = "") -> Sent:
    return Sent("f", wire.message("f", text.encode() + b"\0"), f"CopyFail {text!r}")


def FunctionCall(oid: int, *values: bytes | str | None, formats: Sequence[int] = (), result: int = 1) -> Sent:
    body = struct.pack(f"!IH{len(formats)}HH", oid, len(formats), *formats, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(_text(value))) + _text(value)
    return Sent("F", wire.message("F", body + struct.pack("!H", result)), f"FunctionCall {oid} {values}")


def Run(text: str, *values: Value, name: str = "", **options: Any) -> list[Sent]:
    """What most client libraries send for a statement with parameters: Parse, Bind, Describe, Execute, Sync."""
    return [Parse(text, name), Bind(*values, statement=name, **options), DescribePortal(), Execute(), SYNC]


def Each(*texts: str) -> list[Sent]:
    """Statements one after the other without a Sync between them: a pipeline."""
    return [sent for text in texts for sent in (Parse(text), Bind(), DescribePortal(), Execute())]


def Again(name: str, *values: Value, **options: Any) -> list[Sent]:
    """A prepared statement once more: Bind, Describe, Execute, Sync."""
    return [Bind(*values, statement=name, **options), DescribePortal(), Execute(), SYNC]


# -- steps that are more than messages -----------------------------------------------------------------


@dataclass(frozen=True)
class Login:
    """Connects with these startup parameters, and shows the greeting; without it a client logs in unseen.

    user, database and password as usual if not given. version: the protocol's, as (major, minor).
    """

    parameters: tuple[tuple[str, str], ...] = ()
    user: str = "app"
    database: str | None = None
    password: str | None = None
    version: tuple[int, int] = (3, 0)


def login(
    user: str = "app",
    database: str | None = None,
    password: str | None = None,
    version: tuple[int, int] = (3, 0),
    **parameters: str,
) -> Login:
    return Login(tuple((name.replace("__", "."), value) for name, value in parameters.items()), user, database,
                 password, version)  # fmt: skip


@dataclass(frozen=True)
class Open:
    """Connects and sends nothing; Bytes then sends whatever it likes."""


@dataclass(frozen=True)
class Bytes:
    """Bytes outside of any message. reply: how many bytes of an answer that is no message to read."""

    data: bytes
    reply: int = 0


@dataclass(frozen=True)
class Send:
    """Sends without waiting for any answer; Answers waits."""

    step: "Step"


@dataclass(frozen=True)
class Answers:
    """Waits for all that is owed to the client by now."""


@dataclass(frozen=True)
class Await:
    """Waits for a message of this type that nobody asked for, such as a NotificationResponse."""

    type: str


@dataclass(frozen=True)
class Closes:
    """Waits for the other side to close the connection; what it says before is part of the trace."""


@dataclass(frozen=True)
class HangUp:
    """Closes the connection without a Terminate."""


@dataclass(frozen=True)
class Cancel:
    """A CancelRequest with the key of client `of`. wrong: with another secret."""

    of: str = "a"
    wrong: bool = False


@dataclass(frozen=True)
class Running:
    """Waits until a server sleeps in a statement that contains this text, or waits for COPY data (past the proxy)."""

    text: str


@dataclass(frozen=True)
class Blocked:
    """Waits until `count` server processes of the database wait for a lock."""

    count: int = 1


@dataclass(frozen=True)
class Outside:
    """A superuser's statement on the primary itself, past the proxy; the replicas have it afterwards."""

    text: str


@dataclass(frozen=True)
class Psql:
    """psql with this input; its output, errors and exit code are part of the trace."""

    text: str
    arguments: tuple[str, ...] = ("-X", "-a")
    parameters: str = ""


@dataclass(frozen=True)
class On:
    """Steps of another client."""

    client: str
    steps: tuple["Step", ...]


Step = Union[
    str, Sent, Sequence[Sent], Login, Open, Bytes, Send, Answers, Await, Closes, HangUp, Cancel, Running, Blocked,
    Outside, Psql, On,
]  # fmt: skip


def B(*steps: Step) -> On:
    """Steps of a second client."""
    return On("b", steps)


def C(*steps: Step) -> On:
    """Steps of a third client."""
    return On("c", steps)


# -- scripts -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Script:
    area: str
    name: str
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        return f"{self.area}: {self.name}"


class Area:
    """A file of scripts. `script` adds one; a name may be taken only once."""

    def __init__(self, module: str) -> None:
        self.name = module.rpartition(".")[2].replace("_", " ")
        self.scripts: dict[str, Script] = {}

    def script(self, name: str, *steps: Step) -> None:
        assert name not in self.scripts, f"there are two scripts {self.name}: {name}"
        assert steps, f"{name} has no step"
        self.scripts[name] = Script(self.name, name, steps)


def area(module: str) -> Callable[..., None]:
    """script = area(__name__): the function that adds a script to this file's area."""
    made = AREAS.setdefault(module, Area(module))
    return made.script


AREAS: dict[str, Area] = {}

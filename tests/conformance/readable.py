"""Messages of the server as lines of text, with what can never be the same twice put in common terms.

This is the one place where anything is left out of the comparison. Each of these has its reason:

  BackendKeyData     process ids and secrets are new for every connection; their lengths are compared
  authentication     nonces, salts and proofs are random; the kinds of message and their order are compared
  OIDs from 16384    objects are made anew for each run; numbered in the order in which a trace shows them
  NotificationResponse, deadlock reports
                     process ids, transaction ids and the OIDs of the database and of tables in their texts
  pg_temp_N, pg_toast_N
                     the number of a session's temporary schema is the first that is free
"""

from __future__ import annotations

import hashlib
import re
import struct

from support.wire import Message

FIRST_NORMAL_OBJECT = 16384  # FirstNormalObjectId (access/transam.h): below are the built-in objects
LONG = 600

_VOLATILE = [
    (re.compile(r"\b(process|Process|PID) \d+"), r"\1 <pid>"),
    (re.compile(r"\btransaction \d+"), "transaction <xid>"),
    (re.compile(r"\b(relation|tuple \(\d+,\d+\) of relation|database) \d+"), r"\1 <oid>"),
    (re.compile(r"\bpg_(temp|toast)_\d+"), r"pg_\1_<n>"),
]
_AUTHENTICATION = {0: "Ok", 3: "CleartextPassword", 5: "MD5Password", 10: "SASL", 11: "SASLContinue", 12: "SASLFinal"}


def in_common_terms(text: str) -> str:
    """Text of an error or of a program without numbers that are new each time."""
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text


class Trace:
    """What the clients of one play saw, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._oids: dict[int, str] = {}

    def note(self, client: str, text: str) -> None:
        self.lines.append(f"{client} {text}")

    def received(self, client: str, message: Message) -> None:
        self.note(client, f"< {self.readable(message)}")

    def oid(self, number: int) -> str:
        if number < FIRST_NORMAL_OBJECT:
            return str(number)
        return self._oids.setdefault(number, f"new{len(self._oids) + 1}")

    def readable(self, message: Message) -> str:
        try:
            return self._readable(message.type, message.body)
        except (struct.error, IndexError, ValueError) as error:
            return f"malformed {message.type} {message.body!r}: {error}"

    def _readable(self, kind: str, body: bytes) -> str:
        if kind == "R":
            number = struct.unpack("!I", body[:4])[0]
            rest = f" {body[4:]!r}" if number == 10 else ""
            return f"Authentication{_AUTHENTICATION.get(number, number)}{rest}"
        if kind == "K":
            return f"BackendKeyData <pid> <{len(body) - 4} bytes>"
        if kind == "S":
            return "ParameterStatus " + "=".join(_strings(body))
        if kind == "Z":
            return f"ReadyForQuery {body.decode()}"
        if kind == "T":
            return "RowDescription " + ", ".join(self._columns(body))
        if kind == "t":
            count = struct.unpack("!H", body[:2])[0]
            types = struct.unpack(f"!{count}I", body[2:])
            return "ParameterDescription " + " ".join(map(self.oid, types))
        if kind == "D":
            return "DataRow " + ", ".join(_values(body))
        if kind in "EN":
            fields = body.split(b"\0")
            assert fields[-2:] == [b"", b""], "not terminated"
            told = (f"{part[:1].decode()}={part[1:].decode(errors='backslashreplace')}" for part in fields[:-2])
            return f"{'Error' if kind == 'E' else 'Notice'}Response " + in_common_terms(" | ".join(told))
        if kind == "A":
            return "NotificationResponse <pid> " + " ".join(map(repr, _strings(body[4:])))
        if kind in "GHW":
            form, count = struct.unpack("!bH", body[:3])
            columns = struct.unpack(f"!{count}H", body[3:])
            return f"Copy{dict(G='In', H='Out', W='Both')[kind]}Response {form} {list(columns)}"
        if kind == "v":
            return f"NegotiateProtocolVersion {struct.unpack('!II', body[:8])} {_strings(body[8:])}"
        if kind == "V":
            size = struct.unpack("!i", body[:4])[0]
            return "FunctionCallResponse " + ("NULL" if size < 0 else _bytes(body[4:]))
        if kind == "C":
            return "CommandComplete " + " ".join(_strings(body))
        name = _PLAIN.get(kind, f"message {kind!r}")
        return f"{name} {_bytes(body)}" if body else name

    def _columns(self, body: bytes) -> list[str]:
        count, offset, columns = struct.unpack("!H", body[:2])[0], 2, []
        for _ in range(count):
            end = body.index(b"\0", offset)
            table, number, kind, size, modifier, form = struct.unpack("!IhIhih", body[end + 1 : end + 19])
            name = body[offset:end].decode(errors="backslashreplace")
            columns.append(f"{name}({self.oid(table)}.{number} {self.oid(kind)} {size} {modifier} {form})")
            offset = end + 19
        assert offset == len(body), "bytes behind the last column"
        return columns


_PLAIN = {
    "1": "ParseComplete", "2": "BindComplete", "3": "CloseComplete", "I": "EmptyQueryResponse", "n": "NoData",
    "s": "PortalSuspended", "c": "CopyDone", "d": "CopyData",
}  # fmt: skip


def _strings(body: bytes) -> list[str]:
    return [part.decode(errors="backslashreplace") for part in body.split(b"\0")[:-1]]


def _bytes(data: bytes) -> str:
    text = repr(data)[1:] if len(data) <= LONG else repr(data[:60])[1:]
    return text if len(data) <= LONG else f"{text}… {len(data)} bytes, {hashlib.sha256(data).hexdigest()[:12]}"


def _values(body: bytes) -> list[str]:
    count, offset, values = struct.unpack("!H", body[:2])[0], 2, []
    for _ in range(count):
        size = struct.unpack("!i", body[offset : offset + 4])[0]
        offset += 4
        values.append("NULL" if size < 0 else _bytes(body[offset : offset + max(size, 0)]))
        offset += max(size, 0)
    assert offset == len(body), "bytes behind the last value"
    return values

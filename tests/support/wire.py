"""A client that speaks the frontend/backend protocol (PostgreSQL manual, chapter 55) byte by byte.

For what libpq would never send, or hides: broken packets, half a message, the exact order of replies.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
import select
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Iterator, Mapping

from .deadline import PATIENCE, Deadline

PROTOCOL_3_0 = 196608
READY = b"Z\0\0\0\5I"
SSL_REQUEST, GSSENC_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102


@dataclass(frozen=True)
class Message:
    """One message of the server: its type byte and what follows the length."""

    type: str
    body: bytes

    def fields(self) -> dict[str, str]:
        """The fields of an ErrorResponse or NoticeResponse by their letter (C: SQLSTATE, M: text)."""
        parts = self.body.split(b"\0")
        return {part[:1].decode(): part[1:].decode(errors="replace") for part in parts if part}

    @property
    def sqlstate(self) -> str:
        return self.fields()["C"]


class ConnectionClosed(Exception):
    """The other side closed the connection."""


def message(type_byte: str, body: bytes = b"") -> bytes:
    """A frontend message: type, length, body."""
    return type_byte.encode() + struct.pack("!I", len(body) + 4) + body


def query(text: str) -> bytes:
    return message("Q", text.encode() + b"\0")


def parse(name: str, text: str) -> bytes:
    return message("P", name.encode() + b"\0" + text.encode() + b"\0" + struct.pack("!H", 0))


def bind(name: str, values: tuple[str, ...] = (), portal: str = "") -> bytes:
    body = portal.encode() + b"\0" + name.encode() + b"\0" + struct.pack("!HH", 0, len(values))
    for value in values:
        body += struct.pack("!I", len(value.encode())) + value.encode()
    return message("B", body + struct.pack("!H", 0))


def describe_statement(name: str) -> bytes:
    return message("D", b"S" + name.encode() + b"\0")


def execute(portal: str = "", rows: int = 0) -> bytes:
    return message("E", portal.encode() + b"\0" + struct.pack("!I", rows))


def close_statement(name: str) -> bytes:
    return message("C", b"S" + name.encode() + b"\0")


def sasl_initial(mechanism: str, data: bytes) -> bytes:
    """A SASLInitialResponse."""
    return message("p", mechanism.encode() + b"\0" + struct.pack("!I", len(data)) + data)


SYNC, FLUSH, TERMINATE = message("S"), message("H"), message("X")


def startup(parameters: Mapping[str, str], version: int = PROTOCOL_3_0) -> bytes:
    body = struct.pack("!I", version)
    for name, value in parameters.items():
        body += name.encode() + b"\0" + value.encode() + b"\0"
    body += b"\0"
    return struct.pack("!I", len(body) + 4) + body


def request(code: int, body: bytes = b"") -> bytes:
    """SSLRequest, GSSENCRequest or CancelRequest."""
    return struct.pack("!II", len(body) + 8, code) + body


class WireClient:
    """A TCP connection; nothing is sent that was not asked for. `seconds`, times PATIENCE, bound each wait."""

    def __init__(self, host: str, port: int, seconds: float = 15.0) -> None:
        self.seconds = seconds * PATIENCE
        self.socket = socket.create_connection((host, port), timeout=self.seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.parameters: dict[str, str] = {}
        self.key: bytes | None = None  # body of BackendKeyData

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive_exactly(self, count: int) -> bytes:
        deadline = Deadline(self.seconds)
        data = bytearray()
        while len(data) < count:
            self.socket.settimeout(max(deadline.remaining(), 0.001))
            try:
                chunk = self.socket.recv(count - len(data))
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise ConnectionClosed(f"after {bytes(data)!r}")
            data += chunk
        return bytes(data)

    def receive(self) -> Message:
        head = self.receive_exactly(5)
        length = struct.unpack("!I", head[1:])[0]
        return Message(chr(head[0]), self.receive_exactly(length - 4))

    def until(self, last: str) -> list[Message]:
        """Messages up to and with the first of type `last`."""
        seen = [self.receive()]
        while seen[-1].type != last:
            seen.append(self.receive())
        return seen

    def until_ready(self) -> list[Message]:
        """Messages up to ReadyForQuery."""
        return self.until("Z")

    def ask(self, data: bytes) -> list[Message]:
        """Sends, and returns the messages up to ReadyForQuery."""
        self.send(data)
        return self.until_ready()

    def ask_many(self, data: bytes, count: int) -> bytes:
        """Sends, and meanwhile receives until `count` idle ReadyForQuery have come; returns all that came.

        In one thread: Python's SSL sockets are not for two.
        """
        deadline = Deadline(2 * self.seconds)
        left, answers = memoryview(data), bytearray()
        self.socket.setblocking(False)
        while answers.count(READY) < count:
            told = f"{answers.count(READY)} answers of {count}, {len(left)} bytes not sent"
            if deadline.remaining() <= 0:
                raise TimeoutError(told)
            select.select([self.socket], [self.socket] if left else [], [], 1)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                left = left[self.socket.send(left) :] if left else left
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                received = self.socket.recv(65536)
                if not received:
                    raise ConnectionClosed(told)
                answers += received
        return bytes(answers)

    def closed(self) -> bool:
        """True if the other side closes within the time, whatever it still sends before."""
        try:
            while True:
                self.receive_exactly(1)
        except ConnectionClosed:
            return True
        except TimeoutError:
            return False

    def login(self, user: str, password: str, database: str, **parameters: str) -> list[Message]:
        """Startup and authentication up to ReadyForQuery, or up to and with an ErrorResponse."""
        self.send(startup({"user": user, "database": database} | parameters))
        return list(self.authenticate(password))

    def authenticate(self, password: str) -> Iterator[Message]:
        """What follows a startup message that was sent: the replies up to ReadyForQuery or an ErrorResponse."""
        for reply in self._authentication(password):
            if reply.type == "S":
                name, value = reply.body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif reply.type == "K":
                self.key = reply.body
            yield reply
            if reply.type in ("E", "Z"):
                return

    def _authentication(self, password: str) -> Iterator[Message]:
        scram: Scram | None = None
        while True:
            reply = self.receive()
            yield reply
            if reply.type != "R":
                continue
            kind = struct.unpack("!I", reply.body[:4])[0]
            if kind == 3:
                self.send(message("p", password.encode() + b"\0"))
            elif kind == 10:
                scram = Scram(password)
                self.send(sasl_initial("SCRAM-SHA-256", scram.first()))
            elif kind == 11:
                assert scram is not None
                self.send(message("p", scram.final(reply.body[4:])))
            elif kind == 12:
                assert scram is not None and scram.server_proved(reply.body[4:])

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "WireClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Scram:
    """The client of SCRAM-SHA-256 (RFC 5802, RFC 7677). header: the GS2 header; binding: the channel binding's data."""

    def __init__(self, password: str, header: str = "n,,", binding: bytes = b"") -> None:
        self._password = password
        self._header = header
        self._binding = binding
        self._bare = "n=,r=" + secrets.token_hex(12)
        self._signature = b""

    def first(self) -> bytes:
        return (self._header + self._bare).encode()

    def final(self, server_first: bytes) -> bytes:
        text = server_first.decode()
        attributes = dict(part.split("=", 1) for part in text.split(","))
        salt = base64.b64decode(attributes["s"])
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, int(attributes["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        bound = base64.b64encode(self._header.encode() + self._binding).decode()
        without_proof = f"c={bound},r=" + attributes["r"]
        everything = ",".join([self._bare, text, without_proof]).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), everything, "sha256")
        proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), everything, "sha256")
        return (without_proof + ",p=" + base64.b64encode(proof).decode()).encode()

    def server_proved(self, server_final: bytes) -> bool:
        return server_final == b"v=" + base64.b64encode(self._signature)

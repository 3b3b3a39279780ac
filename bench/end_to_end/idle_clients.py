"""Many logged-in connections that do nothing: plain sockets, since a thousand libpq clients would cost more than what
is measured."""

from __future__ import annotations

import resource
import socket
import struct


def raise_file_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("the connection was closed")
        data += piece
    return data


def _until_ready(connection: socket.socket) -> None:
    """Reads messages up to ReadyForQuery."""
    while True:
        kind, length = struct.unpack("!cI", _receive(connection, 5))
        body = _receive(connection, length - 4)
        if kind == b"E":
            raise ConnectionError(body.decode("utf-8", "replace").replace("\0", " "))
        if kind == b"Z":
            return


class IdleClients:
    """`count` connections, each logged in (trust) and having run one query; closed at the end of the block."""

    def __init__(self, port: int, user: str, database: str, count: int) -> None:
        self._address = ("127.0.0.1", port)
        parameters = b"user\0" + user.encode() + b"\0database\0" + database.encode() + b"\0\0"
        body = struct.pack("!I", 3 << 16) + parameters
        self._startup = struct.pack("!I", len(body) + 4) + body
        query = b"select 1\0"
        self._query = b"Q" + struct.pack("!I", len(query) + 4) + query
        self._count = count
        self._connections: list[socket.socket] = []

    def __enter__(self) -> "IdleClients":
        raise_file_limit(self._count + 200)
        try:
            for _ in range(self._count):
                connection = socket.create_connection(self._address, 10)
                self._connections.append(connection)
                connection.sendall(self._startup)
                _until_ready(connection)
                connection.sendall(self._query)
                _until_ready(connection)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        for connection in self._connections:
            try:
                connection.sendall(b"X\0\0\0\4")
            except OSError:
                pass
            connection.close()
        self._connections.clear()

    def __exit__(self, *_: object) -> None:
        self.close()

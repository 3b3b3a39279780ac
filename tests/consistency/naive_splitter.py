"""What must be caught: a proxy that sends each SELECT to the next replica and asks no further.

Simple query protocol only; servers that trust the client. Every statement outside a transaction that begins
with "select", after a comment or not, goes round robin to the replicas, everything else to the primary. What is
said to the proxy (tidemark.user and the like) goes there, too, and means nothing.

    naive_splitter.py LISTEN_PORT PRIMARY_PORT REPLICA_PORT ...
"""

from __future__ import annotations

import asyncio
import itertools
import re
import struct
import sys

Message = tuple[bytes, bytes]

_IS_SELECT = re.compile(rb"\s*(/\*.*?\*/\s*)?select\b", re.IGNORECASE)


async def read_message(reader: asyncio.StreamReader) -> Message:
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    return kind, await reader.readexactly(length - 4)


def encode(message: Message) -> bytes:
    return message[0] + struct.pack("!I", len(message[1]) + 4) + message[1]


class Server:
    """One server connection of one client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def exchange(self, data: bytes) -> list[Message]:
        """Sends and returns the answer up to and with ReadyForQuery, or with the error that ends a login."""
        self._writer.write(data)
        messages: list[Message] = []
        while not messages or messages[-1][0] != b"Z":
            messages.append(await read_message(self._reader))
        return messages

    def close(self) -> None:
        self._writer.close()


class Splitter:
    def __init__(self, primary: int, replicas: list[int]) -> None:
        self._ports = [primary, *replicas]
        self._next = itertools.count()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        servers: list[Server] = []
        try:
            await self._serve(reader, writer, servers)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for server in servers:
                server.close()
            writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, servers: list[Server]
    ) -> None:
        while True:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            if struct.unpack("!I", body[:4])[0] == 196608:  # protocol 3.0; else a request for TLS or GSSAPI
                break
            writer.write(b"N")
        startup = struct.pack("!I", length) + body
        answers = []
        for port in self._ports:
            servers.append(Server(*await asyncio.open_connection("127.0.0.1", port)))
            answers.append(await servers[-1].exchange(startup))
        writer.write(b"".join(map(encode, answers[0])))
        state = b"I"
        while True:
            message = await read_message(reader)
            if message[0] != b"Q":
                return
            # "user" is a key word: PostgreSQL itself takes it as a part of a name only in quotes.
            message = message[0], message[1].replace(b"set tidemark.user", b'set tidemark."user"')
            to_replica = state == b"I" and _IS_SELECT.match(message[1]) is not None
            server = servers[1 + next(self._next) % (len(servers) - 1)] if to_replica else servers[0]
            answer = await server.exchange(encode(message))
            if not to_replica:
                state = answer[-1][1]
            writer.write(b"".join(map(encode, answer)))


async def main() -> None:
    port, primary, *replicas = map(int, sys.argv[1:])
    splitter = Splitter(primary, replicas)
    server = await asyncio.start_server(splitter.serve, "127.0.0.1", port, backlog=200)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

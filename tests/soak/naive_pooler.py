"""What must be caught: a pooler that mixes its clients up, in one of two ways.

rotate: each Query, or all up to Sync, goes to the next server connection, whatever state the one before left.
undrained: a client has a server connection to itself, which goes to the next client as it is, even if an answer that
nobody took is still to come.

Lets everybody in; servers must trust the user `postgres`. No Flush.

    naive_pooler.py rotate|undrained LISTEN_PORT SERVER_PORT CONNECTIONS DATABASE
"""

from __future__ import annotations

import asyncio
import struct
import sys
from dataclasses import dataclass

Message = tuple[bytes, bytes]


async def read_message(reader: asyncio.StreamReader) -> Message:
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    return kind, await reader.readexactly(length - 4)


def encode(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


@dataclass
class Stream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Pooler:
    def __init__(self, rotate: bool) -> None:
        self._rotate = rotate
        self._free: asyncio.Queue[Stream] = asyncio.Queue()
        self._greeting = b""

    async def open(self, port: int, count: int, database: str) -> None:
        parameters = b"user\0postgres\0database\0" + database.encode() + b"\0\0"
        for _ in range(count):
            server = Stream(*await asyncio.open_connection("127.0.0.1", port))
            server.writer.write(struct.pack("!II", len(parameters) + 8, 196608) + parameters)
            self._greeting = b""
            kind = b""
            while kind != b"Z":
                kind, body = await read_message(server.reader)
                self._greeting += encode(kind, body)
            self._free.put_nowait(server)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Stream(reader, writer)
        try:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            (code,) = struct.unpack("!I", (await reader.readexactly(length - 4))[:4])
            if code == 196608:  # else a cancel request
                writer.write(self._greeting)
                await self._serve(client)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve(self, client: Stream) -> None:
        server = None if self._rotate else await self._free.get()
        unit = b""
        try:
            while True:
                kind, body = await read_message(client.reader)
                if kind == b"X":
                    return
                unit += encode(kind, body)
                if kind not in (b"Q", b"S", b"F"):
                    continue
                if not self._rotate:
                    await self._exchange(unit, client, server)
                else:
                    server = await self._free.get()
                    try:
                        await self._exchange(unit, client, server)
                    finally:
                        self._free.put_nowait(server)
                unit = b""
        finally:
            if not self._rotate:
                self._free.put_nowait(server)

    @staticmethod
    async def _exchange(unit: bytes, client: Stream, server: Stream) -> None:
        server.writer.write(unit)
        kind = b""
        while kind != b"Z":
            kind, body = await read_message(server.reader)
            client.writer.write(encode(kind, body))
            await client.writer.drain()
            while kind == b"G":
                copied, data = await read_message(client.reader)
                server.writer.write(encode(copied, data))
                if copied in (b"c", b"f"):
                    break


async def main() -> None:
    mode, port, server_port, count, database = sys.argv[1:]
    pooler = Pooler(mode == "rotate")
    await pooler.open(int(server_port), int(count), database)
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", int(port), backlog=200)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

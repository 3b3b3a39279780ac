"""A TCP connection between two programs that can be made to fail: packets get lost, the way is cut, it leads elsewhere."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable

from .deadline import PATIENCE
from .free_ports import free_port


class FaultLink:
    """Listens at `address` and passes bytes on to 127.0.0.1:`target`, both ways, until it is told otherwise.

        with FaultLink(node.port) as link:
            ProxyProcess([link.address])
            link.drop_packets()

    Methods may be called from any thread; what they ask for is done when they return.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"link to {target}", daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._flowing: asyncio.Event

    def __enter__(self) -> "FaultLink":
        self._thread.start()
        self._call(self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10 * PATIENCE)
        self._loop.close()

    # -- faults --------------------------------------------------------------------------------------

    def drop_packets(self) -> None:
        """Nothing arrives any more, in neither direction, and nobody is told: not that a connection was closed either."""
        self._call(self._set_flowing, False)

    def deliver(self) -> None:
        """After drop_packets(): what was sent meanwhile arrives now, as TCP sends it again and again."""
        self._call(self._set_flowing, True)

    def cut(self) -> None:
        """All connections are reset, and new ones refused."""
        self._call(self._cut)

    def mend(self) -> None:
        """After cut()."""
        self._call(self._listen)

    def lead_to(self, target: int) -> None:
        """New connections go to this port; those that are there end."""
        self.cut()
        self._target = target
        self.mend()

    # -- in the thread of the loop -------------------------------------------------------------------

    def _call(self, what: Callable[..., Any], *arguments: Any) -> None:
        async def run() -> None:
            done = what(*arguments)
            if asyncio.iscoroutine(done):
                await done

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10 * PATIENCE)

    async def _begin(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def _end(self) -> None:
        self._cut()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _set_flowing(self, flowing: bool) -> None:
        self._flowing.set() if flowing else self._flowing.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        far = None
        try:
            await self._flowing.wait()
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(far)
            await asyncio.gather(self._pump(reader, far), self._pump(far_reader, writer))
        except OSError:
            pass
        finally:
            for each in (writer, far):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            data = await source.read(1 << 16)
            await self._flowing.wait()
            if not data:
                break
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()

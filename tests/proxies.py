"""A TCP proxy that a test can cut, to break connections without a word to either end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Proxy:
    """Forwards connections to `target`; `cut` aborts them all, `closed` turns new ones away."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.address = ""
        self.closed = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        host, _, port = self.target.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        self._writers |= {writer, back}
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await asyncio.wait(
                {asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))},
                return_when=asyncio.FIRST_COMPLETED,
            )
        for one in (writer, back):
            one.transport.abort()
            self._writers.discard(one)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def proxying(target: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy._connected, "127.0.0.1", 0)
    proxy.address = "127.0.0.1:" + str(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()

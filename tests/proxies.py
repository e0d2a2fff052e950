"""A TCP proxy that a test can cut, silence, slow down or reset, to break connections without a word to either end."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator

UP, DOWN = "up", "down"
"""The ways of what is forwarded: to the target, and back."""


class Proxy:
    """Forwards connections to `target`; `cut` aborts them all, `closed` turns new ones away.

    Attributes:
        dropped: ways on which everything is swallowed. A connection that lost something stays silent that way
            when this is over, as bytes of it are missing.
        delay: seconds that each piece waits before it goes on.
        reset_next: whether the next piece that comes back is cut in half, and its connection reset behind it.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.address = ""
        self.closed = False
        self.dropped: set[str] = set()
        self.delay = 0.0
        self.reset_next = False
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()

    def cut(self) -> None:
        for pair in self._pairs:
            for writer in pair:
                writer.transport.abort()

    def leave_half_open(self) -> None:
        """Abort the connections towards whoever connected, and leave the target believing in them."""
        for client, _ in self._pairs:
            client.transport.abort()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        host, _, port = self.target.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        pair = writer, back
        self._pairs.add(pair)
        up = asyncio.create_task(self._pump(reader, back, UP))
        down = asyncio.create_task(self._pump(there, writer, DOWN))
        try:
            await down  # when the target ends it; it is not told when the other end is gone
        finally:
            up.cancel()
            for one in pair:
                one.transport.abort()
            self._pairs.discard(pair)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        silent = False
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                silent = silent or way in self.dropped or writer.transport.is_closing()
                if silent:
                    continue
                if self.reset_next and way == DOWN:
                    self.reset_next = False
                    writer.write(data[: len(data) // 2])
                    _reset(writer)
                    return
                writer.write(data)
                await writer.drain()
            if way == UP and not silent:
                writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Let a connection end with a RST."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@contextlib.asynccontextmanager
async def proxying(target: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    proxy.address = "127.0.0.1:" + str(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()


class Threaded:
    """A proxy in a thread of its own, for a test that blocks; what is set of it counts at once."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self.proxy = proxy
        self._loop = loop

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self.proxy.cut)

    def leave_half_open(self) -> None:
        self._loop.call_soon_threadsafe(self.proxy.leave_half_open)


@contextlib.contextmanager
def proxying_apart(target: str) -> Iterator[Threaded]:
    """Run a proxy in a thread of its own."""
    started, made = threading.Event(), []

    async def run() -> None:
        stop = asyncio.Event()
        async with proxying(target) as proxy:
            made.extend((Threaded(proxy, asyncio.get_running_loop()), stop))
            started.set()
            await stop.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="proxy")
    thread.start()
    started.wait()
    apart, stop = made
    try:
        yield apart
    finally:
        apart._loop.call_soon_threadsafe(stop.set)
        thread.join()

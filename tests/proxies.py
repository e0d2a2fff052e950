"""Proxies: of TCP, which a test can cut, silence, slow down or reset; and of HTTP, as the environment may name one."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

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
    async with _listening(Proxy(target), "127.0.0.1") as proxy:
        yield proxy


L = TypeVar("L", "Proxy", "Recording")


@contextlib.asynccontextmanager
async def _listening(proxy: L, host: str) -> AsyncIterator[L]:
    server = await asyncio.start_server(proxy.connected, host, 0)
    proxy.address = f"{host}:{server.sockets[0].getsockname()[1]}"
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


P = TypeVar("P")


@contextlib.contextmanager
def _apart(
    running: Callable[[], contextlib.AbstractAsyncContextManager[P]],
) -> Iterator[tuple[P, asyncio.AbstractEventLoop]]:
    """Run a proxy in a thread of its own, with the loop there."""
    started, made = threading.Event(), []

    async def run() -> None:
        stop = asyncio.Event()
        async with running() as proxy:
            made.extend((proxy, asyncio.get_running_loop(), stop))
            started.set()
            await stop.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="proxy")
    thread.start()
    started.wait()
    proxy, loop, stop = made
    try:
        yield proxy, loop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextlib.contextmanager
def proxying_apart(target: str) -> Iterator[Threaded]:
    """Run a proxy in a thread of its own."""
    with _apart(lambda: proxying(target)) as (proxy, loop):
        yield Threaded(proxy, loop)


VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy", "GRPC_ADDRESS_HTTP_PROXY")
"""Those by which gRPC is told of an HTTP proxy."""


class Recording:
    """An HTTP proxy that does what CONNECT asks for, and records all that passes.

    Attributes:
        address: `host:port` of the proxy; not that of the loopback which services listen on.
        seen: what clients sent, a connection after the other.
    """

    def __init__(self) -> None:
        self.address = ""
        self.seen: list[bytearray] = []
        self._writers: list[asyncio.StreamWriter] = []

    def environment(self, *variables: str) -> dict[str, str]:
        """Return an environment in which these variables name this proxy."""
        found = {name: self.address if name.isupper() else f"http://{self.address}" for name in variables}
        return found | {"GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES": "0.0.0.0/0,::/0"}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.append(record := bytearray())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            record += (head := await reader.readuntil(b"\r\n\r\n"))
            host, _, port = head.split()[1].decode().rpartition(":")
            there, back = await asyncio.open_connection(host.strip("[]"), int(port))
            self._writers += writer, back
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            down = asyncio.create_task(_carry(there, writer))
            while data := await reader.read(65_536):
                record += data
                back.write(data)
            down.cancel()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)


@contextlib.asynccontextmanager
async def recording() -> AsyncIterator[Recording]:
    async with _listening(Recording(), "127.0.0.2") as proxy:
        yield proxy


@contextlib.contextmanager
def recording_apart() -> Iterator[Recording]:
    """Run an HTTP proxy in a thread of its own, for a test that blocks."""
    with _apart(recording) as (proxy, _):
        yield proxy

"""Clients of what is loaded, as lean as each system allows: they count, and keep nothing.

One class a system, with the same face: `subscribe` a participant, `speak` as one. None is a model of a good
client: a load generator must cost less than what it loads.
"""

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import grpc

from chitty.load import message, naive
from chitty.load.tally import Account, Framed, Take, as_bytes, as_events, as_responses
from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity
from chitty.wire.channel import make_channel

_CHITTY = "/chitty.v1.ChittyChat/"
_NAIVE = f"/{naive.SERVICE}/"

_AGAIN = 0.01  # seconds until what gRPC refused is tried again
_TRIES = 5

# A connection of its own for each participant, as participants that are processes have one.
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 1 << 26),
)


Unserialised = Any
"""A call whose requests and responses are bytes: for its type, gRPC's stubs have no words."""


class Voice(Protocol):
    """One publisher.

    Attributes:
        together: whether what it has to say at once travels together; else each message goes by itself.
        sequence: of the last message that the system has taken, where it tells that.
    """

    together: bool
    sequence: int

    async def say(self, count: int) -> None:
        """Say so many messages at once, and return when the system has taken them."""

    async def tell(self) -> None:
        """Say one message, and do not wait until the system has taken it."""


class System(Protocol):
    """What is loaded."""

    async def subscribe(self, name: str, session: str) -> None:
        """Let a participant belong; its deliveries are counted from then on."""

    async def speaker(self, name: str, session: str) -> Voice:
        """Return the publisher of a participant."""

    def decode(self, decoding: str) -> None:
        """Change how deliveries are decoded."""


class _OverGrpc:
    """What is alike for the two that speak gRPC; `parsed` tells how a piece is parsed and counted."""

    def __init__(self, address: str, account: Account, decoding: str, parsed: Callable[[Account], Take]) -> None:
        self._address = address
        self._account = account
        self._parsed = parsed
        self._take: Take
        self._following: set[asyncio.Task[None]] = set()
        self.decode(decoding)

    def decode(self, decoding: str) -> None:
        """Parse deliveries (`protobuf`), or only count in them (`bytes`)."""
        self._take = self._parsed(self._account) if decoding == "protobuf" else as_bytes(self._account)

    def _connect(self) -> grpc.aio.Channel:
        return make_channel(self._address, _OPTIONS)

    async def _listen(self, join: Callable[[], Any]) -> None:
        """Read what answers a Join, and count what follows from then on.

        gRPC itself cancels a call that a busy server has not taken up for half a minute: it is tried again.
        """
        for left in reversed(range(_TRIES)):
            pieces = aiter(join())
            try:
                await anext(pieces)
            except grpc.aio.AioRpcError as error:
                if not left:
                    raise ConnectionError(f"Join: {error.code().name}: {error.details()}") from None
                await asyncio.sleep(_AGAIN)
            else:
                self._following.add(asyncio.create_task(self._follow(pieces)))
                return

    async def _follow(self, pieces: AsyncIterator[bytes]) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):  # the process ends, or what it loads
            async for data in pieces:
                self._take(data)


class Chitty(_OverGrpc):
    """Chitty-Chat itself."""

    def __init__(self, address: str, account: Account, decoding: str) -> None:
        super().__init__(address, account, decoding, as_responses)

    async def subscribe(self, name: str, session: str) -> None:
        """Join; the epoch comes first."""
        request = pb.JoinRequest(participant=name, number=1, lamport=1).SerializeToString()
        join: Unserialised = self._connect().unary_stream(f"{_CHITTY}Join")
        await self._listen(functools.partial(join, request, metadata=identity.credentials(session)))

    async def speaker(self, name: str, session: str) -> Voice:
        """Open a Publish stream."""
        del name
        channel = self._connect()
        return _ChittyVoice(channel, channel.stream_stream(f"{_CHITTY}Publish")(metadata=identity.credentials(session)))


class _ChittyVoice:
    together = True
    sequence = 0

    def __init__(self, channel: grpc.aio.Channel, call: Any) -> None:
        self._channel = channel  # a call does not keep it
        self._call = call
        self._number = 1  # of the Join
        self._lamport = 1
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._reading = asyncio.create_task(self._read())

    def _request(self, count: int) -> bytes:
        text, number, lamport = message.text(), self._number + 1, self._lamport + 1
        self._number += count
        self._lamport += count
        said = [pb.Message(number=number + one, lamport=lamport + one, text=text) for one in range(count)]
        return pb.PublishRequest(messages=said).SerializeToString()

    async def _read(self) -> None:
        """Take receipts: requests are answered in their order."""
        try:
            while (data := await self._call.read()) is not grpc.aio.EOF:
                receipts = pb.PublishResponse.FromString(data).receipts
                self._lamport = max(self._lamport, receipts[-1].lamport + 1)
                self.sequence = receipts[-1].sequence
                self._waiting.popleft().set_result(None)
        finally:
            ended = ConnectionError("the service ended Publish, or the connection")
            for waiting in self._waiting:
                waiting.set_exception(ended)

    async def _send(self, count: int) -> asyncio.Future[None]:
        receipted = asyncio.get_running_loop().create_future()
        self._waiting.append(receipted)
        await self._call.write(self._request(count))
        return receipted

    async def say(self, count: int) -> None:
        await (await self._send(count))

    async def tell(self) -> None:
        await self._send(1)


class Naive(_OverGrpc):
    """The straightforward server of `chitty.load.naive`."""

    def __init__(self, address: str, account: Account, decoding: str) -> None:
        super().__init__(address, account, decoding, as_events)

    async def subscribe(self, name: str, session: str) -> None:
        """Join; the own join comes first."""
        del session
        request = pb.JoinRequest(participant=name, lamport=1).SerializeToString()
        join: Unserialised = self._connect().unary_stream(f"{_NAIVE}Join")
        await self._listen(functools.partial(join, request))

    async def speaker(self, name: str, session: str) -> Voice:
        """Return one that calls Publish for each message."""
        del session
        return _NaiveVoice(self._connect(), name)


class _NaiveVoice:
    together = False
    sequence = 0

    def __init__(self, channel: grpc.aio.Channel, name: str) -> None:
        self._publish: Unserialised = channel.unary_unary(f"{_NAIVE}Publish")
        self._channel = channel
        self._name = name
        self._lamport = 1
        self._under_way: set[asyncio.Future[Any]] = set()

    async def _say(self) -> None:
        self._lamport += 1
        said = pb.Event(participant=self._name, text=message.text(), lamport=self._lamport)
        while True:
            try:
                await self._publish(said.SerializeToString())
            except grpc.aio.AioRpcError:  # gRPC refuses calls by itself where more than 1,000 wait
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def say(self, count: int) -> None:
        await asyncio.gather(*(self._say() for _ in range(count)))

    async def tell(self) -> None:
        call = asyncio.ensure_future(self._say())
        self._under_way.add(call)
        call.add_done_callback(self._under_way.discard)


class Nats:
    """A NATS server's core: publish and subscribe by its text protocol, decoded to bytes only."""

    SUBJECT = "chat"

    def __init__(self, address: str, account: Account, decoding: str) -> None:
        self._address = address
        self._account = account
        self.decode(decoding)

    def decode(self, decoding: str) -> None:
        """Only bytes: a message of NATS is its text."""
        assert decoding == "bytes", "NATS has no protobuf"

    async def subscribe(self, name: str, session: str) -> None:
        """Subscribe to the one subject."""
        del name, session
        frame = len(f"MSG {self.SUBJECT} 1 {message.SIZE}\r\n") + message.SIZE + 2
        counting = Framed(self._account, frame)
        link = await self._connect()
        await link.ask(f"SUB {self.SUBJECT} 1\r\nPING\r\n".encode())
        link.hand_to(counting.take)

    async def speaker(self, name: str, session: str) -> Voice:
        """Return one that publishes, and asks for a PONG after it."""
        del name, session
        return _NatsVoice(await self._connect(), self.SUBJECT)

    async def _connect(self) -> "_Link":
        host, _, port = self._address.rpartition(":")
        _, link = await asyncio.get_running_loop().create_connection(_Link, host, int(port))
        await link.ask(b'CONNECT {"verbose":false,"pedantic":false,"lang":"chitty","version":"1"}\r\nPING\r\n')
        return link


class _NatsVoice:
    together = True
    sequence = 0

    def __init__(self, link: "_Link", subject: str) -> None:
        self._link = link
        self._subject = subject

    def _messages(self, count: int) -> bytes:
        return f"PUB {self._subject} {message.SIZE}\r\n{message.text()}\r\n".encode() * count

    async def say(self, count: int) -> None:
        await self._link.ask(self._messages(count) + b"PING\r\n")

    async def tell(self) -> None:
        self._link.send(self._messages(1))


class _Link(asyncio.Protocol):
    """One connection to NATS: it waits for PONGs, or hands on what comes."""

    def __init__(self) -> None:
        self._take: Callable[[bytes], None] | None = None
        self._pong: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._take is not None:
            self._take(data)
        elif data.endswith(b"PONG\r\n") and self._pong is not None and not self._pong.done():
            self._pong.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._pong is not None and not self._pong.done():
            self._pong.set_exception(exc or ConnectionResetError("NATS closed the connection"))

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    async def ask(self, data: bytes) -> None:
        """Send what ends with a PING, and wait for its PONG."""
        self._pong = asyncio.get_running_loop().create_future()
        self.send(data)
        await self._pong

    def hand_to(self, take: Callable[[bytes], None]) -> None:
        """Hand everything on from now on: nothing more is asked."""
        self._take = take


SYSTEMS: dict[str, Callable[[str, Account, str], System]] = {"chitty": Chitty, "naive": Naive, "nats": Nats}


async def in_parts(work: list[Awaitable[None]], at_once: int) -> None:
    """Do many things, so many at a time."""
    for start in range(0, len(work), at_once):
        await asyncio.gather(*work[start : start + at_once])

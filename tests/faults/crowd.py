"""Many who listen, in the test's own process and over a few connections: streams of the wire, not the library."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import grpc

from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity
from chitty.wire.channel import make_channel
from tests.services import METHOD

SHARE = 100
"""Streams of one connection, as many as gRPC lets a client have at once by default."""

NARROW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384)]
"""Options of a connection that takes little before it is read."""


class Listener:
    """One subscriber. It notes the sequences and texts that it hears, and how its stream ended."""

    def __init__(self, channel: grpc.aio.Channel, name: str) -> None:
        self.name = name
        self.session = identity.new_session()
        self.heard: list[tuple[int, str]] = []
        self.epoch = ""
        self.status: grpc.StatusCode | None = None
        self._join = channel.unary_stream(METHOD + "Join", pb.JoinRequest.SerializeToString, pb.JoinResponse.FromString)
        self.call = self._call()

    def _call(self, **resume: object):
        request = pb.JoinRequest(participant=self.name, number=1, lamport=1, **resume)
        return self._join(request, metadata=identity.credentials(self.session))

    def resume(self) -> None:
        self.call = self._call(epoch=self.epoch, after=self.last)

    @property
    def last(self) -> int:
        return self.heard[-1][0] if self.heard else 0

    async def read(self) -> bool:
        """Read one response; tell whether there was one."""
        try:
            response = await self.call.read()
        except grpc.aio.AioRpcError as error:
            self.status = error.code()
            return False
        if response is grpc.aio.EOF:
            self.status = await self.call.code()
            return False
        self.epoch = response.epoch or self.epoch
        self.heard.extend((event.sequence, event.text) for event in response.events)
        return True

    async def listen(self) -> None:
        """Read to the end of the stream."""
        while await self.read():
            pass

    async def stay(self) -> None:
        """Read to the end of the membership: resume a stream that ends because this process was too slow to read."""
        await self.listen()
        while self.status is grpc.StatusCode.RESOURCE_EXHAUSTED:
            self.resume()
            await self.listen()


class Crowd:
    """Listeners, each with a task that reads."""

    def __init__(self, listeners: list[Listener]) -> None:
        self.listeners = listeners
        self.tasks = [asyncio.create_task(listener.stay()) for listener in listeners]

    def all_heard(self, sequence: int) -> bool:
        return all(listener.last >= sequence for listener in self.listeners)

    def statuses(self) -> Counter[grpc.StatusCode | None]:
        return Counter(listener.status for listener in self.listeners)

    def gaps(self) -> int:
        """Return how many events were missed or came out of turn."""
        return sum(
            after != before + 1
            for one in self.listeners
            for (before, _), (after, _) in zip(one.heard, one.heard[1:], strict=False)
        )


@contextlib.asynccontextmanager
async def connected(
    address: str, names: list[str], options: list[tuple[str, int]] | None = None
) -> AsyncIterator[list[Listener]]:
    """Begin to join under these names."""
    plain = [("grpc.use_local_subchannel_pool", 1), *(options or [])]
    channels = [make_channel(address, plain) for _ in range(0, len(names), SHARE)]
    try:
        yield [Listener(channels[index // SHARE], name) for index, name in enumerate(names)]
    finally:
        for channel in channels:
            await channel.close()

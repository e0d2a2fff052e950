"""Real services in this process, and peers that speak the protocol by themselves, as a foreign client would."""

import contextlib
import itertools
import socket
from collections.abc import AsyncIterator

import grpc
import msgspec

from chitty import resources, settings
from chitty.server.service import Service
from chitty.settings import Server
from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity
from chitty.wire.channel import DIRECT, make_channel
from chitty.wire.chitty_pb2_grpc import ChittyChatStub

METHOD = "/chitty.v1.ChittyChat/"


def options(**changes: object) -> Server:
    """The default settings of the service, but on a free port, in memory and without grace, changed as said.

    A setting of a section is written with its section: `limits__participants=2`.
    """
    plain = msgspec.to_builtins(settings.read(resources.path("conf/chitty.yaml")).server)
    for path, value in {"port": 0, "sequencer": "memory", "grace": 0.0, **changes}.items():
        *sections, key = path.split("__")
        section = plain
        for name in sections:
            section = section[name]
        section[key] = value
    return settings.convert(plain, Server, "the test")


def own_address() -> str:
    """Return an address of this machine that is not the loopback's, or nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return ""
        return str(probe.getsockname()[0])


@contextlib.asynccontextmanager
async def serving(secret: str = "", **changes: object) -> AsyncIterator[Service]:
    service = Service(options(**changes), secret=secret)
    await service.start()
    try:
        yield service
    finally:
        await service.stop("the test is over")


def blocking(address: str) -> grpc.Channel:
    """A channel for a test without an event loop, on a connection of its own."""
    return grpc.insecure_channel(address, options=[*DIRECT, ("grpc.use_local_subchannel_pool", 1)])  # noqa: TID251


class Peer:
    """A foreign client: numbers, timestamps and calls by hand. It ticks, but never merges."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        arguments = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = make_channel(address, arguments, credentials)
        self.stub = ChittyChatStub(self.channel)
        self.session = identity.new_session()
        self.incarnation = identity.incarnation_of(self.session)
        self.metadata = identity.credentials(self.session)
        self.numbers = itertools.count(1)
        self.lamport = 0
        self.joining = 0

    def join(self, name: str, **resume: object):
        self.joining = self.joining if resume else next(self.numbers)
        request = pb.JoinRequest(participant=name, number=self.joining, lamport=self.tick(), **resume)
        return self.stub.Join(request, metadata=self.metadata)

    def tick(self) -> int:
        self.lamport += 1
        return self.lamport

    def message(self, text: str) -> pb.Message:
        return pb.Message(number=next(self.numbers), lamport=self.tick(), text=text)

    def publishing(self):
        return self.stub.Publish(metadata=self.metadata)

    async def publish(self, *messages: pb.Message | str) -> list[pb.Receipt]:
        """One request on a call of its own."""
        call = self.publishing()
        said = [self.message(one) if isinstance(one, str) else one for one in messages]
        await call.write(pb.PublishRequest(messages=said))
        response = await call.read()
        await call.done_writing()
        return list(response.receipts)

    async def leave(self) -> pb.Receipt:
        request = pb.LeaveRequest(number=next(self.numbers), lamport=self.tick())
        return (await self.stub.Leave(request, metadata=self.metadata)).receipt

    async def raw(self, method: str, data: bytes) -> list[bytes]:
        """Send bytes, whatever they are, and return the bytes that come back."""
        call = self.channel.stream_stream(METHOD + method)(metadata=self.metadata)
        await call.write(data)
        await call.done_writing()
        return [response async for response in call]


@contextlib.asynccontextmanager
async def peers(service: Service, count: int) -> AsyncIterator[list[Peer]]:
    made = [Peer(service.address) for _ in range(count)]
    try:
        yield made
    finally:
        for peer in made:
            await peer.channel.close()


async def events(call, count: int) -> list[pb.Event]:
    """Read the next `count` events of a Join stream, in however many responses they come."""
    found: list[pb.Event] = []
    while len(found) < count:
        response = await call.read()
        assert response is not grpc.aio.EOF, f"the stream ended after {len(found)} of {count} events"
        found.extend(response.events)
    assert len(found) == count, f"{len(found)} events came, not {count}"
    return found

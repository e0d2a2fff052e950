"""A way to end a session for good: somebody else uses it as well."""

import contextlib

import grpc

import chitty
from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity
from chitty.wire.channel import make_channel
from chitty.wire.chitty_pb2_grpc import ChittyChatStub


async def take_over(me: chitty.Session, address: str, within: float = 10.0) -> None:
    """Repeat the Join of a session over another connection, as far as the service lets that happen."""
    channel = make_channel(address, [("grpc.use_local_subchannel_pool", 1)])
    request = pb.JoinRequest(participant=me.name, number=me._participant.joining, lamport=1)
    with contextlib.suppress(grpc.aio.AioRpcError):
        await ChittyChatStub(channel).Join(request, metadata=identity.credentials(me._secret), timeout=within).read()
    await channel.close()

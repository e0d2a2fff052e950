"""The gRPC edge of a participant: values of the core to calls, statuses to refusals. Keeps no state of the chat."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import grpc

from chitty.client.credentials import Loaded
from chitty.client.distrust import distrust, hint
from chitty.core.errors import Refusal, Unavailable
from chitty.core.event import Event, Message, Receipt
from chitty.settings import Keepalive
from chitty.wire import address as addresses
from chitty.wire import chitty_pb2 as pb
from chitty.wire import convert, identity, secret, status
from chitty.wire.channel import make_channel
from chitty.wire.chitty_pb2_grpc import ChittyChatStub

if TYPE_CHECKING:
    from chitty.wire.chitty_pb2_grpc import ChittyChatAsyncStub  # the stubs' name for what ChittyChatStub makes

C = TypeVar("C", bound=grpc.aio.Call)

CALL_SECONDS = 10.0
"""Deadline of a call that has one answer."""


def _refusal(error: grpc.aio.AioRpcError) -> Refusal:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable(f"the service did not answer within {CALL_SECONDS:g} s: try again")
    refusal = status.refusal(error.code(), error.details(), error.trailing_metadata())
    return (distrust(str(refusal)) if isinstance(refusal, Unavailable) else None) or refusal


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn a call's bad status into a Refusal, and so the end that a closed connection makes of it."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _refusal(error) from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable("the connection was closed") from None  # gRPC cancels whoever waits for a call of it


class Publishing:
    """One Publish call: requests and their receipts, in turn."""

    def __init__(self, call: "grpc.aio.StreamStreamCall[pb.PublishRequest, pb.PublishResponse]") -> None:
        self._call = call
        self._ended = asyncio.Event()
        call.add_done_callback(lambda _: self._ended.set())
        self._begun = False

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Send one request and return its receipts.

        Raises:
            Refusal: the call has ended. When the status names a message, none of the request was accepted.
        """
        response = None
        with _refusals(), contextlib.suppress(asyncio.InvalidStateError):  # raised by a write after the end
            await self._write(convert.publish_request(messages))
            response = await self._call.read()
        if not isinstance(response, pb.PublishResponse):
            code, text = await self._call.code(), await self._call.details()
            raise status.refusal(code, text, await self._call.trailing_metadata())
        return [convert.from_wire(receipt) for receipt in response.receipts]

    async def _write(self, request: pb.PublishRequest) -> None:
        """Write a request. The first one would wait for ever if the connection broke before the call was on it."""
        if self._begun:
            await self._call.write(request)
            return
        self._begun = True
        writing = asyncio.create_task(self._call.write(request))
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait({writing, ended}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
        finally:
            writing.cancel()
            ended.cancel()

    def cancel(self) -> None:
        """End the call."""
        self._call.cancel()


class Transport:
    """A connection of one session to one address. Every method raises Refusal when its call is refused.

    Raises:
        InvalidArgument: the address cannot be one.
        Untrusted: the join secret would be readable on the way.
    """

    def __init__(self, address: str, session: str, keepalive: Keepalive | None, loaded: Loaded) -> None:
        self._address = addresses.parse(address)
        loaded.check(self._address)
        self._loaded = loaded
        self._channel = _channel(self._address.target, _arguments(keepalive), loaded)
        self._stub: ChittyChatAsyncStub = ChittyChatStub(self._channel)
        self._credentials = identity.credentials(session)
        self._entry = (*self._credentials, *secret.metadata(loaded.secret))
        self._calls: set[grpc.aio.Call] = set()
        self._membership: grpc.aio.Call | None = None
        self._broken: Refusal | None = None

    async def join(
        self, name: str, number: int, stamped: int, epoch: str, after: int
    ) -> AsyncIterator[tuple[str, list[Event]]]:
        """Join or resume; yield for each response its epoch, empty but in the first one, and its events."""
        request = pb.JoinRequest(participant=name, number=number, lamport=stamped, epoch=epoch, after=after)
        call = self._membership = self._stub.Join(request, metadata=self._entry)
        try:
            with _refusals():
                async for response in call:
                    yield response.epoch, convert.events(response)
        except Unavailable as refusal:
            if self._broken is not None:
                raise self._broken from None
            reason = hint(str(refusal), self._loaded, self._address)
            raise Unavailable(f"{refusal}{reason}", retry_after=refusal.retry_after) from None
        finally:
            call.cancel()

    def break_join(self, why: Refusal) -> None:
        """End the Join's stream from here: whoever reads it gets `why`."""
        if self._membership is not None:
            self._broken = why
            self._membership.cancel()

    def publishing(self) -> Publishing:
        """Open a Publish call."""
        return Publishing(self._own(self._stub.Publish(metadata=self._credentials)))

    async def leave(self, number: int, stamped: int) -> Receipt:
        """Ask to leave."""
        request = pb.LeaveRequest(number=number, lamport=stamped)
        with _refusals():
            response = await self._own(self._stub.Leave(request, metadata=self._credentials, timeout=CALL_SECONDS))
        return convert.from_wire(response.receipt)

    async def participants(self) -> list[str]:
        """Ask who is here; names in order of joining."""
        with _refusals():
            response = await self._own(
                self._stub.ListParticipants(pb.ListParticipantsRequest(), metadata=self._entry, timeout=CALL_SECONDS)
            )
        return [participant.name for participant in response.participants]

    async def close(self) -> None:
        """Close the connection; calls under way end."""
        for call in list(self._calls):
            call.cancel()  # the channel finds only some of them, and the others would wait for ever
        await self._channel.close()

    def _own(self, call: C) -> C:
        """Remember a call until it ends."""
        self._calls.add(call)
        call.add_done_callback(lambda _: self._calls.discard(call))
        return call


def _channel(target: str, arguments: list[tuple[str, int | str]], loaded: Loaded) -> grpc.aio.Channel:
    if not loaded.tls:
        return make_channel(target, arguments)
    key, cert = (loaded.pair.key, loaded.pair.cert) if loaded.pair else (None, None)
    if loaded.server_name:
        arguments = [*arguments, ("grpc.ssl_target_name_override", loaded.server_name)]
    return make_channel(target, arguments, grpc.ssl_channel_credentials(loaded.authority, key, cert))


def _arguments(keepalive: Keepalive | None) -> list[tuple[str, int | str]]:
    arguments: list[tuple[str, int | str]] = [
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.use_local_subchannel_pool", 1),  # a new attempt connects anew, whatever an older one waits for
    ]
    if keepalive is not None:
        arguments += [
            ("grpc.keepalive_time_ms", int(1000 * keepalive.interval)),
            ("grpc.keepalive_timeout_ms", int(1000 * keepalive.timeout)),
            ("grpc.http2.ping_timeout_ms", int(1000 * keepalive.timeout)),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
    return arguments

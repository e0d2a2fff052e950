"""The gRPC edge: bytes and metadata of calls to commands, outcomes to responses and statuses.

It decides nothing that depends on order: that is the hub's.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc.aio import ServicerContext

from chitty.core import names
from chitty.core.errors import InvalidArgument, LimitExceeded, PreconditionFailed, Refusal, Unavailable
from chitty.core.event import Detect, Join, Leave, Publish, Reason
from chitty.core.hub import Outcome
from chitty.server.admission import Admission
from chitty.server.fanout import Fanout, Subscription
from chitty.server.replica import Replica
from chitty.settings import Limits
from chitty.wire import chitty_pb2 as pb
from chitty.wire import convert, identity, status
from chitty.wire.parse import parse

SERVICE = pb.DESCRIPTOR.services_by_name["ChittyChat"].full_name

_DRAINING = "the service is shutting down: try again"

Call = Callable[[Any, ServicerContext[Any, Any]], Awaitable[Any]]


class Servicer:
    """The four calls of chitty.v1.ChittyChat, over one replica."""

    def __init__(
        self, replica: Replica, fanout: Fanout, limits: Limits, logger: logging.Logger, admission: Admission
    ) -> None:
        self._replica = replica
        self._fanout = fanout
        self._admission = admission
        self._limits = limits
        self._logger = logger
        self._draining = False
        self._publishing: set[asyncio.Task[Any]] = set()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return what a server is to register: requests arrive as bytes, responses leave as bytes."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Join": grpc.unary_stream_rpc_method_handler(self._guard("Join", self.join)),
                "Publish": grpc.stream_stream_rpc_method_handler(self._guard("Publish", self.publish)),
                "Leave": grpc.unary_unary_rpc_method_handler(self._guard("Leave", self.leave)),
                "ListParticipants": grpc.unary_unary_rpc_method_handler(
                    self._guard("ListParticipants", self.list_participants)
                ),
            },
        )

    def drain(self) -> None:
        """Refuse what comes, and end every stream with UNAVAILABLE after what it is owed."""
        self._draining = True
        self._logger.info("draining: %d memberships and %d publishers", len(self._fanout), len(self._publishing))
        self._fanout.drain()
        for task in self._publishing:
            task.cancel()

    async def join(self, data: bytes, context: ServicerContext[Any, Any]) -> None:
        """Serve a membership: until the participant leaves, or its stream breaks."""
        incarnation = identity.authenticate(context.invocation_metadata())
        self._admission.admit(context)
        request = parse(pb.JoinRequest, data)
        name = names.normalise(request.participant)
        self._admission.check_name(context, incarnation, name)
        self._check_cursor(request)
        command = Join(incarnation, name, names.fold(name), request.number, request.lamport, time.time())
        async with self._stay(command, request.after) as subscription:
            first = convert.epoch_frame(self._replica.epoch)
            if subscription.cursor == self._fanout.head:
                await context.write(first)
                first = b""
            async for piece in subscription.slices():
                await context.write(first + piece)
                first = b""

    async def publish(self, _: object, context: ServicerContext[Any, Any]) -> None:
        """Serve a stream of requests, one after the other: each is committed before the next is read."""
        incarnation = identity.authenticate(context.invocation_metadata())
        task = asyncio.current_task()
        assert task is not None
        self._publishing.add(task)
        try:
            while (data := await context.read()) is not grpc.aio.EOF:
                self._admission.check_holder(context, incarnation)
                request = parse(pb.PublishRequest, data)
                self._check_messages(request)
                command = Publish(incarnation, convert.to_messages(request), time.time())
                outcome = await self._apply(command)
                await context.write(convert.publish_response(outcome.receipts))
        except asyncio.CancelledError:
            if self._draining:
                raise Unavailable(_DRAINING) from None
            raise
        finally:
            self._publishing.discard(task)

    async def leave(self, data: bytes, context: ServicerContext[Any, Any]) -> bytes:
        """Serve a request to leave."""
        incarnation = identity.authenticate(context.invocation_metadata())
        self._admission.check_holder(context, incarnation)
        request = parse(pb.LeaveRequest, data)
        outcome = await self._apply(Leave(incarnation, request.number, request.lamport, time.time()))
        return pb.LeaveResponse(receipt=convert.to_wire(outcome.receipts[0])).SerializeToString()

    async def list_participants(self, data: bytes, context: ServicerContext[Any, Any]) -> bytes:
        """Serve the list of who is here."""
        self._admission.admit(context)
        parse(pb.ListParticipantsRequest, data)
        members = self._replica.hub.members
        self._logger.info("ListParticipants from %s: %d participants", context.peer(), len(members))
        present = [pb.Participant(name=member.name, joined=member.joined) for member in members]
        return pb.ListParticipantsResponse(participants=present, epoch=self._replica.epoch).SerializeToString()

    def _check_cursor(self, request: pb.JoinRequest) -> None:
        if request.epoch and request.epoch != self._replica.epoch:
            raise PreconditionFailed(
                f"epoch {request.epoch!r} is not this service's, {self._replica.epoch!r}: join anew, without an epoch",
                field="epoch",
            )
        if request.after and not request.epoch:
            raise InvalidArgument(f"after {request.after} means nothing without its epoch: send both", field="after")

    def _check_messages(self, request: pb.PublishRequest) -> None:
        count, limit = len(request.messages), self._limits.messages_per_request
        if not count:
            raise InvalidArgument("the request has no message: send at least one", field="messages")
        if count > limit:
            raise LimitExceeded(f"the request has {count} messages: at most {limit} are allowed", field="messages")
        for index, message in enumerate(request.messages):
            try:
                names.check_text(message.text)
            except Refusal as refusal:
                raise refusal.within(f"messages[{index}].") from None

    async def _apply(self, command: Publish | Leave) -> Outcome:
        outcome = await self._replica.submit(command)
        if outcome.refusal is not None:
            raise outcome.refusal
        return outcome

    @contextlib.asynccontextmanager
    async def _stay(self, command: Join, after: int) -> AsyncIterator[Subscription]:
        """Join, and notice at the end that the participant is gone, unless it left or its Join was repeated.

        The subscription is made as the join is applied, not when this call hears of it: a leave may be
        applied in between, and the call may have been cancelled.
        """
        made: asyncio.Future[Subscription] = asyncio.get_running_loop().create_future()

        def subscribe(outcome: Outcome) -> None:
            try:
                if outcome.refusal is not None or outcome.member is None:
                    raise outcome.refusal or Unavailable(_DRAINING)
                joined = outcome.member.joined
                subscription = self._fanout.subscribe(command.incarnation, joined, after)
            except Refusal as refusal:
                made.set_exception(refusal)
            else:
                if not outcome.events:
                    self._logger.info("Join of %s repeated: goes on after %d", command.name, subscription.cursor)
                made.set_result(subscription)

        submitted = self._replica.submit(command, subscribe)
        try:
            await asyncio.shield(submitted)
            yield await made
        finally:
            made.add_done_callback(self._detect)

    def _detect(self, made: asyncio.Future[Subscription]) -> None:
        """Notice that a stream is gone. A service that stops notices nothing: nobody has left."""
        if made.cancelled() or made.exception() is not None:
            return
        subscription = made.result()
        if self._fanout.unsubscribe(subscription) and not self._draining:
            gone = Detect(subscription.incarnation, subscription.joined, Reason.LOST, time.time())
            self._replica.submit(gone)

    def _guard(self, method: str, call: Call) -> Call:
        """Return `call` with its refusals logged and sent as statuses, and nothing else let out."""

        async def guarded(request: Any, context: ServicerContext[Any, Any]) -> Any:
            try:
                if self._draining:
                    raise Unavailable(_DRAINING)  # noqa: TRY301 - one place turns refusals into statuses
                return await call(request, context)
            except Refusal as refusal:
                if not self._draining:
                    self._logger.warning("refused %s from %s: %s: %s", method, context.peer(), refusal.status, refusal)
                await context.abort(status.code_of(refusal), str(refusal), status.trailers(refusal))
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception:
                self._logger.exception("%s from %s failed", method, context.peer())
                await context.abort(grpc.StatusCode.INTERNAL, "the service failed; its log says why")

        return guarded

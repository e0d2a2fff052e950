"""The gRPC edge: bytes and metadata of calls to commands, outcomes to responses and statuses.

It decides nothing that depends on order: that is the hub's.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
from grpc.aio import ServicerContext

from chitty.core import names
from chitty.core.errors import (
    AlreadyJoined,
    CursorTooOld,
    InvalidArgument,
    LimitExceeded,
    NameTaken,
    PreconditionFailed,
    Refusal,
    Unavailable,
    UnknownSession,
)
from chitty.core.event import Join, Leave, Publish
from chitty.core.hub import Outcome
from chitty.server.absences import Absence
from chitty.server.admission import Admission
from chitty.server.fanout import Fanout, Subscription
from chitty.server.limits import Addresses, Publishers, Rates
from chitty.server.replica import RETRY, Replica
from chitty.settings import Server
from chitty.wire import chitty_pb2 as pb
from chitty.wire import convert, identity, status
from chitty.wire.parse import parse

SERVICE = pb.DESCRIPTOR.services_by_name["ChittyChat"].full_name

_SHOWN = 32
"""Characters of a peer's text that an error repeats at most: the status is to fit into a call's metadata."""

_STATUS_SECONDS = 1.0
"""Seconds that a peer has to take its status; then the call is dropped, and what it holds with it."""

_DRAINING = "the service is shutting down: try again"

Call = Callable[[Any, ServicerContext[Any, Any]], Awaitable[Any]]


class Servicer:
    """The four calls of chitty.v1.ChittyChat, over one replica.

    Attributes:
        rates: how much each participant may say.
    """

    def __init__(
        self, replica: Replica, fanout: Fanout, options: Server, logger: logging.Logger, admission: Admission
    ) -> None:
        self._replica = replica
        self._fanout = fanout
        self._admission = admission
        self._limits = options.limits
        self._logger = logger
        self.rates = Rates(options.limits.messages_per_second, options.limits.messages_per_request)
        self._addresses = Addresses(options.limits.participants_per_address)
        self._publishers = Publishers(options.limits.publish_streams)
        self._joining = 0
        self._draining = False
        replica.left = self._note_left

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

    def await_members(self) -> None:
        """Give those who belong since before this service began a time of grace to come back in."""
        for member in self._replica.hub.members:
            self._replica.absences.begin(Absence(member.incarnation, member.joined, member.connection))
        if len(self._replica.absences):
            self._logger.info("waiting for %d participants to resume", len(self._replica.absences))

    def drain(self) -> None:
        """Refuse what comes, and end every stream with UNAVAILABLE after what it is owed."""
        self._draining = True
        self._replica.absences.close()
        self._logger.info("draining: %d memberships and %d publishers", len(self._fanout), len(self._publishers))
        self._fanout.drain()
        self._publishers.end_all()

    async def join(self, data: bytes, context: ServicerContext[Any, Any]) -> None:
        """Serve a membership: until the participant leaves, or its stream breaks."""
        command, after = self._command_of(data, context)
        with self._addresses.one_from(context.peer(), command.incarnation):
            await self._stay(command, after, context.write)

    def _command_of(self, data: bytes, context: ServicerContext[Any, Any]) -> tuple[Join, int]:
        """Return what a JoinRequest asks for, and after which event."""
        incarnation = identity.authenticate(context.invocation_metadata())
        self._admission.admit(context)
        request = parse(pb.JoinRequest, data)
        name = names.normalise(request.participant)
        self._admission.check_name(context, incarnation, name)
        self._check_cursor(request, incarnation)
        command = Join(incarnation, name, names.fold(name), request.number, request.lamport, time.time())
        self._check_newcomer(command)
        return command, request.after

    async def publish(self, _: object, context: ServicerContext[Any, Any]) -> None:
        """Serve a stream of requests, one after the other: each is committed before the next is read."""
        incarnation = identity.authenticate(context.invocation_metadata())
        self._check_known(incarnation)
        with self._publishers.one_of(incarnation):
            await self._publish(incarnation, context)

    async def _publish(self, incarnation: str, context: ServicerContext[Any, Any]) -> None:
        try:
            while (data := await context.read()) is not grpc.aio.EOF:
                request = parse(pb.PublishRequest, data)
                self._check_messages(request)
                self._check_known(incarnation)
                self._admission.check_holder(context, incarnation)
                self.rates.take(incarnation, len(request.messages), asyncio.get_running_loop().time())
                command = Publish(incarnation, convert.to_messages(request), time.time())
                outcome = await self._apply(command)
                await context.write(convert.publish_response(outcome.receipts))
        except asyncio.CancelledError:
            if self._draining:
                raise Unavailable(_DRAINING) from None
            if self._replica.hub.member(incarnation) is None:
                raise UnknownSession("this session's membership has ended: join anew") from None
            raise

    def _note_left(self, incarnation: str) -> None:
        """Let the Publish streams of one who left end, once receipts that are on their way are written."""
        asyncio.get_running_loop().call_later(_STATUS_SECONDS, self._end_publishing, incarnation)

    def _end_publishing(self, incarnation: str) -> None:
        if self._replica.hub.member(incarnation) is None:
            self._publishers.end(incarnation)

    async def leave(self, data: bytes, context: ServicerContext[Any, Any]) -> bytes:
        """Serve a request to leave."""
        incarnation = identity.authenticate(context.invocation_metadata())
        request = parse(pb.LeaveRequest, data)
        self._check_known(incarnation)
        self._admission.check_holder(context, incarnation)
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

    def _check_cursor(self, request: pb.JoinRequest, incarnation: str) -> None:
        if request.epoch and request.epoch != self._replica.epoch:
            raise PreconditionFailed(
                f"epoch {request.epoch[:_SHOWN]!r} is not this service's, {self._replica.epoch!r}:"
                " join anew, without an epoch",
                field="epoch",
            )
        if request.after and not request.epoch:
            raise InvalidArgument(f"after {request.after} means nothing without its epoch: send both", field="after")
        try:
            self._fanout.check(request.after)
        except PreconditionFailed:
            self._give_up(incarnation)
            raise

    def _give_up(self, incarnation: str) -> None:
        """Let an absent member be gone at once that cannot go on where it is: it is to join anew."""
        member = self._replica.hub.member(incarnation)
        if member is not None and self._replica.absences.remaining(incarnation) is not None:
            gone = Absence(incarnation, member.joined, member.connection)
            self._replica.absences.begin(gone, forever=True)

    def _check_known(self, incarnation: str) -> None:
        """Turn a stranger away here: what can only be refused need not be in the ordered log."""
        if not self._replica.hub.knows(incarnation):
            raise UnknownSession("this session is not a participant's: join first")

    def _check_newcomer(self, join: Join) -> None:
        """Turn a newcomer away for whom there is no place now: that need not be in the ordered log either."""
        hub = self._replica.hub
        if not hub.knows(join.incarnation):
            with self._retry_of(join):
                hub.admit(join.name, join.key)
        limit = self._limits.joins_waiting
        if limit and self._joining >= limit:
            raise LimitExceeded(f"{limit} participants are joining, which is the limit: try again", retry_after=RETRY)

    @contextlib.contextmanager
    def _retry_of(self, join: Join) -> Iterator[None]:
        """Say of a taken name or session when to ask again, if its holder is absent: it may be free then."""
        try:
            yield
        except (AlreadyJoined, NameTaken) as refusal:
            hub = self._replica.hub
            holder = hub.holder(join.key) if isinstance(refusal, NameTaken) else hub.member(join.incarnation)
            refusal.retry_after = self._replica.absences.remaining(holder.incarnation) if holder is not None else None
            raise

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

    async def _stay(self, command: Join, after: int, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Join, write the stream, and notice at its end that the participant is gone, unless it left or joined again.

        The subscription is made as the join is applied, not when this call hears of it: a leave may be
        applied in between, and the call may have been cancelled.
        """
        made: asyncio.Future[Subscription] = asyncio.get_running_loop().create_future()
        note_absent = self._note_absent

        def subscribe(outcome: Outcome) -> None:
            try:
                if outcome.refusal is not None or outcome.member is None:
                    with self._retry_of(command):
                        raise outcome.refusal or Unavailable(_DRAINING)
                member = outcome.member
                subscription = self._fanout.subscribe(command.incarnation, member.joined, member.connection, after)
                self._replica.absences.end(command.incarnation)
            except Refusal as refusal:
                made.set_exception(refusal)
            else:
                if not outcome.events:
                    self._logger.info("Join of %s repeated: goes on after %d", command.name, subscription.cursor)
                made.set_result(subscription)

        submitted = self._replica.submit(command, subscribe)
        self._joining += 1
        submitted.add_done_callback(self._note_joined)
        try:
            await asyncio.shield(submitted)
            del submitted, subscribe  # with the outcome: a stay lasts, and there are many
            await (await made).write_all(write, convert.epoch_frame(self._replica.epoch))
        except CursorTooOld:
            note_absent = functools.partial(note_absent, forever=True)  # no cursor of its own leads any further
            raise
        finally:
            made.add_done_callback(note_absent)

    def _note_joined(self, _: asyncio.Future[Outcome]) -> None:
        self._joining -= 1

    def _note_absent(self, made: asyncio.Future[Subscription], *, forever: bool = False) -> None:
        """Notice that a stream is gone. A service that stops notices nothing: nobody has left."""
        if made.cancelled() or made.exception() is not None:
            return
        subscription = made.result()
        if self._fanout.unsubscribe(subscription) and not self._draining:
            self._replica.absences.begin(
                Absence(subscription.incarnation, subscription.joined, subscription.connection, subscription.reason),
                forever=forever,
            )

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
                with contextlib.suppress(grpc.aio.InternalError, TimeoutError):
                    async with asyncio.timeout(_STATUS_SECONDS):  # it waits behind what the peer does not read
                        await context.abort(status.code_of(refusal), str(refusal), status.trailers(refusal))
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except grpc.aio.InternalError:
                return None  # the connection broke under a write or a status: nobody is there to be told
            except Exception:
                self._logger.exception("%s from %s failed", method, context.peer())
                await context.abort(grpc.StatusCode.INTERNAL, "the service failed; its log says why")

        return guarded

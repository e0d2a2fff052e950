"""The library: a session is one participant, from its join to its leave, over whatever connections it takes.

    async with chitty.join("alice", "127.0.0.1:5051") as alice:
        await alice.publish("hello")
        async for event in alice:
            print(event.participant, event.text)

It drives a core Participant, and logs each of its steps before what the step is about reaches the network.

gRPC does not survive a fork. In a child that was forked while a session was open, or after one, using or joining one
raises Forked, where gRPC would hang. Fork before you join, or start the child with the "spawn" method of
`multiprocessing`; `subprocess` works.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from chitty import __version__
from chitty.client import forks
from chitty.client.backoff import LONGEST_ASKED, Backoff
from chitty.client.credentials import Credentials, load
from chitty.client.inbox import Inbox
from chitty.client.outbox import Outbox
from chitty.client.transport import Publishing, Transport
from chitty.core import steps
from chitty.core.errors import (
    AlreadyJoined,
    CursorTooOld,
    InvalidArgument,
    LimitExceeded,
    NameTaken,
    NotPermitted,
    PreconditionFailed,
    Refusal,
    SessionEnded,
    SessionReused,
    TakenOver,
    Unacknowledged,
    Unavailable,
    UnknownSession,
    Untrusted,
    WrongSecret,
)
from chitty.core.event import Event, Receipt
from chitty.core.names import normalise
from chitty.core.participant import Participant
from chitty.output import Journal
from chitty.settings import Keepalive
from chitty.wire import identity
from chitty.wire.address import parse

PATIENCE = 30.0
"""Seconds without any answer after which `publish` raises, unless configured otherwise."""

KEEPALIVE = Keepalive(interval=20.0, timeout=10.0)
"""When a silent service is asked whether it still lives, unless configured otherwise."""

LEAVE_SECONDS = 4.0
"""Seconds that leaving may take: the last receipts, the Leave, the last events."""

RECEIPT_SECONDS = 3.0
"""How long of that it waits for the last receipts. Then it sends the Leave without them."""

RESUME_SECONDS = 2.0
"""How long of that one who leaves waits for a connection that just broke: who has one can say goodbye."""

_FINAL = (
    AlreadyJoined,
    InvalidArgument,
    LimitExceeded,
    NameTaken,
    NotPermitted,
    TakenOver,
    UnknownSession,
    WrongSecret,
)

Locate = Callable[[], str | None]


def join(
    name: str,
    address: str | Locate,
    *,
    events: bool = True,
    keepalive: Keepalive | None = KEEPALIVE,
    on_membership: Callable[[bool], None] | None = None,
    credentials: Credentials | None = None,
    patience: float = PATIENCE,
) -> "Session":
    """Return a session that joins when it is entered, as `async with chitty.join(...) as alice`.

    Args:
        name: 1 to 32 letters, digits, '-', '_' or '.'.
        address: `host:port`, `[ipv6]:port` or `unix:/path`; or a callable that returns it, and None while it is not
            known.
        events: False drops events once they are logged, for one that only publishes.
        keepalive: when to ask a silent service whether it still lives. With None a connection that breaks without a
            word is never noticed.
        on_membership: called with whether the session belongs, each time that changes.
        credentials: what it trusts and shows, for a service with TLS or a secret.
        patience: seconds without any answer of the service after which `publish` raises.

    Raises:
        InvalidArgument: the name may not be a participant's, or the address cannot be a service's.
        SettingsError: a file that the credentials name is not usable.
        TypeError: the name is not a str, or the address neither a str nor a callable.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name is of type {type(name).__name__}: it must be a str")
    if not callable(address):
        _check_address(address)
        parse(address)
    return Session(
        normalise(name),
        address,
        events=events,
        keepalive=keepalive,
        on_membership=on_membership,
        credentials=credentials or Credentials(),
        patience=patience,
    )


def _check_address(address: object) -> None:
    if not isinstance(address, str):
        raise TypeError(f"the address is of type {type(address).__name__}: it must be a str such as '127.0.0.1:5051'")


class Session:
    """One participant; made by `join`, used once as an async context manager: it joins on entry, leaves on exit.

    Iterating gives joins, messages and leaves in the total order, the own ones included, and ends after the
    leave. Events tick the clock and are logged on receipt, whether or not anybody iterates. While 10,000 of them wait
    for the iterator, newer ones are dropped for it: it raises EventsDropped in their place.

    Attributes:
        name: as it asked to be called, normalised.
        gave_up: whether it left without hearing that it had: the service did not answer in time.
        failure: what ended the session, None while it goes on or when it left.
    """

    def __init__(
        self,
        name: str,
        address: str | Locate,
        *,
        events: bool,
        keepalive: Keepalive | None,
        on_membership: Callable[[bool], None] | None,
        credentials: Credentials,
        patience: float,
    ) -> None:
        self.name = name
        self._secret = identity.new_session()
        self._participant = Participant(identity.incarnation_of(self._secret), name)
        self._journal = Journal(name)
        self._logger = self._journal.logger
        self._outbox = Outbox(self._participant, self._journal, patience)
        self._locate: Locate = address if callable(address) else lambda: address
        self._keepalive = keepalive
        self._loaded = load(credentials)
        self._on_membership = on_membership
        self._inbox = Inbox(self._logger, wanted=events)
        self._transport: Transport | None = None
        self._joined = asyncio.Event()
        self._joining: steps.Send | None = None
        self._following: asyncio.Task[None] | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self.gave_up = False
        self._asked_to_leave = self._leaving = False
        self._heard_all = False
        self.failure: Exception | None = None
        self._complained: type[Refusal] | None = None

    @property
    def incarnation(self) -> str:
        """The public identity of this session, 16 hexadecimal digits."""
        return self._participant.incarnation

    @property
    def time(self) -> int:
        """The participant's Lamport time."""
        return self._participant.time

    @property
    def joined(self) -> bool:
        """Whether it belongs, as far as it knows."""
        return self._joined.is_set()

    async def __aenter__(self) -> Self:
        """Join; return once the own join has been delivered, however long the service cannot be reached.

        Raises:
            Refusal: the service refused the join for good.
            SessionReused: the session has been entered before.
            Forked: this process was forked from one with a session.
            SessionEnded: it was told to leave before it had joined.
        """
        forks.note_use()
        if self._joining is not None:
            raise SessionReused(f"the session of {self.name} was entered before: call chitty.join for another one")
        self._joining = self._participant.join()
        started = steps.Start(0, self.incarnation, os.getpid(), __version__)
        self._journal.write([started, self._joining])
        self._following = asyncio.create_task(self._follow())
        self._following.add_done_callback(self._conclude)
        self._speaking = asyncio.create_task(self._speak())
        self._speaking.add_done_callback(self._note_failure)
        joined = asyncio.create_task(self._joined.wait())
        try:
            done, _ = await asyncio.wait({joined, self._following}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if self._participant.last:  # its join is known to all: it leaves like any other participant
                await self.leave()
            else:
                self._leaving = True
                await self._end("stopped before it joined")
            raise
        finally:
            joined.cancel()
        if joined not in done:
            failure = self.failure or (
                SessionEnded(f"{self.name} has left before it joined")
                if self._asked_to_leave
                else Unavailable("the service ended the membership before it began")
            )
            self._leaving = True
            await self._end(f"refused: {failure}")
            raise failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave, whatever ended the block. A forked child has nothing to leave: it raises unless it does already."""
        if error is None or not forks.is_forked():
            await self.leave()

    async def publish(self, text: str) -> Receipt:
        """Say something; return its receipt: its place and time in the total order.

        It is sent while the session belongs, and again when a connection broke before its receipt: the
        service accepts it once. It returns or raises at the latest when the service has answered no message for
        `patience` seconds, 30 unless `join` was given another number.

        Raises:
            Refusal: the service refused it; or it was not sent: it is no str, over 4,096 bytes or not encodable
                (InvalidArgument), or the service could not be reached (Unavailable).
            Unacknowledged: it was sent and no receipt came, or the service began a new order meanwhile: the message
                may or may not be broadcast.
            SessionEnded: the session has not joined, has left or is leaving, was ended by the service, or belongs to
                another event loop.
        """
        self._check_goes_on("publish")
        return await self._outbox.say(text)

    async def participants(self) -> list[str]:
        """Ask who is here; names in order of joining.

        Raises:
            Unavailable: the service cannot be asked now, or did not answer: try again.
            Refusal: the service refused to tell.
            SessionEnded: as with `publish`.
            Forked: this process was forked from one with a session.
        """
        self._check_goes_on("ask")
        transport = self._connected()
        try:
            return await transport.participants()
        except UnknownSession as refusal:
            self._doubt(refusal, transport)
            raise Unavailable(f"the service does not know this session any more: try again ({refusal})") from None

    def _check_goes_on(self, act: str) -> None:
        following = self._check_begun(act)
        if self.failure is not None:
            raise SessionEnded(f"{self.name}'s session has ended, cannot {act}: {self.failure}") from self.failure
        if self._asked_to_leave or self._leaving or following.done():
            raise SessionEnded(f"{self.name} has left the chat: cannot {act}")

    def _check_begun(self, act: str) -> asyncio.Task[None]:
        """Return what keeps the membership, for whoever may use it here.

        Raises:
            Forked: this process was forked from one with a session.
            SessionEnded: the session has not joined, or did so in another event loop.
        """
        self._check_here()
        if self._following is None:
            raise SessionEnded(f"{self.name} has not joined: {act} inside of `async with`")
        return self._following

    def _check_here(self) -> None:
        forks.check()
        if self._following is not None and self._following.get_loop() is not asyncio.get_running_loop():
            raise SessionEnded(
                f"{self.name}'s session belongs to the event loop that it joined in, and this is another one:"
                " call chitty.join again"
            )

    def drop_events(self) -> None:
        """Keep no events for the iterator from now on: for a bot that only publishes. Iterating raises from then on."""
        self._inbox.drop()

    async def ended(self) -> None:
        """Wait until the session is over, for one that does not iterate.

        Raises:
            Refusal: the service ended the membership for good.
            SessionEnded: the session has not joined, or belongs to another event loop.
        """
        await asyncio.wait({self._check_begun("wait")})
        self._raise_failure()

    async def leave(self) -> None:
        """Leave gracefully: receipts first, then the Leave, then the last events. Takes some seconds at most.

        Whoever asks a second time waits for the same leave.

        Raises:
            Forked: this process was forked from one with a session.
            SessionEnded: the session belongs to another event loop.
        """
        self._check_here()
        if self._following is None:
            return
        if self._asked_to_leave:
            await self._over.wait()
            return
        self._asked_to_leave = True
        began = asyncio.get_running_loop().time()
        reason = "stopped while it left"
        try:
            await self._resume()
            self._leaving = True
            if self.joined:
                async with asyncio.timeout_at(began + LEAVE_SECONDS):
                    await self._last_receipts(began + RECEIPT_SECONDS)
                    await self._ask_to_leave()
                    await asyncio.wait({self._following})
                reason = self._how_it_left()
            else:
                reason = f"refused: {self.failure}" if self.failure else "stopped while it did not belong"
        except TimeoutError:
            self.gave_up = True
            reason = "gave up leaving"
        finally:  # whoever waits for this may be cancelled
            self._leaving = True
            await self._end(reason)

    def _how_it_left(self) -> str:
        if self._participant.unanswered:
            return "left, but without its last receipts"
        return "left" if self._heard_all else "left, but its stream broke before its end"

    async def _last_receipts(self, until: float) -> None:
        """Wait for what was published. What the service does not answer in time must not keep the Leave back."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._outbox.settled()
        self._outbox.send_no_more()

    async def _resume(self) -> None:
        """Wait a while for the membership, if there was one and its connection broke."""
        if self.joined or not self._participant.last or self._following is None:
            return
        joined = asyncio.create_task(self._joined.wait())
        await asyncio.wait({joined, self._following}, timeout=RESUME_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()

    async def abandon(self) -> None:
        """Break the connection without a word, as a crash would: the others are told that it was lost."""
        self._check_here()
        self._asked_to_leave = self._leaving = True
        try:
            await self._stop()
        finally:
            self._over.set()

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over the events in the total order."""
        return self

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            Refusal: the service ended the membership for good.
            EventsDropped: there is a gap, as too many events waited: the next call goes on after it. Or no events are
                kept, after `drop_events` or with `events=False`.
            SessionEnded: the session has not joined, or belongs to another event loop.
        """
        self._check_begun("iterate")
        event = await self._inbox.take()
        if event is None:
            self._raise_failure()
            raise StopAsyncIteration
        return event

    def _raise_failure(self) -> None:
        """Raise what ended the session, if that was not its own leave."""
        if self.failure is not None:
            raise self.failure

    async def _follow(self) -> None:
        """Keep the membership: read its stream, and take it up again wherever it breaks."""
        backoff = Backoff()
        while True:
            try:
                await self._attend(backoff)
            except Refusal as refusal:
                self._set_joined(joined=False)
                if self._leaving or not self._worth_another_try(refusal):
                    return
                await self._disconnect()
                await backoff.wait(refusal.retry_after)
            else:
                self._heard_all = True
                return

    def _conclude(self, following: asyncio.Task[None]) -> None:
        """Let everybody go who waits for something of the membership, however it ended, even before it began."""
        self._note_failure(following)
        self._set_joined(joined=False)
        self._inbox.close()
        self._outbox.close(
            Unacknowledged("the session ended before the receipt: the message may or may not be broadcast")
        )

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        """Let the session end, and say why, when one of its tasks failed as none should."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._logger.error("the session failed", exc_info=error)
            self.failure = error
            if self._following is not None:
                self._following.cancel()

    async def _attend(self, backoff: Backoff) -> None:
        """Read one stream to its end: after a leave it is good, and otherwise a Refusal."""
        who, joining = self._participant, self._joining
        assert joining is not None
        transport = await self._connect()
        epoch = who.epoch if who.last else ""
        async for welcome, events in transport.join(self.name, who.joining, joining.lamport, epoch, who.last):
            if welcome:
                self._outbox.abandon(who.welcome(welcome))
            delivered = who.deliver(events)
            self._journal.write(delivered)
            if who.last and not self.joined:
                who.joined()
                backoff.reset()
                self._set_joined(joined=True)
            if self._inbox.wanted:
                self._inbox.put([step.event for step in delivered])

    def _worth_another_try(self, refusal: Refusal) -> bool:
        """Decide after a broken stream or a refused Join; begin a new stay where the old one has ended."""
        who = self._participant
        if isinstance(refusal, PreconditionFailed | CursorTooOld):
            self._logger.info("the membership has ended, joining again: %s", refusal)
            self._joining = who.join()
            self._journal.write([self._joining])
        elif self._is_final(refusal) and not self._is_doubt(refusal):
            self.failure = refusal
            self._journal.write(who.refuse(who.joining, refusal))
            return False
        elif self._complained is not type(refusal):  # of each reason once, until it belongs again
            self._complained = type(refusal)
            problem = "cannot reach the service" if isinstance(refusal, Unavailable) else "cannot join yet"
            if self._is_doubt(refusal):
                problem = "the service does not know this session any more, joining again"
            self._logger.warning("%s, trying until it answers: %s", problem, refusal)
        return True

    def _doubt(self, refusal: Refusal, transport: Transport | None) -> None:
        """Take the membership up again when the service tells a member that it is none: its stream may be silent."""
        if transport is None or transport is not self._transport:  # it was told over an earlier connection
            return
        if self.joined and isinstance(refusal, UnknownSession):
            self._set_joined(joined=False)
            transport.break_join(refusal)

    def _is_doubt(self, refusal: Refusal) -> bool:
        """Tell whether a member was told that it is none: joining again shows whether it is."""
        return isinstance(refusal, UnknownSession) and self._participant.last > 0

    def _is_final(self, refusal: Refusal) -> bool:
        """Tell whether a refusal ends the session. One that trusted the service once waits until it can again."""
        if isinstance(refusal, Untrusted):
            return not self._participant.last
        return isinstance(refusal, _FINAL) and not 0 < (refusal.retry_after or 0) <= LONGEST_ASKED

    async def _speak(self) -> None:
        """Publish what is said, in order: what gathers while a request is under way travels in the next one."""
        publishing: Publishing | None = None
        transport: Transport | None = None
        backoff = Backoff()
        while True:
            await self._outbox.news.wait()
            await self._joined.wait()
            batch = self._outbox.gather()
            if not batch:
                continue
            try:
                if publishing is None:
                    transport = self._connected()
                    publishing = transport.publishing()
                receipts = await publishing.publish(batch)
            except Refusal as refusal:
                publishing = None
                if not self._leaving:  # the Leave is next, and needs the connection
                    self._doubt(refusal, transport)
                if not self._outbox.refused(refusal):
                    await backoff.wait(refusal.retry_after)
            else:
                backoff.reset()
                self._outbox.receipted(receipts)

    async def _ask_to_leave(self) -> None:
        """Send the Leave until it is answered; somebody who is not known any more has left already."""
        step, number, backoff = self._participant.leave(), self._participant.number, Backoff()
        self._journal.write([step])
        while True:
            transport = self._transport
            try:
                receipt = await self._connected().leave(number, step.lamport)
            except Refusal as refusal:
                if self._is_final(refusal):
                    self._journal.write(self._participant.refuse(number, refusal))
                    self._doubt(refusal, transport)
                    return
                await backoff.wait(refusal.retry_after)
            else:
                await self._outbox.settled()
                if not self._participant.unanswered:  # receipts come in order: this one would vouch for the others
                    self._journal.write(self._participant.acknowledge([receipt]))
                return

    async def _connect(self) -> Transport:
        """Return a connection to where the service is, waiting until somebody knows that."""
        waited = 0.0
        while (address := self._locate()) is None:
            await asyncio.sleep(0.05)
            waited += 0.05
            if waited > 1.0 and self._complained is None:
                self._complained = Unavailable
                self._logger.warning("waiting for the service: nobody knows its address yet")
        _check_address(address)
        self._transport = Transport(address, self._secret, self._keepalive, self._loaded)
        return self._transport

    def _connected(self) -> Transport:
        if self._transport is None:
            raise Unavailable("not connected to the service: try again")
        return self._transport

    async def _disconnect(self) -> None:
        if self._transport is not None:
            transport, self._transport = self._transport, None
            await transport.close()

    def _set_joined(self, *, joined: bool) -> None:
        if joined == self.joined:
            return
        if joined:
            self._joined.set()
            self._complained = None
        else:
            self._joined.clear()
        if self._on_membership is not None:
            try:
                self._on_membership(joined)
            except Exception:
                self._logger.exception("on_membership failed")

    async def _end(self, reason: str) -> None:
        """End the session and its journal, once, whoever asks first."""
        try:
            await self._stop()
        finally:
            if not self._over.is_set():
                self._over.set()
                self._journal.write([steps.End(self.time, reason)])

    async def _stop(self) -> None:
        tasks = [task for task in (self._speaking, self._following) if task is not None]
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            await self._disconnect()

"""The fan-out: every event once in one window, every subscription a cursor into it.

Events leave in rounds. A round is everything new since the last one, as one bytes object that all who are
caught up write; while they do, and for as long again, the next round gathers. Who lags takes larger slices
when it is ready, first of what the window has no more, and delays nobody. Nothing is kept or done per
participant for an event.
Knows frames of bytes, not their content, and no gRPC.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from chitty.core.errors import CursorTooOld, LimitExceeded, PreconditionFailed, Refusal, TakenOver, Unavailable
from chitty.core.event import Event, Reason

PATIENCE = 0.02
"""Seconds that a round is waited for before those who still write it count as lagging."""

SHORT = 0.001
"""Seconds of a round after which nothing rests: a timer is no finer, and few were written to."""

MAX_SLICE = 1 << 17
"""Bytes of the largest slice: what one that does not read holds at most, besides gRPC's own buffers."""


class Past(Protocol):
    """Events that the window has no more.

    Attributes:
        oldest: sequence of the oldest one.
    """

    @property
    def oldest(self) -> int: ...  # noqa: D102 - see above

    async def frames(self, after: int) -> Sequence[bytes]:
        """Return events that follow `after`, at least one; raise CursorTooOld when they are not to be had."""


class Subscription:
    """A cursor of one participant's stream.

    Attributes:
        cursor: sequence of the last event that was handed over.
        joined: sequence of the join that began the membership.
        connection: which connection of the membership it serves.
        reason: why the participant is gone, if it does not come back after the stream's end.
        refusal: the status that the stream is to end with, once that is known.
    """

    def __init__(self, fanout: "Fanout", incarnation: str, joined: int, connection: int, after: int) -> None:
        self.incarnation = incarnation
        self.joined = joined
        self.connection = connection
        self.cursor = after
        self.reason = Reason.LOST
        self.refusal: Refusal | None = None
        self._fanout = fanout
        self._last: int | None = None
        self._caught_up: asyncio.Future[None] | None = None
        self._was_caught_up = False
        self._writer: asyncio.Task[object] | None = None

    @property
    def is_caught_up(self) -> bool:
        """Whether it has written everything visible and waits for more."""
        return self._caught_up is not None and not self._caught_up.done()

    @property
    def lag(self) -> int:
        """How many events it is behind, since it was caught up for the first time."""
        return self._fanout.visible - self.cursor if self._was_caught_up else 0

    def cut(self, refusal: Refusal) -> None:
        """Let the stream end now with a refusal, even in the middle of a write that does not come to its end."""
        self.finish(self.cursor, refusal)
        if self._writer is not None and not self.is_caught_up:
            self._writer.cancel()

    def finish(self, last: int, refusal: Refusal | None) -> None:
        """Let the stream end after event `last`, well or with a refusal; the first call decides."""
        if self._last is None:
            self._last, self.refusal = last, refusal
            self.wake()

    def wake(self) -> bool:
        """Tell the stream to look again; tell whether it was caught up, and so slept."""
        if self._caught_up is None or self._caught_up.done():
            return False
        self._caught_up.set_result(None)
        return True

    async def write_all(self, write: Callable[[bytes], Awaitable[None]], first: bytes) -> None:
        """Write the stream to its end: `first`, with what follows it at once, if anything does, and then slices.

        Raises:
            Refusal: the stream is to end with that status.
        """
        self._writer = asyncio.current_task()
        try:
            if self.cursor >= self._fanout.visible:
                await write(first)
                first = b""
            async for piece in self.slices():
                await write(first + piece)
                first = b""
        except asyncio.CancelledError:
            if self.refusal is not None and self._last is not None:
                raise self.refusal from None  # it was cut
            raise
        finally:
            self._writer = None

    async def slices(self) -> AsyncIterator[bytes]:
        """Yield what the stream is to write, until its end.

        Raises:
            Refusal: the stream is to end with that status.
        """
        while True:
            limit = self._fanout.visible if self._last is None else self._last
            if self.cursor < limit:
                if self.cursor + 1 < self._fanout.first:
                    piece, self.cursor = await self._fanout.past_slice(self.cursor, limit)
                else:
                    piece, self.cursor = self._fanout.slice(self.cursor, limit)
                yield piece
            elif self._last is not None:
                if self.refusal is not None:
                    raise self.refusal
                return
            else:
                self._was_caught_up = True
                self._caught_up = asyncio.get_running_loop().create_future()
                self._fanout.caught_up(self)
                await self._caught_up


class Fanout:
    """The window of events, the rounds they leave in, and who listens.

    Args:
        events: how many events the window holds at most.
        size: how many bytes it holds at most.
        past: where to find what it has no more; nothing is found unless given.

    Attributes:
        visible: sequence of the last event that may leave.
        first: sequence of the oldest event in the window.
    """

    def __init__(self, events: int, size: int, past: Past | None = None) -> None:
        self.visible = 0
        self.first = 1
        self._max_events, self._max_bytes = events, size
        self._past = past
        self._frames: list[bytes] = []
        self._bytes = 0
        self._subscriptions: dict[str, Subscription] = {}
        self._ending: set[Subscription] = set()  # of those who left, and still write what came before
        self._writing: set[Subscription] = set()
        self._next: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._rests_until = 0.0
        self._slices: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._stalled: dict[Subscription, tuple[int, float]] = {}

    def begin_after(self, sequence: int) -> None:
        """Begin with the event after `sequence`: those before are past. To be called before anything is offered."""
        self.first, self.visible = sequence + 1, sequence

    @property
    def head(self) -> int:
        """Sequence of the last event offered."""
        return self.first + len(self._frames) - 1

    def __len__(self) -> int:
        """Return how many listen."""
        return len(self._subscriptions)

    def check(self, after: int) -> None:
        """Do nothing if a subscription may begin after event `after`.

        Raises:
            PreconditionFailed: it is in the future: whoever had that event has been delivered what is lost here.
        """
        if after > self.head:
            raise PreconditionFailed(
                f"there is no event {after}: the last one is {self.head}; join anew, without an epoch", field="after"
            )

    def subscribe(self, incarnation: str, joined: int, connection: int, after: int) -> Subscription:
        """Begin to listen after event `after`, or at the join at `joined`, whichever is later.

        The caller has checked `after`. A subscription that the incarnation has already ends: the membership is
        taken over. That the events are not kept any more shows when they are to be written.
        """
        older = self._subscriptions.get(incarnation)
        if older is not None:
            older.cut(TakenOver("a newer Join of this session took the membership over"))
        subscription = Subscription(self, incarnation, joined, connection, max(after, joined - 1))
        self._subscriptions[incarnation] = subscription
        return subscription

    def unsubscribe(self, subscription: Subscription) -> bool:
        """Stop listening; tell whether this was the incarnation's subscription until now."""
        self._done_writing(subscription)
        self._ending.discard(subscription)
        if self._subscriptions.get(subscription.incarnation) is not subscription:
            return False
        del self._subscriptions[subscription.incarnation]
        return True

    def finish(self, incarnation: str, left: Event) -> None:
        """End the stream of one who left, before its own leave."""
        subscription = self._subscriptions.pop(incarnation, None)
        if subscription is not None:
            refusal = None if left.reason is Reason.ASKED else Unavailable(left.text)
            subscription.finish(left.sequence - 1, refusal)
            self._ending.add(subscription)

    def drain(self) -> None:
        """End all streams after what has been offered: the service stops."""
        for subscription in self._subscriptions.values():
            subscription.finish(self.head, Unavailable("the service is shutting down: try again"))

    def cut_stalled(self, events: int, seconds: float, now: float) -> None:
        """End the streams of those who lag by more than `events`, or took nothing for `seconds`; they may resume.

        To be called now and then: who lags is looked at here, and nowhere an event or a round at a time.
        """
        stalled: dict[Subscription, tuple[int, float]] = {}
        for subscription in (*self._subscriptions.values(), *self._ending):
            if subscription.is_caught_up:
                continue
            cursor, since = self._stalled.get(subscription, (-1, now))
            if cursor != subscription.cursor:
                cursor, since = subscription.cursor, now
            stalled[subscription] = cursor, since
            if now - since > seconds:
                self._cut(subscription, f"nothing was read for {seconds:g} s")
            elif subscription.lag > events:
                self._cut(subscription, f"it is more than {events} events behind")
        self._stalled = stalled

    def _cut(self, subscription: Subscription, why: str) -> None:
        subscription.reason = Reason.EXPELLED
        subscription.cut(
            LimitExceeded(f"the stream ends, because {why}: join again after what you have", retry_after=0.1)
        )

    def cut_all(self) -> None:
        """End what a drain could not: streams that are not read."""
        for subscription in (*self._subscriptions.values(), *self._ending):
            subscription.cut(Unavailable("the service is shutting down: try again"))

    def offer(self, frames: Sequence[bytes]) -> None:
        """Add events, next in sequence; they leave at once, or with the next round after one that is written."""
        if not frames:
            return
        self._frames.extend(frames)
        self._bytes += sum(map(len, frames))
        if not self._writing:
            self._begin_rested()
        elif self._next is None:
            self._next = asyncio.get_running_loop().call_later(PATIENCE, self._begin_round)
        self._trim()

    def caught_up(self, subscription: Subscription) -> None:
        """Note that a subscription has written everything visible, and waits to be woken."""
        self._done_writing(subscription)

    def slice(self, after: int, last: int) -> tuple[bytes, int]:
        """Return events after `after` up to `last`, or fewer if they are many, and the last one's sequence.

        All who ask for the same get the same bytes.

        Raises:
            CursorTooOld: the window does not reach back so far.
        """
        piece = self._slices.get((after, last))
        if piece is None:
            if after + 1 < self.first:
                raise self._too_old(after)
            frames = self._frames[after + 1 - self.first : last + 1 - self.first]
            piece = self._slices[after, last] = _joined(frames, after)
        return piece

    async def past_slice(self, after: int, last: int) -> tuple[bytes, int]:
        """Return what `slice` does, of events that the window has no more.

        Raises:
            CursorTooOld: the past does not reach back so far.
        """
        if self._past is None or after + 1 < self._past.oldest:
            raise self._too_old(after)
        frames = await self._past.frames(after)
        return _joined(frames[: last - after], after)

    def _begin_rested(self) -> None:
        """Begin a round, but not before as much time has passed since the last one as that took.

        A write costs the same for one event as for many. Without a rest a fan-out to many takes all the
        time there is for rounds of few events, and commands, which would make them more, wait.
        """
        loop = asyncio.get_running_loop()
        rest = self._rests_until - loop.time()
        if rest <= 0:
            self._begin_round()
        elif self._next is None:
            self._next = loop.call_later(rest, self._begin_round)

    def _begin_round(self) -> None:
        self._forget_next()
        self._began = asyncio.get_running_loop().time()
        self.visible = self.head
        self._slices.clear()
        self._writing = {subscription for subscription in self._subscriptions.values() if subscription.wake()}

    def _done_writing(self, subscription: Subscription) -> None:
        if subscription not in self._writing:
            return
        self._writing.remove(subscription)
        if self._writing:
            return
        self._forget_next()  # nobody is impatient any more
        now = asyncio.get_running_loop().time()
        took = min(now - self._began, PATIENCE)
        self._rests_until = now + took if took > SHORT else now
        if self.visible < self.head:
            self._begin_rested()

    def _forget_next(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _too_old(self, after: int) -> CursorTooOld:
        oldest = min(self.first, self._past.oldest) if self._past is not None else self.first
        return CursorTooOld(f"event {after + 1} is not kept any more: the oldest one is {oldest}; join anew")

    def _trim(self) -> None:
        """Forget the oldest events, an eighth of the window at a time, when it is over its bounds."""
        while len(self._frames) > self._max_events or self._bytes > self._max_bytes:
            oldest = self._frames[: max(1, len(self._frames) // 8)]
            del self._frames[: len(oldest)]
            self._bytes -= sum(map(len, oldest))
            self.first += len(oldest)


def _joined(frames: Sequence[bytes], after: int) -> tuple[bytes, int]:
    """Return frames as one slice, at least one of them, and the sequence of the last one in it."""
    size = 0
    for count, frame in enumerate(frames, 1):  # noqa: B007 - the count at the break is what is sought
        size += len(frame)
        if size > MAX_SLICE:
            break
    return b"".join(frames[:count]), after + count

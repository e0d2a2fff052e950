"""The fan-out: every event once in one window, every subscription a cursor into it.

Events leave in rounds. A round is everything new since the last one, as one bytes object that all who are
caught up write; while they do, the next round gathers. Who lags takes larger slices when it is ready, and
delays nobody. Nothing is kept or done per participant for an event. Knows frames of bytes, not their
content, and no gRPC.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from chitty.core.errors import CursorTooOld, InvalidArgument, Refusal, TakenOver, Unavailable
from chitty.core.event import Event, Reason

PATIENCE = 0.02
"""Seconds that a round is waited for before those who still write it count as lagging."""

MAX_SLICE = 1 << 20
"""Bytes of the largest slice; a receiver takes 4 MB by default."""


class Subscription:
    """A cursor of one participant's stream.

    Attributes:
        cursor: sequence of the last event that was handed over.
        joined: sequence of the join that began the membership.
    """

    def __init__(self, fanout: "Fanout", incarnation: str, joined: int, after: int) -> None:
        self.incarnation = incarnation
        self.joined = joined
        self.cursor = after
        self._fanout = fanout
        self._last: int | None = None
        self._refusal: Refusal | None = None
        self._caught_up: asyncio.Future[None] | None = None

    def finish(self, last: int, refusal: Refusal | None) -> None:
        """Let the stream end after event `last`, well or with a refusal; the first call decides."""
        if self._last is None:
            self._last, self._refusal = last, refusal
            self.wake()

    def wake(self) -> bool:
        """Tell the stream to look again; tell whether it was caught up, and so slept."""
        if self._caught_up is None or self._caught_up.done():
            return False
        self._caught_up.set_result(None)
        return True

    async def slices(self) -> AsyncIterator[bytes]:
        """Yield what the stream is to write, until its end.

        Raises:
            Refusal: the stream is to end with that status.
        """
        while True:
            limit = self._fanout.visible if self._last is None else self._last
            if self.cursor < limit:
                piece, self.cursor = self._fanout.slice(self.cursor, limit)
                yield piece
            elif self._last is not None:
                if self._refusal is not None:
                    raise self._refusal
                return
            else:
                self._caught_up = asyncio.get_running_loop().create_future()
                self._fanout.caught_up(self)
                await self._caught_up


class Fanout:
    """The window of events, the rounds they leave in, and who listens.

    Args:
        events: how many events the window holds at most.
        size: how many bytes it holds at most.
    """

    def __init__(self, events: int, size: int) -> None:
        self.visible = 0
        self._max_events, self._max_bytes = events, size
        self._frames: list[bytes] = []
        self._first = 1
        self._bytes = 0
        self._subscriptions: dict[str, Subscription] = {}
        self._writing: set[Subscription] = set()
        self._impatience: asyncio.TimerHandle | None = None
        self._slices: dict[tuple[int, int], tuple[bytes, int]] = {}

    @property
    def head(self) -> int:
        """Sequence of the last event offered."""
        return self._first + len(self._frames) - 1

    def __len__(self) -> int:
        """Return how many listen."""
        return len(self._subscriptions)

    def subscribe(self, incarnation: str, joined: int, after: int) -> Subscription:
        """Begin to listen after event `after`, or at the join at `joined`, whichever is later.

        A subscription that the incarnation has already ends: the membership is taken over.

        Raises:
            InvalidArgument: `after` is in the future.
            CursorTooOld: the window does not reach back so far.
        """
        if after > self.head:
            raise InvalidArgument(f"there is no event {after} yet: the last one is {self.head}", field="after")
        after = max(after, joined - 1)
        self._require(after)
        older = self._subscriptions.get(incarnation)
        if older is not None:
            older.finish(older.cursor, TakenOver("a newer Join of this session took the membership over"))
        subscription = Subscription(self, incarnation, joined, after)
        self._subscriptions[incarnation] = subscription
        return subscription

    def unsubscribe(self, subscription: Subscription) -> bool:
        """Stop listening; tell whether this was the incarnation's subscription until now."""
        self._done_writing(subscription)
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

    def drain(self) -> None:
        """End all streams after what has been offered: the service stops."""
        for subscription in self._subscriptions.values():
            subscription.finish(self.head, Unavailable("the service is shutting down: try again"))

    def offer(self, frames: Sequence[bytes]) -> None:
        """Add events, next in sequence; they leave at once, or with the next round while one is written."""
        if not frames:
            return
        self._frames.extend(frames)
        self._bytes += sum(map(len, frames))
        if not self._writing:
            self._begin_round()
        elif self._impatience is None:
            self._impatience = asyncio.get_running_loop().call_later(PATIENCE, self._begin_round)
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
            self._require(after)
            frames, size = self._frames[after + 1 - self._first : last + 1 - self._first], 0
            for count, frame in enumerate(frames, 1):  # noqa: B007 - the count at the break is what is sought
                size += len(frame)
                if size > MAX_SLICE:
                    break
            piece = self._slices[after, last] = b"".join(frames[:count]), after + count
        return piece

    def _begin_round(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None
        self.visible = self.head
        self._slices.clear()
        self._writing = {subscription for subscription in self._subscriptions.values() if subscription.wake()}

    def _done_writing(self, subscription: Subscription) -> None:
        if subscription in self._writing:
            self._writing.remove(subscription)
            if not self._writing and self.visible < self.head:
                self._begin_round()

    def _require(self, after: int) -> None:
        if after + 1 < self._first:
            raise CursorTooOld(f"event {after + 1} is not kept any more: the oldest one is {self._first}; join anew")

    def _trim(self) -> None:
        """Forget the oldest events, an eighth of the window at a time, when it is over its bounds."""
        while len(self._frames) > self._max_events or self._bytes > self._max_bytes:
            oldest = self._frames[: max(1, len(self._frames) // 8)]
            del self._frames[: len(oldest)]
            self._bytes -= sum(map(len, oldest))
            self._first += len(oldest)

"""Events on their way from the stream to the iterator. Knows neither of the two.

Putting events in never waits: the task that reads the stream must notice its end whatever the iterator does. So
what does not fit is dropped, and the iterator is told about the gap.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from chitty.core.errors import EventsDropped
from chitty.core.event import Event

CAPACITY = 10_000
"""Events that wait for the iterator; while so many wait, newer ones are dropped once they are logged."""


class Inbox:
    """Events in the total order, up to the first gap; what comes after a gap follows once that has been told.

    Attributes:
        wanted: whether events are kept at all.
    """

    def __init__(self, logger: logging.Logger, *, wanted: bool) -> None:
        self._logger = logger
        self.wanted = wanted
        self._waiting: deque[Event] = deque()
        self._dropped = 0
        self._warned = False
        self._closed = False
        self._changed = asyncio.Event()

    def put(self, events: Sequence[Event]) -> None:
        """Keep events that arrived together for the iterator, if there is room."""
        if not self.wanted or not events:
            return
        if self._dropped or len(self._waiting) >= CAPACITY:
            self._dropped += len(events)
        else:
            self._waiting.extend(events)
        self._changed.set()
        if self._dropped and not self._warned:
            self._warned = True
            self._logger.warning(
                "%d events wait and are not taken: newer ones are logged, but dropped; iterate over the session, or"
                " call drop_events() or join with events=False if you need no events",
                CAPACITY,
            )

    def drop(self) -> None:
        """Keep nothing from now on."""
        self.wanted = False
        self._waiting.clear()
        self._changed.set()

    def close(self) -> None:
        """Let the iterator end after what it has not taken yet."""
        self._closed = True
        self._changed.set()

    async def take(self) -> Event | None:
        """Wait for the next event and return it; None when there will be no more.

        Raises:
            EventsDropped: no events are kept; or, once for each gap, here are some missing.
        """
        while self.wanted and not self._waiting and not self._dropped and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        if not self.wanted:
            raise EventsDropped("no events are kept for this session: it called drop_events() or has events=False")
        if self._waiting:
            return self._waiting.popleft()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            raise EventsDropped(
                f"{dropped} events are missing here: {CAPACITY} waited and nobody took them; iterate faster, or iterate"
                " again to continue after them"
            )
        return None

"""Events that the window has no more, made anew from the ordered log.

Only commands and snapshots are stored: what they meant is applied again, from the snapshot before on, to a
hub of its own. It is read in chapters of many events, and the last ones are kept, because those who lag or
resume together read the same. Knows no subscription.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from chitty.core.errors import CursorTooOld, StorageFailed
from chitty.core.hub import Hub
from chitty.sequencer import Sequencer
from chitty.server import snapshots
from chitty.wire import convert

_CHAPTER = 20_000
"""Events of a chapter, about: a chapter ends with the batch that makes them so many."""

_KEPT = 2
"""Chapters that are kept: some MB each."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """Events that follow one another, encoded.

    Attributes:
        first: sequence of the first one.
    """

    first: int
    frames: list[bytes]

    @property
    def last(self) -> int:
        """Sequence of the last event in it."""
        return self.first + len(self.frames) - 1


class History:
    """The past, for cursors that are before the window."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._chapters: OrderedDict[int, Chapter] = OrderedDict()
        self._reading = asyncio.Lock()

    @property
    def oldest(self) -> int:
        """Sequence of the oldest event that can be read."""
        return self._sequencer.oldest()

    async def frames(self, after: int) -> list[bytes]:
        """Return events from `after` on, at least one of them, as many as are at hand.

        Raises:
            CursorTooOld: they are not kept any more, or cannot be read.
        """
        async with self._reading:  # one at a time: who asks for the same chapter then finds it
            chapter = next((kept for kept in self._chapters.values() if kept.first <= after + 1 <= kept.last), None)
            if chapter is None:
                try:
                    chapter = await asyncio.to_thread(self._read, after)
                except StorageFailed as failure:
                    raise CursorTooOld(f"event {after + 1} cannot be read: {failure}; join anew") from None
                self._chapters[chapter.first] = chapter
                while len(self._chapters) > _KEPT:
                    self._chapters.popitem(last=False)
        if not chapter.first <= after + 1 <= chapter.last:
            raise CursorTooOld(f"event {after + 1} is not kept any more: the oldest one is {self.oldest}; join anew")
        return chapter.frames[after + 1 - chapter.first :]

    def _read(self, after: int) -> Chapter:
        """Apply the log from the snapshot before on, until the event after `after` is among many."""
        snapshot = self._sequencer.before(after)
        hub = Hub.restore(snapshots.decode(snapshot.state)) if snapshot is not None else Hub()
        chapter = Chapter(hub.sequence + 1, [])
        for batch in self._sequencer.read(snapshot.position if snapshot is not None else 0):
            for command in batch.commands:
                chapter.frames.extend(convert.frame(event) for event in hub.apply(command).events)
            if chapter.last > after and len(chapter.frames) >= _CHAPTER:
                break
        if chapter.first < self.oldest:  # what was to be applied in between may have been forgotten meanwhile
            return Chapter(chapter.first, [])
        return chapter

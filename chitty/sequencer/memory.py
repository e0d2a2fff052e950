"""An ordered log in memory: it, and its epoch, end with the process."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence

from chitty.core.event import Command
from chitty.sequencer import Batch, Snapshot


def new_epoch() -> str:
    """Return the random id of a new ordered log."""
    return secrets.token_hex(4)


class MemorySequencer:
    """The order in which commands are appended is the total order; a batch is kept until it is read."""

    def __init__(self) -> None:
        self.epoch = new_epoch()
        self.last = self.written = 0
        self._position = 0
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue()

    async def append(self, commands: Sequence[Command]) -> None:
        """Commit a batch."""
        self._position += len(commands)
        self._batches.put_nowait(Batch(self._position, tuple(commands)))

    async def committed(self) -> AsyncIterator[Batch]:
        """Yield batches as they are committed, until the log is closed."""
        while (batch := await self._batches.get()) is not None:
            yield batch

    def read(self, after: int) -> Iterator[Batch]:  # noqa: ARG002 - nothing is kept, wherever one begins
        """Yield nothing: what was read is not kept."""
        return iter(())

    def latest(self, upto: int) -> Snapshot | None:  # noqa: ARG002
        """Return no snapshot: there is none."""
        return None

    def before(self, sequence: int) -> Snapshot | None:  # noqa: ARG002
        """Return no snapshot: there is none."""
        return None

    def oldest(self) -> int:
        """Return a sequence that no event has: nothing can be read."""
        return 2**64

    def note_written(self, position: int) -> None:
        """Do nothing: nobody goes on with this log."""

    async def keep(self, snapshot: Snapshot) -> None:
        """Do nothing: nobody goes on with this log."""

    def finish(self) -> None:
        """End `committed` after what is in it."""
        self._batches.put_nowait(None)

    async def close(self) -> None:
        """Do nothing: there is nothing to give free."""

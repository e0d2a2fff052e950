"""An ordered log in memory: it, and its epoch, end with the process."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence

from chitty.core.event import Command
from chitty.sequencer import Batch


def new_epoch() -> str:
    """Return the random id of a new ordered log."""
    return secrets.token_hex(4)


class MemorySequencer:
    """The order in which commands are appended is the total order; a batch is kept until it is read."""

    def __init__(self) -> None:
        self.epoch = new_epoch()
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue()

    async def append(self, commands: Sequence[Command]) -> None:
        """Commit a batch."""
        self._batches.put_nowait(Batch(tuple(commands)))

    async def committed(self) -> AsyncIterator[Batch]:
        """Yield batches as they are committed, until the log is closed."""
        while (batch := await self._batches.get()) is not None:
            yield batch

    async def close(self) -> None:
        """End `committed` after what is in it."""
        self._batches.put_nowait(None)

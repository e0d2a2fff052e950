"""The ordered log of commands: one total order, whatever keeps it.

Nothing above this package knows which kind of log it is, and nothing in it knows what a command means.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chitty.core.event import Command


@dataclass(frozen=True, slots=True)
class Batch:
    """Commands that were committed together, next in the total order.

    Attributes:
        position: of the last of them in the log; positions count commands, from 1.
        own: whether they were appended here; own batches come back in the order of their appending.
    """

    position: int
    commands: tuple[Command, ...]
    own: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What came of a log up to a position, so that nobody has to apply all of it again.

    Attributes:
        position: of the last command that is in it.
        sequence: of the last event that is in it.
        state: whatever applies the log needs to go on from there; opaque here.
    """

    position: int
    sequence: int
    state: bytes


class Sequencer(Protocol):
    """An ordered log of commands.

    What `read`, `latest` and `before` do may take its time, and may be done in any thread. All raise
    StorageFailed when what keeps the log cannot be used.

    Attributes:
        epoch: a random id, made with the log: sequence numbers and order are per epoch.
        last: position of the last command that was in the log when it was opened, 0 when it was empty.
        written: position up to which whoever applied the log had written about it, as far as is known.
    """

    epoch: str
    last: int
    written: int

    async def append(self, commands: Sequence[Command]) -> None:
        """Commit commands, all or none, as one batch; return when they are as durable as this log makes them.

        Raises:
            StorageFailed: none of them is in the log, and a later attempt may succeed.
        """

    def committed(self) -> AsyncIterator[Batch]:
        """Yield every batch after `last`, in the one total order; for one reader."""

    def read(self, after: int) -> Iterator[Batch]:
        """Yield the batches after a position that is a snapshot's, or 0, as far as they are committed."""

    def latest(self, upto: int) -> Snapshot | None:
        """Return the last snapshot at or before a position."""

    def before(self, sequence: int) -> Snapshot | None:
        """Return the last snapshot that holds no event after `sequence`."""

    def oldest(self) -> int:
        """Return the sequence of the oldest event that `read` can give, from its first position on."""

    def note_written(self, position: int) -> None:
        """Let the log know, with its next commit, that its commands up to here have been written about."""

    async def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and forget what retention does not ask for."""

    def finish(self) -> None:
        """Let the reader come to the end of what was committed: nothing is appended any more."""

    async def close(self) -> None:
        """Give free what keeps the log. To be called once the reader has come to its end."""

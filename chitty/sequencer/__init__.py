"""The ordered log of commands: one total order, whatever keeps it.

Nothing above this package knows which kind of log it is.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chitty.core.event import Command


@dataclass(frozen=True, slots=True)
class Batch:
    """Commands that were committed together, next in the total order.

    Attributes:
        own: whether they were appended here; own batches come back in the order of their appending.
    """

    commands: tuple[Command, ...]
    own: bool = True


class Sequencer(Protocol):
    """An ordered log of commands.

    Attributes:
        epoch: a random id, made with the log: sequence numbers and order are per epoch.
    """

    epoch: str

    async def append(self, commands: Sequence[Command]) -> None:
        """Commit commands, all or none, as one batch; return when they are as durable as this log makes them."""

    def committed(self) -> AsyncIterator[Batch]:
        """Yield every batch from the log's beginning, in the one total order; for one reader."""

    async def close(self) -> None:
        """Let the reader come to the end of what was committed, and stop."""

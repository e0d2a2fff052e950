"""Who belongs but is not connected: each has a time of grace to come back in, unnoticed by the others.

A broken connection is transport, no event; only an absence that ends without a return becomes one. Knows
no call and no hub: it is told of breaks and returns, and tells who is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chitty.core.event import Reason


@dataclass(frozen=True, slots=True)
class Absence:
    """One member without a connection.

    Attributes:
        joined: sequence at which its membership began.
        connection: which of its connections broke.
        reason: what its leave will say, if it does not come back.
    """

    incarnation: str
    joined: int
    connection: int
    reason: Reason = Reason.LOST


class Absences:
    """Absences, and their timers.

    Args:
        grace: seconds that an absence may last.
        gone: called when one has lasted so long; the member counts as absent until that is done.
    """

    def __init__(self, grace: float, gone: Callable[[Absence], Awaitable[None]]) -> None:
        self._grace = grace
        self._gone = gone
        self._tasks: dict[str, tuple[Absence, float, asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        """Return how many are absent."""
        return len(self._tasks)

    def begin(self, absence: Absence, *, forever: bool = False) -> None:
        """Note that a member's connection broke; one that cannot come back is gone at once."""
        self.end(absence.incarnation)
        until = asyncio.get_running_loop().time() + (0.0 if forever else self._grace)
        task = asyncio.create_task(self._wait(absence, until), name=f"absence of {absence.incarnation}")
        self._tasks[absence.incarnation] = absence, until, task

    def end(self, incarnation: str) -> None:
        """Note that a member is back, or has left."""
        _, _, task = self._tasks.pop(incarnation, (None, None, None))
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def remaining(self, incarnation: str) -> float | None:
        """Return the seconds after which an absent member is gone, None for one that is not absent."""
        _, until, _ = self._tasks.get(incarnation, (None, None, None))
        return None if until is None else max(0.1, until - asyncio.get_running_loop().time())

    def close(self) -> None:
        """Forget all: a service that stops announces nobody."""
        for incarnation in list(self._tasks):
            self.end(incarnation)

    async def _wait(self, absence: Absence, until: float) -> None:
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        await self._gone(absence)
        if self._tasks.get(absence.incarnation, (None,))[0] is absence:
            del self._tasks[absence.incarnation]

"""How long tests wait: one mechanism, so that no test fails because the machine is busy, and none sleeps and hopes.

Whatever must become true is waited for with `eventually`, and whatever must end (a process, a call, a task) with
`PATIENCE` as its timeout. Both return as soon as it happens, so a long bound costs time only when a test fails.
A bound is never an assertion: what must be quick is shown by what caused it, not by a clock.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds to wait for what takes less than one, or a few, on a machine that does nothing else."""

_PAUSE = 0.01


def eventually(
    condition: Callable[[], T], within: float = PATIENCE, *, progress: Callable[[], object] = lambda: None
) -> T:
    """Call `condition` until what it returns is true, and return that.

    Args:
        within: seconds without progress after which to give up; less than PATIENCE counts as PATIENCE.
        progress: anything that changes while work is being done; each change extends the deadline.

    Raises:
        AssertionError: it did not become true; the text has what it returned last.
    """
    waiting = _Waiting(condition, within, progress)
    while not (last := condition()):
        waiting.check(last)
        time.sleep(_PAUSE)
    return last


async def eventually_async(
    condition: Callable[[], T], within: float = PATIENCE, *, progress: Callable[[], object] = lambda: None
) -> T:
    """Do what `eventually` does, and let the event loop run meanwhile."""
    waiting = _Waiting(condition, within, progress)
    while not (last := condition()):
        waiting.check(last)
        await asyncio.sleep(_PAUSE)
    return last


class _Waiting:
    """A deadline that each sign of progress extends."""

    def __init__(self, condition: Callable[[], object], within: float, progress: Callable[[], object]) -> None:
        self._condition = condition
        self._within = max(within, PATIENCE)
        self._progress = progress
        self._seen = progress()
        self._deadline = time.monotonic() + self._within

    def check(self, last: object) -> None:
        """Raise an error if the deadline has passed without progress."""
        if time.monotonic() <= self._deadline:
            return
        seen, before = self._progress(), self._seen
        if seen == before:
            where = getattr(self._condition, "__code__", self._condition)
            raise AssertionError(
                f"not true, and no progress, for {self._within:g} s: {where} returned {last!r} last, progress {seen!r}"
            )
        self._seen, self._deadline = seen, time.monotonic() + self._within

"""Waiting for what becomes true, with a deadline: no test sleeps and hopes."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.01


def eventually(condition: Callable[[], T], within: float = 10.0) -> T:
    """Call `condition` until what it returns is true, and return that.

    Raises:
        AssertionError: it did not become true within so many seconds; what it said last is in the text.
    """
    deadline = time.monotonic() + within
    while not (said := condition()):
        if time.monotonic() > deadline:
            raise _too_late(condition, within, said)
        time.sleep(_PAUSE)
    return said


async def eventually_async(condition: Callable[[], T], within: float = 10.0) -> T:
    """Do as `eventually`, and let the event loop run meanwhile."""
    deadline = time.monotonic() + within
    while not (said := condition()):
        if time.monotonic() > deadline:
            raise _too_late(condition, within, said)
        await asyncio.sleep(_PAUSE)
    return said


def _too_late(condition: Callable[[], object], within: float, said: object) -> AssertionError:
    where = condition.__code__ if hasattr(condition, "__code__") else condition
    return AssertionError(f"not true within {within} s: {where} said {said!r} last")

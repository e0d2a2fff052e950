"""Delays between attempts. Knows nothing of what is attempted."""

import asyncio
import random

FIRST, GROWTH, LONGEST = 0.1, 1.6, 1.5
"""Seconds before the second attempt, how they grow, and where that ends: within the grace of a restarted service."""

LONGEST_ASKED = 10.0
"""Seconds that a service may ask one to wait; who is to wait for longer is told so, as one that is refused."""


class Backoff:
    """Delays that grow from attempt to attempt, with some chance in them so that a crowd does not march."""

    def __init__(self) -> None:
        self._next = FIRST

    def reset(self) -> None:
        """Begin anew: an attempt succeeded."""
        self._next = FIRST

    async def wait(self, least: float | None = None) -> None:
        """Wait before the next attempt, at least `least` seconds if somebody asked for that, within reason."""
        await asyncio.sleep(max(min(least or 0.0, LONGEST_ASKED), self._next * random.uniform(0.8, 1.2)))  # noqa: S311 - no secret
        self._next = min(LONGEST, self._next * GROWTH)

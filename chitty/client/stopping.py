"""Signals that let a participant leave. Knows nothing of what leaves."""

import asyncio
import contextlib
from collections.abc import Coroutine
from signal import Signals
from typing import Any


async def until_stopped(living: Coroutine[Any, Any, None], *signals: Signals) -> None:
    """Run `living` to its end; the first of `signals` cancels it, so that it leaves. More do not hurry it."""
    running = asyncio.ensure_future(living)

    def stop() -> None:
        if not running.cancelling():
            running.cancel()

    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await running

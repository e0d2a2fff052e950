"""Signals that end what runs in an event loop, even one that waits for a reader. Knows nothing of what ends."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from chitty import streams


@contextlib.contextmanager
def stopping(stop: Callable[[], object], *signals: signal.Signals) -> Iterator[None]:
    """Let each of `signals` call `stop` in the running loop. For the main thread only.

    The loop's own handlers would not do: a loop that waits for somebody to read what it prints calls none.
    """
    loop = asyncio.get_running_loop()

    def take(_number: int, _frame: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(stop)
        streams.interrupt()

    former = {number: signal.signal(number, take) for number in signals}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)


async def until_stopped(living: Coroutine[Any, Any, None], *signals: signal.Signals) -> None:
    """Run `living` to its end; the first of `signals` cancels it, so that it leaves. More do not hurry it."""
    running = asyncio.ensure_future(living)

    def stop() -> None:
        if not running.cancelling():
            running.cancel()

    with stopping(stop, *signals), contextlib.suppress(asyncio.CancelledError):
        await running

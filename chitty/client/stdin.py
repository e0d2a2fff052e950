"""Lines of standard input for an event loop. Knows nothing of what is done with them."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator

AHEAD = 1_000
"""Lines that are read before anybody wants them; then reading waits, and so does whoever writes."""


async def read_lines() -> AsyncIterator[bytes]:
    """Yield each line without its newline, until the end of the input.

    A thread reads, because a loop can wait for a pipe and a terminal, but not for a file.
    """
    lines: asyncio.Queue[bytes | None] = asyncio.Queue(AHEAD)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read, args=(loop, lines), name="input", daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line


def _read(loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[bytes | None]") -> None:
    rest = b""
    try:
        # not sys.stdin, whose lock a thread that still reads would hold at the interpreter's end
        while piece := os.read(0, 65_536):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()
        if rest:
            asyncio.run_coroutine_threadsafe(lines.put(rest), loop).result()
        asyncio.run_coroutine_threadsafe(lines.put(None), loop).result()
    except (OSError, RuntimeError):  # there is no input, or the loop has ended
        return

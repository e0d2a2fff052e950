"""Lines of standard input for an event loop. Knows nothing of what is done with them."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError

AHEAD = 16
"""Pieces that are read before anybody wants them; then reading waits, and so does whoever writes."""

_PIECE = 65_536  # bytes


async def read_lines() -> AsyncIterator[bytes]:
    """Yield each line without its newline, until the end of the input."""
    async for piece in read_pieces():
        for line in piece:
            yield line


async def read_pieces() -> AsyncIterator[list[bytes]]:
    """Yield the lines that came together, without their newlines, until the end of the input.

    A thread reads, because a loop can wait for a pipe and a terminal, but not for a file.
    """
    pieces: asyncio.Queue[list[bytes] | None] = asyncio.Queue(AHEAD)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read, args=(loop, pieces), name="input", daemon=True).start()
    while (piece := await pieces.get()) is not None:
        yield piece


def _read(loop: asyncio.AbstractEventLoop, pieces: "asyncio.Queue[list[bytes] | None]") -> None:
    def put(piece: list[bytes] | None) -> None:
        asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()

    rest = b""
    try:
        # not sys.stdin, whose lock a thread that still reads would hold at the interpreter's end
        while piece := os.read(0, _PIECE):
            *whole, rest = (rest + piece).split(b"\n")
            if whole:
                put(whole)
        if rest:
            put([rest])
        put(None)
    except (OSError, RuntimeError, CancelledError):  # there is no input, or the loop has ended, maybe meanwhile
        return

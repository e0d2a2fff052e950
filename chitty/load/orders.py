"""How a load process is told what to do: a JSON object a line on standard input, one a line for its answer.

Knows no system that is loaded. Times are seconds of CLOCK_MONOTONIC, which all processes share.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

Order = dict[str, Any]

_LONGEST = 1 << 20  # bytes of an order: it names a thousand participants


async def orders() -> AsyncIterator[Order]:
    """Yield each order, until standard input ends."""
    reader = asyncio.StreamReader(limit=_LONGEST)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


def answer(**told: Any) -> None:
    """Answer an order."""
    sys.stdout.write(json.dumps(told, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def until(moment: float) -> float:
    """Wait until a moment, and return when it really was: a loop that is full wakes late."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
    return time.monotonic()

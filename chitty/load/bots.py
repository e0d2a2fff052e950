"""The bot of participants under load: silent until somebody says so, and then as fast as receipts come.

`bench SECONDS PUBLISHERS OUTSTANDING`, said in the chat, lets those of the first PUBLISHERS numbers speak for so
long, each with so many messages outstanding. Participants are called by a letter and a number: p1, p2, ...
"""

import asyncio
import time
from typing import TYPE_CHECKING

from chitty.load import message

if TYPE_CHECKING:  # the bench imports this for its order, and speaks no gRPC
    from chitty.client.session import Session

START = "bench "


async def talker(me: "Session") -> None:
    """Wait for orders, and carry them out."""
    number = int(me.name.lstrip("p"))
    speaking: set[asyncio.Task[None]] = set()
    async for event in me:
        if not event.text.startswith(START):
            continue
        match event.text.split():
            case [_, seconds, publishers, outstanding] if number <= int(publishers):
                end = time.monotonic() + float(seconds)
                speaking = {asyncio.create_task(_speak(me, end)) for _ in range(int(outstanding))}
    del speaking  # held until here, because a loop does not keep its tasks


async def _speak(me: "Session", end: float) -> None:
    while time.monotonic() < end:
        await me.publish(message.text())

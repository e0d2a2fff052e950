"""Participants through the library, in one process: `python -m chitty.load.library ADDRESS`.

Its orders, by `do`:
    join    count: let so many join at once, and tell the seconds until all have
    leave   let all leave
"""

import asyncio
import io
import logging
import sys
import time
from typing import Any

from chitty.client.session import Session, join
from chitty.load.orders import Order, answer, orders


class Library:
    """Carries orders out."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._sessions: list[Session] = []

    async def obey(self, order: Order) -> dict[str, Any]:
        """Carry an order out, and return what is to be answered."""
        if order["do"] == "join":
            names = [f"p{number}" for number in range(1, order["count"] + 1)]
            self._sessions = [join(name, self._address, events=False) for name in names]
            began = time.monotonic()
            await asyncio.gather(*(session.__aenter__() for session in self._sessions))
            return {"seconds": time.monotonic() - began}
        await asyncio.gather(*(session.leave() for session in self._sessions))
        return {}


class _Nowhere(io.StringIO):
    """Takes what is logged, and forgets it."""

    def write(self, text: str) -> int:
        return len(text)


async def main(address: str) -> None:
    """Carry orders out until standard input ends."""
    logging.basicConfig(level=logging.INFO, stream=_Nowhere(), format="%(asctime)s %(levelname)s %(message)s")
    library = Library(address)
    async for order in orders():
        answer(**await library.obey(order))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

"""A load process, `python -m chitty.load SYSTEM ADDRESS DECODING`: subscribers, publishers, or both.

Its orders, by `do`:
    subscribe   names, sessions: let them belong, in this order of time
    speakers    names, sessions: be ready to publish as they
    decode      as: `protobuf` or `bytes`, from now on
    load        publishers, outstanding, rate, begin, end: publish from now until `end`, and tell what was
                published between `begin` and `end`; with a rate so many messages a second are published,
                whatever comes back, else each publisher keeps so many outstanding
    count       begin, end: tell what was delivered between these moments
    publish     count: publish so many messages as the first speaker, and tell the sequence of the last
    settle      quiet: tell when nothing has been delivered for so many seconds
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from chitty.load.orders import Order, answer, orders, until
from chitty.load.systems import SYSTEMS, System, Voice, in_parts
from chitty.load.tally import Account

_JOINS_AT_ONCE = 250
_TOGETHER = 500  # messages of a request, where only their number matters
_LOOK = 0.02  # seconds between two looks at whether all is quiet


class Load:
    """What one process does; an order at a time."""

    def __init__(self, system: System, account: Account) -> None:
        self._system = system
        self._account = account
        self._voices: list[Voice] = []
        self._published = 0
        self._late = 0.0
        self._orders: dict[str, Callable[[Order], Awaitable[dict[str, Any]]]] = {
            "subscribe": self._subscribe,
            "speakers": self._speakers,
            "decode": self._decode,
            "load": self._load,
            "count": self._count,
            "publish": self._publish,
            "settle": self._settle,
        }

    async def obey(self, order: Order) -> dict[str, Any]:
        """Carry an order out, and return what is to be answered."""
        return await self._orders[order["do"]](order)

    async def _subscribe(self, order: Order) -> dict[str, Any]:
        began = time.monotonic()
        who = zip(order["names"], order["sessions"], strict=True)
        await in_parts([self._system.subscribe(name, session) for name, session in who], _JOINS_AT_ONCE)
        return {"seconds": time.monotonic() - began}

    async def _speakers(self, order: Order) -> dict[str, Any]:
        who = zip(order["names"], order["sessions"], strict=True)
        self._voices = [await self._system.speaker(name, session) for name, session in who]
        return {}

    async def _decode(self, order: Order) -> dict[str, Any]:
        self._system.decode(order["as"])
        return {}

    async def _load(self, order: Order) -> dict[str, Any]:
        voices, end = self._voices[: order["publishers"]], order["end"]
        speaking = asyncio.ensure_future(
            self._at_rate(voices, order["rate"], end)
            if order["rate"]
            else self._outstanding(voices, order["outstanding"], end)
        )
        began = await until(order["begin"])
        before, self._late = self._published, 0.0
        ended = await until(end)
        published = self._published - before
        await speaking
        return {"published": published, "seconds": ended - began, "late": self._late}

    async def _outstanding(self, voices: Sequence[Voice], outstanding: int, end: float) -> None:
        lanes = [
            self._lane(voice, outstanding if voice.together else 1, end)
            for voice in voices
            for _ in range(1 if voice.together else outstanding)
        ]
        await asyncio.gather(*lanes)

    async def _lane(self, voice: Voice, count: int, end: float) -> None:
        while time.monotonic() < end:
            await voice.say(count)
            self._published += count

    async def _at_rate(self, voices: Sequence[Voice], rate: float, end: float) -> None:
        began, voice = time.monotonic(), itertools.cycle(voices)
        for number in itertools.count():
            due = began + number / rate
            if due >= end:
                return
            self._late = max(self._late, await until(due) - due)
            await next(voice).tell()
            self._published += 1

    async def _count(self, order: Order) -> dict[str, Any]:
        began = await until(order["begin"])
        self._account.close()
        ended = await until(order["end"])
        return {"seconds": ended - began, **self._account.close().facts()}

    async def _publish(self, order: Order) -> dict[str, Any]:
        voice, left = self._voices[0], order["count"]
        while left > 0:
            await voice.say(min(left, _TOGETHER))
            left -= _TOGETHER
        return {"sequence": voice.sequence}

    async def _settle(self, order: Order) -> dict[str, Any]:
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < order["quiet"]:
            if seen != self._account.now.pieces:
                seen, since = self._account.now.pieces, time.monotonic()
            await asyncio.sleep(_LOOK)
        return {}


async def main(system: str, address: str, decoding: str) -> None:
    """Carry orders out until standard input ends."""
    account = Account()
    load = Load(SYSTEMS[system](address, account, decoding), account)
    async for order in orders():
        try:
            answer(**await load.obey(order))
        except Exception as error:  # noqa: BLE001 - who gave the order is to know, whatever it was
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

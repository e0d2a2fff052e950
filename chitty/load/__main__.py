"""A load process, `python -m chitty.load SYSTEM ADDRESS DECODING`: subscribers, publishers, or both.

Its orders, by `do`:
    subscribe   names, sessions: let them belong, in this order of time
    speakers    names, sessions: be ready to publish as they
    decode      as: `protobuf` or `bytes`, from now on
    load        publishers, outstanding, rate, seconds: publish for so long, and tell how much and since when; with a
                rate so many messages a second, whatever comes back, else each publisher keeps so many outstanding
    begin       count deliveries from now on
    finish      published, patience: tell what was delivered, once everybody has been delivered so many messages,
                or nothing has come for so many seconds
    publish     count: publish so many messages as the first speaker, and tell the sequence of the last
    settle      patience: tell when nothing has been delivered for so many seconds
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

_JOINS_AT_ONCE = 100
_TOGETHER = 500  # messages of a request, where only their number matters
_LOOK = 0.02  # seconds between two looks at whether all is quiet


class Load:
    """What one process does; an order at a time."""

    def __init__(self, system: System, account: Account) -> None:
        self._system = system
        self._account = account
        self._voices: list[Voice] = []
        self._subscribed = 0
        self._published = 0
        self._late = 0.0
        self._orders: dict[str, Callable[[Order], Awaitable[dict[str, Any]]]] = {
            "subscribe": self._subscribe,
            "speakers": self._speakers,
            "decode": self._decode,
            "load": self._load,
            "begin": self._begin,
            "finish": self._finish,
            "publish": self._publish,
            "settle": self._settle,
        }

    async def obey(self, order: Order) -> dict[str, Any]:
        """Carry an order out, and return what is to be answered."""
        return await self._orders[order["do"]](order)

    async def _subscribe(self, order: Order) -> dict[str, Any]:
        began = time.monotonic()
        who = zip(order["names"], order["sessions"], strict=True)
        self._subscribed += len(order["names"])
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
        voices, began = self._voices[: order["publishers"]], time.monotonic()
        self._published, self._late, end = 0, 0.0, began + order["seconds"]
        if order["rate"]:
            await self._at_rate(voices, order["rate"], end)
        else:
            await self._outstanding(voices, order["outstanding"], end)
        return {"published": self._published, "began": began, "seconds": time.monotonic() - began, "late": self._late}

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

    async def _begin(self, _: Order) -> dict[str, Any]:
        self._account.close()
        return {}

    async def _finish(self, order: Order) -> dict[str, Any]:
        wanted = order["published"] * self._subscribed
        await self._quiet(order["patience"], lambda: self._account.now.deliveries >= wanted)
        return {"wanted": wanted, **self._account.close().facts()}

    async def _publish(self, order: Order) -> dict[str, Any]:
        voice, left = self._voices[0], order["count"]
        while left > 0:
            await voice.say(min(left, _TOGETHER))
            left -= _TOGETHER
        return {"sequence": voice.sequence}

    async def _settle(self, order: Order) -> dict[str, Any]:
        await self._quiet(order["patience"])
        return {}

    async def _quiet(self, patience: float, done: Callable[[], bool] = lambda: False) -> None:
        """Wait until all is done, or nothing has come for so many seconds."""
        seen, since = -1, time.monotonic()
        while not done() and time.monotonic() - since < patience:
            if seen != self._account.now.pieces:
                seen, since = self._account.now.pieces, time.monotonic()
            await asyncio.sleep(_LOOK)


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

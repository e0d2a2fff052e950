"""Bots of the tests of faults: they note what they say, what is receipted and what they are delivered.

The notes are records of their own, a JSON line each in records/NAME.jsonl, beside what the library logs: a
test compares both. Each line is one write, so that a kill -9 loses none that came before it.
"""

import asyncio
import itertools
import json
import os
import time
from pathlib import Path

from chitty.client.session import Session
from chitty.core.errors import Refusal, SessionEnded, Unacknowledged
from chitty.settings import Bot

QUIET = Path("quiet")
"""While this file is there nobody says anything new."""

OUTSTANDING = 4
"""Messages that one has under way without a receipt."""


class Notes:
    """The record of one life of a participant."""

    def __init__(self, me: Session) -> None:
        self._me = me
        Path("records").mkdir(exist_ok=True)
        self._file = Path(f"records/{me.name}.jsonl").open("a", buffering=1, encoding="utf-8")  # noqa: SIM115
        self.write(life=os.getpid())

    def write(self, **facts: object) -> None:
        self._file.write(json.dumps({**facts, "epoch": self._me._participant.epoch, "at": time.monotonic()}) + "\n")

    async def listen(self) -> None:
        try:
            async for event in self._me:
                self.write(heard=event.sequence, kind=event.kind, who=event.participant, text=event.text)
        except Refusal as refusal:
            self.write(ended=refusal.status, why=str(refusal))

    async def say(self, text: str) -> None:
        self.write(said=text)
        try:
            receipt = await self._me.publish(text)
        except (Unacknowledged, SessionEnded):
            self.write(open=text)
        except Refusal as refusal:
            self.write(refused=text, status=refusal.status)
        else:
            self.write(acked=text, seq=receipt.sequence)


async def listener(me: Session) -> None:
    """Say nothing."""
    await Notes(me).listen()


async def talker(me: Session, settings: Bot) -> None:
    """Say `settings.rate` messages a second, some of them outstanding at once, and listen."""
    notes, numbers = Notes(me), itertools.count(1)

    async def talk() -> None:
        while True:
            if not QUIET.exists():
                await notes.say(f"{me.name} {os.getpid()} {next(numbers)}")
            await asyncio.sleep(OUTSTANDING / settings.rate)

    talking = [asyncio.create_task(talk()) for _ in range(OUTSTANDING)]
    try:
        await notes.listen()
    finally:
        for task in talking:
            task.cancel()

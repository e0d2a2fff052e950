"""How long an outbox waits for the service, on a clock that only the test moves."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from chitty import Receipt, Unacknowledged, Unavailable
from chitty.client.outbox import Outbox
from chitty.core.participant import Participant
from chitty.output import Journal

PATIENT = 30.0


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time the test tells."""

    now = 0.0

    def time(self) -> float:
        return self.now

    async def pass_time(self, seconds: float) -> None:
        """Let so many seconds go by, a tenth after the other, with everything that is due in them."""
        for _ in range(round(10 * seconds)):
            await self.pause(0.1)

    async def pause(self, seconds: float) -> None:
        """Let so many seconds go by at once, as for a process that is stopped and continued."""
        self.now += seconds
        for _ in range(3):
            await asyncio.sleep(0)


def run(test: Callable[[Loop, Outbox], Awaitable[None]]) -> None:
    loop = Loop()

    async def whole() -> None:
        await test(loop, Outbox(Participant("0123", "alice"), Journal("alice"), PATIENT))

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(whole())


@pytest.mark.parametrize("before", [0.0, 0.5, 1.5, 2.9, 29.0])
def test_a_message_waits_for_the_patience_and_no_longer(before):
    async def test(loop, outbox):
        outbox.say("earlier")
        await loop.pass_time(before)
        said = outbox.say("hello?")
        await loop.pass_time(PATIENT - 0.5)
        assert not said.done()
        await loop.pass_time(0.6)
        assert isinstance(said.exception(), Unavailable)

    run(test)


def test_what_was_sent_may_be_published_and_what_was_not_is_withdrawn():
    async def test(loop, outbox):
        sent = outbox.say("one")
        assert [message.text for message in outbox.gather()] == ["one"]
        waiting = outbox.say("two")
        await loop.pass_time(PATIENT + 0.1)
        assert isinstance(sent.exception(), Unacknowledged)
        assert isinstance(waiting.exception(), Unavailable)

    run(test)


def test_patience_does_not_count_the_time_in_which_the_process_was_paused():
    async def test(loop, outbox):
        said = outbox.say("hello?")
        await loop.pass_time(1.0)
        await loop.pause(1000.0)
        await loop.pass_time(PATIENT - 5.0)
        assert not said.done()
        await loop.pass_time(5.0)
        assert isinstance(said.exception(), Unavailable)

    run(test)


def test_patience_begins_again_with_each_answer():
    async def test(loop, outbox):
        said = [outbox.say("one of many") for _ in range(5)]
        for count in range(5):
            await loop.pass_time(PATIENT - 1.0)
            first = outbox.gather()[0]
            outbox.receipted([Receipt(first.number, count + 1, 2 * count + 2)])
            assert [one.done() for one in said] == [True] * (count + 1) + [False] * (4 - count)
        assert not any(one.exception() for one in said)

    run(test)

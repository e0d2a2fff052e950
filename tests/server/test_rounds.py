"""Rounds of the fan-out, by a clock that the test turns: what gathers, and what leaves at once."""

import asyncio

import pytest

from chitty.server.fanout import Fanout

TOOK = 0.01


class Listener:
    """A participant whose writes take time by the test's clock."""

    def __init__(self, fanout: Fanout, clock: list[float]) -> None:
        self.written: list[bytes] = []
        self.clock = clock
        self.subscription = fanout.subscribe("a" * 16, 1, 1, 0)

    async def write(self, piece: bytes) -> None:
        self.written.append(piece)
        self.clock[0] += TOOK


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def clock(monkeypatch):
    loop = asyncio.get_running_loop()
    now = [loop.time()]
    monkeypatch.setattr(loop, "time", lambda: now[0])
    return now


@pytest.fixture
async def fanout():
    return Fanout(1_000, 1 << 20)


@pytest.fixture
async def listener(fanout, clock):
    made = Listener(fanout, clock)
    writing = asyncio.create_task(made.subscription.write_all(made.write, b"hello"))
    await turns()
    assert made.written == [b"hello"]
    yield made
    writing.cancel()


async def test_an_event_after_silence_leaves_at_once(fanout, listener, clock):
    for number in range(3):
        clock[0] += 1.0
        fanout.offer([b"%d" % number])
        await turns()
        assert listener.written[-1] == b"%d" % number


async def test_after_a_round_as_much_time_is_left_to_the_rest_and_what_comes_then_leaves_together(
    fanout, listener, clock
):
    fanout.offer([b"1"])
    await turns()
    assert listener.written[-1] == b"1"
    fanout.offer([b"2"])
    fanout.offer([b"3"])
    await turns()
    assert listener.written[-1] == b"1", "the round took 10 ms: so long nothing leaves"
    clock[0] += TOOK
    await asyncio.sleep(0)
    await turns()
    assert listener.written[1:] == [b"1", b"23"]


async def test_who_leaves_during_a_rest_is_not_kept_waiting(fanout, listener):
    fanout.offer([b"1"])
    await turns()
    fanout.offer([b"2"])
    listener.subscription.finish(2, None)
    await turns()
    assert listener.written[1:] == [b"1", b"2"]

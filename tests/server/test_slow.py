"""Those who do not read: ended when they lag too far, with a status that lets them resume, at nobody else's cost."""

import asyncio
from typing import Any

import grpc
import pytest

import chitty
from chitty.server.service import Service
from chitty.wire import chitty_pb2 as pb
from tests.proxies import DOWN, proxying
from tests.refusals import refused
from tests.running import running
from tests.services import Peer, events, peers, serving
from tests.waiting import PATIENCE, eventually_async

LONG = "\U0001f600" * 128  # half a kilobyte
NO_RATE = {"limits__messages_per_second": 0}
ROOM = {"window__events": 10**6, "window__bytes": 2**30, **NO_RATE}
"""Nothing leaves the window, however much is said until one who does not read is ended: it can resume."""


class Reader:
    """One who reads all that comes."""

    def __init__(self, stream: Any) -> None:
        self.events: list[pb.Event] = []
        self.task = asyncio.create_task(self._read(stream))

    async def _read(self, stream: Any) -> None:
        while (response := await stream.read()) is not grpc.aio.EOF:
            self.events.extend(response.events)

    @property
    def last(self) -> int:
        return self.events[-1].sequence if self.events else 0


async def say(peer: Peer, call: Any, count: int) -> int:
    """Say long texts in one request; return the sequence of the last one."""
    await call.write(pb.PublishRequest(messages=[peer.message(LONG) for _ in range(count)]))
    return (await call.read()).receipts[-1].sequence


async def until_absent(service: Service, busy: Peer, reader: Reader) -> None:
    """Say something until the service has ended the stream of one who does not read."""
    call = busy.publishing()
    async with asyncio.timeout(PATIENCE):
        while not len(service._replica.absences):
            last = await say(busy, call, 500)
            await eventually_async(lambda last=last: reader.last >= last)  # others are served all the while


@pytest.mark.parametrize("sequencer", ["memory", "sqlite"])
@pytest.mark.parametrize(
    ("lag", "why"),
    [
        ({"lag__events": 2000, "lag__seconds": 600.0}, "more than 2000 events behind"),
        ({"lag__events": 10**9, "lag__seconds": 1.5}, "nothing was read for 1.5 s"),
    ],
    ids=["events", "time"],
)
async def test_one_that_does_not_read_is_ended_and_goes_on_without_a_gap(sequencer, lag, why, tmp_path):
    changes = {"sequencer": sequencer, "database__path": str(tmp_path / "chitty.db"), "grace": 600.0, **lag}
    changes |= ROOM if sequencer == "memory" else NO_RATE
    async with serving(**changes) as service, peers(service, 2) as (idle, busy):
        watching = busy.join("busy")
        await events(watching, 1)
        reader = Reader(watching)
        unread = idle.join("idle")
        have = [event.sequence for event in await events(unread, 1)]
        await until_absent(service, busy, reader)

        refusal = await refused(_read_into(unread, have))
        assert (refusal.status, refusal.retry_after) == ("RESOURCE_EXHAUSTED", 0.1)
        assert why in str(refusal)
        assert "join again after what you have" in str(refusal)
        assert have == list(range(2, have[-1] + 1))

        again = Reader(idle.join("idle", epoch=service.epoch, after=have[-1]))
        last = await say(busy, busy.publishing(), 1)
        await eventually_async(lambda: again.last == last)
        assert [event.sequence for event in again.events] == list(range(have[-1] + 1, last + 1))
        assert pb.Event.LEFT not in [event.kind for event in reader.events], "nobody noticed"
        await eventually_async(lambda: reader.last == last)


async def _read_into(stream: Any, have: list[int]) -> None:
    while (response := await stream.read()) is not grpc.aio.EOF:
        have += [event.sequence for event in response.events]


async def test_one_that_does_not_come_back_after_that_is_expelled():
    changes = {"grace": 0.5, "lag__seconds": 1.5, **NO_RATE}
    async with serving(**changes) as service, peers(service, 2) as (idle, busy):
        watching = busy.join("busy")
        await events(watching, 1)
        reader = Reader(watching)
        await events(idle.join("idle"), 1)
        await until_absent(service, busy, reader)
        await eventually_async(lambda: reader.events[-1].kind == pb.Event.LEFT)
        left = reader.events[-1]
        assert (left.participant, left.reason, left.cause) == ("idle", pb.Event.EXPELLED, "")


async def test_one_that_was_never_caught_up_is_given_its_time():
    """Who comes back with much to read is behind by more than the bound, and reads: it is not ended for that."""
    changes = {"grace": 600.0, "lag__events": 5000, "lag__seconds": 600.0, **NO_RATE}
    async with serving(**changes) as service, peers(service, 2) as (late, busy):
        watching = busy.join("busy")
        await events(watching, 1)
        reader = Reader(watching)
        stream = late.join("late")
        await events(stream, 1)
        stream.cancel()
        await eventually_async(lambda: len(service._replica.absences) == 1)
        call = busy.publishing()
        for _ in range(20):
            last = await say(busy, call, 1000)
            await eventually_async(lambda last=last: reader.last == last)
        resumed = late.join("late", epoch=service.epoch, after=2)
        have: list[int] = []
        while not have or have[-1] < last:
            have += [event.sequence for event in (await resumed.read()).events]
            service._fanout.cut_stalled(5000, 600.0, asyncio.get_running_loop().time())
        assert have == list(range(3, last + 1))


async def test_the_library_goes_on_by_itself_when_it_was_ended_for_not_reading():
    """Nothing reaches it for long; then it gets everything, in order, once."""
    changes = {"grace": 600.0, "lag__seconds": 1.5, **ROOM}
    async with serving(**changes) as service, peers(service, 1) as (busy,), proxying(service.address) as proxy:
        watching = busy.join("busy")
        await events(watching, 1)
        reader = Reader(watching)
        async with chitty.join("alice", proxy.address) as alice:
            heard: list[int] = []
            listening = asyncio.create_task(collect(alice, heard))
            proxy.dropped = {DOWN}
            await until_absent(service, busy, reader)
            last = await say(busy, busy.publishing(), 1)
            proxy.dropped = set()
            proxy.cut()
            await eventually_async(lambda: alice._participant.last >= last)
        await asyncio.wait_for(listening, PATIENCE)
        assert heard == list(range(heard[0], last + 1))
        assert pb.Event.LOST not in [event.reason for event in reader.events]


async def test_the_library_reads_on_while_nobody_iterates_and_tells_of_the_gap(caplog):
    async with serving(lag__seconds=1.5, **ROOM) as service, peers(service, 1) as (busy,):
        stream = busy.join("busy")
        await events(stream, 1)
        reader = Reader(stream)
        async with chitty.join("alice", service.address) as alice:
            call = busy.publishing()
            for _ in range(12):
                last = await say(busy, call, 1000)
            await eventually_async(lambda: alice._participant.last == last)
            assert caplog.text.count("10000 events wait and are not taken") == 1
            kept = [(await anext(alice)).sequence for _ in range(10_000)]
            with pytest.raises(chitty.EventsDropped, match=r"\d+ events are missing here") as gap:
                await collect(alice, kept)
            assert kept == list(range(2, kept[-1] + 1))
            assert str(gap.value).startswith(f"{last - kept[-1]} events")
            last = await say(busy, call, 1)
            assert (await asyncio.wait_for(anext(alice), PATIENCE)).sequence == last
        await eventually_async(lambda: reader.last == last + 1)
        assert [event.reason for event in reader.events if event.kind == pb.Event.LEFT] == [pb.Event.ASKED]


async def collect(me: chitty.Session, sequences: list[int]) -> None:
    async for event in me:
        sequences.append(event.sequence)  # noqa: PERF401 - kept up to an error


@pytest.mark.parametrize("sequencer", ["memory", "sqlite"])
async def test_an_unread_subscription_costs_the_server_less_than_10_mb(tmp_path, sequencer):
    """The window is full beforehand, so that what grows is what the one who does not read costs."""
    with running(tmp_path, sequencer=sequencer, window__bytes=2**22, grace=600.0, **NO_RATE) as target:
        busy, idle = Peer(target.address), Peer(target.address)
        reader = Reader(busy.join("busy"))
        await eventually_async(lambda: reader.last == 1)
        call = busy.publishing()

        async def pass_by(megabytes: int) -> float:
            """Let so much pass; return the most memory that the server had."""
            most = 0.0
            for _ in range(megabytes):
                last = await say(busy, call, 1000)
                await say(busy, call, 900)
                await eventually_async(lambda last=last: reader.last >= last)
                most = max(most, target.memory())
            return most

        before = await pass_by(10)
        unread = idle.join("idle")
        await events(unread, 1)
        assert await pass_by(20) - before < 10
        for peer in (busy, idle):
            await peer.channel.close()
        await asyncio.wait({reader.task})

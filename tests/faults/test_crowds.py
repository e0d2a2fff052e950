"""A crowd of streams: one of them unread, one flooding, and all of them at the server's end."""

import asyncio
import contextlib
import json
import time

import grpc
import pytest

from chitty.wire import chitty_pb2 as pb
from tests.faults import tally
from tests.faults.crowd import NARROW, Crowd, connected
from tests.faults.ground import Ground, assert_valid, memory
from tests.services import Peer
from tests.waiting import eventually_async

BIG = "\U0001f600" * 120  # 480 bytes


async def fill(speaker: Peer, messages: int, a_request: int = 100) -> list[tuple[int, str]]:
    """Publish on one call; return the sequence and text of each."""
    said: list[tuple[int, str]] = []
    call = speaker.publishing()
    for begin in range(0, messages, a_request):
        texts = [f"{begin + number} {BIG}"[:128] for number in range(a_request)]
        await call.write(pb_request(speaker, texts))
        response = await call.read()
        said += [(receipt.sequence, text) for receipt, text in zip(response.receipts, texts, strict=True)]
    await call.done_writing()
    return said


def pb_request(speaker: Peer, texts: list[str]) -> pb.PublishRequest:
    return pb.PublishRequest(messages=[speaker.message(text) for text in texts])


@contextlib.asynccontextmanager
async def speaking(address: str):
    """Yield a peer that has joined as `speaker`, and reads."""
    speaker = Peer(address)
    stream = speaker.join("speaker")
    await stream.read()

    async def read() -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await stream.read() is not grpc.aio.EOF:
                pass

    reading = asyncio.create_task(read())
    try:
        yield speaker
    finally:
        reading.cancel()
        await speaker.channel.close()


def names(count: int) -> list[str]:
    return [f"listener{number}" for number in range(count)]


async def stopped(ground: Ground) -> float:
    """Send SIGTERM; return the seconds until the server's process is gone."""
    assert ground.server is not None
    began = time.monotonic()
    ground.server.terminate()
    await eventually_async(lambda: ground.server.poll() is not None)
    return time.monotonic() - began


@pytest.mark.parametrize("unread", [0, 5], ids=["all_read", "some_unread"])
async def test_a_server_that_is_told_to_end_ends_every_stream_and_then_itself(ground, record, long, unread):
    count, one = 1000 if long else 200, ground(limits__messages_per_second=0)
    address = one.start()
    async with (
        connected(address, names(count)) as listeners,
        connected(address, [f"deaf{number}" for number in range(unread)], NARROW) as deaf,
        speaking(address) as speaker,
    ):
        crowd = Crowd(listeners)
        joined = count + unread + 1
        await eventually_async(lambda: crowd.all_heard(joined))
        said = await fill(speaker, 3000 if unread else 100)
        await eventually_async(lambda: crowd.all_heard(said[-1][0]))
        seconds = await stopped(one)
        await asyncio.gather(*crowd.tasks)
        for listener in deaf:
            await listener.listen()
    assert one.server.returncode == 0
    assert crowd.statuses() == {grpc.StatusCode.UNAVAILABLE: count}
    assert {listener.status for listener in deaf} <= {grpc.StatusCode.UNAVAILABLE}
    assert crowd.gaps() == 0
    log = one.log("server").read_text()
    assert "Traceback" not in log
    assert one.lines("server")[-1].event == "end"
    assert_valid(one.folder)
    delivered = sum(len(listener.heard) for listener in crowd.listeners)
    record(
        f"SIGTERM with {joined} streams, {unread} of them not read",
        1,
        {"sent": len(said), "acknowledged": len(said), "delivered": delivered, "lost": 0, "duplicated": 0},
        note=f"ended {seconds:.1f} s after it, every stream with UNAVAILABLE",
    )


async def test_one_that_does_not_read_holds_nobody_up_is_ended_and_misses_nothing(ground, record, long):
    count, one = 1000 if long else 100, ground(limits__messages_per_second=0, lag__seconds=2.0, grace=120.0)
    address = one.start()
    async with (
        connected(address, names(count)) as listeners,
        connected(address, ["deaf"], NARROW) as (deaf,),
        speaking(address) as speaker,
    ):
        crowd = Crowd(listeners)
        await eventually_async(lambda: crowd.all_heard(count + 2))
        await deaf.read()
        before = memory(one.server.pid)
        said = await fill(speaker, 4000)
        await eventually_async(lambda: crowd.all_heard(said[-1][0]))
        await eventually_async(lambda: "nothing was read for 2 s" in one.log("server").read_text())
        after = memory(one.server.pid)
        await deaf.listen()
        assert deaf.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        held = len(deaf.heard)
        deaf.resume()
        while deaf.last < said[-1][0]:
            if not await deaf.read():  # ended again, where the test's process has too much to do to read in time
                assert deaf.status is grpc.StatusCode.RESOURCE_EXHAUSTED, deaf.status
                deaf.resume()
        everybody = [*crowd.listeners, deaf]
        speech = [set(said) - set(listener.heard) for listener in everybody]
        gaps = crowd.gaps()
        await stopped(one)
        await asyncio.gather(*crowd.tasks)
    assert not any(speech)
    assert gaps == 0
    assert [sequence for sequence, _ in deaf.heard] == list(range(deaf.heard[0][0], deaf.last + 1)), "once, in order"
    assert after - before < 40, "the window is 16 MB, and what one does not read is bounded"
    assert_valid(one.folder)
    record(
        f"one that does not read among {count}",
        1,
        {
            "sent": len(said),
            "acknowledged": len(said),
            "delivered": sum(len(listener.heard) for listener in everybody),
            "lost": 0,
            "duplicated": 0,
            "reordered": 0,
        },
        note=f"ended after {held} events, resumed, heard all; the server had {before:.0f} MB before, {after:.0f} after",
    )


async def test_one_that_floods_is_refused_and_the_others_go_on(ground, record, long):
    one, bots = ground(limits__messages_per_second=200, limits__messages_per_request=64), {"bob", "carol"}
    address = one.start()
    for name in bots:
        one.participant(name, rate=50)
    await eventually_async(lambda: one.joined(*bots))
    refused, number = 0, 0
    epoch = one.events("server", "start")[0].fields["epoch"]
    notes = []
    async with speaking(address) as flood:
        goal = one.acked() + (2000 if long else 150)
        while one.acked() < goal:
            call = flood.publishing()
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                while True:
                    texts = [f"flood {number + index}" for index in range(64)]
                    await call.write(pb_request(flood, texts))
                    response = await call.read()
                    if response is grpc.aio.EOF:
                        break
                    number += 64
                    for receipt, text in zip(response.receipts, texts, strict=True):
                        notes.append({"said": text, "acked": text, "seq": receipt.sequence, "epoch": epoch, "at": 0})
            assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            refused += 1
    (one.folder / "records/speaker.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))
    await asyncio.to_thread(one.settle, bots)
    await asyncio.to_thread(one.end)
    counts = tally.tally(one.folder, bots)
    assert counts.clean, counts.notes
    assert refused > 10
    assert notes
    assert_valid(one.folder)
    record(
        "one that floods, over its limit of 200 messages a second",
        refused,
        counts,
        note=f"{refused} requests refused with RESOURCE_EXHAUSTED, {len(notes)} messages of it accepted",
    )

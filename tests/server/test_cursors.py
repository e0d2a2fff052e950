"""Cursors that lead nowhere: whoever sends one is told so, and leaves no membership behind that nobody can end."""

import asyncio

import pytest

from chitty.wire import chitty_pb2 as pb
from tests.refusals import read_on, refused
from tests.services import events, peers, serving
from tests.waiting import PATIENCE, eventually_async


async def names(peer) -> list[str]:
    answer = await peer.stub.ListParticipants(pb.ListParticipantsRequest())
    return [one.name for one in answer.participants]


async def both(bob, alice):
    """Let bob join, and alice when he is there; return their streams, read so far."""
    watching = bob.join("bob")
    await events(watching, 1)
    stream = alice.join("alice")
    await events(stream, 1)
    await events(watching, 1)
    return watching, stream


@pytest.mark.parametrize("after", [2, 2**63, 2**64 - 1])
async def test_a_newcomer_with_a_cursor_of_the_future_does_not_join(after):
    async with serving() as service, peers(service, 2) as (alice, eve):
        stream = alice.join("alice")
        await events(stream, 1)
        request = pb.JoinRequest(participant="eve", number=1, lamport=1, epoch=service.epoch, after=after)
        refusal = await refused(eve.stub.Join(request, metadata=eve.metadata).read())
        assert (refusal.status, refusal.field) == ("FAILED_PRECONDITION", "after")
        await alice.publish("still alone")
        (said,) = await events(stream, 1)
        assert (said.text, await names(alice)) == ("still alone", ["alice"])


async def test_a_member_with_a_cursor_of_the_future_keeps_its_stream_and_is_missed_when_that_breaks():
    async with serving() as service, peers(service, 2) as (alice, bob):
        watching, stream = await both(bob, alice)
        assert (await refused(alice.join("alice", epoch=service.epoch, after=99).read())).field == "after"
        await bob.publish("hello")
        assert [said.text for said in await events(stream, 1)] == ["hello"]
        await alice.channel.close()
        said, left = await asyncio.wait_for(events(watching, 2), PATIENCE)
        assert (said.text, left.reason) == ("hello", pb.Event.LOST)


async def test_one_whose_cursor_is_too_old_is_gone_at_once_and_may_join_anew():
    """Its cursor cannot lead any further: to wait for it would only keep its name from it."""
    async with serving(grace=600.0, window__events=8) as service, peers(service, 2) as (alice, bob):
        watching, stream = await both(bob, alice)
        stream.cancel()
        for number in range(30):
            await bob.publish(str(number))
            await events(watching, 1)
        assert (await refused(alice.join("alice", epoch=service.epoch, after=2).read())).status == "OUT_OF_RANGE"
        (left,) = await asyncio.wait_for(events(watching, 1), PATIENCE)
        assert (left.participant, left.reason) == ("alice", pb.Event.LOST)
        (joined,) = await events(alice.join("alice"), 1)
        assert joined.sequence == left.sequence + 1


async def test_one_that_falls_out_of_the_window_while_it_is_not_read_is_gone_at_once():
    changes = {"window__events": 4000, "limits__messages_per_second": 0, "grace": 600.0}
    async with serving(**changes) as service, peers(service, 2) as (idle, bob):
        watching = bob.join("bob")
        await events(watching, 1)
        unread = idle.join("idle")
        reading = asyncio.create_task(left(watching, "idle"))
        call = bob.publishing()
        while not unread.done():
            await call.write(pb.PublishRequest(messages=[bob.message("\U0001f600" * 128) for _ in range(1000)]))
            await call.read()
            await eventually_async(lambda: service._fanout.visible == service._fanout.head)
            if bob.lamport > 20_000:
                break
        assert (await refused(read_on(unread))).status == "OUT_OF_RANGE"
        assert (await asyncio.wait_for(reading, PATIENCE)).reason == pb.Event.LOST


async def left(stream, name: str) -> pb.Event:
    """Read a stream until somebody has left."""
    while True:
        for event in (await stream.read()).events:
            if (event.kind, event.participant) == (pb.Event.LEFT, name):
                return event


async def test_a_session_that_is_absent_is_told_when_it_may_join_by_another_message():
    async with serving(grace=600.0) as service, peers(service, 2) as (alice, bob):
        _, stream = await both(bob, alice)
        refusal = await refused(alice.join("alice").read())
        assert (refusal.status, refusal.retry_after) == ("ALREADY_EXISTS", None), "it is there: waiting does not help"
        stream.cancel()
        while (refusal := await refused(alice.join("alice").read())).retry_after is None:
            await asyncio.sleep(0.01)  # the service has not noticed yet
        assert (refusal.status, 590 < refusal.retry_after <= 600) == ("ALREADY_EXISTS", True)

"""Broken connections: who is back within the grace misses nothing, and nobody else notices."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

import chitty
from chitty.client import session
from chitty.wire import chitty_pb2 as pb
from chitty.wire.channel import make_channel
from tests.proxies import proxying
from tests.services import events, peers, serving
from tests.waiting import PATIENCE, eventually_async

GRACE = 600.0  # longer than any test: what ends within it ends because of something else


def retry_delay(error: grpc.aio.AioRpcError) -> float:
    packed = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    for detail in status_pb2.Status.FromString(packed).details:
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            return retry.retry_delay.ToNanoseconds() / 1e9
    return 0.0


async def both(alice, bob):
    """Let the two join, one after the other; return their streams, read so far."""
    stream = alice.join("alice")
    await events(stream, 1)
    watching = bob.join("bob")
    await events(watching, 1)
    await events(stream, 1)
    return stream, watching


async def absent(service, count: int) -> None:
    await eventually_async(lambda: len(service._replica.absences) == count)


async def test_one_who_is_back_within_the_grace_gets_what_it_missed_and_nobody_noticed():
    async with serving(grace=GRACE) as service, peers(service, 2) as (alice, bob):
        stream, watching = await both(alice, bob)
        stream.cancel()
        await absent(service, 1)
        await bob.publish("one", "two")
        again = alice.join("alice", epoch=service.epoch, after=2)
        assert [(event.sequence, event.text) for event in await events(again, 2)] == [(3, "one"), (4, "two")]
        await alice.publish("three")
        heard = await events(watching, 3)
        assert [(event.kind, event.text) for event in heard] == [
            (pb.Event.PUBLISHED, t) for t in ("one", "two", "three")
        ]


async def test_one_who_does_not_come_back_is_announced_as_lost_and_has_to_join_anew():
    async with serving(grace=0.1) as service, peers(service, 2) as (alice, bob):
        stream, watching = await both(alice, bob)
        stream.cancel()
        (left,) = await events(watching, 1)
        assert (left.kind, left.participant, left.reason) == (pb.Event.LEFT, "alice", pb.Event.LOST)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await alice.join("alice", epoch=service.epoch, after=2).read()
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        (joined,) = await events(alice.join("alice"), 1)
        assert joined.sequence == 4


async def test_a_name_is_its_holders_for_the_time_of_grace_and_says_when_to_ask_again():
    async with serving(grace=GRACE) as service, peers(service, 2) as (alice, other):
        stream = alice.join("alice")
        await events(stream, 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await other.join("Alice").read()
        assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
        assert retry_delay(caught.value) == 0.0, "who is connected may stay for ever"
        stream.cancel()
        await absent(service, 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await other.join("Alice").read()
        assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
        assert 0.0 < retry_delay(caught.value) <= GRACE


async def test_a_participant_waits_for_the_name_of_one_who_is_gone():
    async with serving(grace=0.5) as service, peers(service, 1) as (ghost,):
        stream = ghost.join("alice")
        await events(stream, 1)
        stream.cancel()
        await absent(service, 1)
        async with chitty.join("alice", service.address) as alice:
            joined = await anext(alice)
            assert (joined.kind, joined.sequence) == (chitty.Kind.JOINED, 3)


async def test_one_whose_connection_is_cut_stays_a_participant_for_the_others():
    async with (
        serving(grace=GRACE) as service,
        proxying(service.address) as proxy,
        chitty.join("bob", service.address) as bob,
    ):
        async with chitty.join("alice", proxy.address) as alice:
            for number in range(3):
                proxy.cut()
                await asyncio.wait_for(alice.publish(f"message {number}"), PATIENCE)
        heard = []
        while not heard or heard[-1].kind is not chitty.Kind.LEFT:
            heard.append(await asyncio.wait_for(anext(bob), PATIENCE))
    assert [event.kind for event in heard[1:]] == [chitty.Kind.JOINED, *[chitty.Kind.PUBLISHED] * 3, chitty.Kind.LEFT]
    assert heard[-1].reason is chitty.Reason.ASKED


async def test_one_who_is_asked_to_leave_while_its_connection_is_broken_comes_back_to_say_so(monkeypatch):
    for bound in ("LEAVE_SECONDS", "RECEIPT_SECONDS", "RESUME_SECONDS"):
        monkeypatch.setattr(session, bound, PATIENCE)
    async with (
        serving(grace=GRACE) as service,
        proxying(service.address) as proxy,
        chitty.join("bob", service.address) as bob,
    ):
        alice = chitty.join("alice", proxy.address)
        await alice.__aenter__()
        proxy.cut()
        await eventually_async(lambda: not alice.joined)
        await asyncio.wait_for(alice.leave(), PATIENCE)
        heard = [await asyncio.wait_for(anext(bob), PATIENCE) for _ in range(3)]
        assert (heard[-1].kind, heard[-1].reason) == (chitty.Kind.LEFT, chitty.Reason.ASKED)


async def test_a_join_whose_answer_was_lost_is_repeated_without_harm():
    async with serving(grace=GRACE) as service, peers(service, 1) as (alice,):
        lost = alice.join("alice")
        await eventually_async(lambda: service._replica.hub.sequence == 1)
        lost.cancel()
        await absent(service, 1)
        request = pb.JoinRequest(participant="alice", number=alice.joining, lamport=1)
        again = alice.stub.Join(request, metadata=alice.metadata)
        (joined,) = await events(again, 1)
        assert (joined.sequence, joined.lamport) == (1, 3)
        assert service._replica.hub.sequence == 1


async def test_messages_accepted_before_a_loss_get_their_receipts_after_it_though_as_many_as_are_remembered():
    """The Joins of the stays between must not push out the receipts that a client may still ask for."""
    few = {"limits__messages_per_request": 2, "limits__receipts": 2}
    async with serving(**few) as service, peers(service, 1) as (alice,):
        stream = alice.join("alice")
        await events(stream, 1)
        said = [alice.message("one"), alice.message("two")]
        first = await alice.publish(*said)
        for _ in range(3):
            stream.cancel()
            await eventually_async(lambda: not service._replica.hub.members)
            stream = alice.join("alice")
            await events(stream, 1)
        assert await alice.publish(*said) == first


async def test_who_leaves_in_its_time_of_grace_has_left_and_is_not_lost():
    async with serving(grace=GRACE) as service, peers(service, 2) as (alice, bob):
        stream, watching = await both(alice, bob)
        stream.cancel()
        await absent(service, 1)
        await alice.leave()
        (left,) = await events(watching, 1)
        assert left.reason is pb.Event.ASKED
        await absent(service, 0)
        await bob.publish("nothing else happened")
        assert (await events(watching, 1))[0].sequence == left.sequence + 1


async def test_a_new_connection_ends_the_old_one_even_if_that_is_not_read():
    text = "😀" * 128
    async with serving(grace=GRACE, limits__messages_per_second=0) as service, peers(service, 2) as (alice, bob):
        unread = alice.join("alice")
        await eventually_async(lambda: service._replica.hub.sequence == 1)
        await events(bob.join("bob"), 1)
        for _ in range(40):
            await bob.publish(*[text] * 500)
        channel = make_channel(service.address, [("grpc.use_local_subchannel_pool", 1)])
        request = pb.JoinRequest(participant="alice", number=1, lamport=1)
        again = type(alice.stub)(channel).Join(request, metadata=alice.metadata)
        seen = 0
        while seen < 20_002:
            seen += len((await asyncio.wait_for(again.read(), PATIENCE)).events)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in unread:
                pass
        assert caught.value.code() is grpc.StatusCode.ABORTED
        assert [member.connection for member in service._replica.hub.members] == [2, 1]
        await channel.close()

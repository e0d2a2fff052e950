"""A service that is stopped and started again over its database: it goes on where it was."""

import asyncio
import contextlib
import shutil

import grpc
import pytest

import chitty
from chitty.core.errors import CannotListen, StorageFailed
from chitty.wire import chitty_pb2 as pb
from chitty.wire.channel import make_channel
from tests.server.test_resuming import retry_delay
from tests.services import events, peers, serving
from tests.waiting import PATIENCE, eventually_async


@pytest.fixture
def durable(tmp_path):
    """Make services, one after the other, over one database."""

    def start(**changes: object):
        return serving(sequencer="sqlite", database__path=str(tmp_path / "chitty.db"), **{"grace": 5.0, **changes})

    return start


def position(service) -> int:
    return service._replica._sequencer._position


async def rejoin(service, peer, name: str, after: int, number: int = 1):
    """Go on with the membership of a session over a new connection to another service."""
    channel = make_channel(service.address, [("grpc.use_local_subchannel_pool", 1)])
    peer.stub, old = type(peer.stub)(channel), peer.channel
    peer.channel = channel
    await old.close()
    request = pb.JoinRequest(participant=name, number=number, lamport=1, epoch=service.epoch, after=after)
    return peer.stub.Join(request, metadata=peer.metadata)


async def test_it_goes_on_where_it_was_and_participants_resume(durable):
    async with contextlib.AsyncExitStack() as stack:
        async with durable() as first:
            alice, bob = await stack.enter_async_context(peers(first, 2))
            await events(alice.join("alice"), 1)
            await events(bob.join("bob"), 1)
            said = alice.message("before")
            (receipt,) = await alice.publish(said)
            epoch, time = first.epoch, first._replica.hub.time
        async with durable() as second:
            assert (second.epoch, second._replica.hub.time, second._replica.hub.sequence) == (epoch, time, 3)
            stream = await rejoin(second, alice, "alice", after=2)
            assert [event.text for event in await events(stream, 1)] == ["before"]
            assert await alice.publish(said) == [receipt], "a repeat gets its first receipt"
            (later,) = await alice.publish("after")
            assert later.sequence == 4
            assert later.lamport > time
            assert [event.text for event in await events(await rejoin(second, bob, "bob", after=3), 1)] == ["after"]


async def test_who_does_not_come_back_after_a_restart_is_lost(durable):
    async with contextlib.AsyncExitStack() as stack:
        async with durable() as first:
            alice, bob = await stack.enter_async_context(peers(first, 2))
            await events(alice.join("alice"), 1)
            await events(bob.join("bob"), 1)
        async with durable(grace=0.5) as second:
            (left,) = await events(await rejoin(second, alice, "alice", after=2), 1)
            assert (left.participant, left.kind, left.reason) == ("bob", pb.Event.LEFT, pb.Event.LOST)


@pytest.mark.parametrize("every", [1, 7, 1_000_000])
async def test_snapshots_change_nothing(durable, every):
    seen: list[tuple[int, int, str]] = []
    async with contextlib.AsyncExitStack() as stack:
        async with durable(database__snapshot_every=every) as first:
            (alice,) = await stack.enter_async_context(peers(first, 1))
            stream = alice.join("alice")
            heard = await events(stream, 1)
            for number in range(30):
                await alice.publish(f"message {number}")
            heard += await events(stream, 30)
            seen = [(event.sequence, event.lamport, event.text) for event in heard]
        async with durable(database__snapshot_every=every) as second:
            stream = await rejoin(second, alice, "alice", after=0)
            assert [(event.sequence, event.lamport, event.text) for event in await events(stream, 31)] == seen


async def test_events_that_left_the_window_are_read_from_the_log(durable):
    async with durable(window__events=10, database__snapshot_every=20) as service, peers(service, 2) as (alice, bob):
        await events(alice.join("alice"), 1)
        stream = bob.join("bob")
        heard = await events(stream, 1)
        for number in range(100):
            await alice.publish(f"message {number}")
        heard += await events(stream, 100)
        stream.cancel()
        for after in (2, 50, 97):
            again = bob.join("bob", epoch=service.epoch, after=after)
            assert await events(again, 102 - after) == heard[after - 1 :]


async def test_what_is_not_kept_any_more_is_out_of_range(durable):
    kept = {"window__events": 10, "database__snapshot_every": 10, "database__retention": {"events": 20, "days": 1}}
    async with durable(**kept) as service, peers(service, 2) as (alice, bob):
        await events(alice.join("alice"), 1)
        await events(bob.join("bob"), 1)
        for number in range(100):
            await alice.publish(f"message {number}")
        await eventually_async(lambda: service._replica._sequencer.oldest() > 50)
        oldest = service._replica._sequencer.oldest()
        (first, *_) = (await bob.join("bob", epoch=service.epoch, after=oldest - 1).read()).events
        assert first.sequence == oldest
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await bob.join("bob", epoch=service.epoch, after=10).read()
        assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
        assert "event 11 is not kept any more: the oldest one is" in caught.value.details()


async def test_a_log_is_applied_with_the_limits_of_its_time(durable):
    async with contextlib.AsyncExitStack() as stack:
        async with durable(limits__participants=3) as first:
            made = await stack.enter_async_context(peers(first, 3))
            for number, peer in enumerate(made):
                await events(peer.join(f"peer{number}"), 1)
        async with durable(limits__participants=1) as second:
            assert len(second._replica.hub.members) == 3
            assert len(await events(await rejoin(second, made[0], "peer0", after=0), 3)) == 3
            (stranger,) = await stack.enter_async_context(peers(second, 1))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stranger.join("stranger").read()
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_second_service_on_the_same_database_is_refused(durable):
    async with durable():
        with pytest.raises(StorageFailed, match="in use by another server"):
            async with durable():
                pass


async def test_while_the_log_takes_nothing_delivery_goes_on_and_then_service_returns(durable):
    async with durable() as service, peers(service, 2) as (alice, bob):
        stream = bob.join("bob")
        await events(stream, 1)
        await events(alice.join("alice"), 1)
        connection = service._replica._sequencer._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
        said = 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 - which one fails is not known
            while said < 100:
                await alice.publish(*["x" * 100] * 20)
                said += 1
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "its disk is full: make room" in caught.value.details()
        assert retry_delay(caught.value) > 0
        assert len(await events(stream, 1 + 20 * said)) > 0, "what was accepted is delivered"
        present = await bob.stub.ListParticipants(pb.ListParticipantsRequest())
        assert len(present.participants) == 2
        connection.execute("PRAGMA max_page_count=1000000")
        (receipt,) = await alice.publish("there is room again")
        assert receipt.sequence == 2 + 20 * said + 1


async def test_one_who_is_gone_while_the_log_takes_nothing_is_announced_once_it_does(durable):
    async with durable(grace=0.0) as service, peers(service, 2) as (alice, bob):
        stream = alice.join("alice")
        await events(stream, 1)
        watching = bob.join("bob")
        await events(watching, 1)
        sequencer = service._replica._sequencer
        append, refused = sequencer.append, asyncio.Event()

        async def refuse(commands):
            refused.set()
            raise StorageFailed("the test's disk is full")

        sequencer.append = refuse
        stream.cancel()
        await asyncio.wait_for(refused.wait(), PATIENCE)
        sequencer.append = append
        (left,) = await events(watching, 1)
        assert (left.participant, left.reason) == ("alice", pb.Event.LOST)


async def test_what_can_only_be_refused_is_not_in_the_log(durable):
    async with durable(limits__participants=1) as service, peers(service, 2) as (alice, stranger):
        await events(alice.join("alice"), 1)
        before = position(service)
        for call in (
            stranger.join("ALICE").read(),
            stranger.join("bob").read(),
            stranger.publish("?"),
            stranger.leave(),
        ):
            with pytest.raises(grpc.aio.AioRpcError):
                await call
        assert position(service) == before


async def test_one_that_asks_for_what_is_not_kept_any_more_can_join_anew(durable):
    kept = {"window__events": 10, "database__snapshot_every": 10, "database__retention": {"events": 20, "days": 1}}
    async with durable(**kept) as service, peers(service, 2) as (alice, bob):
        await events(alice.join("alice"), 1)
        stream = bob.join("bob")
        await events(stream, 1)
        stream.cancel()
        for number in range(100):
            await alice.publish(f"message {number}")
        await eventually_async(lambda: service._replica._sequencer.oldest() > 50)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await bob.join("bob", epoch=service.epoch, after=10).read()
        assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
        (own,) = await events(bob.join("bob"), 1)
        assert (own.participant, own.kind) == ("bob", pb.Event.JOINED)


async def test_one_that_is_ahead_of_the_order_is_told_so_and_can_join_anew(durable):
    async with durable() as service, peers(service, 2) as (alice, bob):
        watching = alice.join("alice")
        await events(watching, 1)
        stream = bob.join("bob")
        await events(stream, 1)
        stream.cancel()
        await eventually_async(lambda: len(service._replica.absences) == 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await bob.join("bob", epoch=service.epoch, after=1000).read()
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "there is no event 1000: the last one is 2" in caught.value.details()
        (own,) = await events(bob.join("bob"), 1)
        assert [event.kind for event in await events(watching, 3)] == [pb.Event.JOINED, pb.Event.LEFT, pb.Event.JOINED]
        assert own.sequence == 4


async def test_a_log_of_before_lets_those_who_are_ahead_of_it_join_anew(durable, tmp_path):
    """As an old copy of the database does that is put back."""
    addresses: list[str] = []
    async with durable() as first:
        addresses.append(first.address)
        alice = chitty.join("alice", lambda: addresses[-1])
        await alice.__aenter__()
        for file in list(tmp_path.glob("chitty.db*")):
            shutil.copy(file, tmp_path / file.name.replace("chitty", "copy"))
        for number in range(5):
            await alice.publish(f"message {number}")
    for file in list(tmp_path.glob("chitty.db*")):
        file.unlink()
    for file in list(tmp_path.glob("copy.db*")):
        file.rename(tmp_path / file.name.replace("copy", "chitty"))
    async with durable() as second:
        addresses.append(second.address)
        receipt = await asyncio.wait_for(alice.publish("after"), PATIENCE)
        assert receipt.sequence == 4, "after its first join, its leave, and the join anew"
        assert alice._participant.last == 4
        await alice.leave()


async def test_it_starts_again_though_the_beginning_is_not_kept_any_more(durable):
    kept = {"database__snapshot_every": 10, "database__retention": {"events": 20, "days": 1}}
    async with contextlib.AsyncExitStack() as stack:
        async with durable(**kept) as first:
            (alice,) = await stack.enter_async_context(peers(first, 1))
            await events(alice.join("alice"), 1)
            for number in range(100):
                await alice.publish(f"message {number}")
            await eventually_async(lambda: first._replica._sequencer.oldest() > 50)
            time = first._replica.hub.time
        async with durable(**kept) as second:
            assert (second._replica.hub.sequence, second._replica.hub.time) == (101, time)
            assert [member.name for member in second._replica.hub.members] == ["alice"]


async def test_one_who_leaves_and_joins_anew_in_one_batch_belongs_and_is_noticed_when_gone(durable):
    async with durable(grace=0.0) as service, peers(service, 2) as (alice, bob):
        old = alice.join("alice")
        await events(old, 1)
        sequencer = service._replica._sequencer
        append, open_again = sequencer.append, asyncio.Event()

        async def slowly(commands):
            await open_again.wait()
            await append(commands)

        sequencer.append = slowly
        waiting = bob.join("bob")  # keeps the log busy, so that what follows is one batch
        await eventually_async(lambda: len(service._replica._under_way) == 1)
        leaving = asyncio.ensure_future(alice.leave())
        await eventually_async(lambda: len(service._replica._submitted) == 1)
        new = alice.join("alice")
        await eventually_async(lambda: len(service._replica._submitted) == 2)
        open_again.set()
        await leaving
        assert [event.kind for event in await events(new, 1)] == [pb.Event.JOINED]
        assert [event.participant for event in await events(old, 1)] == ["bob"]
        assert await old.read() is grpc.aio.EOF, "the old stream ended well before its own leave"
        new.cancel()
        heard = await events(waiting, 4)
        assert [(event.participant, event.kind, event.reason) for event in heard[1:]] == [
            ("alice", pb.Event.LEFT, pb.Event.ASKED),
            ("alice", pb.Event.JOINED, pb.Event.REASON_UNSPECIFIED),
            ("alice", pb.Event.LEFT, pb.Event.LOST),
        ]


async def test_publish_streams_end_with_their_membership(durable):
    async with durable(grace=0.0) as service, peers(service, 2) as (alice, bob):
        await events(bob.join("bob"), 1)
        stream = alice.join("alice")
        await events(stream, 1)
        silent = alice.publishing()
        await silent.wait_for_connection()
        await eventually_async(lambda: len(service._servicer._publishers) == 1)
        stream.cancel()
        await eventually_async(lambda: len(service._servicer._publishers) == 0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await silent.read()
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_start_that_fails_gives_the_database_free_as_it_was(durable):
    async with durable() as first:
        epoch = first.epoch
    async with serving(port=0) as other:
        port = int(other.address.rpartition(":")[2])
        with pytest.raises(CannotListen):
            async with durable(port=port):
                pass
    async with durable() as again:
        assert again.epoch == epoch

"""Limits: what is over one is refused with what and how much, and when to try again, and nothing else suffers."""

import asyncio
import sqlite3

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chitty
from chitty.core.errors import LimitExceeded
from chitty.core.hub import FULL
from chitty.server.limits import Addresses, Rates, address_of
from chitty.wire import chitty_pb2 as pb
from chitty.wire.channel import make_channel
from tests.refusals import read_on, refused, status_of
from tests.server.hostile import some_bytes
from tests.services import events, own_address, peers, serving
from tests.waiting import PATIENCE, eventually_async

TOO_MUCH = "RESOURCE_EXHAUSTED"


async def test_so_many_belong_at_once_and_the_next_one_when_one_has_left():
    async with serving(limits__participants=2) as service, peers(service, 3) as (alice, bob, carol):
        await events(alice.join("alice"), 1)
        await events(bob.join("bob"), 1)
        refusal = await refused(carol.join("carol").read())
        assert (refusal.status, refusal.retry_after) == (TOO_MUCH, FULL)
        assert "there are 2 participants, which is the limit" in str(refusal)
        await alice.leave()
        await events(carol.join("carol"), 1)


# Addresses.


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:5051", "192.0.2.7"),
        ("ipv4:10.0.0.1:1", "10.0.0.1"),
        ("ipv4:127.0.0.1:5051", None),
        ("ipv4:127.8.8.8:5051", None),
        ("ipv6:[2001:db8::7]:5051", "2001:db8::7"),
        ("ipv6:%5B2001:db8::7%5D:5051", "2001:db8::7"),
        ("ipv6:[2001:0DB8:0:0::7]:5051", "2001:db8::7"),
        ("ipv6:[fe80::1%25eth0]:5051", "fe80::1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5051", "fe80::1"),
        ("ipv6:[::1]:5051", None),
        ("ipv6:%5B::1%5D:5051", None),
        ("ipv6:[::ffff:127.0.0.1]:5051", None),
        ("ipv6:[::ffff:192.0.2.7]:5051", "192.0.2.7"),
        ("unix:/tmp/socket", None),
        ("unix:", None),
        ("unix-abstract:name", None),
        ("", None),
        ("ipv4:somewhere:5051", "somewhere"),
    ],
)
def test_the_address_of_a_peer_is_the_same_however_it_is_written(peer: str, address: str | None) -> None:
    assert address_of(peer) == address


@given(st.text(max_size=40) | st.text("ipv46:[]%.0123456789abcdef", max_size=40).map("ipv6:{}".format))
def test_any_name_of_a_peer_has_an_address_or_none(peer: str) -> None:
    assert address_of(peer) is None or isinstance(address_of(peer), str)


def test_so_many_are_connected_from_one_address_and_the_loopback_is_not_counted() -> None:
    addresses = Addresses(2)
    first, second = (addresses.one_from(f"ipv4:192.0.2.7:{port}", f"{port}") for port in (1, 2))
    with first:
        with (
            second,
            pytest.raises(LimitExceeded, match=r"2 participants are connected from 192\.0\.2\.7") as caught,
            addresses.one_from("ipv6:[::ffff:192.0.2.7]:3", "3"),
        ):
            pass
        assert caught.value.retry_after == FULL
        with addresses.one_from("ipv4:192.0.2.7:4", "4"), addresses.one_from("ipv4:192.0.2.8:4", "5"):
            pass
    with addresses.one_from("ipv4:127.0.0.1:1", "1"), addresses.one_from("ipv4:127.0.0.1:2", "2"):  # noqa: SIM117
        with addresses.one_from("ipv4:127.0.0.1:3", "3"):
            pass


def test_one_that_takes_its_own_membership_over_takes_no_second_place() -> None:
    addresses = Addresses(1)
    old = addresses.one_from("ipv4:192.0.2.7:1", "a")
    with old, addresses.one_from("ipv4:192.0.2.7:2", "a"):
        pass
    with addresses.one_from("ipv4:192.0.2.7:3", "b"):
        pass


def test_no_bound_is_none() -> None:
    addresses = Addresses(0)
    with addresses.one_from("ipv4:192.0.2.7:1", "1"), addresses.one_from("ipv4:192.0.2.7:2", "2"):
        pass


@pytest.mark.parametrize("now", [0.0, 12_345.678, 1e6 / 3, 98_765_432.1])
def test_a_full_bucket_gives_all_that_it_has_whatever_the_clock_says(now: float) -> None:
    rates = Rates(0.7, 1024)
    rates.take("alice", 1024, now)
    with pytest.raises(LimitExceeded) as caught:
        rates.take("alice", 1, now)
    assert caught.value.retry_after > 1.0


@pytest.mark.skipif(own_address() in {"", "127.0.0.1"}, reason="this machine has the loopback only")
async def test_so_many_join_from_one_address_and_the_next_one_when_one_is_gone():
    changes = {"host": own_address(), "insecure": True, "limits__participants_per_address": 2}
    async with serving(**changes) as service, peers(service, 3) as (alice, bob, carol):
        await events(alice.join("alice"), 1)
        await events(bob.join("bob"), 1)
        refusal = await refused(carol.join("carol").read())
        assert (refusal.status, refusal.retry_after) == (TOO_MUCH, FULL)
        assert f"2 participants are connected from {own_address()}" in str(refusal)
        await alice.publish("those who are in are served")
        await bob.channel.close()
        joined = carol.join("carol")
        while (await joined.initial_metadata()) is None or joined.done():
            joined = carol.join("carol")  # the service has not noticed yet
        await events(joined, 1)


# Joins.


async def test_so_many_joins_wait_and_the_next_one_is_told_to_come_again(tmp_path):
    """The database is held by another: what is submitted has to wait."""
    database = tmp_path / "chitty.db"
    changes = {"sequencer": "sqlite", "database__path": str(database), "limits__joins_waiting": 3}
    async with serving(**changes) as service, peers(service, 4) as crowd:
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [peer.join(f"p{index}") for index, peer in enumerate(crowd[:3])]
        await eventually_async(lambda: service._servicer._joining == 3)
        refusal = await refused(crowd[3].join("late").read())
        assert (refusal.status, refusal.retry_after) == (TOO_MUCH, 1.0)
        assert "3 participants are joining, which is the limit" in str(refusal)
        other.execute("ROLLBACK")
        other.close()
        for stream in waiting:
            assert (await asyncio.wait_for(stream.read(), PATIENCE)).events
        assert (await crowd[3].join("late").read()).events


async def test_a_flood_of_joins_comes_in_by_and_by():
    async with serving(limits__joins_waiting=4) as service:
        async with asyncio.TaskGroup() as tasks:
            crowd = [chitty.join(f"p{index}", service.address, events=False) for index in range(40)]
            for session in crowd:
                tasks.create_task(session.__aenter__())
        assert len(await crowd[0].participants()) == 40
        await asyncio.gather(*(session.leave() for session in crowd))


async def test_a_member_that_comes_back_is_let_in_whatever_the_number_of_participants():
    async with serving(limits__participants=1, grace=60.0) as service, peers(service, 1) as (alice,):
        stream = alice.join("alice")
        await events(stream, 1)
        stream.cancel()
        assert (await alice.join("alice", epoch=service.epoch, after=1).read()).epoch == service.epoch


# Messages.


async def test_what_is_over_the_rate_is_refused_until_it_may_be_said():
    changes = {"limits__messages_per_second": 50.0, "limits__messages_per_request": 10}
    async with serving(**changes) as service, peers(service, 2) as (alice, bob):
        await events(alice.join("alice"), 1)
        await events(bob.join("bob"), 1)
        messages = [alice.message("x") for _ in range(10)]
        refusal = await refused(_for_ever(alice.publish, *messages))  # repeats are work as well
        assert (refusal.status, 0 < refusal.retry_after <= 0.2) == (TOO_MUCH, True)
        assert "more than 50 messages a second, and 50 at once" in str(refusal)
        await bob.publish("others are not concerned")
        await asyncio.sleep(refusal.retry_after)
        assert len(await alice.publish(*messages)) == 10


async def _for_ever(publish, *messages):
    while True:
        await publish(*messages)


async def test_a_client_over_the_rate_gets_everything_through_in_order_and_once():
    said = [f"message {number}" for number in range(500)]
    changes = {"limits__messages_per_second": 300.0, "limits__messages_per_request": 200}
    async with serving(**changes) as service, peers(service, 1) as (bob,):
        stream = bob.join("bob")
        await events(stream, 1)
        async with chitty.join("alice", service.address, events=False) as alice:
            receipts = await asyncio.gather(*map(alice.publish, said))
        heard = [event.text for event in await events(stream, 502)][1:-1]
        assert heard == said
        assert [receipt.sequence for receipt in receipts] == list(range(3, 503))


@pytest.mark.parametrize("limit", [{"limits__messages_per_request": 7}, {"limits__request_bytes": 4096}])
async def test_a_client_says_less_at_once_where_less_is_allowed(limit):
    said = [f"message {number}" * 8 for number in range(200)]
    async with serving(**limit) as service, peers(service, 1) as (bob,):
        stream = bob.join("bob")
        await events(stream, 1)
        async with chitty.join("alice", service.address, events=False) as alice:
            await asyncio.gather(*map(alice.publish, said))
        assert [event.text for event in await events(stream, 202)][1:-1] == said


@pytest.mark.parametrize("limit", [1, 7])
async def test_a_request_of_one_message_too_many_names_how_many_there_may_be(limit):
    async with serving(limits__messages_per_request=limit) as service, peers(service, 1) as (alice,):
        await events(alice.join("alice"), 1)
        await alice.publish(*["x"] * limit)
        refusal = await refused(alice.publish(*["x"] * (limit + 1)))
        assert (refusal.status, refusal.field, refusal.retry_after) == (TOO_MUCH, "messages", None)
        assert f"{limit + 1} messages: at most {limit}" in str(refusal)


async def test_a_request_of_one_byte_too_many_names_how_many_there_may_be():
    async with serving(limits__request_bytes=4096) as service, peers(service, 1) as (alice,):
        await events(alice.join("alice"), 1)
        for method in ("Join", "Publish", "Leave", "ListParticipants"):
            fits = some_bytes(31, bytes(4096 - 4))  # an unknown field: its tag and length take four bytes
            assert len(fits) == 4096
            assert await status_of(alice.raw(method, fits)) != TOO_MUCH
            refusal = await refused(alice.raw(method, fits + b"\x08"))
            assert refusal.status == TOO_MUCH
            assert "(4097 vs. 4096)" in str(refusal)


async def test_compression_does_not_get_more_in():
    async with serving(limits__request_bytes=100_000) as service:
        gzip = [("grpc.default_compression_algorithm", int(grpc.Compression.Gzip))]
        async with make_channel(service.address, gzip) as channel:
            call = channel.unary_unary("/chitty.v1.ChittyChat/ListParticipants")
            refusal = await refused(call(some_bytes(31, bytes(20_000_000))))
        assert refusal.status == TOO_MUCH
        assert "larger than max" in str(refusal)


async def test_metadata_over_the_limit_is_refused_and_names_it():
    async with serving(limits__metadata_bytes=2048) as service, peers(service, 1) as (alice,):
        call = alice.stub.ListParticipants
        assert await call(pb.ListParticipantsRequest(), metadata=(("junk", "x" * 1200),)) is not None
        refusal = await refused(call(pb.ListParticipantsRequest(), metadata=(("junk", "x" * 2100),)))
        assert refusal.status == TOO_MUCH
        assert "2048" in str(refusal)
        assert await call(pb.ListParticipantsRequest()) is not None


async def test_a_session_has_so_many_publish_streams_and_a_stranger_none():
    async with serving(limits__publish_streams=3) as service, peers(service, 2) as (alice, bob):
        assert (await refused(read_on(bob.publishing()))).status == "UNAUTHENTICATED"
        await events(alice.join("alice"), 1)
        await events(bob.join("bob"), 1)
        calls = [alice.publishing() for _ in range(3)]
        for call in calls:
            await call.write(pb.PublishRequest(messages=[alice.message("x")]))
            await call.read()
        refusal = await refused(read_on(alice.publishing()))
        assert (refusal.status, refusal.retry_after) == (TOO_MUCH, 1.0)
        assert "3 Publish streams of this session are open, which is the limit" in str(refusal)
        await bob.publish("others are not concerned")
        await calls[0].done_writing()
        await read_on(calls[0])
        assert await alice.publish("one is free")


# The bucket.


@given(
    st.floats(0.5, 1000),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 100)), max_size=60),
)
def test_never_more_than_the_bucket_and_what_ran_into_it_is_taken(rate: float, burst: int, asked: list) -> None:
    rates, now, size = Rates(rate, burst), 0.0, max(burst, rate)
    taken: list[tuple[float, int]] = []
    for pause, count in asked:
        now += pause
        try:
            rates.take("alice", count, now)
        except LimitExceeded as refusal:
            assert refusal.retry_after > 0  # noqa: PT017 - others do not raise
            if count <= size:
                now += refusal.retry_after * (1 + 1e-9) + 1e-9
                rates.take("alice", count, now)  # when it said, there are enough
                taken.append((now, count))
        else:
            taken.append((now, count))
    for index, (since, _) in enumerate(taken):
        for until, _ in taken[index:]:
            total = sum(count for at, count in taken if since <= at <= until)
            assert total <= size + rate * (until - since) + 1e-6


def test_a_full_bucket_is_forgotten() -> None:
    rates = Rates(10.0, 10)
    rates.take("alice", 10, 0.0)
    rates.forget(0.5)
    with pytest.raises(LimitExceeded):
        rates.take("alice", 10, 0.5)
    rates.forget(1.0)
    assert not rates._full_at
    rates.take("alice", 10, 1.0)

"""The service over real gRPC: what each call answers, refuses and lets others see."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chitty.core.errors import CannotListen
from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity
from tests.services import events, peers, serving
from tests.waiting import PATIENCE, eventually_async


@pytest.fixture
async def service():
    async with serving() as service:
        yield service


@pytest.fixture
async def pair(service):
    """Alice and Bob, who have not joined."""
    async with peers(service, 2) as made:
        yield made


def field_at_fault(error: grpc.aio.AioRpcError) -> str:
    details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    for detail in status_pb2.Status.FromString(details).details:
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            return bad.field_violations[0].field
    return ""


async def refusal(awaitable) -> tuple[grpc.StatusCode, str, str]:
    """The status of a call that is refused, the field at fault, and the text."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value.code(), field_at_fault(caught.value), caught.value.details()


INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


class TestJoin:
    async def test_a_newcomer_receives_the_epoch_and_its_own_join_first(self, service, pair):
        alice, _ = pair
        first = await alice.join("alice").read()
        assert first.epoch == service.epoch
        (joined,) = first.events
        assert joined == pb.Event(
            sequence=1,
            lamport=3,
            kind=pb.Event.JOINED,
            participant="alice",
            text="Participant alice joined Chitty-Chat at Lamport time 3",
            cause=f"{alice.incarnation}.1",
        )

    async def test_those_who_are_there_receive_it_too(self, pair):
        alice, bob = pair
        stream = alice.join("alice")
        await events(stream, 1)
        await events(bob.join("bob"), 1)
        (joined,) = await events(stream, 1)
        assert (joined.participant, joined.sequence) == ("bob", 2)

    async def test_a_name_is_held_by_one_at_a_time_whatever_its_case(self, pair):
        alice, bob = pair
        await events(alice.join("Straße"), 1)
        code, field, text = await refusal(bob.join("STRASSE").read())
        assert (code, field) == (grpc.StatusCode.ALREADY_EXISTS, "participant")
        assert "'STRASSE' is taken" in text

    async def test_a_name_is_normalised(self, pair):
        alice, _ = pair
        (joined,) = await events(alice.join("Ame\u0301lie"), 1)
        assert joined.participant == "Am\u00e9lie"

    async def test_a_name_can_be_taken_again_after_its_holder_left(self, pair):
        alice, bob = pair
        await events(alice.join("alice"), 1)
        await alice.leave()
        (joined,) = await events(bob.join("alice"), 1)
        assert joined.sequence == 3

    @pytest.mark.parametrize("name", ["", "a b", "-a", "x" * 33, "server", "HUB", "a\n[program:b]", "a/b", "a\x1b[2J"])
    async def test_a_name_that_is_none_is_invalid(self, pair, name):
        assert (await refusal(pair[0].join(name).read()))[:2] == (INVALID, "participant")

    async def test_one_session_cannot_be_two(self, pair):
        alice, _ = pair
        await events(alice.join("alice"), 1)
        other = pb.JoinRequest(participant="eve", number=1, lamport=1)
        code, _, _ = await refusal(alice.stub.Join(other, metadata=alice.metadata).read())
        assert code is grpc.StatusCode.PERMISSION_DENIED

    async def test_the_number_of_participants_is_limited(self):
        async with serving(limits__participants=1) as service, peers(service, 2) as (alice, bob):
            await events(alice.join("alice"), 1)
            code, _, text = await refusal(bob.join("bob").read())
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "1 participants" in text

    @pytest.mark.parametrize(
        ("lamport", "number", "field"),
        [(0, 1, "lamport"), (2**32 + 1, 1, "lamport"), (2**64 - 1, 1, "lamport"), (1, 0, "number")],
    )
    async def test_a_timestamp_or_number_that_no_correct_process_sends_is_invalid(self, pair, lamport, number, field):
        alice, bob = pair
        request = pb.JoinRequest(participant="alice", number=number, lamport=lamport)
        assert (await refusal(alice.stub.Join(request, metadata=alice.metadata).read()))[:2] == (INVALID, field)
        (joined,) = await events(bob.join("bob"), 1)
        assert joined.lamport == 3, "a refused request moves no clock"


class TestResume:
    async def test_a_repeated_join_takes_the_membership_over_and_goes_on_where_it_says(self, service, pair):
        alice, bob = pair
        old = alice.join("alice")
        await events(old, 1)
        await events(bob.join("bob"), 1)
        await bob.publish("one", "two")
        await events(old, 3)
        new = alice.join("alice", epoch=service.epoch, after=2)
        assert [event.text for event in await events(new, 2)] == ["one", "two"]
        code, _, _ = await refusal(old.read())
        assert code is grpc.StatusCode.ABORTED
        await bob.publish("three")
        (third,) = await events(new, 1)
        assert (third.text, third.sequence) == ("three", 5), "nobody was seen to leave or join meanwhile"

    async def test_a_join_whose_answer_was_lost_is_repeated_without_harm(self, pair):
        alice, _ = pair
        await events(alice.join("alice"), 1)
        again = alice.stub.Join(pb.JoinRequest(participant="alice", number=1, lamport=1), metadata=alice.metadata)
        (joined,) = await events(again, 1)
        assert joined.sequence == 1

    async def test_one_who_missed_nothing_is_answered_at_once(self, service, pair):
        alice, _ = pair
        await events(alice.join("alice"), 1)
        response = await alice.join("alice", epoch=service.epoch, after=1).read()
        assert (response.epoch, len(response.events)) == (service.epoch, 0)

    async def test_another_epoch_is_a_failed_precondition(self, pair):
        code, field, _ = await refusal(pair[0].join("alice", epoch="00000000", after=1).read())
        assert (code, field) == (grpc.StatusCode.FAILED_PRECONDITION, "epoch")

    async def test_a_cursor_means_nothing_without_its_epoch(self, pair):
        assert (await refusal(pair[0].join("alice", after=1).read()))[:2] == (INVALID, "after")

    async def test_a_cursor_in_the_future_is_refused_and_the_membership_goes_on(self, service, pair):
        alice, bob = pair
        stream = alice.join("alice")
        await events(stream, 1)
        assert (await refusal(alice.join("alice", epoch=service.epoch, after=9).read()))[:2] == (PRECONDITION, "after")
        await events(bob.join("bob"), 1)
        await events(stream, 1)

    async def test_a_cursor_older_than_the_window_is_out_of_range(self):
        async with serving(window__events=8) as service, peers(service, 1) as (alice,):
            await events(alice.join("alice"), 1)
            for _ in range(20):
                await alice.publish("again")
            code, _, _ = await refusal(alice.join("alice", epoch=service.epoch, after=1).read())
            assert code is grpc.StatusCode.OUT_OF_RANGE


class TestPublish:
    async def test_the_receipt_tells_place_and_time_of_the_broadcast(self, pair):
        alice, _ = pair
        stream = alice.join("alice")
        await events(stream, 1)
        receipts = await alice.publish("hello")
        (said,) = await events(stream, 1)
        assert receipts == [pb.Receipt(number=2, sequence=said.sequence, lamport=said.lamport)]
        assert (said.text, said.participant, said.cause) == ("hello", "alice", f"{alice.incarnation}.2")

    @pytest.mark.parametrize("character", ["a", "😀", "\u0301", "ß", "中"])
    async def test_128_code_points_pass_and_129_do_not(self, pair, character):
        alice, _ = pair
        stream = alice.join("alice")
        await events(stream, 1)
        await alice.publish(character * 128)
        (said,) = await events(stream, 1)
        assert said.text == character * 128
        code, field, text = await refusal(alice.publish(character * 129))
        assert (code, field) == (INVALID, "messages[0].text")
        assert "129 characters" in text

    async def test_an_empty_message_is_refused(self, pair):
        await events(pair[0].join("alice"), 1)
        assert (await refusal(pair[0].publish("")))[:2] == (INVALID, "messages[0].text")

    async def test_a_request_without_messages_is_refused(self, pair):
        await events(pair[0].join("alice"), 1)
        assert (await refusal(pair[0].publish()))[:2] == (INVALID, "messages")

    async def test_a_request_is_all_or_nothing_and_the_membership_goes_on(self, pair):
        alice, _ = pair
        stream = alice.join("alice")
        await events(stream, 1)
        call = alice.publishing()
        await call.write(pb.PublishRequest(messages=[alice.message("stands")]))
        assert len((await call.read()).receipts) == 1
        first, bad = alice.message("not this"), alice.message("x" * 129)
        await call.write(pb.PublishRequest(messages=[first, bad]))
        assert (await refusal(call.read()))[:2] == (INVALID, "messages[1].text")
        (again,) = await alice.publish(first)
        assert again.number == first.number
        assert [event.text for event in await events(stream, 2)] == ["stands", "not this"]

    async def test_a_repeat_gets_its_first_receipt_and_is_not_broadcast_again(self, pair):
        alice, _ = pair
        stream = alice.join("alice")
        await events(stream, 1)
        message = alice.message("once")
        first, second = await alice.publish(message), await alice.publish(message)
        assert first == second
        await alice.publish("next")
        assert [event.text for event in await events(stream, 2)] == ["once", "next"]

    async def test_a_lower_number_that_was_never_accepted_is_refused(self, pair):
        alice, _ = pair
        await events(alice.join("alice"), 1)
        late, message = alice.message("late"), alice.message("first")
        await alice.publish(message)
        assert (await refusal(alice.publish(late)))[:2] == (INVALID, "messages[0].number")

    async def test_one_who_has_not_joined_has_no_say(self, pair):
        code, _, text = await refusal(pair[0].publish("hello"))
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert "join first" in text

    async def test_a_request_has_so_many_messages_at_most(self):
        async with serving(limits__messages_per_request=3) as service, peers(service, 1) as (alice,):
            await events(alice.join("alice"), 1)
            await alice.publish("1", "2", "3")
            code, _, text = await refusal(alice.publish("1", "2", "3", "4"))
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "4 messages" in text

    async def test_a_request_has_so_many_bytes_at_most(self):
        async with serving(limits__request_bytes=4096) as service, peers(service, 1) as (alice,):
            await events(alice.join("alice"), 1)
            code, _, _ = await refusal(alice.publish("x" * 5000))
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


class TestLeave:
    async def test_the_leaver_does_not_receive_its_leave_and_the_others_do(self, pair):
        alice, bob = pair
        leaving = alice.join("alice")
        await events(leaving, 1)
        staying = bob.join("bob")
        await events(staying, 1)
        receipt = await alice.leave()
        rest = [event.participant async for event in _all_events(leaving)]
        assert "alice" not in rest
        assert await leaving.code() is grpc.StatusCode.OK
        left = [event async for event in _until(staying, pb.Event.LEFT)][-1]
        assert (left.participant, left.reason, left.sequence) == ("alice", pb.Event.ASKED, receipt.sequence)
        assert left.text == f"Participant alice left Chitty-Chat at Lamport time {left.lamport}"

    async def test_a_leave_is_repeated_without_harm(self, pair):
        alice, _ = pair
        await events(alice.join("alice"), 1)
        request = pb.LeaveRequest(number=2, lamport=5)
        answers = [await alice.stub.Leave(request, metadata=alice.metadata) for _ in range(2)]
        assert answers[0] == answers[1]

    async def test_a_broken_stream_is_announced_as_lost_without_a_cause(self, pair):
        alice, bob = pair
        stream = bob.join("bob")
        await events(stream, 1)
        await events(alice.join("alice"), 1)
        await events(stream, 1)
        await alice.channel.close()
        (left,) = await asyncio.wait_for(events(stream, 1), PATIENCE)
        assert (left.participant, left.reason, left.cause) == ("alice", pb.Event.LOST, "")

    async def test_join_and_leave_at_once_end_the_stream_well(self, pair):
        alice, _ = pair
        stream = alice.join("alice")
        request = pb.LeaveRequest(number=2, lamport=2)
        while True:
            try:
                await alice.stub.Leave(request, metadata=alice.metadata)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0)  # the Join has not arrived yet
            else:
                break
        assert [event.kind async for event in _all_events(stream)] == [pb.Event.JOINED]
        assert await stream.code() is grpc.StatusCode.OK


class TestSessions:
    @pytest.mark.parametrize(
        "metadata",
        [
            (),
            (("authorization", "Bearer short"),),
            (("authorization", "Basic " + "a" * 32),),
            (("authorization", "Bearer " + "é" * 0),),
        ],
    )
    async def test_a_call_without_a_session_is_unauthenticated(self, pair, metadata):
        request = pb.JoinRequest(participant="alice", number=1, lamport=1)
        code, _, _ = await refusal(pair[0].stub.Join(request, metadata=metadata).read())
        assert code is grpc.StatusCode.UNAUTHENTICATED

    async def test_the_incarnation_is_the_hash_and_never_the_session(self, pair, caplog):
        alice, _ = pair
        with caplog.at_level("INFO"):
            await events(alice.join("alice"), 1)
            await alice.publish("hello")
        assert alice.incarnation in caplog.text
        assert alice.session not in caplog.text
        assert identity.incarnation_of("0" * 32) == "84e0c0eafaa95a34"


class TestBytes:
    @pytest.mark.parametrize(
        ("method", "data", "field"),
        [
            ("Join", b"\x0a\x02\xff\xfe\x10\x01\x18\x01", "participant"),
            (
                "Join",
                pb.JoinRequest(participant="a", number=1, lamport=1).SerializeToString() + b"\x22\x01\xff",
                "epoch",
            ),
            ("Publish", b"\x0a\x07\x08\x02\x10\x02\x1a\x01\xff", "messages[0].text"),
            ("Publish", b"\x0a\x04\x08\x02\x10\x02\x0a\x07\x08\x03\x10\x03\x1a\x01\xff", "messages[1].text"),
        ],
    )
    async def test_invalid_utf8_is_an_invalid_argument_that_names_its_field(self, pair, method, data, field):
        alice, _ = pair
        await events(alice.join("alice"), 1)
        code, at_fault, text = await refusal(alice.raw(method, data))
        assert (code, at_fault) == (INVALID, field)
        assert "UTF-8" in text

    @pytest.mark.parametrize("method", ["Join", "Publish", "Leave", "ListParticipants"])
    async def test_bytes_that_are_no_message_are_an_invalid_argument(self, pair, method):
        await events(pair[0].join("alice"), 1)
        code, _, text = await refusal(pair[0].raw(method, b"\x0a\xff\xff\xff\xff\x0f"))
        assert code is INVALID
        assert "malformed" in text


async def test_the_participants_are_listed_in_order_of_joining(service, pair):
    alice, bob = pair
    await events(bob.join("bob"), 1)
    await events(alice.join("alice"), 1)
    answer = await alice.stub.ListParticipants(pb.ListParticipantsRequest())
    assert [(one.name, one.joined) for one in answer.participants] == [("bob", 1), ("alice", 2)]
    assert answer.epoch == service.epoch


async def test_every_call_is_logged_before_anybody_sees_it(service, pair, caplog):
    alice, _ = pair
    with caplog.at_level("INFO"):
        stream = alice.join("alice")
        await events(stream, 1)
        assert "broadcast lamport=3 n=3 op=join" in caplog.text
        await alice.publish("hello")
        assert (
            f"broadcast lamport=5 n=5 op=publish epoch={service.epoch} seq=2 cause={alice.incarnation}.2" in caplog.text
        )
        await refusal(alice.publish(""))
        assert "refused Publish from" in caplog.text
        await alice.stub.ListParticipants(pb.ListParticipantsRequest())
        assert "ListParticipants from" in caplog.text
        await alice.leave()
        assert "broadcast lamport=7 n=7 op=leave" in caplog.text


async def test_what_arrives_together_is_one_record(pair, caplog):
    alice, _ = pair
    await events(alice.join("alice"), 1)
    with caplog.at_level("INFO"):
        await alice.publish(*(f"message {number}" for number in range(50)))
    batches = [record for record in caplog.records if "op=publish" in record.getMessage()]
    assert len(batches) == 1
    assert batches[0].getMessage().count("broadcast ") == 50


async def test_health_and_reflection_are_served(service, pair):
    channel = pair[0].channel
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", "chitty.v1.ChittyChat"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    assert "chitty.v1.ChittyChat" in [found.name for found in answer.list_services_response.service]
    call.cancel()


async def test_a_second_service_on_the_same_port_is_refused(service):
    port = int(service.address.rpartition(":")[2])
    with pytest.raises(CannotListen, match=f"127.0.0.1:{port}: the port is taken"):
        async with serving(port=port):
            pass


async def test_draining_ends_100_streams_with_unavailable(caplog):
    async with serving() as service, peers(service, 100) as crowd:
        streams = [peer.join(f"p{index}") for index, peer in enumerate(crowd)]
        await asyncio.gather(*(stream.read() for stream in streams))
        publishing = [peer.publishing() for peer in crowd[:10]]
        for call, peer in zip(publishing, crowd, strict=False):
            await call.write(pb.PublishRequest(messages=[peer.message("hello")]))
            await call.read()
        await asyncio.wait_for(service.stop("drained"), PATIENCE)
        ends = [await refusal(_exhaust(call)) for call in [*streams, *publishing]]
        assert {code for code, _, _ in ends} == {grpc.StatusCode.UNAVAILABLE}
        assert "Traceback" not in caplog.text
        assert "op=leave" not in caplog.text, "nobody has left"


async def test_one_who_does_not_read_delays_nobody():
    async with serving(limits__messages_per_second=0) as service, peers(service, 2) as (idle, busy):
        idle.join("idle")
        await eventually_async(lambda: service._replica.hub.sequence == 1)
        stream = busy.join("busy")
        await events(stream, 1)
        call = busy.publishing()
        text = "😀" * 128
        for _ in range(40):
            await call.write(pb.PublishRequest(messages=[busy.message(text) for _ in range(500)]))
            await call.read()
        received = 0
        while received < 20_000:
            received += len((await asyncio.wait_for(stream.read(), PATIENCE)).events)


async def _all_events(stream):
    while (response := await stream.read()) is not grpc.aio.EOF:
        for event in response.events:
            yield event


async def _exhaust(stream):
    return [event async for event in _all_events(stream)]


async def _until(stream, kind):
    async for event in _all_events(stream):
        yield event
        if event.kind == kind:
            return

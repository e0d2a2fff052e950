"""The library against a real service: what a bot's author relies on."""

import asyncio
import logging

import pytest

import chitty
from chitty import (
    AlreadyJoined,
    EventsDropped,
    InvalidArgument,
    NameTaken,
    Refusal,
    SessionEnded,
    SessionReused,
    TakenOver,
    Unacknowledged,
    Unavailable,
    UnknownSession,
    journal,
)
from chitty.client import inbox, transport
from chitty.client import session as session_module
from chitty.client.transport import Transport
from chitty.output import Entries
from chitty.server.absences import Absence
from chitty.server.service import Service
from chitty.wire import convert
from tests.proxies import DOWN, UP, proxying
from tests.services import serving
from tests.takeover import take_over
from tests.waiting import PATIENCE, eventually_async


@pytest.fixture
async def service():
    async with serving() as service:
        yield service


@pytest.fixture
def lines(caplog):
    """The journal of a process so far, read back, and checked for its numbering."""
    caplog.set_level(logging.INFO)

    def read(process: str) -> list[journal.Record]:
        entries = [
            entry
            for record in caplog.records
            if record.name == f"chitty.{process}" and isinstance(record.msg, Entries)
            for entry in record.msg.written
        ]
        records = [journal.parse(f"2026-11-23T00:00:00.000000Z INFO {process} {entry}") for entry in entries]
        assert [record.fields["n"] for record in records] == list(range(1, len(records) + 1))
        return records

    return read


def happened(records: list[journal.Record]) -> list[str]:
    return [f"{record.event} {record.fields['op']}" if "op" in record.fields else record.event for record in records]


async def next_events(me: chitty.Session, count: int) -> list[chitty.Event]:
    return [await asyncio.wait_for(anext(me), PATIENCE) for _ in range(count)]


async def collect(me: chitty.Session, sequences: list[int]) -> None:
    async for event in me:
        sequences.append(event.sequence)  # noqa: PERF401 - kept up to an error


async def test_joins_messages_and_leaves_come_in_the_total_order(service):
    async with chitty.join("alice", service.address) as alice:
        async with chitty.join("bob", service.address) as bob:
            receipt = await bob.publish("hello")
        seen = await next_events(alice, 4)
        assert [(event.kind, event.participant) for event in seen] == [
            (chitty.Kind.JOINED, "alice"),
            (chitty.Kind.JOINED, "bob"),
            (chitty.Kind.PUBLISHED, "bob"),
            (chitty.Kind.LEFT, "bob"),
        ]
        assert [event.sequence for event in seen] == [1, 2, 3, 4]
        assert (seen[2].text, seen[2].sequence, seen[2].lamport) == ("hello", receipt.sequence, receipt.lamport)
        assert seen[3].reason is chitty.Reason.ASKED


async def test_iteration_ends_with_the_leave_and_has_no_own_leave(service):
    async with chitty.join("alice", service.address) as alice:
        await alice.publish("hello")
        await alice.leave()
        assert [event.kind async for event in alice] == [chitty.Kind.JOINED, chitty.Kind.PUBLISHED]


async def test_the_journal_tells_each_step_with_its_time(service, lines):
    async with chitty.join("alice", service.address) as alice:
        await alice.publish("hello")
        await next_events(alice, 2)
    records = lines("alice")
    told = happened(records)
    assert told[:3] == ["start", "send join", "deliver join"]
    assert told[3] == "send publish"
    assert sorted(told[4:6]) == ["ack publish", "deliver publish"]
    assert told[6:] == ["send leave", "ack leave", "end"]
    assert [record.fields["lamport"] for record in records] == [0, 1, 4, 5, 8, 9, 10, 13, 13]


async def test_events_are_logged_whether_or_not_anybody_iterates(service, lines):
    async with chitty.join("alice", service.address, events=False) as alice:
        await alice.publish("hello")
        await eventually_async(lambda: "deliver publish" in happened(lines("alice")))


async def test_many_can_speak_at_once_and_keep_their_order(service):
    async with chitty.join("alice", service.address) as alice:
        receipts = await asyncio.gather(*(alice.publish(f"message {number}") for number in range(500)))
        assert [receipt.sequence for receipt in receipts] == list(range(2, 502))
        seen = await next_events(alice, 501)
        assert [event.text for event in seen[1:]] == [f"message {number}" for number in range(500)]


async def test_one_refused_message_among_many_is_refused_alone(service, lines):
    async with chitty.join("alice", service.address) as alice:
        said = [alice.publish(text) for text in ("one", "x" * 129, "two", "", "three")]
        answers = await asyncio.gather(*said, return_exceptions=True)
        assert [type(answer) for answer in answers] == [
            chitty.Receipt,
            InvalidArgument,
            chitty.Receipt,
            InvalidArgument,
            chitty.Receipt,
        ]
        seen = await next_events(alice, 4)
        assert [event.text for event in seen[1:]] == ["one", "two", "three"]
    refused = [record for record in lines("alice") if record.event == "refused"]
    assert [record.fields["status"] for record in refused] == ["INVALID_ARGUMENT"] * 2


@pytest.mark.parametrize(("text", "says"), [("x" * 4097, "4097 bytes"), ("\ud800", "lone surrogate")])
async def test_what_no_request_can_carry_is_refused_here(service, lines, text, says):
    async with chitty.join("alice", service.address) as alice:
        with pytest.raises(InvalidArgument, match=says):
            await alice.publish(text)
        await alice.publish("goes on")
    assert "refused publish" not in happened(lines("alice"))


async def test_a_taken_name_is_refused_for_good(service, lines):
    async with chitty.join("alice", service.address):
        with pytest.raises(NameTaken, match="'ALICE' is taken"):
            async with chitty.join("ALICE", service.address):
                pytest.fail("joined under a taken name")
    assert happened(lines("ALICE")) == ["start", "send join", "refused join", "end"]


async def test_refusals_of_one_status_are_told_apart(service):
    async with chitty.join("bob", service.address) as bob:
        again = chitty.join("bob", service.address)
        again._secret, again._participant = bob._secret, bob._participant
        with pytest.raises(AlreadyJoined, match="this session is already a participant, by its message 1"):
            await again.__aenter__()
        stranger = chitty.join("dave", service.address)
        with pytest.raises(UnknownSession, match="join first"):
            await Transport(service.address, stranger._secret, None, stranger._loaded).leave(1, 1)


def test_an_invalid_name_is_refused_at_once():
    with pytest.raises(InvalidArgument, match="'a b' has ' '"):
        chitty.join("a b", "127.0.0.1:1")


async def test_nothing_can_be_said_outside_of_a_membership(service):
    alice = chitty.join("alice", service.address)
    with pytest.raises(SessionEnded):
        await alice.publish("before")
    async with alice:
        pass
    with pytest.raises(SessionEnded):
        await alice.publish("after")


async def test_a_service_that_is_not_there_is_waited_for_and_said_so_once(caplog, service):
    known = []
    joining = asyncio.create_task(chitty.join("alice", lambda: known[-1] if known else None).__aenter__())
    known.append("127.0.0.1:1")
    await eventually_async(lambda: "cannot reach the service" in caplog.text)
    known.append(service.address)
    alice = await asyncio.wait_for(joining, PATIENCE)
    assert alice.joined
    await alice.leave()
    assert caplog.text.count("cannot reach the service") == 1


async def test_one_who_waits_for_a_service_can_be_stopped(lines):
    joining = asyncio.create_task(chitty.join("alice", "127.0.0.1:1").__aenter__())
    await eventually_async(lambda: "send join" in happened(lines("alice")))
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(joining, PATIENCE)
    assert happened(lines("alice")) == ["start", "send join", "end"]


async def test_one_stopped_as_soon_as_it_has_joined_leaves(service, lines):
    def stop(joined):
        if joined:
            joining.cancel()

    alice = chitty.join("alice", service.address, on_membership=stop)
    joining = asyncio.create_task(alice.__aenter__())
    with pytest.raises(asyncio.CancelledError):
        await joining
    sent = [what for what in happened(lines("alice")) if not what.startswith("deliver")]
    assert sent == ["start", "send join", "send leave", "ack leave", "end"]


async def test_after_a_cut_connection_it_is_back_and_what_was_said_is_heard_once_and_in_order(service):
    said = [f"message {number}" for number in range(300)]
    async with (
        proxying(service.address) as proxy,
        chitty.join("bob", service.address) as bob,
        chitty.join("alice", proxy.address, events=False) as alice,
    ):
        publishing = [asyncio.create_task(alice.publish(text)) for text in said]
        for stop in (5, 120, 250):
            await asyncio.wait_for(publishing[stop], PATIENCE)
            proxy.cut()
        receipts = await asyncio.wait_for(asyncio.gather(*publishing), PATIENCE)
        heard = {}
        while len(heard) < len(said):
            event = await asyncio.wait_for(anext(bob), PATIENCE)
            if event.kind is chitty.Kind.PUBLISHED:
                heard[event.sequence] = event.text
    assert list(heard.values()) == said
    assert [receipt.sequence for receipt in receipts] == list(heard)


async def test_a_new_order_is_joined_anew_and_what_was_under_way_is_unacknowledged(lines):
    addresses, memberships = [], []
    async with serving() as old:
        addresses.append(old.address)
        alice = chitty.join("alice", lambda: addresses[-1], on_membership=memberships.append)
        await alice.__aenter__()
        first = alice._participant.epoch
    await eventually_async(lambda: memberships == [True, False])
    async with serving() as new:
        addresses.append(new.address)
        await eventually_async(lambda: memberships == [True, False, True])
        assert alice._participant.epoch != first
        await alice.publish("here again")
        await alice.leave()
    assert happened(lines("alice")).count("send join") == 2


async def test_who_leaves_while_the_service_is_gone_does_not_hang():
    async with serving() as service:
        alice = chitty.join("alice", service.address)
        await alice.__aenter__()
    await asyncio.wait_for(alice.leave(), PATIENCE)
    with pytest.raises(SessionEnded):
        await alice.publish("anybody?")


async def test_what_is_said_while_nobody_listens_ends_with_an_error_and_not_never():
    async with serving() as service:
        alice = chitty.join("alice", service.address)
        await alice.__aenter__()
    saying = asyncio.create_task(alice.publish("hello?"))
    await asyncio.sleep(0)
    await alice.leave()
    with pytest.raises((SessionEnded, Unacknowledged)):
        await asyncio.wait_for(saying, PATIENCE)


async def test_events_beyond_a_full_inbox_are_logged_and_the_iterator_is_told_of_the_gap(
    service, lines, caplog, monkeypatch
):
    monkeypatch.setattr(inbox, "CAPACITY", 10)
    async with chitty.join("alice", service.address) as alice:
        for _ in range(2):
            await asyncio.gather(*(alice.publish("again") for _ in range(50)))
        await eventually_async(lambda: happened(lines("alice")).count("deliver publish") == 100)
        kept = []
        with pytest.raises(EventsDropped, match=r"\d+ events are missing here: 10 waited and nobody took them") as gap:
            await collect(alice, kept)
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) >= 10
        assert str(gap.value).startswith(f"{101 - len(kept)} events")
        receipt = await alice.publish("after the gap")
        assert [event.sequence for event in await next_events(alice, 1)] == [receipt.sequence]
        await asyncio.gather(*(alice.publish("again") for _ in range(50)))
    told = [record for record in caplog.records if "events wait and are not taken" in record.getMessage()]
    assert len(told) == 1
    assert "iterate over the session, or call drop_events() or join with events=False" in told[0].getMessage()


async def test_a_session_that_nobody_iterates_notices_that_the_service_was_restarted(caplog, monkeypatch):
    monkeypatch.setattr(inbox, "CAPACITY", 10)
    async with serving() as old:
        port = int(old.address.rpartition(":")[2])
        alice = chitty.join("alice", old.address)
        await alice.__aenter__()
        await asyncio.gather(*(alice.publish("again") for _ in range(100)))
    await eventually_async(lambda: not alice.joined)
    async with serving(port=port) as service:
        receipt = await asyncio.wait_for(alice.publish("still here"), PATIENCE)
        assert receipt.sequence == 2
        assert [member.name for member in service._replica.hub.members] == ["alice"]
        await alice.leave()


async def test_a_session_that_nobody_iterates_notices_that_it_was_ended(service, monkeypatch):
    monkeypatch.setattr(inbox, "CAPACITY", 10)
    async with chitty.join("alice", service.address) as alice:
        await asyncio.gather(*(alice.publish("again") for _ in range(100)))
        await take_over(alice, service.address)
        with pytest.raises(TakenOver):
            await asyncio.wait_for(alice.ended(), PATIENCE)
        assert not alice.joined
        with pytest.raises(SessionEnded, match="session has ended, cannot publish: ") as caught:
            await alice.publish("anybody?")
        assert isinstance(caught.value.__cause__, TakenOver)


@pytest.mark.parametrize("how", ["drop_events", "events=False"])
async def test_iterating_without_events_raises_instead_of_waiting(service, how):
    async with chitty.join("alice", service.address, events=how != "events=False") as alice:
        waiting = asyncio.create_task(anext(alice))
        await asyncio.sleep(0)
        if how == "drop_events":
            await asyncio.wait_for(waiting, PATIENCE)
            waiting = asyncio.create_task(anext(alice))
            await asyncio.sleep(0)
            alice.drop_events()
        with pytest.raises(EventsDropped, match=r"drop_events\(\) or has events=False"):
            await asyncio.wait_for(waiting, PATIENCE)
        with pytest.raises(EventsDropped):
            [event async for event in alice]


async def test_publishing_to_a_silent_service_raises_after_the_patience():
    async with (
        serving(grace=60.0) as service,
        proxying(service.address) as proxy,
        chitty.join("alice", proxy.address, patience=0.3) as alice,
    ):
        proxy.dropped = {UP, DOWN}
        under_way = asyncio.create_task(alice.publish("hello?"))
        await asyncio.sleep(0)
        await eventually_async(lambda: alice._participant.number == 2)
        waiting = asyncio.create_task(alice.publish("anybody?"))
        with pytest.raises(Unacknowledged, match=r"answered nothing for 0.3 s: the message may or may not"):
            await asyncio.wait_for(under_way, PATIENCE)
        with pytest.raises(Unavailable, match=r"answered nothing for 0.3 s: the message was not sent; try again"):
            await asyncio.wait_for(waiting, PATIENCE)
        alice._outbox._patience = PATIENCE
        proxy.dropped = set()
        proxy.cut()
        await asyncio.wait_for(alice.publish("hello again"), PATIENCE)
        texts = [event.text for event in await next_events(alice, 3)]
    assert texts[1:] == ["hello?", "hello again"]


async def test_who_is_here_can_be_asked(service):
    async with chitty.join("bob", service.address), chitty.join("alice", service.address) as alice:
        assert await alice.participants() == ["bob", "alice"]


async def test_who_has_left_cannot_ask_any_more(service):
    async with chitty.join("alice", service.address) as alice:
        await alice.leave()
        with pytest.raises(SessionEnded, match="alice has left the chat: cannot ask"):
            await alice.participants()


async def test_asking_a_service_that_is_silent_is_unavailable_in_a_sentence(service, monkeypatch):
    monkeypatch.setattr(transport, "CALL_SECONDS", 0.2)
    async with proxying(service.address) as proxy, chitty.join("alice", proxy.address) as alice:
        proxy.dropped = {UP, DOWN}
        with pytest.raises(Unavailable, match=r"the service did not answer within 0\.2 s: try again"):
            await alice.participants()
        await alice.abandon()


async def end_in_silence(service: Service, me: chitty.Session) -> None:
    """Let the service announce a participant as lost, whose stream stays open and has nothing to say any more."""
    subscription = service._fanout._subscriptions[me.incarnation]
    service._fanout.unsubscribe(subscription)
    gone = Absence(me.incarnation, subscription.joined, subscription.connection)
    service._replica.absences.begin(gone, forever=True)
    await eventually_async(lambda: service._replica.hub.member(me.incarnation) is None)
    assert me.joined


async def test_a_publish_that_is_no_members_lets_the_session_join_again_and_is_said(service, lines, caplog):
    changes = []
    async with (
        chitty.join("bob", service.address) as bob,
        chitty.join("alice", service.address, on_membership=changes.append) as alice,
    ):
        await alice.publish("before")
        await end_in_silence(service, alice)
        await asyncio.wait_for(alice.publish("after"), PATIENCE)
        assert alice.joined
        heard = [(event.kind, event.text) for event in await next_events(bob, 6)]
    kinds = [kind for kind, _ in heard]
    assert kinds[2:] == [chitty.Kind.PUBLISHED, chitty.Kind.LEFT, chitty.Kind.JOINED, chitty.Kind.PUBLISHED]
    assert heard[-1][1] == "after"
    assert changes == [True, False, True, False]
    assert "does not know this session any more, joining again" in caplog.text
    assert happened(lines("alice"))[-1] == "end"


async def test_who_leaves_when_its_membership_has_ended_in_silence_does_not_wait_for_its_stream(service):
    async with chitty.join("alice", service.address) as alice:
        await end_in_silence(service, alice)
        await asyncio.wait_for(alice.leave(), PATIENCE)
        assert not alice.gave_up


async def test_asking_is_unavailable_while_a_service_that_forgot_the_session_is_joined_again(service, monkeypatch):
    async with chitty.join("alice", service.address) as alice:
        await end_in_silence(service, alice)

        def refuse(_: object) -> None:
            raise UnknownSession("join first")

        monkeypatch.setattr(service._servicer._admission, "admit", refuse)
        with pytest.raises(Unavailable, match="the service does not know this session any more: try again"):
            await alice.participants()
        monkeypatch.undo()
        await eventually_async(lambda: service._replica.hub.member(alice.incarnation) is not None)


@pytest.mark.parametrize(
    "use",
    [
        anext,
        chitty.Session.ended,
        chitty.Session.leave,
        chitty.Session.abandon,
        chitty.Session.participants,
        lambda me: me.publish("hello"),
    ],
)
async def test_a_session_belongs_to_the_event_loop_that_it_joined_in(service, use):
    async def elsewhere(alice: chitty.Session) -> None:
        await use(alice)

    async with chitty.join("alice", service.address) as alice:
        with pytest.raises(SessionEnded, match="belongs to the event loop that it joined in, and this is another one"):
            await asyncio.to_thread(asyncio.run, elsewhere(alice))
        await alice.publish("goes on")


def test_a_session_whose_event_loop_is_closed_says_so_where_it_is_left():
    async def begin() -> chitty.Session:
        async with serving() as service:
            alice = chitty.join("alice", service.address)
            await alice.__aenter__()
            return alice

    alice = asyncio.run(begin())
    with pytest.raises(SessionEnded, match="belongs to the event loop that it joined in"):
        asyncio.run(alice.leave())


async def test_a_refusal_tells_its_status_and_field(service):
    async with chitty.join("alice", service.address) as alice:
        with pytest.raises(Refusal) as caught:
            await alice.publish("x" * 129)
        assert caught.value.status == "INVALID_ARGUMENT"
        assert caught.value.field.endswith(".text")


async def test_what_a_stay_that_ended_did_not_get_said_is_said_anew_in_order():
    said = [f"message {number}" for number in range(120)]
    limits = {"limits__messages_per_request": 30, "limits__messages_per_second": 60.0}
    async with (
        serving(grace=0.0, **limits) as service,
        proxying(service.address) as proxy,
        chitty.join("bob", service.address) as bob,
        chitty.join("alice", proxy.address, events=False) as alice,
    ):
        publishing = [asyncio.create_task(alice.publish(text)) for text in said]
        await asyncio.wait_for(publishing[0], PATIENCE)
        proxy.cut()
        await asyncio.wait_for(asyncio.gather(*publishing), PATIENCE)
        heard = []
        while len(heard) < len(said):
            event = await asyncio.wait_for(anext(bob), PATIENCE)
            if event.kind is chitty.Kind.PUBLISHED:
                heard.append(event.text)
    assert heard == said


async def test_whoever_asks_to_leave_a_second_time_waits_for_the_first_leave(service, lines):
    async with chitty.join("alice", service.address) as alice:
        leaving = asyncio.create_task(alice.leave())
        await asyncio.sleep(0)
        await alice.leave()
        assert leaving.done()
        assert happened(lines("alice"))[-1] == "end"
    assert happened(lines("alice")).count("end") == 1


async def test_one_who_leaves_before_it_has_joined_ends_the_joining(lines):
    alice = chitty.join("alice", "127.0.0.1:1")
    joining = asyncio.create_task(alice.__aenter__())
    await eventually_async(lambda: "send join" in happened(lines("alice")))
    saying = asyncio.create_task(alice.publish("too early"))
    await asyncio.sleep(0)
    await alice.leave()
    with pytest.raises(SessionEnded, match="alice has left before it joined"):
        await asyncio.wait_for(joining, PATIENCE)
    with pytest.raises(SessionEnded):
        await asyncio.wait_for(saying, PATIENCE)
    assert happened(lines("alice")) == ["start", "send join", "end"]


async def test_a_session_is_entered_once(service, lines):
    async with chitty.join("alice", service.address) as alice:
        with pytest.raises(SessionReused, match=r"session of alice was entered before: call chitty\.join"):
            async with alice:
                pytest.fail("entered twice")
        await alice.publish("goes on")
    with pytest.raises(SessionReused):
        await alice.__aenter__()
    assert happened(lines("alice")).count("start") == 1
    assert happened(lines("alice"))[-1] == "end"


@pytest.mark.parametrize(
    "use", [anext, chitty.Session.ended, chitty.Session.participants, lambda me: me.publish("hello")]
)
async def test_a_session_that_was_not_entered_says_so(use):
    with pytest.raises(SessionEnded, match=r"alice has not joined: \w+ inside of `async with`"):
        await use(chitty.join("alice", "127.0.0.1:1"))


@pytest.mark.parametrize("text", [None, b"bytes", 7])
async def test_what_is_no_text_is_refused_with_its_type(service, text):
    async with chitty.join("alice", service.address) as alice:
        with pytest.raises(InvalidArgument, match=f"the message is of type {type(text).__name__}: it must be a str"):
            await alice.publish(text)


@pytest.mark.parametrize("name", [None, 7, b"alice"])
def test_a_name_that_is_no_text_is_refused_with_its_type(name):
    with pytest.raises(TypeError, match=f"the name is of type {type(name).__name__}: it must be a str"):
        chitty.join(name, "127.0.0.1:1")


@pytest.mark.parametrize("address", [None, 5051, b"127.0.0.1:1"])
def test_an_address_that_is_no_text_is_refused_with_its_type(address):
    with pytest.raises(TypeError, match=f"the address is of type {type(address).__name__}: it must be a str such as"):
        chitty.join("alice", address)


async def test_an_address_that_turns_out_to_be_no_text_ends_the_joining(lines):
    with pytest.raises(TypeError, match="the address is of type int"):
        await asyncio.wait_for(chitty.join("alice", lambda: 5051).__aenter__(), PATIENCE)
    assert happened(lines("alice")) == ["start", "send join", "end"]


async def test_a_leave_is_sent_without_the_receipts_that_do_not_come(service, lines, monkeypatch):
    monkeypatch.setattr(session_module, "RECEIPT_SECONDS", 0.1)
    async with proxying(service.address) as proxy, chitty.join("bob", service.address) as bob:
        alice = chitty.join("alice", proxy.address, events=False)
        await alice.__aenter__()
        proxy.dropped.add(DOWN)
        saying = [asyncio.create_task(alice.publish("under way"))]
        await eventually_async(lambda: "send publish" in happened(lines("alice")))
        saying.append(asyncio.create_task(alice.publish("not sent")))
        await asyncio.sleep(0)
        leaving = asyncio.create_task(alice.leave())
        heard = await next_events(bob, 4)
        assert [event.kind.value for event in heard] == ["join", "join", "publish", "leave"]
        assert heard[-1].reason is chitty.Reason.ASKED
        leaving.cancel()
        ends = await asyncio.gather(*saying, return_exceptions=True)
    assert [type(end) for end in ends] == [Unacknowledged, SessionEnded]
    sent = [what for what in happened(lines("alice")) if what.startswith("send")]
    assert sent == ["send join", "send publish", "send leave"]


async def test_the_receipt_of_a_leave_does_not_vouch_for_messages_that_have_none(service, lines, monkeypatch):
    """Receipts come in the order of messages: an `ack` of the Leave would claim that all before it were answered."""
    monkeypatch.setattr(session_module, "RECEIPT_SECONDS", 0.1)

    async def publish(self, messages):
        await self._call.write(convert.publish_request(messages))
        await asyncio.Event().wait()

    monkeypatch.setattr(session_module.Publishing, "publish", publish)
    alice = chitty.join("alice", service.address, events=False)
    await alice.__aenter__()
    saying = asyncio.create_task(alice.publish("answered to nobody"))
    await eventually_async(lambda: "deliver publish" in happened(lines("alice")))
    await alice.leave()
    with pytest.raises(Unacknowledged):
        await saying
    assert happened(lines("alice"))[-2:] == ["send leave", "end"]
    assert lines("alice")[-1].fields["reason"] == "left, but without its last receipts"
    assert not alice.gave_up


async def test_a_leave_that_is_cancelled_ends_the_session_all_the_same(lines):
    async with serving() as service, proxying(service.address) as proxy:
        alice = chitty.join("alice", proxy.address)
        await alice.__aenter__()
        alice._ask_to_leave = lambda: asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(alice.leave(), 0.05)
        assert happened(lines("alice"))[-1] == "end"
        assert alice._following.done()


async def test_a_callback_that_raises_ends_nothing(service, caplog):
    def fail(joined):
        raise OSError("no space left")

    async with chitty.join("alice", service.address, on_membership=fail) as alice:
        await alice.publish("all the same")
    assert "on_membership failed" in caplog.text

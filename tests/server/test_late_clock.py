"""A clock near the end of its numbers: nobody can wind it there, and nothing breaks if it is late all the same."""

import itertools
import json

import pytest

import chitty
from chitty.core.errors import InvalidArgument
from chitty.core.event import Event, Join, Kind, Leave, Limits, Message, Publish, Receipt
from chitty.core.hub import Hub, State
from chitty.core.lamport import HORIZON, LATE_HORIZON, horizon
from chitty.core.participant import Participant
from chitty.journal import entries
from chitty.sequencer import Snapshot, codec
from chitty.sequencer.sqlite import SqliteSequencer
from chitty.server import snapshots
from chitty.wire import chitty_pb2 as pb
from chitty.wire import convert
from tests.refusals import refused
from tests.services import events, options, peers, serving

WIRE = 2**64
LATE = 2**62
SESSION = "a" * 16


def hub_at(time: int) -> Hub:
    return Hub.restore(State(Limits(), time, 0, (), (), {}, ()))


def joined(time: int) -> Hub:
    hub = hub_at(time)
    assert hub.apply(Join(SESSION, "eve", "eve", 1, 1)).events
    return hub


def test_a_peer_winds_an_early_clock_by_its_horizon_and_no_further() -> None:
    hub = joined(0)
    for number in range(2, 100):
        before = hub.time
        (event,) = hub.apply(Publish(SESSION, (Message(number, before + HORIZON, "x"),))).events
        assert event.lamport == hub.time == before + HORIZON + 2
        beyond = hub.apply(Publish(SESSION, (Message(number + 1000, hub.time + HORIZON + 1, "x"),)))
        assert isinstance(beyond.refusal, InvalidArgument)


def test_one_request_winds_it_no_further_than_its_first_message_could() -> None:
    hub = joined(0)
    ahead = hub.time + HORIZON
    assert hub.apply(Publish(SESSION, tuple(Message(number, ahead, "x") for number in range(2, 100)))).events
    assert hub.time <= ahead + 2 * 98


def test_it_takes_a_billion_messages_to_make_a_clock_late_and_ever_so_many_to_end_it() -> None:
    assert LATE // (HORIZON + 2) >= 2**29
    assert horizon(LATE - 1) == HORIZON
    assert horizon(LATE) == LATE_HORIZON
    assert (WIRE - LATE - HORIZON) // (LATE_HORIZON + 2) > 100_000 * 60 * 60 * 24 * 365, "a year of 100,000 a second"


@pytest.mark.parametrize("time", [LATE - 1, LATE, 2**63 - 3, 2**63, WIRE - 10**6])
def test_correct_participants_go_on_at_a_late_clock(time: int) -> None:
    hub, alice = hub_at(time), Participant(SESSION, "alice")
    step = alice.join()
    outcome = hub.apply(Join(SESSION, "alice", "alice", alice.joining, step.lamport))
    alice.welcome("5b1e77")
    alice.deliver(outcome.events)
    alice.joined()
    for _ in range(100):
        messages = tuple(alice.publish("hello")[0] for _ in range(200))
        outcome = hub.apply(Publish(SESSION, messages))
        assert outcome.refusal is None
        alice.acknowledge(outcome.receipts)
        alice.deliver(outcome.events)
    step = alice.leave()
    assert hub.apply(Leave(SESSION, alice.number, step.lamport)).events
    assert hub.time < WIRE


@pytest.mark.parametrize("time", [2**53 + 1, 2**63 - 1, 2**63, WIRE - 1])
def test_such_times_are_stored_sent_and_read_back_exactly(time: int) -> None:
    event = Event(time, time, Kind.PUBLISHED, "eve", "x", f"{SESSION}.{time}")
    (read,) = convert.events(pb.JoinResponse.FromString(convert.frame(event)))
    assert read == event
    assert convert.from_wire(convert.to_wire(Receipt(time, time, time))) == Receipt(time, time, time)
    commands = (Publish(SESSION, (Message(time, time, "x"),)), Join(SESSION, "eve", "eve", time, time))
    assert codec.decode(codec.encode(commands)) == commands
    hub = hub_at(time - 4)
    hub.apply(Join(SESSION, "eve", "eve", time, 1))
    state = hub.state()
    assert snapshots.decode(snapshots.encode(state)) == state
    assert json.loads(json.dumps({"lamport": time})) == {"lamport": time}


async def test_a_service_whose_clock_is_late_serves_restarts_and_lets_nobody_wind_it(tmp_path, caplog):
    path = tmp_path / "chitty.db"
    log = SqliteSequencer(path, options().database)
    late = hub_at(2**63 - 100)
    await log.append([Leave(SESSION, 1, 1)])
    await log.keep(Snapshot(1, 0, snapshots.encode(late.state())))
    await log.append([Leave(SESSION, 1, 1)] * 2000)  # refused; a start applies so many anew at least
    log.note_written(2001)
    await log.close()
    changes = {"sequencer": "sqlite", "database__path": str(path)}
    with caplog.at_level("INFO"):
        for life in (1, 2):
            async with serving(**changes) as service, peers(service, 1) as (eve,):
                stream = eve.join(f"eve{life}")
                (first,) = await events(stream, 1)
                time = first.lamport
                for _ in range(20):
                    eve.lamport = time + LATE_HORIZON + 5
                    assert (await refused(eve.publish("far ahead"))).field == "messages[0].lamport"
                    eve.lamport = time + LATE_HORIZON - 1
                    (receipt,) = await eve.publish("as far as may be")
                    assert receipt.lamport == time + LATE_HORIZON + 2
                    time = receipt.lamport
                async with chitty.join("alice", service.address) as alice:
                    receipt = await alice.publish("hello")
                    assert alice.time > receipt.lamport > 2**63 - 100
    assert "Traceback" not in caplog.text


def test_a_line_of_such_a_time_is_read_back() -> None:
    hub = joined(WIRE - 100)
    outcomes = [hub.apply(Publish(SESSION, (Message(n, 1, "x"),))) for n in range(2, 10)]
    steps = itertools.chain.from_iterable(outcome.steps for outcome in outcomes)
    times = [int(line.split("lamport=")[1].split(" ")[0]) for line in entries(steps, 1, "5b1e77")]
    assert times == list(range(WIRE - 97, WIRE - 97 + 16))

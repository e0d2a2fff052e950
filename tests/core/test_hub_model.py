"""The hub against a model of it, and against itself.

The model keeps the rules in the plainest words that a test can find: lists instead of indexes, and no bound
that it does not count. What it expects is compared with what the hub says after each command.
"""

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from chitty.core import steps
from chitty.core.event import (
    Command,
    Configure,
    Detect,
    Event,
    Join,
    Kind,
    Leave,
    Limits,
    Message,
    Publish,
    Reason,
    Receipt,
)
from chitty.core.hub import Hub
from tests.core.replaying import some_commands, written

SESSIONS = ["a", "b", "c", "d"]
NAMES = ["alice", "ALICE", "bob", "carol"]
HORIZON = 2**32


@dataclass
class Stay:
    session: str
    name: str
    number: int
    receipt: Receipt
    connection: int = 1


@dataclass
class Expected:
    """What the model expects of one command; `stamps` are those of the accepted messages, None of a detect."""

    status: str | None = None
    receipts: list[Receipt] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    stamps: list[int | None] = field(default_factory=list)


class Model:
    """The rules of design.md, once more."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.time = 0
        self.sequence = 0
        self.stays: list[Stay] = []
        self.accepted: dict[str, list[Receipt]] = {}
        self.gone: list[str] = []

    def stay(self, session: str) -> Stay | None:
        return next((stay for stay in self.stays if stay.session == session), None)

    def highest(self, session: str) -> int:
        return max((receipt.number for receipt in self.accepted.get(session, [])), default=0)

    def remembered(self, session: str) -> dict[int, Receipt]:
        return {receipt.number: receipt for receipt in self.accepted.get(session, [])}

    def broadcast(
        self, kind: Kind, stay: Stay, stamped: int | None, number: int, expected: Expected, **more: object
    ) -> Receipt:
        """Move time over the receive, or the detect, and the broadcast that follows it."""
        self.time = max(self.time, stamped or 0) + 2
        self.sequence += 1
        verb = "joined" if kind is Kind.JOINED else "left"
        announcement = f"Participant {stay.name} {verb} Chitty-Chat at Lamport time {self.time}"
        cause = "" if stamped is None else f"{stay.session}.{number}"
        event = Event(self.sequence, self.time, kind, stay.name, cause=cause, **{"text": announcement} | more)
        receipt = Receipt(number, self.sequence, self.time)
        expected.events.append(event)
        expected.stamps.append(stamped)
        if stamped is not None:
            expected.receipts.append(receipt)
            self.accepted[stay.session] = [*self.accepted.get(stay.session, []), receipt][-self.limits.receipts :]
        return receipt

    def well_stamped(self, stamped: int) -> bool:
        return 1 <= stamped <= self.time + HORIZON

    def join(self, session: str, name: str, number: int, stamped: int) -> Expected:  # noqa: PLR0911 - a table
        stay = self.stay(session)
        if stay is not None and number != stay.number:
            return Expected("ALREADY_EXISTS")
        if stay is not None:
            same = stay.name.lower() == name.lower()
            stay.connection += same
            return Expected(receipts=[stay.receipt]) if same else Expected("PERMISSION_DENIED")
        if session in self.accepted and number <= self.highest(session):
            return Expected("FAILED_PRECONDITION")
        if number < 1 or not self.well_stamped(stamped):
            return Expected("INVALID_ARGUMENT")
        if any(other.name.lower() == name.lower() for other in self.stays):
            return Expected("ALREADY_EXISTS")
        if len(self.stays) >= self.limits.participants:
            return Expected("RESOURCE_EXHAUSTED")
        expected = Expected()
        stay = Stay(session, name, number, Receipt(0, 0, 0))
        stay.receipt = self.broadcast(Kind.JOINED, stay, stamped, number, expected)
        self.stays.append(stay)
        self.gone = [other for other in self.gone if other != session]
        return expected

    def publish(self, session: str, messages: list[Message]) -> Expected:
        stay, known = self.stay(session), self.remembered(session)
        news = [message for message in messages if message.number not in known]
        if stay is None:
            if news or not messages:
                return Expected("UNAUTHENTICATED")
            return Expected(receipts=[known[message.number] for message in messages])
        rising = [self.highest(session), *(message.number for message in news)]
        if any(later <= earlier for earlier, later in itertools.pairwise(rising)):
            return Expected("INVALID_ARGUMENT")
        if not all(self.well_stamped(message.stamped) for message in news):
            return Expected("INVALID_ARGUMENT")
        expected = Expected()
        for message in messages:
            if message.number in known:
                expected.receipts.append(known[message.number])
            else:
                self.broadcast(Kind.PUBLISHED, stay, message.stamped, message.number, expected, text=message.text)
        return expected

    def leave(self, session: str, number: int, stamped: int) -> Expected:
        stay, known = self.stay(session), self.remembered(session)
        if number in known and (stay is None or number < stay.number):
            return Expected(receipts=[known[number]])
        if stay is None:
            return Expected("UNAUTHENTICATED")
        if number <= self.highest(session) or not self.well_stamped(stamped):
            return Expected("INVALID_ARGUMENT")
        expected = Expected()
        self.broadcast(Kind.LEFT, stay, stamped, number, expected, reason=Reason.ASKED)
        self.end(stay)
        return expected

    def detect(self, session: str, joined: int, connection: int, reason: Reason) -> Expected:
        stay = self.stay(session)
        expected = Expected()
        if stay is not None and (stay.receipt.sequence, stay.connection) == (joined, connection):
            self.broadcast(Kind.LEFT, stay, None, 0, expected, reason=reason)
            self.end(stay)
        return expected

    def end(self, stay: Stay) -> None:
        self.stays.remove(stay)
        self.gone.append(stay.session)
        self.forget()

    def forget(self) -> None:
        while len(self.gone) > 1 and (
            len(self.gone) > self.limits.departed or self.kept() > self.limits.departed_receipts
        ):
            del self.accepted[self.gone.pop(0)]

    def kept(self) -> int:
        return sum(len(self.remembered(session)) for session in self.gone)


class HubAgainstModel(RuleBasedStateMachine):
    """Any commands of a few sessions, correct and not, in any order."""

    limits = st.builds(Limits, st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 12))

    @initialize(limits=limits)
    def begin(self, limits: Limits) -> None:
        self.first_limits = limits
        self.hub = Hub(limits)
        self.model = Model(limits)
        self.commands: list[Command] = []
        self.said: set[str] = set()

    sessions = st.sampled_from(SESSIONS)
    # An offset to the highest number that the session has used: mostly the next one.
    numbers = st.sampled_from([1, 1, 1, 2, 0, -1, -2, -5])
    # Relative to the hub's clock when small, else one of the edges.
    stamps = st.sampled_from([1, 0, -3, 7, 1, "zero", "horizon", "beyond"])

    def stamped(self, stamp: int | str) -> int:
        edges = {"zero": 0, "horizon": self.hub.time + HORIZON, "beyond": self.hub.time + HORIZON + 1}
        return edges[stamp] if isinstance(stamp, str) else max(1, self.hub.time + stamp)

    @rule(session=sessions, name=st.sampled_from(NAMES), offset=numbers, stamp=stamps)
    def join(self, session: str, name: str, offset: int, stamp: int | str) -> None:
        number, stamped = max(0, self.model.highest(session) + offset), self.stamped(stamp)
        expected = self.model.join(session, name, number, stamped)
        self.compare(Join(session, name, name.lower(), number, stamped), expected)

    @rule(session=sessions, name=st.sampled_from(NAMES))
    def repeat_join(self, session: str, name: str) -> None:
        stay = self.model.stay(session)
        number = stay.number if stay else 1
        self.compare(Join(session, name, name.lower(), number, 1), self.model.join(session, name, number, 1))

    @rule(session=sessions, wanted=st.lists(st.tuples(numbers, stamps), max_size=7))
    def publish(self, session: str, wanted: list[tuple[int, int | str]]) -> None:
        messages: list[Message] = []
        highest = self.model.highest(session)
        for offset, stamp in wanted:
            number = max(0, highest + offset)
            messages.append(Message(number, self.stamped(stamp), f"{session} says {number}"))
            highest = max(highest, number)
        self.compare(Publish(session, tuple(messages)), self.model.publish(session, messages))

    @rule(session=sessions, count=st.integers(1, 4))
    def say(self, session: str, count: int) -> None:
        first = self.model.highest(session) + 1
        messages = [Message(number, self.hub.time + 1, "…") for number in range(first, first + count)]
        self.compare(Publish(session, tuple(messages)), self.model.publish(session, messages))

    @rule(session=sessions, offset=numbers, stamp=stamps)
    def leave(self, session: str, offset: int, stamp: int | str) -> None:
        number, stamped = max(0, self.model.highest(session) + offset), self.stamped(stamp)
        self.compare(Leave(session, number, stamped), self.model.leave(session, number, stamped))

    @rule(
        session=sessions,
        reason=st.sampled_from([Reason.LOST, Reason.EXPELLED]),
        stale=st.booleans(),
        earlier=st.booleans(),
    )
    def detect(self, session: str, reason: Reason, stale: bool, earlier: bool) -> None:
        stay = self.model.stay(session)
        joined = stay.receipt.sequence - stale if stay else 1
        connection = stay.connection - earlier if stay else 1
        self.compare(
            Detect(session, joined, connection, reason), self.model.detect(session, joined, connection, reason)
        )

    @rule(receipts=st.integers(1, 5), participants=st.integers(1, 4), departed_receipts=st.integers(1, 12))
    def configure(self, receipts: int, participants: int, departed_receipts: int) -> None:
        self.model.limits = Limits(participants, receipts, self.model.limits.departed, departed_receipts)
        for session, accepted in self.model.accepted.items():
            self.model.accepted[session] = accepted[-receipts:]
        self.model.forget()
        self.hub.apply(Configure(self.model.limits))
        self.commands.append(Configure(self.model.limits))

    @rule()
    def restore(self) -> None:
        """A hub that was made from the state of another one is that one."""
        state = self.hub.state()
        self.hub = Hub.restore(state)
        assert self.hub.state() == state

    def compare(self, command: Command, expected: Expected) -> None:
        before = (self.hub.time, self.hub.sequence, self.present())
        outcome = self.hub.apply(command)
        self.commands.append(command)

        assert (outcome.refusal.status if outcome.refusal else None) == expected.status
        assert list(outcome.receipts) == expected.receipts
        assert list(outcome.events) == expected.events
        if not expected.events:
            assert outcome.steps == ()
            assert (self.hub.time, self.hub.sequence, self.present()) == before
        self.check_steps(outcome.steps, expected, since=before)
        self.check_unique(outcome.events)
        assert (self.hub.time, self.hub.sequence) == (self.model.time, self.model.sequence)
        assert self.present() == [
            (stay.session, stay.name, stay.number, stay.receipt.sequence) for stay in self.model.stays
        ]
        assert [member.connection for member in self.hub.members] == [stay.connection for stay in self.model.stays]

    def present(self) -> list[tuple[str, str, int, int]]:
        return [(member.incarnation, member.name, member.number, member.joined) for member in self.hub.members]

    def check_steps(self, taken: tuple[steps.Step, ...], expected: Expected, since: tuple[int, int, object]) -> None:
        """Each event is two steps, each later than what caused it, without a gap in the sequence."""
        time, sequence, _ = since
        assert len(taken) == 2 * len(expected.events)
        for cause, broadcast, event, stamped in zip(
            taken[::2], taken[1::2], expected.events, expected.stamps, strict=True
        ):
            assert isinstance(broadcast, steps.Broadcast)
            assert broadcast.event == event
            assert broadcast.members == len(self.model.stays)
            if isinstance(cause, steps.Receive):
                assert (cause.id, cause.op, cause.stamped) == (event.cause, event.kind, stamped)
                assert cause.lamport > cause.stamped
            else:
                assert isinstance(cause, steps.Detect)
                assert (stamped, cause.reason, event.cause) == (None, event.reason, "")
            assert cause.participant == event.participant
            assert time < cause.lamport < broadcast.lamport
            assert event.sequence == sequence + 1
            time, sequence = broadcast.lamport, event.sequence

    def check_unique(self, events: tuple[Event, ...]) -> None:
        """No message is broadcast twice, as long as its sender is remembered."""
        for event in events:
            assert event.cause not in self.said
            self.said |= {event.cause} - {""}
        self.said = {cause for cause in self.said if cause.partition(".")[0] in self.model.accepted}

    def teardown(self) -> None:
        if hasattr(self, "commands"):
            assert written(self.commands, self.first_limits) == written(self.commands, self.first_limits)


TestHubAgainstModel = HubAgainstModel.TestCase
TestHubAgainstModel.settings = settings(max_examples=4 * settings().max_examples)


def test_every_process_says_the_same_to_the_same_commands() -> None:
    """Another process has other hashes of strings: an order of a set that got into an outcome would show."""
    program = (
        "import sys; from tests.core.replaying import *;"
        "sys.stdout.buffer.write(written(some_commands(7, 2000), Limits(5, 3, 4)))"
    )
    here = written(some_commands(7, 2000), Limits(5, 3, 4))
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    said = [child.communicate()[0] for child in children]
    assert said == [here, here]
    assert here.count(b"broadcast lamport=") > 100, "hardly anything was accepted: the commands prove nothing"

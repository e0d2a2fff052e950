"""The hub: the one logical process that stamps and orders every event. A replicated state machine.

It must not know who is connected, how commands reach it, or what time it is: everything it does follows
from the ordered log of commands alone (Schneider, "Implementing Fault-Tolerant Services Using the State
Machine Approach", ACM Computing Surveys 22(4), 1990), so that every replica stamps the same times.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chitty.core import steps
from chitty.core.errors import (
    AlreadyJoined,
    InvalidArgument,
    LimitExceeded,
    NameTaken,
    NotPermitted,
    PreconditionFailed,
    Refusal,
    UnknownSession,
)
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
    announcement,
    message_id,
)
from chitty.core.lamport import LamportClock, horizon
from chitty.core.ledger import Entry, Ledger, Ledgers
from chitty.core.steps import Step


@dataclass(frozen=True, slots=True)
class Member:
    """A membership: who, as whom, and since when.

    Attributes:
        number: of the Join message that began it.
        joined: sequence of its join.
        connection: how many times its Join was accepted, repeats included: which of its connections serves it.
        wall: wall time of its join, in seconds since 1970, for display only.
    """

    incarnation: str
    name: str
    key: str
    number: int
    joined: int
    wall: float
    connection: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What applying one command did.

    Attributes:
        receipts: one for each message of the command, in its order; those of repeats are the first ones.
        events: what is to be broadcast, in the total order; empty for a repeat or a refusal.
        steps: the hub's steps, in order; to be logged before anything is sent.
        refusal: why nothing was done, or None.
        member: the membership that it began, confirmed or ended, if any.
    """

    receipts: tuple[Receipt, ...] = ()
    events: tuple[Event, ...] = ()
    steps: tuple[Step, ...] = ()
    refusal: Refusal | None = None
    member: Member | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a hub knows, as plain values: what a snapshot holds.

    Attributes:
        time: its clock.
        sequence: of the last event.
        members: who belongs, in order of joining.
        joins: the receipt of each member's Join, in the order of `members`.
        ledgers: by incarnation.
        departed: incarnations that left and are remembered, the longest gone first.
    """

    limits: Limits
    time: int
    sequence: int
    members: tuple[Member, ...]
    joins: tuple[Receipt, ...]
    ledgers: dict[str, Entry]
    departed: tuple[str, ...]


FULL = 30.0
"""Seconds after which one for whom there was no place is to ask again."""


class Hub:
    """Decides everything that depends on order: names, membership, repeats, sequence, time."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._clock = LamportClock()
        self._sequence = 0
        self._members: dict[str, Member] = {}
        self._names: dict[str, Member] = {}
        self._joins: dict[str, Receipt] = {}  # of members: kept while they belong, however much they say
        self._ledgers = Ledgers()

    @classmethod
    def restore(cls, state: State) -> "Hub":
        """Return a hub that goes on where `state` was taken."""
        hub = cls(state.limits)
        hub._clock = LamportClock(state.time)
        hub._sequence = state.sequence
        hub._members = {member.incarnation: member for member in state.members}
        hub._names = {member.key: member for member in state.members}
        hub._joins = dict(zip(hub._members, state.joins, strict=True))
        hub._ledgers = Ledgers.of(state.ledgers, state.departed)
        return hub

    def state(self) -> State:
        """Return everything that the hub knows; what it does later does not change it."""
        return State(
            self._limits,
            self.time,
            self.sequence,
            tuple(self._members.values()),
            tuple(self._joins[incarnation] for incarnation in self._members),
            self._ledgers.entries(),
            self._ledgers.departed(),
        )

    @property
    def limits(self) -> Limits:
        """The limits that decide now."""
        return self._limits

    @property
    def time(self) -> int:
        """The hub's Lamport time."""
        return self._clock.time

    @property
    def sequence(self) -> int:
        """Sequence of the last event, 0 before the first."""
        return self._sequence

    @property
    def members(self) -> Sequence[Member]:
        """Who belongs, in order of joining."""
        return tuple(self._members.values())

    def member(self, incarnation: str) -> Member | None:
        """Return the membership that `incarnation` has now, if any."""
        return self._members.get(incarnation)

    def holder(self, key: str) -> Member | None:
        """Return who holds a name now, by its folded form."""
        return self._names.get(key)

    def knows(self, incarnation: str) -> bool:
        """Tell whether anything was accepted of `incarnation`, as far as that is remembered."""
        return incarnation in self._ledgers

    def admit(self, name: str, key: str) -> None:
        """Do nothing if a newcomer could join under a name now.

        Raises:
            NameTaken: somebody holds it.
            LimitExceeded: there are as many participants as there may be.
        """
        if key in self._names:
            raise NameTaken(f"name {name!r} is taken by a participant: choose another one", field="participant")
        if len(self._members) >= self._limits.participants:
            raise LimitExceeded(
                f"there are {len(self._members)} participants, which is the limit: try again later", retry_after=FULL
            )

    def apply(self, command: Command) -> Outcome:
        """Apply the next command of the ordered log. Pure: the same log gives the same outcomes anywhere.

        A refusal is an outcome, not an exception: it moves no clock and changes nothing.
        """
        try:
            match command:
                case Publish():
                    return self._publish(command)
                case Join():
                    return self._join(command)
                case Leave():
                    return self._leave(command)
                case Detect():
                    return self._detect(command)
                case Configure():
                    self._limits = command.limits
                    self._ledgers.bound(command.limits)
                    return Outcome()
        except Refusal as refusal:
            return Outcome(refusal=refusal)

    def _join(self, join: Join) -> Outcome:
        member = self._members.get(join.incarnation)
        ledger = self._ledgers.get(join.incarnation) or Ledger()
        if member is not None and member.number == join.number:
            if member.key != join.key:
                raise NotPermitted(f"this session joined as {member.name!r}: make a new one to be {join.name!r}")
            return self._connect(replace(member, connection=member.connection + 1))
        if member is not None:
            raise AlreadyJoined(
                f"this session is already a participant, by its message {member.number}:"
                " repeat that number to take the membership over, or leave first"
            )
        if ledger.highest and join.number <= ledger.highest:
            raise PreconditionFailed(
                f"the membership of message {join.number} has ended: join anew, with a number above {ledger.highest}"
            )
        self._check(join.number, join.stamped)
        self.admit(join.name, join.key)
        member = Member(join.incarnation, join.name, join.key, join.number, self._sequence + 1, join.wall)
        self._ledgers.open(join.incarnation)
        self._members[member.incarnation] = self._names[member.key] = member
        outcome = self._accept(member, Kind.JOINED, join.number, join.stamped)
        (self._joins[member.incarnation],) = outcome.receipts
        return outcome

    def _connect(self, member: Member) -> Outcome:
        """Let a member go on over a new connection: no event, and no clock moves."""
        self._members[member.incarnation] = self._names[member.key] = member
        return Outcome(receipts=(self._joins[member.incarnation],), member=member)

    def _publish(self, publish: Publish) -> Outcome:
        member = self._members.get(publish.incarnation)
        ledger = self._ledgers.get(publish.incarnation)
        if ledger is None or member is None:
            return self._repeat_of_departed(ledger, [message.number for message in publish.messages])
        highest = ledger.highest
        first: dict[int, Receipt] = {}
        for index, message in enumerate(publish.messages):
            if message.number in ledger.receipts:
                first[message.number] = ledger.receipts[message.number]
                continue
            try:
                self._check(message.number, message.stamped, above=highest)
            except Refusal as refusal:
                raise refusal.within(f"messages[{index}].") from None
            highest = message.number
        receipts: list[Receipt] = []
        events: list[Event] = []
        taken: list[Step] = []
        for message in publish.messages:
            receipt = first.get(message.number)
            if receipt is None:
                event, receipt = self._broadcast_message(member, ledger, message, taken)
                events.append(event)
            receipts.append(receipt)
        return Outcome(tuple(receipts), tuple(events), tuple(taken), member=member)

    def _broadcast_message(
        self, member: Member, ledger: Ledger, message: Message, taken: list[Step]
    ) -> tuple[Event, Receipt]:
        cause = message_id(member.incarnation, message.number)
        received = self._clock.receive(message.stamped)
        taken.append(steps.Receive(received, Kind.PUBLISHED, cause, message.stamped, member.name))
        self._sequence += 1
        event = Event(self._sequence, self._clock.tick(), Kind.PUBLISHED, member.name, message.text, cause)
        taken.append(steps.Broadcast(event, len(self._members)))
        receipt = Receipt(message.number, event.sequence, event.lamport)
        ledger.enter(receipt, self._limits.receipts)
        return event, receipt

    def _leave(self, leave: Leave) -> Outcome:
        member = self._members.get(leave.incarnation)
        ledger = self._ledgers.get(leave.incarnation)
        if ledger is None or member is None or (leave.number < member.number and leave.number in ledger.receipts):
            return self._repeat_of_departed(ledger, [leave.number])  # of an earlier stay: this one goes on
        self._check(leave.number, leave.stamped, above=ledger.highest)
        self._remove(member)
        outcome = self._accept(member, Kind.LEFT, leave.number, leave.stamped)
        self._ledgers.close(member.incarnation, self._limits)
        return outcome

    def _detect(self, detect: Detect) -> Outcome:
        member = self._members.get(detect.incarnation)
        if member is None or (member.joined, member.connection) != (detect.joined, detect.connection):
            return Outcome()  # it left, joined anew or came back before this was applied
        self._remove(member)
        self._ledgers.close(member.incarnation, self._limits)
        noticed = steps.Detect(self._clock.tick(), member.name, member.incarnation, detect.reason)
        event = self._announce(Kind.LEFT, member, "", detect.reason)
        return Outcome((), (event,), (noticed, steps.Broadcast(event, len(self._members))), member=member)

    def _accept(self, member: Member, kind: Kind, number: int, stamped: int) -> Outcome:
        """Receive the Join or Leave of `member`, announce it, and enter its receipt."""
        cause = message_id(member.incarnation, number)
        received = steps.Receive(self._clock.receive(stamped), kind, cause, stamped, member.name)
        event = self._announce(kind, member, cause, Reason.ASKED if kind is Kind.LEFT else None)
        receipt = Receipt(number, event.sequence, event.lamport)
        ledger = self._ledgers.get(member.incarnation)
        assert ledger is not None, "who is a member has a ledger"
        ledger.enter(receipt, self._limits.receipts)
        broadcast = steps.Broadcast(event, len(self._members))
        return Outcome((receipt,), (event,), (received, broadcast), member=member)

    def _announce(self, kind: Kind, member: Member, cause: str, reason: Reason | None) -> Event:
        self._sequence += 1
        lamport = self._clock.tick()
        text = announcement(kind, member.name, lamport)
        return Event(self._sequence, lamport, kind, member.name, text, cause, reason)

    def _remove(self, member: Member) -> None:
        del self._members[member.incarnation], self._names[member.key], self._joins[member.incarnation]

    def _repeat_of_departed(self, ledger: Ledger | None, numbers: list[int]) -> Outcome:
        """Answer one that does not belong: what it sent while it did keeps its first receipt."""
        receipts = ledger.receipts if ledger is not None else {}
        if not numbers or any(number not in receipts for number in numbers):
            raise UnknownSession("this session is not a participant's: join first")
        return Outcome(tuple(receipts[number] for number in numbers))

    def _check(self, number: int, stamped: int, above: int = 0) -> None:
        """Refuse a number that does not rise, and a timestamp that no correct process would send."""
        if number <= above:
            raise InvalidArgument(
                f"number {number} is not above {above}, the highest so far, and no repeat that is remembered:"
                " numbers of a session rise from 1",
                field="number",
            )
        if stamped < 1:
            raise InvalidArgument("timestamp 0: a send event ticks first, so it is at least 1", field="lamport")
        ahead = horizon(self._clock.time)
        if stamped > self._clock.time + ahead:
            raise InvalidArgument(
                f"timestamp {stamped} is more than 2^{ahead.bit_length() - 1} ahead of the service's clock,"
                f" {self._clock.time}:"
                " a clock starts at 0 and follows what it receives",
                field="lamport",
            )

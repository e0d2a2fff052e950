"""What the properties are judged by: messages matched by their ids, orders by epoch, stays by participant.

It takes the history passage by passage, keeps what a later passage may need, and drops deliveries: what it
holds grows with the messages of a run, not with their deliveries. It judges nothing.
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from chitty.trace.history import Event, Fate, Life, Says
from chitty.trace.reading import key_of
from chitty.trace.stays import Run, Stay


@dataclass(slots=True, eq=False)
class Order:
    """The total order of one epoch, as its hubs' logs have it.

    Attributes:
        lives: of hubs that served it, in the order of reading.
        broadcasts: by sequence; the first line that tells of each.
        receives: the hub's receipts of messages, by id.
        causes: broadcasts by the id of the message that caused them.
        first: lowest sequence logged, 0 before any.
        last: highest one.
    """

    epoch: str
    lives: list[Life] = field(default_factory=list)
    broadcasts: dict[int, Event] = field(default_factory=dict)
    receives: dict[str, Event] = field(default_factory=dict)
    causes: dict[str, Event] = field(default_factory=dict)
    first: int = 0
    last: int = 0

    @property
    def begins(self) -> bool:
        """Whether its beginning is at hand."""
        return bool(self.lives) and self.lives[0].start is not None and self.lives[0].start.lamport == 0

    def stood_at(self, lamport: int) -> bool:
        """Tell whether the hub's clock stood at a time after a broadcast; the last ones are looked at first."""
        late = takewhile(lambda event: event.lamport >= lamport, reversed(self.broadcasts.values()))
        return any(event.lamport == lamport for event in late)


@dataclass(slots=True, eq=False)
class Passage:
    """What one look at a life brings: its next events, and what they let match.

    Attributes:
        events: events of the life that follow one another.
        again: lines that repeat what another life of a hub said first, each after the one that it repeats.
        lines: both of them, as they follow one another in the log.
        before: the line before the first, if there was one.
        misplaced: lines of a kind that such a process does not have, which are none of its events.
        runs: deliveries by stay.
        received: sends and their receives, where the second of the two became known now.
        caused: sends and the broadcasts that they caused, likewise.
        told: deliveries that say something not said before, each with its broadcast.
        untold: deliveries and receipts for which there is no broadcast.
        receipts: of messages, each with the stay in which it came.
        answered: receipts and refusals, each with the send of the same life that it answers, if there is one.
        contradicted: receives and broadcasts of messages that were refused, each with the refusal, where the
            second of the two became known now.
        shut: stays whose Join was refused.
    """

    life: Life
    events: list[Event]
    again: list[tuple[Event, Event]]
    lines: list[Event]
    before: Event | None
    misplaced: list[Event] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    received: list[tuple[Event, Event]] = field(default_factory=list)
    caused: list[tuple[Event, Event]] = field(default_factory=list)
    told: list[tuple[Event, Event]] = field(default_factory=list)
    untold: list[Event] = field(default_factory=list)
    receipts: list[tuple[Stay, Event]] = field(default_factory=list)
    answered: list[tuple[Event | None, Event]] = field(default_factory=list)
    contradicted: list[tuple[Event, Event]] = field(default_factory=list)
    shut: list[Stay] = field(default_factory=list)

    @property
    def steps(self) -> Iterator[tuple[Event | None, Event]]:
        """Each event with the line before it in the life."""
        before = self.before
        repeated = {event for _, event in self.again}
        for event in self.lines:
            if event not in repeated:
                yield before, event
            before = event


LEFT = "left"
"""The reason in the `end` of a participant that left in good order; behind a comma it says what was not."""


class Evidence:
    """All that passages told so far, and what is missing.

    Attributes:
        lives: every life seen, in order of reading.
        orders: by epoch.
        sends: by message id.
        refused: refusals by message id.
        known: of a message, the last delivery that its sender had when it sent it.
        unsent: receives of messages whose send has not been seen, by epoch and id.
        observed: lives by incarnation.
        events: how many were seen.
    """

    def __init__(self) -> None:
        self.lives: dict[Life, None] = {}
        self.orders: dict[str, Order] = {}
        self.sends: dict[str, Event] = {}
        self.refused: dict[str, Event] = {}
        self.known: dict[str, Event] = {}
        self.unsent: dict[tuple[str, str], Event] = {}
        self.observed: dict[str, Life] = {}
        self.stays: dict[Life, Stay] = {}
        self.events = 0
        self._before: dict[Life, Event] = {}
        self._keys: dict[object, Event] = {}
        self._numbers: dict[Life, tuple[int, int]] = {}
        self._heard: dict[Life, Event] = {}
        self._epochs: dict[Life, str] = {}
        self._by_life: dict[Life, list[Stay]] = defaultdict(list)

    def take(self, life: Life, events: list[Event]) -> Passage:
        """Take the next events of a life, and return what they bring."""
        self.lives.setdefault(life)
        self.events += len(events)
        again: list[tuple[Event, Event]] = []
        lines = events
        own = _OF_HUBS if life.is_hub else _OF_PARTICIPANTS
        misplaced: list[Event] = []
        if not {event.kind for event in events} <= own:
            misplaced = [event for event in events if event.kind not in own]
            events = [event for event in events if event.kind in own]
        if life.is_hub:
            if not self._epochs.get(life):
                self._epochs[life] = next((event.says.epoch for event in events if event.says.epoch), "")
            events, again = self._first_hand(life, events)
        passage = Passage(life, events, again, lines, self._before.get(life), misplaced)
        if lines:
            self._before[life] = lines[-1]
        if life.is_hub:
            for event in events:
                self._take_of_hub(event, passage)
        else:
            self._take_of_participant(life, passage)
        return passage

    def order(self, epoch: str) -> Order:
        """Return the order of an epoch, empty when no log tells of it."""
        return self.orders.get(epoch) or Order(epoch)

    def epoch_of(self, life: Life) -> str:
        """Return the epoch of a hub's life."""
        return self._epochs[life]

    def owed_all(self, stay: Stay) -> bool:
        """Tell whether a stay must have been delivered everything before its leave.

        It asked to leave, has the receipt, and read its stream to the end: it says that it `left`, or lived
        on; and the hub did not crash under it.
        """
        end = stay.life.end
        if stay.left is None or not stay.ended or (end is not None and end.says.reason != LEFT):
            return False
        lives = self.order(stay.left.says.epoch).lives
        return bool(lives) and lives[-1].fate is not Fate.CRASHED

    def all_stays(self) -> Iterable[Stay]:
        """Yield every stay."""
        for stays in self._by_life.values():
            yield from stays

    def lacks(self, epoch: str, seq: int) -> str:
        """Return why the hub's log may lack a broadcast that happened, or empty: then it did not happen."""
        order = self.order(epoch)
        if not order.lives:
            hubs = [life for life in self.lives if life.is_hub]
            if hubs and all(life.start is not None for life in hubs):
                return ""
            return f"there is no log of the hub of epoch {epoch}"
        if not order.begins and seq < (order.first or seq + 1):
            return f"the log of the hub of epoch {epoch} lacks its beginning"
        if seq > order.last and order.lives[-1].may_lack_its_end:
            return f"the log of the hub of epoch {epoch} may lack its last lines: it has no `end`"
        return ""

    def another_epoch_followed(self, hub: Life) -> bool:
        """Tell whether a hub of another epoch may have come after this one: those of one log follow one another."""
        others = (life for life in self.lives if life.is_hub and self._epochs[life] != self._epochs[hub])
        return any(life.process is not hub.process or life.number > hub.number for life in others)

    def lacks_hub(self) -> str:
        """Return why a hub's log may lack a life that followed those that it has, or empty: then none did."""
        hubs = [life for life in self.lives if life.is_hub]
        if any(life.may_lack_its_end for life in hubs):
            return "the log of the hub may lack its last lines: it has no `end`"
        return "" if hubs else "there is no log of a hub"

    def lacks_send(self, id_: str) -> str:
        """Return why a participant's log may lack a send that happened, or empty: then it did not happen."""
        incarnation, number = split(id_)
        life = self.observed[incarnation]
        first, last = self._numbers.get(life, (0, 0))
        if life.start is None and number < (first or number + 1):
            return f"the log of {life.name} lacks its beginning"
        if life.may_lack_its_end and number > last:
            return f"the log of {life.name} may lack its last lines: it has no `end`"
        return ""

    def _first_hand(self, life: Life, events: list[Event]) -> tuple[list[Event], list[tuple[Event, Event]]]:
        """Set apart what another life of a hub of the same epoch said first."""
        own: list[Event] = []
        again: list[tuple[Event, Event]] = []
        for event in events:
            first = (
                self._keys.setdefault(key_of(event, self._epochs[life]), event) if event.kind not in _LOCAL else event
            )
            if first.life is life:
                own.append(event)
            else:
                again.append((first, event))
        return own, again

    def _take_of_hub(self, event: Event, passage: Passage) -> None:
        says = event.says
        order = self._order_of(event)
        if event.kind == "receive":
            order.receives.setdefault(says.id, event)
            self._contradict(says.id, event, passage)
            sent = self.sends.get(says.id)
            if sent is None:
                self.unsent[order.epoch, says.id] = event
            else:
                passage.received.append((sent, event))
        elif event.kind == "broadcast":
            order.broadcasts.setdefault(says.seq, event)
            order.first = min(order.first or says.seq, says.seq)
            order.last = max(order.last, says.seq)
            if says.cause:
                order.causes.setdefault(says.cause, event)
                self._contradict(says.cause, event, passage)
                if says.cause in self.sends:
                    passage.caused.append((self.sends[says.cause], event))

    def _contradict(self, id_: str, accepted: Event, passage: Passage) -> None:
        refusal = self.refused.get(id_)
        if refusal is not None:
            passage.contradicted.append((accepted, refusal))

    def _order_of(self, event: Event) -> Order:
        epoch = event.says.epoch or self._epochs[event.life]
        order = self.orders.get(epoch)
        if order is None:
            order = self.orders[epoch] = Order(epoch)
        if not order.lives or order.lives[-1] is not event.life:
            order.lives.append(event.life)
        return order

    def _take_of_participant(self, life: Life, passage: Passage) -> None:
        run: list[Event] = []
        for event in passage.events:
            if event.kind == "deliver":
                run.append(event)
                if event.says.sent is None:
                    self._tell(event, passage)
            else:
                if run:
                    self._close(life, run, passage)
                    run = []
                self._take_step(life, event, passage)
        if run:
            self._close(life, run, passage)

    def _close(self, life: Life, deliveries: list[Event], passage: Passage) -> None:
        run = Run(self._stay(life), deliveries)
        run.walk()
        passage.runs.append(run)
        self._heard[life] = deliveries[-1]

    def _take_step(self, life: Life, event: Event, passage: Passage) -> None:
        kind, op = event.kind, event.says.op
        if kind == "start":
            self.observed.setdefault(event.says.incarnation, life)
        elif kind == "send":
            self._take_send(life, event, passage)
        elif kind == "ack":
            self._tell(event, passage)
            stay = self._stay(life)
            passage.receipts.append((stay, event))
            if op == "leave" and stay.leave is not None and stay.leave.says.id == event.says.id:
                stay.left = event
            self._take_answer(event, passage)
        elif kind == "refused":
            self._take_refusal(life, event, passage)
        elif kind == "end":
            self._stay(life).ended = True

    def _take_answer(self, event: Event, passage: Passage) -> None:
        sent = self.sends.get(event.says.id)
        passage.answered.append((sent if sent is not None and sent.life is event.life else None, event))

    def _take_refusal(self, life: Life, event: Event, passage: Passage) -> None:
        self._take_answer(event, passage)
        id_ = event.says.id
        if self.refused.setdefault(id_, event) is not event:
            return
        stay = self._stay(life)
        if stay.join is not None and stay.join.says.id == id_:
            stay.refused = event
            passage.shut.append(stay)
        for order in self.orders.values():
            accepted = order.receives.get(id_) or order.causes.get(id_)
            if accepted is not None:
                passage.contradicted.append((accepted, event))

    def _take_send(self, life: Life, event: Event, passage: Passage) -> None:
        id_, op = event.says.id, event.says.op
        if op == "join":
            if life in self.stays:
                self.stays[life].ended = True
            self._enter(Stay(life, event))
        elif op == "leave":
            self._stay(life).leave = event
        incarnation, number = split(id_)
        self.observed.setdefault(incarnation, life)
        first, _ = self._numbers.get(life, (number, number))
        self._numbers[life] = first, number
        heard = self._heard.get(life)
        if heard is not None:
            self.known[id_] = heard
        self.sends.setdefault(id_, event)
        for order in self.orders.values():
            received, caused = order.receives.get(id_), order.causes.get(id_)
            if received is not None:
                self.unsent.pop((order.epoch, id_), None)
                passage.received.append((event, received))
            if caused is not None:
                passage.caused.append((event, caused))

    def _stay(self, life: Life) -> Stay:
        stay = self.stays.get(life)
        return stay if stay is not None else self._enter(Stay(life))

    def _enter(self, stay: Stay) -> Stay:
        self.stays[stay.life] = stay
        self._by_life[stay.life].append(stay)
        return stay

    def _tell(self, event: Event, passage: Passage) -> None:
        """Match a delivery or a receipt with its broadcast."""
        says: Says = event.says
        order = self.orders.get(says.epoch)
        sent = order.broadcasts.get(says.seq) if order is not None else None
        if sent is None:
            passage.untold.append(event)
        else:
            says.sent = sent
            passage.told.append((event, sent))


_LOCAL = frozenset({"start", "end"})
_OF_HUBS = _LOCAL | {"receive", "detect", "broadcast"}
_OF_PARTICIPANTS = _LOCAL | {"send", "deliver", "ack", "refused"}


@functools.lru_cache(maxsize=4096)
def split(id_: str) -> tuple[str, int]:
    """Return incarnation and number of a message id; number 0 when it has none."""
    incarnation, _, number = id_.rpartition(".")
    return incarnation, int(number) if number.isdecimal() else 0

"""C: the clocks are Lamport's. Judged within one life of a process, and over each message."""

from collections.abc import Callable
from itertools import pairwise
from operator import lt

from chitty.trace.evidence import Evidence, Passage
from chitty.trace.history import Event
from chitty.trace.property import Property

_EDGES = frozenset({"start", "end"})
_LOCAL = frozenset({"send", "broadcast", "detect", "refused"})


class Monotone(Property):
    """A clock never stands still and never runs back."""

    id = "C1"
    name = "strict monotonicity of each clock"
    sentence = "within a process every event has a higher Lamport time than the one before it"

    def see(self, passage: Passage) -> None:
        """Compare neighbours; start and end are no events of the clock and do not tick."""
        events = passage.lines
        before = [passage.before] if passage.before is not None else []
        times = [event.lamport for event in (*before, *events)]
        self.cases += max(0, len(times) - 1)
        if all(map(lt, times, times[1:])):
            return
        for one, other in pairwise((*before, *events)):
            ticks = other.kind not in _EDGES
            if other.lamport < one.lamport + ticks:
                self.breach(f"a Lamport time above {one.lamport}", f"lamport={other.lamport}", one, other)


class ClockCondition(Monotone):
    """What happens before has the lower timestamp."""

    id = "C2"
    name = "clock condition"
    sentence = "if one event happened before another, it has the lower Lamport time"

    def see(self, passage: Passage) -> None:
        """Compare the ends of each message; within a process it is C1."""
        super().see(passage)
        for sent, received in passage.received:
            self._compare(sent, received)
        for run in passage.runs:
            self.cases += len(run.deliveries)
            for event in run.deliveries:
                broadcast = event.says.sent
                if broadcast is not None and event.lamport <= broadcast.lamport:
                    self._compare(broadcast, event)
        for event, sent in passage.told:
            if event.kind == "ack":
                self._compare(sent, event)

    def _compare(self, sent: Event, received: Event) -> None:
        self.cases += received.kind != "deliver"
        if received.lamport <= sent.lamport:
            self.breach(
                f"received after Lamport time {sent.lamport}, at which it was sent",
                f"lamport={received.lamport}",
                sent,
                received,
            )


class ExactRule(Property):
    """Clocks advance by exactly what the rules say."""

    id = "C3"
    name = "the exact rule (Lamport's IR1, IR2)"
    sentence = "a local or send event adds one; a receive event takes the maximum of clock and timestamp, and adds one"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._restarts: list[Event] = []

    def conclude(self) -> None:
        """Judge where restarted hubs begin: where the clock stood after a broadcast of their epoch."""
        waiting, self._restarts = self._restarts, []
        for start in waiting:
            order = self.evidence.order(start.says.epoch)
            if not order.begins:
                continue
            if not order.stood_at(start.lamport):
                self.breach(
                    f"the Lamport time of a broadcast of epoch={order.epoch}, after which its clock goes on",
                    f"lamport={start.lamport}",
                    order.lives[0].start,
                    start,
                )

    def see(self, passage: Passage) -> None:
        """Compute each Lamport time from the one before it."""
        before = passage.before
        for event in passage.lines:
            if before is None:
                self._see_first(event)
            elif event.kind == "deliver":
                stamped = event.says.stamped
                clock = before.lamport
                if event.lamport != (max(clock, stamped)) + 1:
                    self._breach(before, event, max(stamped, clock) + 1)
            else:
                self._see_other(before, event)
            before = event
        self.cases += len(passage.lines)

    def _see_first(self, event: Event) -> None:
        """Judge a beginning: a participant starts at 0, a hub where its log ended."""
        if event.kind != "start" or event.lamport == 0:
            return
        if event.life.is_hub:
            self._restarts.append(event)
        else:
            self.breach("lamport=0: a clock starts at 0", f"lamport={event.lamport}", event)

    def _see_other(self, before: Event, event: Event) -> None:
        kind, clock = event.kind, before.lamport
        if kind in _LOCAL:
            expected = clock + 1
        elif kind in {"receive", "ack"}:
            expected = max(clock, event.says.stamped) + 1
        else:
            expected = clock
        if event.lamport != expected:
            self._breach(before, event, expected)

    def _breach(self, before: Event, event: Event, expected: int) -> None:
        stamped = event.says.stamped
        rule = f"max({before.lamport}, {stamped}) + 1" if stamped else f"{before.lamport} + {int(event.kind != 'end')}"
        self.breach(f"lamport={expected} = {rule}", f"lamport={event.lamport}", before, event)


class Carried(Property):
    """A timestamp arrives as it was sent."""

    id = "C4"
    name = "timestamps carried unaltered"
    sentence = "the timestamp that arrives with a message is the Lamport time of its send event"

    def see(self, passage: Passage) -> None:
        """Compare both ends of each message; deliveries that say the same are one."""
        for sent, received in passage.received:
            self._compare(sent, received)
        for received, sent in passage.told:
            self._compare(sent, received)

    def _compare(self, sent: Event, received: Event) -> None:
        self.cases += 1
        if received.says.stamped != sent.lamport:
            self.breach(f"stamped={sent.lamport}", f"stamped={received.says.stamped}", sent, received)


class Acyclic(Property):
    """Nothing happened before itself."""

    id = "C5"
    name = "happens-before is acyclic"
    sentence = "the events can be replayed in an order in which every message is sent before it is received"

    def __init__(self, evidence: Evidence, condition: ClockCondition, replay: Callable[[], list[Event]]) -> None:
        super().__init__(evidence)
        self._condition = condition
        self._replay = replay
        self._judged = 0

    def conclude(self) -> None:
        """Replay, where it can fail at all.

        Where the clock condition held, Lamport times rise along every edge, and what rises has no cycle.
        """
        self.cases = self._condition.cases
        if self._condition.broken == self._judged or self.broken:
            return
        self._judged = self._condition.broken
        cycle = self._replay()
        if cycle:
            self.breach(
                "an order in which each event comes after what it depends on",
                f"{len(cycle)} events, each of which waits for the next one in a circle",
                *cycle[:2],
            )

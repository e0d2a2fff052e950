"""Stays of participants, and deliveries that follow one another in them. Judges nothing."""

from dataclasses import dataclass, field

from chitty.trace.history import Event, Life

_HOLE = 10_000
"""Sequences of one gap that are noted one by one; of a wider one only its first."""


@dataclass(slots=True, eq=False)
class Stay:
    """One stay of a participant: from the Join that it sent to the Leave, or to whatever ended it.

    Attributes:
        join: the send event; None when it is not at hand.
        epoch: of what it was delivered, empty before.
        first: its first delivery.
        last: its last delivery so far.
        top: its delivery of the highest sequence so far.
        holes: sequences that were passed over, each with the deliveries around it.
        leave: the send event of its Leave.
        left: the receipt of its Leave.
        refused: the refusal of its Join.
        ended: whether the process lived on after it, or ended in good order: no delivery can be missing
            because of a crash.
    """

    life: Life
    join: Event | None = None
    epoch: str = ""
    first: Event | None = None
    last: Event | None = None
    top: Event | None = None
    holes: dict[int, tuple[Event, Event]] = field(default_factory=dict)
    leave: Event | None = None
    left: Event | None = None
    refused: Event | None = None
    ended: bool = False

    def delivered(self, seq: int) -> bool:
        """Tell whether an event of its epoch was delivered in it."""
        return (
            self.first is not None
            and self.top is not None
            and self.first.says.seq <= seq <= self.top.says.seq
            and seq not in self.holes
        )


@dataclass(slots=True, eq=False)
class Run:
    """Deliveries of one stay that follow one another, and where their sequences do.

    Attributes:
        falls: a delivery, and the one of a higher sequence before it.
        repeats: a delivery, and the highest one before it, which shows that it is a second one.
        strays: deliveries of another epoch than the stay's.
        begins: whether the stay's first delivery is in it.
        jumps: whether sequences are passed over in it.
    """

    stay: Stay
    deliveries: list[Event]
    falls: list[tuple[Event, Event]] = field(default_factory=list)
    repeats: list[tuple[Event, Event]] = field(default_factory=list)
    strays: list[Event] = field(default_factory=list)
    begins: bool = False
    jumps: bool = False

    def walk(self) -> None:
        """Follow the sequences, and note in the stay and here where they are not one after the other."""
        stay, deliveries = self.stay, self.deliveries
        if stay.first is None:
            stay.first = stay.last = stay.top = deliveries[0]
            stay.epoch, self.begins = deliveries[0].says.epoch, True
            deliveries = deliveries[1:]
        assert stay.top is not None
        after = stay.top.says.seq + 1
        told = [event.says for event in deliveries]
        if [says.seq for says in told] == list(range(after, after + len(told))) and (
            {says.epoch for says in told} <= {stay.epoch}
        ):
            stay.last = stay.top = self.deliveries[-1]
            return
        for event in deliveries:
            self._step(event)

    def _step(self, event: Event) -> None:
        stay, seq = self.stay, event.says.seq
        assert stay.top is not None
        assert stay.first is not None
        if event.says.epoch != stay.epoch:
            self.strays.append(event)
            return
        top = stay.top
        if seq > top.says.seq:
            missed = range(top.says.seq + 1, seq)
            stay.holes.update(dict.fromkeys(missed[: _HOLE if len(missed) <= _HOLE else 1], (top, event)))
            self.jumps = self.jumps or bool(missed)
            stay.top = event
        elif stay.holes.pop(seq, None) is not None or seq < stay.first.says.seq:
            self.falls.append((event, top))
        else:
            self.repeats.append((event, top))
        stay.last = event

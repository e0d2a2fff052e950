"""P5 to P8: there is one order, and everybody has it."""

from chitty.trace.evidence import Evidence, Passage, split
from chitty.trace.history import Event
from chitty.trace.property import Property
from chitty.trace.stays import Run, Stay


class GapFree(Property):
    """The hub's sequence has no gaps, and time goes on with it."""

    id = "P5"
    name = "the sequence is gap-free, broadcast timestamps rise"
    sentence = "in an epoch broadcasts have the sequences 1, 2, 3 ..., and each has a higher Lamport time than the last"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._last: dict[str, Event] = {}

    def see(self, passage: Passage) -> None:
        """Compare each broadcast with the one before it in its epoch."""
        if not passage.life.is_hub:
            return
        for event in passage.events:
            if event.kind == "broadcast":
                self._see(event)

    def _see(self, event: Event) -> None:
        self.cases += 1
        epoch, seq = event.says.epoch, event.says.seq
        last = self._last.get(epoch)
        self._last[epoch] = event
        if last is None and not self.evidence.order(epoch).begins:
            self.lack(f"the log of the hub of epoch {epoch} lacks its beginning")
            return
        start = event.life.start
        if start is not None and epoch != start.says.epoch:
            self.breach(f"epoch={start.says.epoch}, the hub's own", f"epoch={epoch}", start, event)
        expected = last.says.seq + 1 if last is not None else 1
        if seq != expected:
            self.breach(f"seq={expected}", f"seq={seq}", last or event.life.start, event)
        if last is not None and event.lamport <= last.lamport:
            self.breach(f"broadcast after Lamport time {last.lamport}", f"lamport={event.lamport}", last, event)


class TotalOrder(Property):
    """All are delivered in one order."""

    id = "P6"
    name = "uniform total order"
    sentence = "everybody is delivered events by rising sequence, and a sequence stands for the same event everywhere"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._agreed: dict[tuple[str, int], Event] = {}

    def see(self, passage: Passage) -> None:
        """Look for sequences that fall, and for two events under one sequence."""
        for run in passage.runs:
            self.cases += len(run.deliveries)
            for event, top in run.falls:
                self.breach(f"seq={event.says.seq} before seq={top.says.seq}", "after it", top, event)
        for event in (*(event for event, _ in passage.told), *passage.untold):
            if event.kind == "deliver":
                self._compare(event)

    def _compare(self, event: Event) -> None:
        says = event.says
        first = self._agreed.setdefault((says.epoch, says.seq), event)
        agreed = first.says
        if (agreed.op, agreed.participant, agreed.text) != (says.op, says.participant, says.text):
            self.breach(
                f"{agreed.op} of {agreed.participant}: {agreed.text}",
                f"{says.op} of {says.participant}: {says.text}",
                first,
                event,
            )


class _ByAuthor(Property):
    """What P7 and P8 share: deliveries are looked at one by one only where their order fell.

    Where sequences rise, as P6 demands, deliveries have the order of the broadcasts.
    """

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._fallen: dict[Stay, list[Event]] = {}
        self._fresh: set[Stay] = set()
        self._told: set[Event] = set()

    def note(self, run: Run) -> None:
        """Keep the deliveries of a run in which a sequence falls, or may still fall into a hole."""
        if run.falls or run.jumps:
            self._fallen.setdefault(run.stay, []).extend(run.deliveries)
            self._fresh.add(run.stay)

    def conclude(self) -> None:
        """Judge what was kept, when the broadcasts of all are known."""
        for stay in self._fresh:
            self.judge(self._fallen[stay])
            if not stay.holes:
                del self._fallen[stay]
        self._fresh.clear()

    def late(self, expected: str, event: Event, because: Event | None) -> None:
        """Note a delivery that came after what it should have come before, once."""
        if event not in self._told:
            self._told.add(event)
            self.breach(expected, "after it", because, event)

    def judge(self, deliveries: list[Event]) -> None:
        """Judge deliveries of one stay in the order in which they came."""
        raise NotImplementedError


class Fifo(_ByAuthor):
    """Who speaks twice is heard in that order."""

    id = "P7"
    name = "FIFO order"
    sentence = "messages of one author are broadcast and delivered in the order in which they were sent"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._last: dict[tuple[str, str], Event] = {}

    def see(self, passage: Passage) -> None:
        """Compare each broadcast with the last one of its author."""
        for run in passage.runs:
            self.note(run)
        if not passage.life.is_hub:
            return
        for event in passage.events:
            if event.kind == "broadcast" and event.says.cause:
                self.cases += 1
                incarnation, number = split(event.says.cause)
                last = self._last.get((event.says.epoch, incarnation))
                if last is not None and number < split(last.says.cause)[1]:
                    self.breach(f"id={event.says.cause} before id={last.says.cause}", "after it", last, event)
                self._last[event.says.epoch, incarnation] = event

    def judge(self, deliveries: list[Event]) -> None:
        """Compare each delivery with the last one of its author."""
        last: dict[str, tuple[int, Event]] = {}
        for event in deliveries:
            if event.says.sent is None or not event.says.sent.says.cause:
                continue
            incarnation, number = split(event.says.sent.says.cause)
            before = last.get(incarnation)
            if before is not None and number < before[0]:
                self.late(f"number {number} of {event.says.participant} before {before[0]}", event, before[1])
            last[incarnation] = number, event


class Causal(_ByAuthor):
    """An answer comes after the question."""

    id = "P8"
    name = "causal order"
    sentence = (
        "a message is broadcast and delivered after everything that its author had been delivered when sending it"
    )

    def see(self, passage: Passage) -> None:
        """Compare the sequence of each broadcast with what its author knew."""
        for run in passage.runs:
            self.note(run)
        for sent, broadcast in passage.caused:
            self.cases += 1
            heard = self.evidence.known.get(sent.says.id)
            if heard is None or heard.says.epoch != broadcast.says.epoch:
                continue
            if heard.says.seq >= broadcast.says.seq:
                self.breach(
                    f"a sequence above {heard.says.seq}, which its author had been delivered",
                    f"seq={broadcast.says.seq}",
                    heard,
                    broadcast,
                )

    def judge(self, deliveries: list[Event]) -> None:
        """Compare each delivery with what the authors of those before it had been delivered."""
        known, because = 0, None
        for event in deliveries:
            if event.says.seq <= known:
                self.late(f"seq={event.says.seq} before a message whose author had it already", event, because)
            sent = event.says.sent
            heard = self.evidence.known.get(sent.says.cause) if sent is not None else None
            if heard is not None and heard.says.epoch == event.says.epoch and heard.says.seq > known:
                known, because = heard.says.seq, event

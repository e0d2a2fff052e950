"""W: the logs are fit to prove something."""

from chitty.core.event import message_id
from chitty.journal import FORMAT
from chitty.trace.evidence import Evidence, Passage, split
from chitty.trace.history import Event, Life
from chitty.trace.property import Property


class WellFormed(Property):
    """Events of a life are numbered 1, 2, 3 ... from its start to its end."""

    id = "W1"
    name = "logs well-formed and complete"
    sentence = "each life of a process logs its events from start to end, numbered 1, 2, 3, with none missing"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._last: dict[Life, int] = {}
        self._broken: dict[Life, int] = {}

    def see(self, passage: Passage) -> None:
        """Count."""
        life = passage.life
        lines = passage.lines
        self.cases += len(lines)
        if life not in self._last:
            self._last[life] = self._begin(life, lines[0])
        last = self._last[life]
        numbers = [event.n for event in lines]
        if numbers != list(range(last + 1, last + 1 + len(lines))):
            self._find_gap(last, passage.before, lines)
        self._last[life] = numbers[-1]
        self._see_end(passage)
        for event in passage.misplaced:
            whose = "the hub" if life.is_hub else "a participant"
            self.breach(f"events of {whose} in its log", f"{event.kind} n={event.n}", life.start, event)

    def conclude(self) -> None:
        """Look at lines that broke off, and whether there was anything at all."""
        for life in self.evidence.lives:
            for line in life.broken[self._broken.get(life, 0) :]:
                self.breach(
                    "a line breaks off only where its process was killed",
                    f"{life.process.log.place(line)} breaks off, and {life.name} goes on",
                    life.end if life.end is not None and life.end.line < line else life.start,
                )
            self._broken[life] = len(life.broken)
        if not self.evidence.lives:
            self.lack_now("there is no event in the logs")
        elif not any(life.is_hub for life in self.evidence.lives):
            self.lack_now("there is no log of a hub")

    def _begin(self, life: Life, first: Event) -> int:
        """Return the number before the first event's, as far as the beginning may be missing."""
        if first.kind != "start":
            self.lack(f"the log of {life.name} begins with n={first.n}, at {first.place}")
            return first.n - 1
        ours, theirs = ("epoch", "incarnation") if life.is_hub else ("incarnation", "epoch")
        if not getattr(first.says, ours) or getattr(first.says, theirs):
            self.breach(f"a start with {ours} and no {theirs}, in the log of {life.name}", "other fields", first)
        if first.says.format != FORMAT:
            self.lack(f"{first.place} says format={first.says.format}: this is written for {FORMAT}")
        return 0

    def _find_gap(self, last: int, before: Event | None, lines: list[Event]) -> None:
        for event in lines:
            if event.n != last + 1:
                self.breach(f"n={last + 1}", f"n={event.n}", before, event)
            before, last = event, event.n

    def _see_end(self, passage: Passage) -> None:
        for before, event in passage.steps:
            if before is not None and before.kind == "end":
                self.breach("nothing after the end of a life", f"{event.kind} n={event.n}", before, event)


class UniqueIds(Property):
    """A message id and an incarnation are used once."""

    id = "W2"
    name = "ids unique"
    sentence = "no two messages have the same id, and no two processes the same incarnation"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._numbers: dict[Life, tuple[int, Event]] = {}

    def see(self, passage: Passage) -> None:
        """Compare each send with what its process, or another one, sent before."""
        life = passage.life
        for event in passage.events:
            if event.kind == "start" and not life.is_hub:
                self.cases += 1
                other = self.evidence.observed[event.says.incarnation]
                if other is not life:
                    self.breach(
                        "an incarnation of its own", f"incarnation {event.says.incarnation} again", other.start, event
                    )
            elif event.kind == "send":
                self._see_send(life, event)

    def _see_send(self, life: Life, event: Event) -> None:
        self.cases += 1
        incarnation, number = split(event.says.id)
        first = self.evidence.sends[event.says.id]
        last, before = self._numbers.get(life, (0, None))
        if first is not event:
            self.breach("an id that no message had before", f"id={event.says.id} again", first, event)
        elif number <= last:
            self.breach(f"a number above {last}", f"id={event.says.id}", before, event)
        if life.start is not None and incarnation != life.incarnation:
            own = message_id(life.incarnation, number)
            self.breach(f"id={own}: the sender's own incarnation", f"id={event.says.id}", life.start, event)
        self._numbers[life] = max(last, number), event

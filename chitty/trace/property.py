"""What a property is: a sentence, and a judge that sees a history passage by passage. Knows no property."""

from typing import ClassVar

from chitty.trace.evidence import Evidence, Passage
from chitty.trace.history import Event
from chitty.trace.verdict import Finding, Status, Violation

_KEPT = 20


class Property:
    """One property of a run: judged as its history comes, concluded at its end.

    A subclass says what it demands in `sentence`, counts in `cases` how many times the run put it to the
    test, and tells of each breach. It keeps no deliveries.
    """

    id: ClassVar[str]
    name: ClassVar[str]
    sentence: ClassVar[str]

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.cases = 0
        self.broken = 0
        self.violations: list[Violation] = []
        self.missing: dict[str, None] = {}
        self.missing_now: dict[str, None] = {}

    def see(self, passage: Passage) -> None:
        """Judge what a passage brings."""

    def conclude(self) -> None:
        """Judge what only the end of the history, or of a consistent cut of it, can tell. May be called again."""

    def breach(self, expected: str, found: str, *witnesses: Event | None) -> None:
        """Note a violation, with the events that show it."""
        self.broken += 1
        if len(self.violations) < _KEPT:
            seen = tuple(event for event in witnesses if event is not None)
            places = tuple(event.place for event in seen)
            self.violations.append(Violation(self.id, seen, places, expected, found))

    def lack(self, why: str) -> None:
        """Note that evidence is missing without which the property cannot be judged everywhere."""
        self.missing.setdefault(why)

    def lack_now(self, why: str) -> None:
        """Note in `conclude` that evidence is missing so far; it may come."""
        self.missing_now.setdefault(why)

    def finding(self) -> Finding:
        """Return what was found so far."""
        if self.broken:
            status = Status.VIOLATED
        elif self.missing or self.missing_now:
            status = Status.UNKNOWN
        else:
            status = Status.HELD if self.cases else Status.NOT_EXERCISED
        missing = list(self.missing | self.missing_now)
        return Finding(self.id, self.name, self.sentence, status, self.cases, self.broken, self.violations, missing)

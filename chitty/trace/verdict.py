"""What a check finds: for each property held, violated, not exercised or unknown, and the witnesses. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chitty.trace.history import Event


class Status(StrEnum):
    """What the logs say of a property."""

    HELD = "held"
    VIOLATED = "violated"
    NOT_EXERCISED = "not exercised"
    UNKNOWN = "unknown"


class Judgement(StrEnum):
    """What the logs say of a run."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach of a property, with the two events that show it.

    Attributes:
        property: its id, such as `C3`.
        witnesses: the events; one of them only where the other should have been.
        places: where they are written, as `file:line`, at the time of the check.
        expected: what the property demands here.
        found: what the logs say instead.
    """

    property: str
    witnesses: tuple[Event, ...]
    places: tuple[str, ...]
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one property.

    Attributes:
        id: such as `C3`.
        name: its standard name.
        sentence: what it says.
        cases: how many times the run put it to the test.
        broken: how many violations there are; `violations` holds the first of them.
        missing: which evidence is missing.
    """

    id: str
    name: str
    sentence: str
    status: Status
    cases: int
    broken: int
    violations: Sequence[Violation]
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class Census:
    """What there was to judge.

    Attributes:
        lines: of all logs.
        events: lines that are believed to be events.
        processes: logs with events.
        headless: lines without a head, not believed.
        strangers: events in the log of another process, not believed.
        unobserved: participants of whom the hub tells, and no log is at hand.
    """

    lines: int
    events: int
    processes: int
    headless: int
    strangers: int
    unobserved: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the logs prove of a run."""

    findings: Sequence[Finding]
    census: Census

    @property
    def judgement(self) -> Judgement:
        """Invalid if a property is violated, else unknown if evidence of one is missing, else valid."""
        found = {finding.status for finding in self.findings}
        if Status.VIOLATED in found:
            return Judgement.INVALID
        return Judgement.UNKNOWN if Status.UNKNOWN in found else Judgement.VALID

    @property
    def violations(self) -> list[Violation]:
        """All violations that are shown, by property."""
        return [violation for finding in self.findings for violation in finding.violations]

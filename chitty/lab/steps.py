"""The steps that a scenario is made of: each a value, checked as it is read, that can say what it does. Pure.

A step in YAML is one verb with what it takes, `kill: carol` or `kill: {who: carol, signal: TERM}`.
"""

from collections.abc import Sequence
from signal import Signals
from typing import Annotated, Any, ClassVar

import msgspec

from chitty.journal import EVENTS
from chitty.lab.values import SERVER, Name, Names, States, Target, Targets, Text
from chitty.settings import Count, Seconds, Size

_SHOWN = 40  # characters of a text that a step's line shows


class Line(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Log lines to look for, from the start of the run on.

    Attributes:
        process: in whose log; of several, in the log of each. `server` is the hub's.
        event: a journal event such as `deliver`; empty for any line, prose too.
        fields: fields that must be so, such as `{op: leave, participant: bob}`.
        text: what must occur in the text, the reason or the prose of the line.
        times: at least so many such lines; 0 for none until now.
    """

    process: Targets
    event: str = ""
    fields: dict[str, str | int] = {}
    text: str = ""
    times: Size = 1

    def __post_init__(self) -> None:
        if self.event and self.event not in EVENTS:
            raise ValueError(f"there is no event {self.event!r}: give one of {', '.join(sorted(EVENTS))}")

    @property
    def what(self) -> str:
        """What a line is to say, in words."""
        wanted = [self.event or "any line", *(f"{key}={value}" for key, value in self.fields.items())]
        return " ".join([*wanted, *([f"with {shortened(self.text)!r}"] if self.text else [])])

    def __str__(self) -> str:
        """Return in words what is looked for."""
        often = "" if self.times == 1 else f", {self.times} times" if self.times else ", not once"
        return f"{self.what} in the log of {_and(self.process)}{often}"


class _Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One step. `short` is the key that a step is about when it is written without any."""

    short: ClassVar[str] = "who"


class Up(_Step, frozen=True):
    """Start the stack; the first step of every scenario, and no other.

    Attributes:
        clients: bots: how many from the roster, or who.
        humans: participants that only say what they are told.
        settings: laid over the default ones, as in a file for `chitty up --config`.
        within: seconds until all have joined.
    """

    short: ClassVar[str] = "clients"
    clients: Size | list[str] = 0
    humans: Names = Names()
    settings: dict[str, Any] = {}
    within: Seconds = 60.0

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who starts, once a number of clients has become names."""
        return (*(self.clients if isinstance(self.clients, list) else ()), *self.humans)

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"the server starts, and {_count(len(self.names))}: {_and(self.names)}"


class Join(_Step, frozen=True):
    """Let participants join; with `refused`, expect that the service refuses them, saying that."""

    who: Names
    human: bool = False
    bot: str = ""
    refused: str = ""
    within: Seconds = 30.0

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"{_and(self.who)} asks to join: refused" if self.refused else _verb(self.who, "join", "joins")


class Say(_Step, frozen=True):
    """Let a participant say a text; with `refused`, expect that the service refuses it, saying that."""

    who: Name
    text: Text
    refused: str = ""
    within: Seconds = 30.0

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"{self.who} says {shortened(self.text)!r}{': refused' if self.refused else ''}"


class Leave(_Step, frozen=True):
    """Let participants leave in good order."""

    who: Names

    def __str__(self) -> str:
        """Return in words what happens."""
        return _verb(self.who, "leave", "leaves")


class Kill(_Step, frozen=True):
    """Send a signal to a process, to end it."""

    who: Target
    signal: str = "KILL"

    def __post_init__(self) -> None:
        if f"SIG{self.signal}" not in Signals.__members__:
            raise ValueError(f"signal {self.signal!r} is none: give one such as KILL, TERM or ABRT")

    @property
    def number(self) -> Signals:
        """The signal."""
        return Signals[f"SIG{self.signal}"]

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"{_subject(self.who)} is killed{'' if self.signal == 'KILL' else f' ({self.signal})'}"


class Pause(_Step, frozen=True):
    """Freeze a process."""

    who: Target

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"{_subject(self.who)} is paused"


class Unpause(_Step, frozen=True):
    """Let a paused process go on."""

    who: Target

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"{_subject(self.who)} goes on"


class Restart(_Step, frozen=True):
    """Stop a process in good order, if it runs, and start it anew."""

    who: Target
    within: Seconds = 60.0

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"{_subject(self.who)} is restarted"


class Expect(_Step, frozen=True):
    """Claim something of the run: all that is given holds at one moment within so many seconds.

    Attributes:
        participants: how many are joined.
        state: how some of them, or the server, are.
        log: what is in the logs.
        that: the claim in words, for whoever watches.
    """

    short: ClassVar[str] = "participants"
    participants: Size | None = None
    state: States = States()
    log: Line | list[Line] = []
    that: str = ""
    within: Seconds = 15.0

    def __post_init__(self) -> None:
        if self.participants is None and not self.state and not self.log:
            raise ValueError("nothing is expected: give participants, state or log")

    def __str__(self) -> str:
        """Return in words what is claimed."""
        return self.that or self.condition

    @property
    def lines(self) -> list[Line]:
        """The log lines."""
        return [self.log] if isinstance(self.log, Line) else self.log

    @property
    def condition(self) -> str:
        """What is to hold, part by part."""
        belong = [] if self.participants is None else [f"{_count(self.participants)} joined"]
        states = [f"{_subject(who)} is {state}" for who, state in self.state.items()]
        return "; ".join([*belong, *states, *map(str, self.lines)])


class Wait(_Step, frozen=True, rename={"seconds": "for"}):
    """Let the chat go on: until a condition holds, as in Expect, or for so many seconds on purpose."""

    short: ClassVar[str] = "for"
    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] | None = None
    until: Expect | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) is (self.until is None):
            raise ValueError("give `for`, in seconds, or `until`, a condition: one of both")

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"chat for {self.seconds:g} s" if self.until is None else f"wait until {self.until}"


class Weights(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How likely each random step is, as a share of the sum of those that are possible."""

    say: Size = 12
    join: Size = 2
    leave: Size = 2
    kill: Size = 1
    pause: Size = 1
    unpause: Size = 2
    restart: Size = 1


class Random(_Step, frozen=True):
    """Steps by chance: the same for the same seed. Afterwards all that were paused go on.

    Attributes:
        steps: how many.
        least: so many participants at least stay joined and awake.
        most: so many at most take part.
    """

    short: ClassVar[str] = "steps"
    steps: Count
    least: Count = 2
    most: Count = 30
    weights: Weights = Weights()

    def __post_init__(self) -> None:
        if self.most < self.least:
            raise ValueError(f"most is {self.most}, below least, which is {self.least}")

    def __str__(self) -> str:
        """Return in words what happens."""
        return f"{self.steps} steps by chance"


Step = Up | Join | Say | Leave | Kill | Pause | Unpause | Restart | Wait | Expect
"""What can be played."""

VERBS: dict[str, type[Step | Random]] = {
    kind.__name__.lower(): kind for kind in (Up, Join, Say, Leave, Kill, Pause, Unpause, Restart, Wait, Expect, Random)
}


def shortened(text: str) -> str:
    """Return a text as a line shows it: a long one by its beginning and its length."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}... ({len(text)} characters)"


def _and(names: Sequence[str]) -> str:
    return ", ".join(names) or "nobody"


def _verb(names: Sequence[str], many: str, one: str) -> str:
    return f"{_and(names)} {one if len(names) == 1 else many}"


def _subject(who: str) -> str:
    return "the server" if who == SERVER else who


def _count(number: int) -> str:
    return f"{number} participant{'' if number == 1 else 's'}"

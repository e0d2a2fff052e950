"""The history of a run: who lived, and what happened to each, as the logs tell it.

    history = reading.read(Path(".chitty"))
    for life in history.lives:
        for event in life.events:
            print(event.place, life.name, event.kind, event.lamport, event.says.text)

Values only; `chitty.trace.reading` makes them. Knows nothing of what should have happened.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from chitty.core.errors import NotRunning, SettingsError
from chitty.journal import HUB


@dataclass(slots=True, eq=False)
class Says:
    """What the line of an event says besides its clock; lines of one delivery by many share one of these.

    Empty text, or 0, stands for what a line has not. The words are the journal's.

    Attributes:
        op: join, publish or leave.
        id: of the message that is sent, received, receipted or refused: `<incarnation>.<number>`.
        text: what was said, or the announcement.
        epoch, seq: place of a broadcast in the total order.
        stamped: the timestamp that came with the message.
        cause: id of the message that caused a broadcast; empty when the hub noticed by itself.
        participant: whom it is about.
        members: how many belong after a broadcast.
        reason: of a leave, a refusal or an end.
        status: of a refusal.
        again: whether a hub repeats a line that it may have written before it crashed.
        sent: of a delivery, the broadcast that it tells of, once somebody has looked for it.
    """

    op: str = ""
    id: str = ""
    text: str = ""
    epoch: str = ""
    seq: int = 0
    stamped: int = 0
    cause: str = ""
    participant: str = ""
    members: int = 0
    incarnation: str = ""
    reason: str = ""
    status: str = ""
    pid: int = 0
    version: str = ""
    format: int = 0
    again: int = 0
    sent: "Event | None" = None


@dataclass(slots=True, eq=False)
class Event:
    """One event of a process: one believed line of its log. Events are equal only to themselves.

    Attributes:
        life: of which process, and in which of its lives.
        kind: start, send, receive, detect, broadcast, deliver, ack, refused or end.
        n: its number in the life, from 1.
        lamport: the process's clock after it.
        wall: wall time, ISO 8601 in UTC with microseconds; such strings sort as times do.
        line: counted over the whole log, from 1; `place` tells it by file.
    """

    life: "Life"
    kind: str
    n: int
    lamport: int
    says: Says
    wall: str
    level: str
    line: int

    @property
    def place(self) -> str:
        """Where it is written, as `file:line`."""
        return self.life.process.log.place(self.line)

    @property
    def process(self) -> str:
        """Name of the process."""
        return self.life.process.name


@dataclass(frozen=True, slots=True)
class Prose:
    """A line that is for people; never part of what is proved."""

    wall: str
    level: str
    process: str
    text: str
    place: str


class Fate(StrEnum):
    """How a life ended, as far as its log tells."""

    ENDED = "ended"
    """In good order: there is an `end`."""
    CRASHED = "crashed"
    """There is no `end`, and another life follows, or nobody says that it still runs."""
    RUNNING = "running"


@dataclass(slots=True, eq=False)
class Life:
    """One life of a process, from its `start` to its `end` or its crash.

    Attributes:
        process: whose life.
        number: counted per process, from 1.
        events: in the order of the log; empty when the reader was not asked to keep them.
        again: lines that repeat what an earlier life, or another server, said first: no events.
        start: None when the beginning is missing.
        end: None when it crashed, still runs, or its last lines are missing.
        torn: number of the line in which it breaks off, or 0.
        broken: numbers of lines that are not whole though the life goes on behind them.
        followed: whether another life follows in the log.
        runs: whether its process is known to run now.
    """

    process: "Process"
    number: int
    events: list[Event] = field(default_factory=list)
    again: list[Event] = field(default_factory=list)
    start: Event | None = None
    end: Event | None = None
    torn: int = 0
    broken: list[int] = field(default_factory=list)
    followed: bool = False
    runs: bool = False

    @property
    def name(self) -> str:
        """The process's name, with the number of the life from the second on: `bob`, `bob#2`."""
        return self.process.name if self.number == 1 else f"{self.process.name}#{self.number}"

    @property
    def is_hub(self) -> bool:
        """Whether it is the service's."""
        return self.process.name == HUB

    @property
    def incarnation(self) -> str:
        """Public identity of a participant's process; empty for a hub, or when the start is missing."""
        return self.start.says.incarnation if self.start else ""

    @property
    def epoch(self) -> str:
        """Of a hub; empty for a participant, or when the start is missing."""
        return self.start.says.epoch if self.start else ""

    @property
    def fate(self) -> Fate:
        """How it ended."""
        if self.end is not None:
            return Fate.ENDED
        return Fate.RUNNING if self.runs and not self.followed else Fate.CRASHED

    @property
    def may_lack_its_end(self) -> bool:
        """Whether last lines may be missing: those of the last life in a log, when it has no `end`.

        A supervisord that outlives a process writes down all that the process said before its crash; one
        that was killed itself did not, nor did one whose logs were copied meanwhile. Of one that is known to
        run, everything up to the cut is at hand.
        """
        return self.end is None and not self.followed and not self.runs


@dataclass(slots=True, eq=False)
class Log:
    """One log, and what in it is not believed.

    Attributes:
        name: without `.log`.
        files: names of its generations, oldest first, each with the number of lines before it.
        headless: lines without a head: prints of something that failed early, torn ones, forgeries.
        strangers: events that name a process whose log this is not.
        names: of some of these processes.
        lines: how many there are.
    """

    name: str
    files: list[tuple[int, str]] = field(default_factory=list)
    headless: int = 0
    strangers: int = 0
    names: set[str] = field(default_factory=set)
    lines: int = 0

    def place(self, line: int) -> str:
        """Return where a line is, as `file:line`."""
        index = bisect_right(self.files, line - 1, key=lambda file: file[0]) - 1
        before, name = self.files[index] if index >= 0 else (0, f"{self.name}.log")
        return f"{name}:{line - before}"


@dataclass(slots=True, eq=False)
class Process:
    """A process, by its log: whose `start` came first in it."""

    name: str
    log: Log
    lives: list[Life] = field(default_factory=list)
    prose: list[Prose] = field(default_factory=list)

    @property
    def is_hub(self) -> bool:
        """Whether it is the service."""
        return self.name == HUB


@dataclass(frozen=True, slots=True)
class History:
    """All that the logs of one directory tell.

    Attributes:
        folder: where the logs are.
        processes: hubs first, then participants in the order of their first event's wall time.
        logs: every log, also one in which nothing is to be believed.
    """

    folder: Path
    processes: Sequence[Process]
    logs: Sequence[Log]

    @property
    def lives(self) -> Iterator[Life]:
        """Every life of every process."""
        return (life for process in self.processes for life in process.lives)

    @property
    def hubs(self) -> Sequence[Life]:
        """The lives of the service, in the order of the log."""
        return [life for life in self.lives if life.is_hub]

    @property
    def participants(self) -> Sequence[Life]:
        """The lives of participants."""
        return [life for life in self.lives if not life.is_hub]

    @property
    def events(self) -> Iterator[Event]:
        """Every event, life by life; for an order that respects happens-before see Causality."""
        return (event for life in self.lives for event in life.events)

    @property
    def prose(self) -> Iterator[Prose]:
        """What the processes said for people."""
        return (prose for process in self.processes for prose in process.prose)


def folder_of(directory: Path) -> Path:
    """Return where the logs of a stack's directory are, or the directory itself when it is a folder of logs.

    Raises:
        NotRunning: there is no such directory.
        SettingsError: it is a file.
    """
    if directory.is_file():
        raise SettingsError(f"{directory} is a file: give the folder of the logs, {directory.parent}")
    folder = directory / "logs" if (directory / "logs").is_dir() else directory
    if not folder.is_dir():
        raise NotRunning(f"there are no logs in {directory}: give a folder that has some; `chitty up` starts a stack")
    return folder

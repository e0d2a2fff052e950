"""What a space-time diagram is made of: values that `layout` places and renderers turn into marks. No rules here."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chitty.trace.axis import Axis, Collapse, Tick
from chitty.trace.history import Event
from chitty.trace.selection import Breach, Selection

NAME = 13.0
"""Font size of names."""
TEXT = 11.0
"""Font size of labels."""
DOT = 5.0
"""Radius of a dot."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place: `dx` right of a lane's line, `y` down the paper."""

    lane: int
    dx: float
    y: float


@dataclass(frozen=True, slots=True)
class Lane:
    """The column of a process.

    Attributes:
        side: -1 left of the hub, 1 right of it, 0 the hub itself.
        lines: its name, broken so that it has room.
    """

    index: int
    name: str
    lines: Sequence[str]
    x: float
    side: int


@dataclass(frozen=True, slots=True)
class Dot:
    """An event.

    Attributes:
        id: number of the event in the diagram, from 0.
        op: join, publish, leave, or empty for what is none of these.
        shape: how it is drawn: the event's kind.
        stamp: its timestamp.
        label: a few words, cut to the room there is; `title` is whole.
        side: where stamp and label are: -1 left of it, 1 right of it.
        breaches: numbers of the violations that it shows, from 1.
    """

    id: int
    event: Event
    lane: int
    y: float
    op: str
    shape: str
    stamp: str
    label: str
    side: int
    title: str
    breaches: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message, from its sending to where it arrived or was lost.

    Attributes:
        path: two points, or more where it waits beside a lane.
        op: join, publish or leave.
        source: the dot that sent it, None when that is not shown.
        target: the dot that received it, None when there is none, or it is not shown.
        to_hub: whether it runs towards the hub.
        receipt: whether it is one.
        lost: whether it ends in a cross.
        open: whether an end is outside of what is shown.
        rises: whether it breaks the clock condition: its receiving is not later than its sending.
        local: whether it is no message, but two events of one process.
    """

    path: tuple[Point, ...]
    op: str
    title: str
    source: int | None = None
    target: int | None = None
    to_hub: bool = False
    receipt: bool = False
    lost: bool = False
    open: bool = False
    rises: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class Lifeline:
    """The line of one life; `goes_on` when it does not end where it stops."""

    lane: int
    top: float
    bottom: float
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a lane: `member`, `unnoticed` (it ended, and is still a member), or `paused`."""

    lane: int
    top: float
    bottom: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign on a lane: `crash` or `pause`."""

    lane: int
    y: float
    kind: str
    title: str


@dataclass(slots=True)
class Diagram:
    """All that there is to draw. Lengths in pixels, the origin at the top left, below the heads.

    Attributes:
        head: height that the names of the lanes need.
        notes: what is shown and what is not, in words.
    """

    axis: Axis
    selection: Selection
    spacing: float
    left: float
    width: float
    height: float
    head: float
    lanes: list[Lane]
    notes: list[str]
    breaches: Sequence[Breach]
    lifelines: list[Lifeline] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    collapses: list[Collapse] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)

    def x(self, point: Point) -> float:
        """Return where a point is, across the paper."""
        return self.lanes[point.lane].x + point.dx

"""Where on the paper a time is: rows, how high they are, and where nothing happens for long. Pure geometry."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chitty.trace.history import Event

ROW = 28.0
"""Height of one row, in pixels."""

_IDLE_ROWS = 3
_COLLAPSED = 1.5 * ROW
_WALL_STEP = 7.0
_WALL_MOST = 3 * ROW
_PIXELS_A_SECOND = 1500.0
_RULER = 5


class Axis(StrEnum):
    """What runs down the paper."""

    LAMPORT = "lamport"
    """Lamport time: one row a tick."""
    ORDER = "order"
    """One row an event, each below all that happened before it."""
    WALL = "wall"
    """Wall time; what is close together is spread, what is far apart is drawn together."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """An idle stretch that is not drawn at its length; `y` is its middle."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the ruler."""

    y: float
    text: str


@dataclass(slots=True)
class Rows:
    """Where each event is, down the paper.

    Attributes:
        bottom: below the last row.
    """

    of: dict[Event, float] = field(default_factory=dict)
    collapses: list[Collapse] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    bottom: float = 0.0


def rows(axis: Axis, events: Sequence[Event], lanes: Mapping[Event, int]) -> Rows:
    """Place events; two of one lane are never in the same place."""
    match axis:
        case Axis.LAMPORT:
            return _by_lamport(events, lanes)
        case Axis.ORDER:
            return _by_order(events)
        case Axis.WALL:
            return _by_wall(events, lanes)


def _by_lamport(events: Sequence[Event], lanes: Mapping[Event, int]) -> Rows:
    found = Rows()
    taken: Counter[tuple[int, int]] = Counter()
    nth: dict[Event, int] = {}
    # `start` and `end` do not tick: they share the time of what follows or precedes, and half a row.
    for event in sorted(events, key=lambda event: event.n):
        place = (lanes[event], event.lamport)
        nth[event] = taken[place]
        taken[place] += 1
    crowd: Counter[int] = Counter()
    for (_, lamport), number in taken.items():
        crowd[lamport] = max(crowd[lamport], number)
    top: dict[int, float] = {}
    y, before = ROW / 2, None
    for lamport in sorted(crowd):
        y = _passed(found, y, 0 if before is None else lamport - before - 1, before)
        top[lamport] = y
        found.ticks.append(Tick(y, str(lamport) if lamport % _RULER == 0 else ""))
        y += ROW * (1 + max(0, crowd[lamport] - 1) * 0.6)
        before = lamport
    found.of = {event: top[event.lamport] + nth[event] * ROW * 0.6 for event in events}
    found.bottom = y
    return found


def _passed(found: Rows, y: float, idle: int, before: int | None) -> float:
    """Return the next row's place after ticks in which nothing is to be seen."""
    if before is None or idle <= _IDLE_ROWS:
        for number in range(idle):
            lamport = (before or 0) + number + 1
            found.ticks.append(Tick(y + number * ROW, str(lamport) if lamport % _RULER == 0 else ""))
        return y + idle * ROW
    found.collapses.append(Collapse(y, f"{idle:,} ticks without an event, {before + 1:,} to {before + idle:,}"))
    return y + _COLLAPSED


def _by_order(events: Sequence[Event]) -> Rows:
    found = Rows()
    for index, event in enumerate(events):
        y = ROW / 2 + index * ROW
        found.of[event] = y
        found.ticks.append(Tick(y, str(index + 1) if (index + 1) % _RULER == 0 or index == 0 else ""))
    found.bottom = ROW / 2 + len(events) * ROW
    return found


def _by_wall(events: Sequence[Event], lanes: Mapping[Event, int]) -> Rows:
    found = Rows()
    seconds = {event: wall_seconds(event) for event in events}
    free: dict[int, float] = {}
    y, ruled, before = ROW / 2, -ROW, None
    # Of one time, what is later by causality is drawn lower: the order of `events` decides.
    for event in sorted(events, key=seconds.__getitem__):
        now = seconds[event]
        apart = 0.0 if before is None else now - before
        if before is not None and apart * _PIXELS_A_SECOND > _WALL_MOST:
            found.collapses.append(Collapse(y + _COLLAPSED * 0.8, f"{apart:,.1f} s without an event"))
            y += _COLLAPSED * 1.6
        elif before is not None:
            y += max(_WALL_STEP, apart * _PIXELS_A_SECOND)
        y = max(y, free.get(lanes[event], 0.0))
        free[lanes[event]] = y + ROW * 0.7
        found.of[event] = y
        if y - ruled >= 2 * ROW:
            found.ticks.append(Tick(y, event.wall[11:23]))
            ruled = y
        before = now
    found.bottom = y + ROW
    return found


def wall_seconds(event: Event) -> float:
    """Return the wall time of an event in seconds since 1970."""
    try:
        return datetime.fromisoformat(event.wall).timestamp()
    except ValueError:
        return 0.0  # a head is believed by its form; 31 February has that too

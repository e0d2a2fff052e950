"""The logs of a stack as one: merged in order of wall time, whole or as they grow.

The order is the same whether you read all lines, the last ones, or those that come: see `Reader`. Prints
nothing, and decides nothing about what a line looks like.
"""

import functools
import heapq
import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chitty import journal, logfile
from chitty.core.errors import SettingsError
from chitty.journal import Record
from chitty.logfile import Growing, logs
from chitty.stack.layout import SERVER, slug

REORDER = 0.25
"""Seconds that a line waits for earlier ones of other files, because supervisord's pipes delay them differently.

They are seconds of a monotonic clock since the line was read: wall time may be set back or ahead meanwhile.
"""

_STEP = 0.05
_WALL = len("2026-11-23T03:11:50.123456Z")
_BATCH = 1000
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one log.

    Attributes:
        file: the program whose log it is in.
        text: the line as it is.
        record: what it says; None when it has no head, or names a process whose log this is not.
        wall: the time at which it is placed among the lines of other files, as `Reader` tells.
    """

    file: str
    text: str
    record: Record | None
    wall: str


class Reader:
    """Turns the lines of one file into Lines, each with the time at which a merge places it.

    That time is the wall time of the line, as long as the clock runs forward. Where the clock was set back,
    time continues at half its speed until the clock has caught up, as adjtime(3) slews a clock. So the file
    keeps its order, and files whose clock was set back together stay in step.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._clock = ""
        self._wall = ""

    def line(self, text: str) -> Line:
        """Return the next line of the file."""
        record = read(self.file, text)
        if record is not None:
            self._wall = record.wall if record.wall >= self._wall else self._slewed(record.wall)
            self._clock = record.wall
        return Line(self.file, text, record, self._wall)

    def _slewed(self, clock: str) -> str:
        try:
            since = max(timedelta(0), datetime.fromisoformat(clock) - datetime.fromisoformat(self._clock))
            slewed = datetime.fromisoformat(self._wall) + since / 2
        except (ValueError, OverflowError):  # such as a 31st of February, which nobody has written
            return self._wall
        return f"{slewed:%Y-%m-%dT%H:%M:%S.%fZ}"


def read(file: str, text: str) -> Record | None:
    """Return what a line says, None when it has no head, or names a process whose log this is not."""
    record = journal.parse(text)
    return record if record is not None and _program_of(record.process) == file else None


@functools.lru_cache(maxsize=4096)
def _program_of(process: str) -> str:
    return SERVER if process == journal.HUB else slug(process)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines are wanted: since a wall time, and by a test of the line."""

    since: str = ""
    wanted: Callable[[Line], bool] | None = None

    def passes(self, line: Line) -> bool:
        """Tell whether a line is wanted."""
        return line.wall >= self.since and (self.wanted is None or self.wanted(line))


def moment(text: str, now: datetime) -> str:
    """Return a wall time as lines have it, for `10s`, `5m`, `2h`, `1d` ago, `HH:MM[:SS]` today, or ISO 8601.

    Without a zone a time is the local one.

    Raises:
        SettingsError: it is none of these.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            found = now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        elif re.fullmatch(r"\d?\d:\d\d(:\d\d(\.\d+)?)?", text):
            today = now.astimezone().date().isoformat()
            hour, _, rest = text.partition(":")
            found = datetime.fromisoformat(f"{today}T{hour:0>2}:{rest}").astimezone()
        else:
            found = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise SettingsError(f"{text!r} is no time: give 10s, 5m, 2h, 1d, 14:30, or 2026-11-23T14:30:00") from None
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def history(paths: list[Path], wanted: Filter) -> Iterator[Line]:
    """Yield every wanted line of several logs in order of wall time."""
    streams = [_forwards(path) for path in paths]
    return (line for line in heapq.merge(*streams, key=_wall) if wanted.passes(line))


def last(paths: list[Path], wanted: Filter, number: int) -> list[Line]:
    """Return the last `number` lines of what `history` yields."""
    found = [line for path in paths for line in _last_of(path, wanted, number)]
    found.sort(key=_wall)
    return found[-number:] if number else []


class Follower:
    """Follows the logs of a folder, new ones too, and gives their lines in order of wall time."""

    def __init__(self, folder: Path, only: frozenset[str] | None, wanted: Filter, *, at_end: bool) -> None:
        self._folder = folder
        self._only = only
        self._wanted = wanted
        self._open: dict[Path, tuple[Growing, Reader]] = {}
        self._held: list[tuple[str, int, Line]] = []
        self._count = itertools.count()
        self._arrivals: deque[tuple[float, str]] = deque()
        self._watch(at_end=at_end)

    def read(self) -> list[Line]:
        """Return the lines that are ready: those that have waited long enough for earlier ones."""
        self._watch(at_end=False)
        now, latest = time.monotonic(), ""
        for growing, reader in self._open.values():
            for text in growing.read():
                line = reader.line(text)
                if text and self._wanted.passes(line):
                    heapq.heappush(self._held, (line.wall, next(self._count), line))
                    latest = max(latest, line.wall)
        self._arrivals.append((now, latest))
        return list(self._due(now - REORDER))

    def move(self, folder: Path) -> None:
        """Go on with the logs in the folder that theirs was moved to."""
        self._folder = folder
        for path, (growing, _) in self._open.items():
            growing.move(folder / path.name)
        self._open = {folder / path.name: one for path, one in self._open.items()}

    def rest(self) -> list[Line]:
        """Return what is held back, ready or not."""
        return self.read() + [heapq.heappop(self._held)[2] for _ in range(len(self._held))]

    def close(self) -> None:
        """Close the logs."""
        for growing, _ in self._open.values():
            growing.close()
        self._open.clear()

    def follow(self, goes_on: Callable[[], bool]) -> Iterator[list[Line]]:
        """Yield the lines that came, for as long as `goes_on` says at each look."""
        while goes_on():
            ready = self.read()
            if ready:
                yield ready
            else:
                time.sleep(_STEP)

    def _watch(self, *, at_end: bool) -> None:
        for path in logs(self._folder, self._only):
            if path not in self._open:
                self._open[path] = (Growing(path, at_end=at_end), Reader(path.stem))

    def _due(self, before: float) -> Iterator[Line]:
        """Yield the lines that were read by then, and what belongs before the last of them."""
        limit = ""
        while self._arrivals and self._arrivals[0][0] <= before:
            limit = max(limit, self._arrivals.popleft()[1])
        while self._held and self._held[0][0] <= limit:
            yield heapq.heappop(self._held)[2]


def stream(
    folder: Path,
    only: frozenset[str] | None,
    wanted: Filter,
    number: int | None,
    goes_on: Callable[[], bool] | None,
) -> Iterator[list[Line]]:
    """Yield lines in order of wall time: the last `number`, or all, and then what comes while `goes_on`."""
    if goes_on is None:
        found = logs(folder, only)
        if number is not None:
            yield last(found, wanted, number)
        else:
            yield from _batches(history(found, wanted))
        return
    with closing(Follower(folder, only, wanted, at_end=number is not None)) as follower:
        shown = last(logs(folder, only), wanted, number) if number is not None else []
        yield shown
        # What was written between the two looks was seen by both.
        seen = {(line.file, line.text) for line in shown}
        for ready in follower.follow(goes_on):
            yield [line for line in ready if (line.file, line.text) not in seen]


def _batches(found: Iterator[Line]) -> Iterator[list[Line]]:
    while batch := list(itertools.islice(found, _BATCH)):
        yield batch


def _wall(line: Line) -> str:
    return line.wall


def _forwards(path: Path) -> Iterator[Line]:
    reader = Reader(path.stem)
    return (reader.line(text) for text in logfile.lines(path) if text)


def _last_of(path: Path, wanted: Filter, number: int) -> Sequence[Line]:
    """Return the last wanted lines of one log, oldest first."""
    if not _runs_forward(path):
        return deque((line for line in _forwards(path) if wanted.passes(line)), number)
    # Backwards is quick, but a line without a head learns its time only from the one before it.
    found: list[Line] = []
    headless: list[str] = []
    for text in logfile.last_lines(path):
        if len(found) >= number:
            break
        record = read(path.stem, text)
        if record is None:
            headless.append(text)
            continue
        if record.wall < wanted.since:
            return found[::-1]
        lines = [*(Line(path.stem, raw, None, record.wall) for raw in headless)]
        lines.append(Line(path.stem, text, record, record.wall))
        found += filter(wanted.passes, lines)
        headless = []
    else:
        found += (line for line in (Line(path.stem, raw, None, "") for raw in headless) if wanted.passes(line))
    return found[number - 1 :: -1] if number else []


def _runs_forward(path: Path) -> bool:
    """Tell whether the clock was never set back while a log was written. Much quicker than reading its lines."""
    latest = ""
    for piece in logfile.pieces(path):
        walls = [text[:_WALL] for text in piece.lines if text[_WALL - 1 : _WALL] == "Z"]
        if walls != sorted(walls) or (walls and walls[0] < latest):
            return False
        latest = walls[-1] if walls else latest
    return True

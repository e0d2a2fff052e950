"""What the logs of a stack say about speed: deliveries, and how late they were. Reads files, and starts nothing."""

import re
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from chitty import journal
from chitty.load import message
from chitty.load.histogram import Histogram

_EVERY = 7  # deliveries, of which one is dated: to date each would take longer than the run
_SAID = re.compile(re.escape(message.MARK) + "([0-9a-f]{16})")


def clock_offset() -> int:
    """Return what to add to a time of CLOCK_MONOTONIC to have the wall's, in nanoseconds."""
    return time.time_ns() - time.monotonic_ns()


def deliveries(paths: Iterable[Path], begin: float, end: float) -> tuple[int, Histogram]:
    """Return how many messages were delivered between two moments of the wall, and how late they were."""
    first, last = journal.wall_time(begin), journal.wall_time(end)
    offset, count, latencies = clock_offset(), 0, Histogram()
    for path in paths:
        for wall, line in _delivered(path):
            if first <= wall < last:
                count += 1
                if count % _EVERY == 0 and (said := _SAID.search(line)):
                    latencies.add(int(_seconds(wall) * 1e6) * 1000 - int(said[1], 16) - offset)
    return count, latencies


def first_delivery(paths: Iterable[Path], after: float) -> list[float]:
    """Return for each log when its first delivery of a message after a moment of the wall was, if any."""
    moment = journal.wall_time(after)
    found = (next((wall for wall, _ in _delivered(path) if wall > moment), None) for path in paths)
    return [_seconds(wall) for wall in found if wall is not None]


def starts(path: Path) -> list[float]:
    """Return when each life that a log tells of began."""
    found = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            parts = line.split(" ", 4)
            if len(parts) > 3 and parts[3] == "start":  # noqa: PLR2004 - wall, level, process, event
                found.append(_seconds(parts[0]))
    return found


def lines(paths: Iterable[Path]) -> int:
    """Return how many lines the logs have."""
    return sum(path.read_bytes().count(b"\n") for path in paths)


def _delivered(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the wall time and the line of each message that was delivered."""
    with path.open(encoding="utf-8", errors="replace") as found:
        for line in found:
            parts = line.split(" ", 7)
            if len(parts) > 7 and parts[3] == "deliver" and parts[6] == "op=publish":  # noqa: PLR2004 - as above
                yield parts[0], line


def _seconds(wall: str) -> float:
    return datetime.fromisoformat(wall).timestamp()

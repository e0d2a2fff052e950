"""Judging a run while it goes on: the logs are read on as they grow, and a breach is told as soon as it shows."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chitty import journal
from chitty.logfile import Growing, Piece
from chitty.trace.check import Checker
from chitty.trace.reading import ALWAYS, Reader
from chitty.trace.verdict import Verdict, Violation

SETTLE = 1.0
"""Seconds that a line waits before it is judged: supervisord's pipes delay those of different processes differently.

All processes of a stack have one wall clock, so the lines up to a wall time are a consistent cut: what was received
by then was sent before, and is in the logs.
"""

_STEP = 0.2


def now_less(seconds: float) -> str:
    """Return the wall time so many seconds ago, as lines have it."""
    return journal.wall_time(time.time() - seconds)


class Watch:
    """Follows the logs of a directory, new ones too, and judges each line once.

    Args:
        directory: a stack's, or a folder of logs.
        alive: tells of a pid whether it runs.

    Attributes:
        verdict: as of the last look.
    """

    def __init__(self, directory: Path, alive: Callable[[int], bool]) -> None:
        self.checker = Checker(directory)
        self.verdict = self.checker.conclude()
        self._alive = alive
        self._growing: dict[Path, Growing] = {}
        self._told: dict[str, int] = {}

    def look(self, *, to_the_end: bool = False) -> list[Violation]:
        """Judge what has been written since the last look, and return the breaches not told before."""
        until = ALWAYS if to_the_end else now_less(SETTLE)
        hubs, others = self.checker.readers()
        passages = [passage for reader in (*hubs, *others) for passage in reader.take(self._news(reader), until)]
        self.checker.note_who_runs(self._alive)
        for passage in passages:
            self.checker.take(*passage)
        self.verdict = self.checker.conclude()
        return list(self._new(self.verdict))

    def follow(self, goes_on: Callable[[], bool]) -> Iterator[list[Violation]]:
        """Yield what broke, look by look, for as long as `goes_on` says; at last what the end shows."""
        while goes_on():
            yield self.look()
            time.sleep(_STEP)
        yield self.look(to_the_end=True)

    def close(self) -> None:
        """Close the logs."""
        for growing in self._growing.values():
            growing.close()

    def _news(self, reader: Reader) -> Piece:
        growing = self._growing.get(reader.path)
        if growing is None:
            growing = self._growing[reader.path] = Growing(reader.path)
        lines = growing.read()
        turns, name = growing.turns, reader.path.name
        older = [f"{name}.{age}" for age in range(len(turns), 0, -1)]
        reader.log.files = list(zip([0, *turns], [*older, name], strict=True))
        return Piece(name, lines)

    def _new(self, verdict: Verdict) -> Iterator[Violation]:
        for finding in verdict.findings:
            told = self._told.get(finding.id, 0)
            yield from finding.violations[told:]
            self._told[finding.id] = len(finding.violations)

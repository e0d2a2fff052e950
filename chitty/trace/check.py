"""The verdict: a directory of logs in, for each property what the logs prove out.

    verdict = check(Path(".chitty"))
    verdict.judgement, verdict.violations

It reads a log once, from its beginning to its end. `chitty.trace.watch` feeds a Checker with what grows.
"""

import gc
import heapq
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from chitty import journal, logfile
from chitty.journal import HUB
from chitty.trace import check_clocks, check_integrity, check_logs, check_membership, check_order, reading
from chitty.trace.causality import Causality
from chitty.trace.evidence import Evidence
from chitty.trace.history import Event, Says, folder_of
from chitty.trace.property import Property
from chitty.trace.reading import ALWAYS, Passage, Reader
from chitty.trace.verdict import Census, Verdict

_SERVER = "server"  # what a stack calls the log of its hub


class Checker:
    """Judges the logs of a folder, once or as they grow.

    Attributes:
        properties: in the order of their ids.
    """

    def __init__(self, directory: Path) -> None:
        self._folder = folder_of(directory)
        self._known: dict[Path, Reader] = {}
        self._cache: dict[str, Says] = {}
        self._hubs: dict[Path, bool] = {}
        self._replay = _Replay(directory)
        self.evidence = Evidence()
        self.properties = properties(self.evidence, self._replay)

    def judge(self, until: str = ALWAYS, alive: Callable[[int], bool] | None = None) -> Verdict:
        """Read all there is up to a wall time, and judge it; `alive` tells of a pid whether it runs."""
        self._replay.until = until
        hubs, others = self.readers()
        for reader in hubs:
            for passage in reader.passages(until):
                self.take(*passage)
        if alive is not None:
            self.note_who_runs(alive)
        for passage in _interleaved([reader.passages(until) for reader in others]):
            self.take(*passage)
        if alive is not None:
            self.note_who_runs(alive)
        return self.conclude()

    def take(self, *passage: *Passage) -> None:
        """Judge the next events of one life. Those of hubs must come before those that they caused."""
        taken = self.evidence.take(*passage)
        for judge in self.properties:
            judge.see(taken)

    def note_who_runs(self, alive: Callable[[int], bool]) -> None:
        """Ask of the last life of each process whether it runs."""
        for process in [reader.process for reader in self._known.values()]:
            if process is not None and process.lives:
                life = process.lives[-1]
                life.runs = life.end is None and life.start is not None and alive(life.start.says.pid)

    def conclude(self) -> Verdict:
        """Judge what only the end can tell, and return the verdict."""
        for judge in self.properties:
            judge.missing_now.clear()
            judge.conclude()
        for why in self._silent():
            self.properties[0].lack_now(why)
        return Verdict([judge.finding() for judge in self.properties], self._census())

    def readers(self) -> tuple[list[Reader], list[Reader]]:
        """Return the readers of all logs, those of hubs apart."""
        hubs: list[Reader] = []
        others: list[Reader] = []
        for path in logfile.logs(self._folder):
            reader = self._known.get(path)
            if reader is None:
                reader = self._known[path] = Reader(path, self._cache)
            (hubs if self._is_hub(path) else others).append(reader)
        return hubs, others

    def _is_hub(self, path: Path) -> bool:
        """Tell whether a log is a hub's: by its first event, whatever the file is called."""
        if path not in self._hubs:
            process = _first_process(path)
            if not process:  # it may come: till then the name is what there is
                return path.stem == _SERVER
            self._hubs[path] = process == HUB
        return self._hubs[path]

    def _silent(self) -> Iterator[str]:
        """Yield which participants joined and have a log, in which nothing of them is believed."""
        readers = self._known.values()
        silent = {reader.path.stem for reader in readers if reader.process is None}
        believed = {reader.process.name for reader in readers if reader.process is not None}
        disowned = {name: reader for reader in readers for name in reader.log.names - believed}
        if not silent and not disowned:
            return
        orders = self.evidence.orders.values()
        joined = {event.says.participant for order in orders for event in order.broadcasts.values()}
        for name in sorted(silent & joined):
            yield f"{name}.log has no event that can be read, and {name} joined"
        for name in sorted(disowned.keys() & joined):
            log, owner = disowned[name].log.name, disowned[name].process
            whose = f"those of {owner.name}, whose event is the first in it" if owner is not None else "the hub's"
            yield f"{log}.log has events of {name}, who joined, and only {whose}, are believed"

    def _census(self) -> Census:
        logs = [reader.log for reader in self._known.values()]
        authors = {id_.rpartition(".")[0] for order in self.evidence.orders.values() for id_ in order.receives}
        return Census(
            lines=sum(log.lines for log in logs),
            events=self.evidence.events,
            processes=len({life.process for life in self.evidence.lives}),
            headless=sum(log.headless for log in logs),
            strangers=sum(log.strangers for log in logs),
            unobserved=len(authors - set(self.evidence.observed)),
        )


def _first_process(path: Path) -> str:
    """Return whose event is the first of a log, empty while there is none."""
    with closing(logfile.lines(path)) as lines:
        found = next((entry for entry in map(journal.entry, lines) if entry is not None), None)
    return found[2] if found is not None else ""


class _Replay:
    """Reads a folder once more, whole, and replays it: what C5 needs where timestamps prove nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.until = ALWAYS

    def __call__(self) -> list[Event]:
        return Causality(reading.read(self._directory, until=self.until)).cycle


def check(directory: Path, *, until: str = ALWAYS, alive: Callable[[int], bool] | None = None) -> Verdict:
    """Judge the logs of a stack's directory, or of any folder of logs.

    Args:
        directory: where they are.
        until: lines with a later wall time are left out: for logs that grow.
        alive: tells of a pid whether it runs; without it nobody does.

    Raises:
        NotRunning: there is no such directory.
        SettingsError: a log is not UTF-8.
    """
    with _undisturbed():
        return Checker(directory).judge(until, alive)


def properties(evidence: Evidence, replay: Callable[[], list[Event]]) -> list[Property]:
    """Return a judge of each property; `replay` returns a cycle of happens-before, if there is one."""
    condition = check_clocks.ClockCondition(evidence)
    return [
        check_logs.WellFormed(evidence),
        check_logs.UniqueIds(evidence),
        check_clocks.Monotone(evidence),
        condition,
        check_clocks.ExactRule(evidence),
        check_clocks.Carried(evidence),
        check_clocks.Acyclic(evidence, condition, replay),
        check_integrity.NoCreation(evidence),
        check_integrity.NoDuplication(evidence),
        check_integrity.Content(evidence),
        check_integrity.Validity(evidence),
        check_order.GapFree(evidence),
        check_order.TotalOrder(evidence),
        check_order.Fifo(evidence),
        check_order.Causal(evidence),
        check_membership.Agreement(evidence),
        check_membership.SelfInclusion(evidence),
        check_membership.Membership(evidence),
        check_membership.SameView(evidence),
        check_membership.Announcements(evidence),
        check_membership.Replicas(evidence),
    ]


def _interleaved(logs: list[Iterator[Passage]]) -> Iterator[Passage]:
    """Yield passages of several logs so that the wall time of what was read goes on together.

    So deliveries of one broadcast are read near one another, and parsed once.
    """
    waiting: list[tuple[str, int, Passage]] = []
    for index, log in enumerate(logs):
        _put_next(waiting, index, log)
    while waiting:
        _, index, passage = heapq.heappop(waiting)
        yield passage
        _put_next(waiting, index, logs[index])


def _put_next(waiting: list[tuple[str, int, Passage]], index: int, log: Iterator[Passage]) -> None:
    passage = next(log, None)
    if passage is not None:
        heapq.heappush(waiting, (passage[1][0].wall, index, passage))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the collector of cycles from walking through millions of events that have none worth it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()

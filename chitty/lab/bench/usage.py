"""What processes use: processor time and memory, as /proc tells (proc(5)). Starts and stops nothing."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FULL = 0.9
"""Share of a core from which on a thread counts as busy all the time."""

_TICKS = os.sysconf("SC_CLK_TCK")
_CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Of some processes together, from one moment to another, in cores.

    Attributes:
        cores: of all their threads.
        busiest: of the busiest thread: a Python process cannot do more than one.
    """

    cores: float
    busiest: float


class Meter:
    """Processor time of some processes since it was made.

    Attributes:
        threaded: whether one busy thread is no limit, because the program has many.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)
        self._before = self._threads()
        self._began = time.monotonic()

    def read(self) -> Usage:
        """Return the usage since then."""
        seconds = time.monotonic() - self._began
        used = {thread: now - self._before.get(thread, 0.0) for thread, now in self._threads().items()}
        return Usage(sum(used.values()) / seconds, max(used.values(), default=0.0) / seconds)

    def _threads(self) -> dict[tuple[int, int], float]:
        """Return the seconds that each thread has used."""
        found = {}
        for pid in self._pids:
            for task in _tasks(pid):
                try:
                    # on the processor, waiting for it, and how often: nanoseconds, exact where stat has ticks
                    used = (task / "schedstat").read_text(encoding="ascii").split()
                except OSError:
                    continue
                found[pid, int(task.name)] = int(used[0]) / 1e9
        return found


class Elsewhere:
    """Processor time that others than some processes used since it was made: what disturbs a measurement."""

    def __init__(self) -> None:
        self._before = _busy()
        self._began = time.monotonic()

    def read(self, own: float) -> float:
        """Return the cores that others used, where `own` are those of the processes measured."""
        return max(0.0, (_busy() - self._before) / (time.monotonic() - self._began) - own)


def seconds_of(pid: int) -> float:
    """Return the processor time that a process has used, its ended threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has."""
    return _kilobytes(f"/proc/{pid}/status", "VmRSS:")


def proportional(pid: int) -> int:
    """Return the bytes of memory that a process has, shared pages shared out between those that have them."""
    return _kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:")


def judge(server: Usage, generators: Iterable[Usage], *, threaded: bool = False) -> str:
    """Tell what was the limit: `server`, `generator`, `both`, or `neither`, where what was asked for was done.

    A server is the limit when its busiest thread was busy all the time, or, where it is threaded, when it
    had what the generators left of the cores. `both` also says that they had to share the cores.
    """
    loads = list(generators)
    used = server.cores + sum(one.cores for one in loads)
    generator = any(one.busiest >= FULL for one in loads)
    full = used >= FULL * _CORES
    own = (full and not generator) if threaded else server.busiest >= FULL
    if own and generator:
        return "both"
    if own or generator:
        return "server" if own else "generator"
    return "both" if full else "neither"


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _busy() -> float:
    """Return the core seconds that the machine was not idle."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    ticks = [int(one) for one in first]
    return (sum(ticks[:8]) - ticks[3] - ticks[4]) / _TICKS


def _kilobytes(path: str, key: str) -> int:
    for line in Path(path).read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0

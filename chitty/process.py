"""What every process of a stack does at its edge: its ready file, its end with its parent.

Must not know what the process is for, nor gRPC: commands that only control import this too.
"""

import contextlib
import ctypes
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chitty.core.errors import cause
from chitty.output import CANNOT_WRITE, logger

MINIMUM_LIFE = 1.2
"""Seconds below which a process does not end on purpose: supervisord takes a quicker end for a failed start."""

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int | None = None) -> None:
    """Let the kernel kill this process when its parent ends, so that no stack outlives its supervisord.

    SIGKILL, because the log ends with the parent as well: what happened later could not be written down. Whoever
    knows who the parent was tells it, so that one that has ended already is noticed.
    """
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(CANNOT_WRITE)


def linger() -> None:
    """Wait, blocking, until the process is old enough to end on purpose."""
    born = (started(os.getpid()) + 1) / os.sysconf("SC_CLK_TCK")  # a tick had begun already
    time.sleep(max(0.0, MINIMUM_LIFE - (time.clock_gettime(time.CLOCK_BOOTTIME) - born)))


def write_ready(path: Path, **facts: Any) -> None:
    """Publish facts about this process, whole or not at all: its pid, its start, and what it is given.

    That it could not is logged, and no reason to end. Where its folder does not exist nobody waits for it.
    """
    if not os.path.isdir(path.parent):  # noqa: PTH112 - Path.is_dir raises where the folder may not be looked for
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    told = {"pid": os.getpid(), "started": started(os.getpid()), **facts}
    try:
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:  # the disk may be full: what the process is for goes on
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        logger("output").error("cannot write %s: %s", path, cause(error))


def read_ready(path: Path) -> dict[str, Any]:
    """Return the facts that a process published, empty when there are none; whether it lives is not asked."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def publisher(ready: Path) -> int | None:
    """Return the pid of the process that published a ready file of a stack, None unless it lives and works there.

    So a copy of the file leads nowhere, and neither does a pid that is another process's by now.
    """
    facts = read_ready(ready)
    pid = facts.get("pid")
    if not isinstance(pid, int) or not alive(pid) or started(pid) != facts.get("started"):
        return None
    return pid if works_in(pid, ready.parent.parent) else None


def works_in(pid: int, directory: Path) -> bool:
    """Tell whether a directory is the current one of a process: the very directory, whatever it is called by now."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(directory)
    except OSError:
        return False


def located(ready: Path) -> str | None:
    """Return the address that a process published in its ready file, None while it does not live and work there."""
    address = read_ready(ready).get("address")
    return str(address) if address and publisher(ready) else None


def alive(pid: int) -> bool:
    """Tell whether a process lives; a zombie does not."""
    return state_of(pid) not in {"", "Z", "X"}


@dataclass(frozen=True, slots=True)
class Life:
    """A process for good: its pid alone may be another's by now."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Life":
        """Return the process that has a pid now."""
        return cls(pid, started(pid))

    def lasts(self) -> bool:
        """Tell whether it lives."""
        return alive(self.pid) and started(self.pid) == self.started

    def place(self) -> Path | None:
        """Return the directory that it works in, as it is called now; None where that was removed, or it has ended."""
        try:
            path = Path(f"/proc/{self.pid}/cwd").readlink()
        except OSError:
            return None
        return path if self.lasts() and works_in(self.pid, path) else None


def state_of(pid: int) -> str:
    """Return the kernel's letter for a process's state (proc(5)), empty when there is none."""
    return _stat(pid)[0]


def started(pid: int) -> int:
    """Return when a process started, in the kernel's ticks since the machine did; 0 when there is none.

    With its pid it names a process for good: a pid alone may be another's by now.
    """
    return int(_stat(pid)[19])


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: the name before them may have spaces."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ["", *["0"] * 49]
    return stat.rpartition(")")[2].split()

"""Processes of a stack that outlived their supervisord, or whose supervisord nobody can reach.

Only the kernel's word counts here: /proc says whose directory a process works in, and whose child it is.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chitty import process
from chitty.stack.layout import Layout

_GRACE = 2.0


def find(layout: Layout, supervisor: int | None) -> list[int]:
    """Return the pids of processes that a supervisord of this stack started, other than `supervisor`'s children."""
    marks = [b"SUPERVISOR_SERVER_URL=unix://" + os.fsencode(path) for path in (layout.socket(), _own_socket(layout))]
    published = {_identity(process.read_ready(path)) for path in layout.ready.glob("[!.]*")}
    found = []
    for pid in _pids():
        if pid in {os.getpid(), supervisor} or not process.alive(pid) or _descends(pid, supervisor):
            continue
        # One that was forked has the environment of supervisord, but for what it published.
        if _has(pid, marks) or (pid, process.started(pid)) in published:
            found.append(pid)
    return found


def supervisord(layout: Layout) -> int | None:
    """Return the pid of a supervisord that works in this directory, whether or not it answers."""
    try:
        written = [int(layout.pidfile.read_text())]
    except (OSError, ValueError):
        written = []
    for pid in written + _pids():
        if process.alive(pid) and _works_in(pid, layout) and b"supervisord" in command_line(pid):
            return pid
    return None


def end(pids: Iterable[int]) -> None:
    """End processes, first asking; SIGCONT lets a paused one hear it."""
    left = [pid for pid in pids if process.alive(pid)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + _GRACE
        while left and time.monotonic() < deadline:
            time.sleep(0.02)
            left = [pid for pid in left if process.alive(pid)]


def command_line(pid: int) -> bytes:
    """Return the arguments of a process, empty when there is none."""
    return _read(pid, "cmdline")


def _identity(ready: dict[str, Any]) -> tuple[Any, Any]:
    return ready.get("pid"), ready.get("started")


def _own_socket(layout: Layout) -> Path:
    return layout.directory / "s.sock"


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _has(pid: int, marks: list[bytes]) -> bool:
    environment = _read(pid, "environ").split(b"\0")
    return any(mark in environment for mark in marks)


def _works_in(pid: int, layout: Layout) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == layout.directory
    except OSError:
        return False


def _descends(pid: int, ancestor: int | None) -> bool:
    """Tell whether a process is a child of `ancestor`, or a child's."""
    while ancestor is not None and pid > 1:
        pid = _parent(pid)
        if pid == ancestor:
            return True
    return False


def _parent(pid: int) -> int:
    after = _read(pid, "stat").rpartition(b")")[2].split()
    return int(after[1]) if len(after) > 1 else 0

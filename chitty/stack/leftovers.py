"""Processes of a stack: its supervisord, though nobody can reach it, and what outlived one.

Only the kernel's word counts here: /proc says in which directory a process works, and whose child it is. A file says
nothing by itself, for it may be a copy, or its directory may have been moved: nothing is done to a process that does
not work in this very directory, or in one that was removed from the same path.
"""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from chitty import process
from chitty.stack import locks
from chitty.stack.layout import Layout, key

_GRACE = 2.0
_URL = b"SUPERVISOR_SERVER_URL=unix://"
_DELETED = " (deleted)"  # the kernel appends it to the name of what was removed


def find(layout: Layout, supervisor: int | None) -> list[int]:
    """Return the pids of processes that a supervisord of this stack started, other than `supervisor`'s children."""
    published = {process.publisher(path) for path in layout.ready.glob("[!.]*")}
    found = []
    for pid in _here(layout):
        if pid in {os.getpid(), supervisor} or _descends(pid, supervisor):
            continue
        # One that was forked has the environment of supervisord, but for what it published.
        if pid in published or _is_marked(pid, layout):
            found.append(pid)
    return found


def supervisors(layout: Layout) -> list[int]:
    """Return the pids of supervisords that work here, whether or not they answer: one, unless its lock was replaced."""
    return [pid for pid in _here(layout) if is_supervisord(pid) and _holds_a_lock(pid, layout)]


def is_held(layout: Layout) -> bool:
    """Tell whether a supervisord holds this stack.

    In a copy made of hard links the lock is another directory's too, and that one's supervisord does not count.
    """
    if not locks.is_held(layout.life_lock):
        return False
    return not _is_shared(layout.life_lock) or bool(supervisors(layout))


def end(pids: Iterable[int], signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGKILL)) -> None:
    """End processes that were found here, first asking; SIGCONT lets a paused one hear it."""
    left = {pid: process.started(pid) for pid in pids}
    for number in signals:
        for pid in (left := _same(left)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + _GRACE
        while (left := _same(left)) and time.monotonic() < deadline:
            time.sleep(0.02)


def below(supervisor: int) -> list[int]:
    """Return the pids of what lives and was started by a supervisord, wherever it works."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in pids if _descends(pid, supervisor) and process.alive(pid)]


def is_supervisord(pid: int) -> bool:
    """Tell whether a process runs supervisord's program, as a fresh fork of it does until it runs its own."""
    words = command_line(pid).split(b"\0")
    program = any(word == b"supervisord" or word.endswith(b"/supervisord") for word in words[:2])
    return program or (b"-m", b"supervisor.supervisord") in itertools.pairwise(words)


def command_line(pid: int) -> bytes:
    """Return the arguments of a process, empty when there is none."""
    return _read(pid, "cmdline")


def _same(born: dict[int, int]) -> dict[int, int]:
    """Return those that still live, and are not others by now that were given the same pid."""
    return {pid: start for pid, start in born.items() if process.alive(pid) and process.started(pid) == start}


def _here(layout: Layout) -> list[int]:
    """Return the pids of what lives and works in this directory, or in one that was removed from its path."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in pids if _works_here(pid, layout) and process.alive(pid)]


def _works_here(pid: int, layout: Layout) -> bool:
    if process.works_in(pid, layout.directory):
        return True
    try:
        name = str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return False
    # A directory may really be called so: then it is there, and another.
    return name == f"{layout.directory}{_DELETED}" and not process.works_in(pid, Path(name))


def _is_marked(pid: int, layout: Layout) -> bool:
    """Tell whether the environment of a process names the socket of this directory, or of the one it works in."""
    own = {layout.directory / "s.sock", layout.socket()}
    names = [Path(os.fsdecode(url.removeprefix(_URL))) for url in _read(pid, "environ").split(b"\0") if _URL in url]
    return any(name in own or name.name == f"{key(f'/proc/{pid}/cwd')}.sock" for name in names)


def _holds_a_lock(pid: int, layout: Layout) -> bool:
    """Tell whether a process has a lock of a stack open, be its file removed or replaced by now."""
    names = []
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                names.append(path.readlink().name.removesuffix(_DELETED))
    return layout.life_lock.name in names


def _is_shared(lock: Path) -> bool:
    try:
        return lock.stat().st_nlink > 1
    except OSError:
        return False


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


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

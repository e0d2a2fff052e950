"""The sequence that stops a stack: participants, then the server, then supervisord, then whatever is left."""

import contextlib
import os
import shutil
import signal
from pathlib import Path

from chitty import process, settings
from chitty.core.errors import NotRunning, SettingsError, StackError
from chitty.sequencer import sqlite
from chitty.stack import control, grace, leftovers, locks
from chitty.stack.control import Stack, until
from chitty.stack.layout import SERVER, detour
from chitty.stack.supervisor import Undelivered

_END = 10.0  # seconds that supervisord has to end once nothing is below it
_KILLED = 2.0  # seconds that the kernel has to end what is killed


def down(stack: Stack, *, purge: bool = False) -> bool:
    """Stop the stack; tell whether there was one to stop. `purge` removes its directory as well.

    Raises:
        StackError: something of it lives on.
    """
    if not stack.layout.directory.is_dir():
        return False
    with stack.changing():
        ran = take_down(stack)
        if purge:
            _purge(stack)
    return ran


def take_down(stack: Stack) -> bool:
    """Stop the stack; the caller holds the lock of changes. Tell whether anything ran.

    Raises:
        StackError: something of it lives on.
    """
    pid = leftovers.supervisord(stack.layout)
    with contextlib.suppress(NotRunning, Undelivered):
        pid = _in_order(stack)
    if pid is not None and process.alive(pid):
        _kill(pid)
    rest = leftovers.find(stack.layout, None)
    leftovers.end(rest)
    alive = [left for left in [*rest, pid] if left is not None and process.alive(left)]
    if alive or locks.is_held(stack.layout.life_lock):
        raise StackError(f"processes {alive} of this stack did not end: see `chitty doctor`")
    for path in (stack.layout.socket(), stack.layout.pidfile, *stack.layout.ready.glob("*")):
        path.unlink(missing_ok=True)
    return pid is not None or bool(rest)


def kill(stack: Stack) -> None:
    """Kill all processes of a stack at once: nobody is asked to end. Takes no lock, and leaves its files to `down`.

    Raises:
        StackError: something of it lives on.
    """
    # Its supervisord first: it would start the server again, and what it starts just now ends with it.
    pids = [pid for pid in (leftovers.supervisord(stack.layout), *leftovers.find(stack.layout, None)) if pid]
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    if not until(lambda: not any(map(process.alive, pids)), _KILLED):
        raise StackError(
            f"processes {list(filter(process.alive, pids))} of this stack did not end: see `chitty doctor`"
        )


def _in_order(stack: Stack) -> int:
    """Ask all to end, and return supervisord's pid when it has, or will not."""
    now = stack.members()
    # Its own shutdown stops programs one after the other, a second each: all are stopped together before.
    stuck = control.stop(stack, [member.slug for member in now.present()], grace.CLIENT + grace.REAPED)
    stuck += control.stop(stack, [SERVER], grace.SERVER + grace.REAPED)
    if stuck:
        stack.tell(f"{', '.join(stuck)} did not end when asked")
    stack.supervisor.call("shutdown")

    def gone() -> bool:
        # A call wakes supervisord's loop, which would otherwise sleep for up to a second.
        with contextlib.suppress(StackError):
            stack.supervisor.call("getState")
        return not process.alive(now.supervisor)

    until(gone, _END)
    return now.supervisor


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not process.alive(pid), 2.0)


def _purge(stack: Stack) -> None:
    """Remove what a stack consists of, and its directory if nothing else is in it."""
    layout = stack.layout
    with contextlib.suppress(SettingsError):
        database = layout.database(settings.read(layout.settings).server.database.path)
        with sqlite.unused(database[0]):
            for path in database:
                path.unlink(missing_ok=True)
        database[0].with_name(f"{database[0].name}.lock").unlink(missing_ok=True)
    for folder in (layout.programs, layout.clients, layout.logs, layout.ready, layout.locks, _archive(stack)):
        shutil.rmtree(folder, ignore_errors=True)
    for path in (layout.config, layout.settings, layout.server, layout.events, layout.life_lock, layout.change_lock):
        path.unlink(missing_ok=True)
    plain = detour(layout.directory)
    if plain.link is not None:
        plain.link.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        layout.directory.rmdir()


def _archive(stack: Stack) -> Path:
    return stack.layout.directory / "archive"

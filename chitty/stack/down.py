"""The sequence that stops a stack: participants, then the server, then supervisord, then whatever is left."""

import contextlib
import shutil
import signal
from pathlib import Path

from chitty import process, settings
from chitty.core.errors import NotRunning, SettingsError, StackError
from chitty.sequencer import sqlite
from chitty.stack import control, grace, leftovers, visiting
from chitty.stack.control import Stack, until
from chitty.stack.layout import SERVER, detour
from chitty.stack.supervisor import Undelivered

_END = 10.0  # seconds that supervisord has to end once nothing is below it


def down(stack: Stack, *, purge: bool = False) -> bool:
    """Stop the stack; tell whether there was one to stop. `purge` removes its directory as well.

    Where the command has a supervisord of its own, another's in the directory is left alone.

    Raises:
        StackError: something of it lives on.
        AlreadyExists: a guest is here, whose log `purge` would remove; nothing was touched.
    """
    if not stack.layout.directory.is_dir():
        return False
    with stack.changing():
        own = stack.own()
        if own is not None and any(pid != own.pid for pid in leftovers.supervisors(stack.layout)):
            return False
        if purge:
            visiting.check_none(stack, "--purge")
        ran = take_down(stack)
        if purge:
            _purge(stack)
    return ran


def take_down(stack: Stack) -> bool:
    """Stop the stack; the caller holds the lock of changes. Tell whether anything ran.

    Raises:
        StackError: something of it lives on.
    """
    ran = bool(leftovers.supervisors(stack.layout))
    with contextlib.suppress(NotRunning, Undelivered):
        _in_order(stack)
        ran = True
    stuck = leftovers.supervisors(stack.layout)
    # Without asking: what supervisord does when it is asked to end takes a second a process.
    leftovers.end(stuck, [signal.SIGKILL])
    rest = leftovers.find(stack.layout, None)
    leftovers.end(rest)
    alive = [pid for pid in [*stuck, *rest] if process.alive(pid)]
    if alive:
        raise StackError(f"processes {alive} of this stack did not end: see `chitty doctor`")
    if leftovers.is_held(stack.layout):
        raise StackError(
            f"{stack.layout.life_lock} is held by a process that cannot be seen from here: run this where it was"
            " started, such as in its container"
        )
    for path in (stack.layout.socket(), stack.layout.pidfile, *stack.layout.ready.glob("*")):
        path.unlink(missing_ok=True)
    return ran or bool(rest)


def kill(stack: Stack) -> None:
    """Kill all processes of a stack at once: nobody is asked to end. Takes no lock, and leaves its files to `down`.

    Where the command has a supervisord of its own, that and what is below it, wherever it works.

    Raises:
        StackError: something of it lives on.
    """
    # Its supervisord first: it would start the server again, and what it starts just now ends with it.
    own = stack.own()
    here = leftovers.supervisors(stack.layout)
    if own is not None and own.lasts():
        pids = [own.pid, *leftovers.below(own.pid)]
    else:
        pids = [] if own is not None and here else [*here, *leftovers.find(stack.layout, None)]
    leftovers.end(pids, [signal.SIGKILL])
    if alive := list(filter(process.alive, pids)):
        raise StackError(f"processes {alive} of this stack did not end: see `chitty doctor`")


def _in_order(stack: Stack) -> None:
    """Ask all to end, participants first, and wait until supervisord has."""
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

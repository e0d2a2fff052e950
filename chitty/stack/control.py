"""What every command that changes a stack has in common: the stack itself, its lock, and waiting."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chitty import process
from chitty.core.errors import NotRunning, StackError
from chitty.core.names import fold
from chitty.stack import leftovers, locks, members
from chitty.stack.layout import SERVER, Layout
from chitty.stack.members import Member, Members
from chitty.stack.supervisor import ALREADY_STARTED, Fault, Supervisor

LOCK_WAIT = 120.0
"""Seconds that a command waits for another one to finish: the longest there is stops a hundred participants."""

NO_WAIT = False
"""The `wait` of supervisord's calls: whoever lets it wait, waits a second each."""

RESEND = 0.2
"""Seconds between two TERMs to a process that was not yet its own program when the first one came."""


def quiet(_text: str) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Stack:
    """A stack in a directory; `tell` takes notices for a person, one line each."""

    layout: Layout
    tell: Callable[[str], None] = quiet
    _reached: Supervisor | None = field(default=None, init=False)
    _own: process.Life | None = field(default=None, init=False)
    _claimed: bool = field(default=False, init=False)

    @property
    def supervisor(self) -> Supervisor:
        """Its supervisord, whether or not it runs, for whoever may change the stack.

        Raises:
            StackError: the stack belongs to another account.
        """
        if self.layout.directory.is_dir():
            self.layout.check_owner()
        return self._reach()

    def members(self) -> Members:
        """Return the stack as it is now.

        Raises:
            NotRunning: it does not run.
        """
        try:
            return members.read(self.layout, self._reach())
        except NotRunning:
            raise self._not_running() from None

    def answers(self) -> bool:
        """Tell whether its supervisord is there."""
        return self._reach().answers()

    def claim(self) -> None:
        """Take whatever supervisord works in the directory for this command's own, until `adopt` tells which is."""
        self._own, self._claimed = None, True

    def adopt(self, supervisor: process.Life) -> None:
        """Take this supervisord, and no other, for this command's own."""
        self._own, self._claimed = supervisor, False

    def running(self) -> process.Life | None:
        """Return a supervisord that works in the directory now, None where there is none."""
        found = leftovers.supervisors(self.layout)
        return process.Life.of(found[0]) if found else None

    def own(self) -> process.Life | None:
        """Return the supervisord that is this command's own, which may have ended; None where it has none."""
        if self._claimed and not (self._own and self._own.lasts()):
            self._own = self.running() or self._own
        return self._own

    def present(self) -> "Stack":
        """Return the stack of this command's own supervisord, in the directory where that works by now."""
        own = self.own()
        place = None if own is None or process.works_in(own.pid, self.layout.directory) else own.place()
        if place is None:
            return self
        moved = Stack(Layout(place), self.tell)
        moved._own, moved._claimed = own, False
        return moved

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock of changes; nobody else starts, stops or names anything meanwhile.

        Raises:
            NotRunning: there is no stack in the directory.
            StackError: it belongs to another account.
            TimedOut: another command held it for too long.
        """
        with self._locked(self.layout.change_lock, LOCK_WAIT, self.tell):
            self._reached = None  # another command may have moved the socket
            yield

    def speaking(self, slug: str, wait: float) -> AbstractContextManager[None]:
        """Hold the lock of one participant's voice, so that each line has its own receipt.

        Raises:
            NotRunning: there is no stack in the directory.
            StackError: it belongs to another account.
            TimedOut: another command held it for too long.
        """
        return self._locked(self.layout.locks / slug, wait)

    def note(self, program: str, **fact: Any) -> None:
        """Have supervisord note what is asked of a program, before it is done."""
        self.supervisor.call("chitty.note", program, json.dumps(fact))

    @contextmanager
    def _locked(self, path: Path, wait: float, tell: Callable[[str], None] | None = None) -> Iterator[None]:
        if not self.layout.directory.is_dir():
            raise self._not_running()
        self.layout.check_owner()
        with locks.held(path, wait, tell):
            yield

    def _reach(self) -> Supervisor:
        if self._reached is None:
            directory = self.layout.directory
            self._reached = Supervisor(self.layout.socket(), lambda pid: process.works_in(pid, directory))
        return self._reached

    def _not_running(self) -> NotRunning:
        return NotRunning(f"no stack runs in {self.layout.directory}: `chitty up` starts one")

    def publish_nothing(self, slug: str) -> None:
        """Remove what an earlier life of a process published."""
        (self.layout.ready / slug).unlink(missing_ok=True)


def until(condition: Callable[[], bool], wait: float, step: float = 0.02) -> bool:
    """Wait until a condition holds, at most `wait` seconds; tell whether it does."""
    deadline = time.monotonic() + wait
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True


def stop(stack: Stack, slugs: list[str], wait: float) -> list[str]:
    """Stop programs together and return those that still have a process after `wait` seconds.

    A paused one is woken. Between fork and exec a process is a copy of supervisord, and loses a TERM: such a
    one gets it again. supervisord kills what does not end in its time.
    """
    supervisor = stack.supervisor
    supervisor.multicall([("signalProcess", slug, "CONT") for slug in slugs])
    left = _pids(stack, slugs)
    deaf = _deaf(left)
    supervisor.multicall([("stopProcess", slug, NO_WAIT) for slug in slugs])
    deadline = time.monotonic() + wait
    again = time.monotonic() + RESEND
    while (left := _pids(stack, slugs)) and time.monotonic() < deadline:
        if deaf and time.monotonic() >= again:
            again = time.monotonic() + RESEND
            deaf, before = _deaf(left), deaf
            supervisor.multicall([("signalProcess", slug, "TERM") for slug in before if slug in left])
        time.sleep(0.02)
    return list(left)


def start(stack: Stack, slug: str) -> None:
    """Start a program of the stack; one that runs stays as it is.

    Raises:
        StackError: it cannot be started.
    """
    stack.publish_nothing(slug)
    try:
        stack.supervisor.call("startProcess", slug, NO_WAIT)
    except Fault as fault:
        if fault.code != ALREADY_STARTED:
            raise StackError(f"cannot start {slug}: {fault}; see `chitty doctor`") from None


def is_server(name: str) -> bool:
    """Tell whether a name that a command was given means the server."""
    return fold(name) == SERVER


def ended(member: Member) -> str:
    """Return in words how a participant that does not run ended."""
    return member.reason or f"it is {member.state}"


def _pids(stack: Stack, slugs: list[str]) -> dict[str, int]:
    """Return those of these programs that have a process."""
    told = json.loads(stack.supervisor.call("chitty.programs"))
    wanted = set(slugs)
    return {
        program["program"]: program["pid"]
        for program in told["programs"]
        if program["pid"] and program["program"] in wanted
    }


def _deaf(pids: dict[str, int]) -> list[str]:
    """Return those that are still copies of supervisord."""
    return [slug for slug, pid in pids.items() if leftovers.is_supervisord(pid)]

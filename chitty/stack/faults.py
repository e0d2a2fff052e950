"""Faults on purpose: kill, pause, unpause; and what mends them, restart. Each may mean the server."""

import signal
import time

from chitty import process
from chitty.core.errors import StackError
from chitty.stack import control, grace, visiting, waiting
from chitty.stack.control import Stack, until
from chitty.stack.layout import SERVER
from chitty.stack.members import Member, Members, Server
from chitty.stack.supervisor import NOT_RUNNING, Fault
from chitty.stack.waiting import Outcome

_WAIT = 5.0  # seconds for the kernel and supervisord to do what was asked
_ENDS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGSEGV})


def kill(stack: Stack, name: str, number: signal.Signals) -> bool:
    """Send a signal, and tell whether the process ended of it; of one that ends most, wait for that.

    Raises:
        NoSuchParticipant: the stack has none of that name.
        StackError: it does not run.
    """
    slug, pid = _running(stack, name)
    stack.note(slug, intent="kill", signal=number.name, pid=pid)
    _signal(stack, slug, name, number.name)
    return number in _ENDS and until(lambda: _pid(stack.members(), name) != pid, _WAIT)


def pause(stack: Stack, name: str) -> bool:
    """Stop a process where it is (SIGSTOP), and tell whether it was running on until now."""
    return _switch(stack, name, "STOP", paused=True)


def unpause(stack: Stack, name: str) -> bool:
    """Let a paused process go on (SIGCONT), and tell whether it was paused."""
    return _switch(stack, name, "CONT", paused=False)


def restart(stack: Stack, name: str, wait: float) -> Outcome:
    """Stop a process, if it runs, and start it anew; return when it has joined or ended.

    The outcome of the server's restart names nobody; it has returned once the server serves.

    Raises:
        NoSuchParticipant: the stack has none of that name.
        StackError: it did not end, or the server does not serve again.
        AlreadyExists: it does not run, and a guest has its name.
    """
    deadline = time.monotonic() + wait
    with stack.changing():
        now = stack.members()
        slug = SERVER
        if not control.is_server(name):
            member = now.get(name)
            slug = member.slug
            visiting.check(stack, member.name)
        stack.note(slug, intent="restart", pid=_pid(now, name))
        if control.stop(stack, [slug], (grace.SERVER if slug == SERVER else grace.CLIENT) + grace.REAPED):
            raise StackError(f"{name} did not end: see `chitty doctor`")
        control.start(stack, slug)
    if slug != SERVER:
        return waiting.joined(stack, [name], max(0.0, deadline - time.monotonic()))
    if not until(lambda: _settled(stack), max(0.0, deadline - time.monotonic()), 0.05):
        raise StackError(f"the server does not serve: see {stack.layout.log(SERVER)}")
    server = stack.members().server
    if not server.serving:
        raise StackError(server.failed or f"the server did not start: see {stack.layout.log(SERVER)}")
    return Outcome(members=stack.members())


def _settled(stack: Stack) -> bool:
    server = stack.members().server
    return server.serving or bool(server.failed) or server.state == "FATAL"


def _of(now: Members, name: str) -> Member | Server:
    return now.server if control.is_server(name) else now.get(name)


def _pid(now: Members, name: str) -> int | None:
    return _of(now, name).pid


def _running(stack: Stack, name: str) -> tuple[str, int]:
    one = _of(stack.members(), name)
    if one.pid is None:
        raise StackError(f"{name} does not run: {one.reason or one.state}; `chitty restart {name}` starts it")
    return (one.slug if isinstance(one, Member) else SERVER), one.pid


def _switch(stack: Stack, name: str, letter: str, *, paused: bool) -> bool:
    slug, pid = _running(stack, name)
    if (process.state_of(pid) == "T") is paused:
        return False
    stack.note(slug, intent="pause" if paused else "unpause", pid=pid)
    _signal(stack, slug, name, letter)
    if not until(lambda: (process.state_of(pid) == "T") is paused, _WAIT):
        raise StackError(f"{name} (pid {pid}) did not {'stop' if paused else 'go on'}")
    return True


def _signal(stack: Stack, slug: str, name: str, signal_name: str) -> None:
    try:
        stack.supervisor.call("signalProcess", slug, signal_name)
    except Fault as fault:
        if fault.code == NOT_RUNNING:
            raise StackError(f"{name} ended just now") from None
        raise

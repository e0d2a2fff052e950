"""Participants that join a running stack without supervision (`chitty chat`): their logs among the stack's.

A log has one writer: a guest takes no name of a program that runs, and no program is started under a guest's name.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from chitty.core.errors import AlreadyExists, NameTaken, TimedOut
from chitty.core.names import fold
from chitty.stack import locks
from chitty.stack.control import Stack
from chitty.stack.layout import slug

_SUFFIX = ".chat"


@contextmanager
def own_log(stack: Stack, name: str) -> Iterator[Path]:
    """Give the path of a guest's log in the stack, which is the guest's alone meanwhile.

    Raises:
        NotRunning: the stack does not run.
        NameTaken: a participant of the stack runs under this name, or another guest is called so.
    """
    with ExitStack() as held:
        with stack.changing():
            member = stack.members().find(name)
            if member is not None and member.runs and not member.over:
                raise NameTaken(f"name {name!r} is taken: `chitty attach {member.name}` speaks as that participant")
            lock = _lock(stack, name)
            try:
                held.enter_context(locks.held(lock, 0.0))
            except TimedOut:
                raise NameTaken(f"name {name!r} is taken by another `chitty chat`: choose another name") from None
            with suppress(OSError):  # it is for people: a full disk keeps nobody from the chat here
                lock.write_text(name, encoding="utf-8")
        yield stack.layout.log(slug(name))


def is_guest(stack: Stack, name: str) -> bool:
    """Tell whether a guest of this name is here."""
    return locks.is_held(_lock(stack, name))


def check(stack: Stack, name: str) -> None:
    """Refuse to start a program under a guest's name.

    Raises:
        AlreadyExists: there is such a guest.
    """
    if is_guest(stack, name):
        raise AlreadyExists(f"{name} is here already, by `chitty chat`: end that first, or choose another name")


def check_none(stack: Stack, option: str) -> None:
    """Refuse to move or remove the logs of guests that are here, as an option asks; nothing has been touched yet.

    The caller holds the lock of changes, so that none comes meanwhile.

    Raises:
        AlreadyExists: there is a guest.
    """
    found = [path for path in sorted(stack.layout.locks.glob(f"*{_SUFFIX}")) if locks.is_held(path)]
    if found:
        names = ", ".join(path.read_text(encoding="utf-8") or path.stem for path in found)
        be, its, it = ("is", "its log", "that") if len(found) == 1 else ("are", "their logs", "those")
        raise AlreadyExists(
            f"{names} {be} here by `chitty chat`, and {option} would take {its} away: end {it} first, or leave"
            f" {option} out"
        )


def _lock(stack: Stack, name: str) -> Path:
    """Return the lock of a name, whatever its case: participants are told apart without it, too."""
    return stack.layout.locks / f"{slug(fold(name))}{_SUFFIX}"

"""Participants that join a running stack without supervision (`chitty chat`): their logs among the stack's.

A log has one writer: a guest takes no name of a program that runs, and no program is started under a guest's name.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
            try:
                held.enter_context(locks.held(_lock(stack, name), 0.0))
            except TimedOut:
                raise NameTaken(f"name {name!r} is taken by another `chitty chat`: choose another name") from None
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


def _lock(stack: Stack, name: str) -> Path:
    """Return the lock of a name, whatever its case: participants are told apart without it, too."""
    return stack.layout.locks / f"{slug(fold(name))}{_SUFFIX}"

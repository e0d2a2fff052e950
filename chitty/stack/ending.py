"""The end of a command that holds a stack: the stack ends with it. Starts nothing."""

import contextlib
from collections.abc import Callable

from chitty.core.errors import ChittyError, StackError, cause
from chitty.ending import Afterwards
from chitty.stack.control import Stack
from chitty.stack.down import down, kill


def end(stack: Stack) -> None:
    """Take down the stack that is the command's own, wherever its directory is by now, and never another.

    It is killed where it does not end otherwise.

    Raises:
        StackError: something of it lives on even so.
    """
    own = stack.own()
    if own is None:
        return
    there = stack.present()
    if there is not stack:
        stack.tell(f"the stack was moved to {there.layout.directory}: stopping it there")
    try:
        down(there)
        if own.lasts():  # its directory was removed, or moved just now
            kill(there)
    except (ChittyError, OSError) as error:  # another command does not let go of it, or its disk is full, for instance
        stack.tell(f"{_why(error)}; killing the stack")
        kill(there)


def _why(error: ChittyError | OSError) -> str:
    if isinstance(error, ChittyError):
        return str(error)
    return f"{error.filename}: {cause(error)}" if error.filename else cause(error)


def afterwards(stack: Stack, work: Callable[[], None], *, asked: bool = False) -> Afterwards:
    """Return what does `work`, which takes a stack down, whatever happens before; interrupted again, it kills that.

    Where the person has `asked` for the work, the first Ctrl-C does.
    """

    def hurry() -> None:
        with contextlib.suppress(StackError):  # the work, which goes on, finds that too
            if asked or stack.own() is not None:
                kill(stack)

    return Afterwards(work, hurry, asked=asked)

"""The end of a command that holds a stack: the stack ends with it. Starts nothing."""

import contextlib
from collections.abc import Callable

from chitty.core.errors import ChittyError, StackError, cause
from chitty.ending import Afterwards
from chitty.stack.control import Stack
from chitty.stack.down import down, kill


def end(stack: Stack) -> None:
    """Take a stack down, and kill it where it does not end otherwise.

    Raises:
        StackError: something of it lives on even so.
    """
    try:
        down(stack)
    except (ChittyError, OSError) as error:  # another command does not let go of it, or its disk is full, for instance
        stack.tell(f"{_why(error)}; killing the stack")
        kill(stack)


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
            kill(stack)

    return Afterwards(work, hurry, asked=asked)

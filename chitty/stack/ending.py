"""The end of a command that holds a stack: the stack ends with it. Starts nothing."""

import contextlib
from collections.abc import Callable

from chitty.core.errors import ChittyError, StackError
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
    except ChittyError as error:  # another command that holds the stack does not finish, for instance
        stack.tell(f"{error}; killing the stack")
        kill(stack)


def afterwards(stack: Stack, work: Callable[[], None], *, asked: bool = False) -> Afterwards:
    """Return what does `work`, which takes a stack down, whatever happens before; interrupted again, it kills that.

    Where the person has `asked` for the work, the first Ctrl-C does.
    """

    def hurry() -> None:
        with contextlib.suppress(StackError):  # the work, which goes on, finds that too
            kill(stack)

    return Afterwards(work, hurry, asked=asked)

"""What ends a command from outside: a signal, or a reader that has gone."""

import sys
from typing import Any, NoReturn


def interruptible() -> None:
    """Let TERM and a hangup interrupt as Ctrl-C does, so that no stack is left behind."""
    import signal

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def reader_stays() -> bool:
    """Tell whether somebody still reads standard output: a pipe says so although nothing is written."""
    import select

    watched = select.poll()
    watched.register(sys.stdout.fileno(), 0)
    return not any(event & select.POLLERR for _, event in watched.poll(0))


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt

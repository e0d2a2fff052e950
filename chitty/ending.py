"""Work that is done at the end, whatever ends what comes before it: a signal, a failure, or itself.

Knows no stack. What is printed meanwhile goes through `chitty.streams`, so that it neither fails nor waits.
"""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from chitty import streams

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Killed(KeyboardInterrupt):
    """The command was interrupted again while it ended, and made short work of what was left."""


class Afterwards:
    """A context manager that does `work` afterwards, and lets nothing interrupt it. For the main thread only.

    The first signal within raises KeyboardInterrupt. Later ones, and all that come while the work is done, are only
    noted, but for a Ctrl-C (SIGINT) that is not the first signal: it calls `hurry`, which is to make the work short.
    One more after that raises Killed, wherever that is, and none is heard afterwards: the command is ending, and is to
    say so. A signal that is ignored stays ignored, as `nohup` wants it.

    Args:
        work: what is done.
        hurry: makes it short; called in the middle of anything, so it must not print.
        asked: the person has asked for this work, so that the first Ctrl-C hurries it.

    Attributes:
        interrupted: whether a signal came.
        hurried: whether `hurry` was called.
    """

    def __init__(self, work: Callable[[], None], hurry: Callable[[], None], *, asked: bool = False) -> None:
        self._work = work
        self._hurry = hurry
        self._asked = asked
        self._working = self._hurrying = False
        self._former: dict[signal.Signals, Any] = {}
        self.interrupted = self.hurried = False

    def __enter__(self) -> Self:
        """Return itself."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, self._take) or signal.SIG_DFL
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do the work.

        Raises:
            Killed: Ctrl-C hurried it.
            KeyboardInterrupt: a signal came meanwhile, and what is within had ended by itself.
        """
        self._working = True
        streams.hurry()
        try:
            self._work()
        finally:
            for number, handler in self._former.items():
                signal.signal(number, handler)
            if not self.interrupted:
                streams.relax()
        if self.hurried:
            raise Killed
        if self.interrupted and error is None:
            raise KeyboardInterrupt

    def do(self) -> None:
        """Do the work with nothing before it.

        Raises:
            Killed, KeyboardInterrupt: as `__exit__`.
        """
        with self:
            pass

    def _take(self, number: int, frame: FrameType | None) -> None:
        streams.hurry()
        first, self.interrupted = not self.interrupted and not self._asked, True
        if number == signal.SIGINT and not first:
            if self._hurrying:
                return
            if self.hurried:
                raise Killed
            self.hurried = self._hurrying = True
            self._hear_no_more()
            self._hurry()
            self._hurrying = False
        elif first and not self._ends(frame):
            raise KeyboardInterrupt

    def _ends(self, frame: FrameType | None) -> bool:
        """Tell whether the end has begun where a signal arrived: handlers run as `__exit__` begins, before its try."""
        while frame is not None and not self._working:
            if frame.f_code is Afterwards.__exit__.__code__ and frame.f_locals.get("self") is self:
                return True
            frame = frame.f_back
        return self._working

    def _hear_no_more(self) -> None:
        """Let Ctrl-C do nothing once this, and whatever it is within, has ended."""
        former = self._former.get(signal.SIGINT)
        if former is signal.default_int_handler:
            self._former[signal.SIGINT] = signal.SIG_IGN
        elif isinstance(outer := getattr(former, "__self__", None), Afterwards):
            outer.interrupted = True  # so that one more hurries it, and interrupts nothing
            outer._hear_no_more()  # noqa: SLF001 - another of its kind

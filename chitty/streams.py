"""Standard output and standard error of a command whose work is done whether or not anybody reads.

A notice on standard error cannot fail. Output whose reader has gone (`head` has read enough, the terminal was closed)
is dropped without a word: a command that prints for long asks `reader_stays`. Output that cannot be written for
another reason, such as a full disk, raises `Unwritable`, once. Knows no command.
"""

import contextlib
import errno
import io
import os
import select
import sys
import threading
from typing import Any, ClassVar, TextIO

from chitty.core.errors import cause

PATIENCE = 1.0
"""Seconds that output waits for its reader once a command has been interrupted."""

_STANDARD = 3  # descriptors: input, output, error


class Unwritable(Exception):
    """Standard output cannot be written, though its reader is there; the text says why."""


class _Interrupted(BaseException):
    """Ends a write that waits for its reader."""


class _Stream(io.FileIO):
    hurried: ClassVar[bool] = False
    main_waits: ClassVar[bool] = False
    """Whether the main thread may be waiting for a reader."""

    def _put(self, data: Any, patience: float) -> int:
        """Write what is taken at once; where a command is hurried, wait for a reader at most `patience` seconds."""
        try:
            _Stream.main_waits = threading.current_thread() is threading.main_thread()  # before the next line looks
            if not _Stream.hurried:
                return self._write(data)
        except _Interrupted:
            pass
        finally:
            _Stream.main_waits = False
        if not self._is_ready(patience):
            raise TimeoutError(errno.ETIMEDOUT, "its reader does not read")
        return self._write(memoryview(data)[: select.PIPE_BUF])  # more could wait for the reader even so

    def _write(self, data: Any) -> int:
        while (written := super().write(data)) is None:  # somebody else made the terminal non-blocking
            self._is_ready(None)
        return written

    def _is_ready(self, seconds: float | None) -> bool:
        watched = select.poll()
        watched.register(self.fileno(), select.POLLOUT)
        return bool(watched.poll(None if seconds is None else 1000 * seconds))


class _Notices(_Stream):
    def write(self, data: Any, /) -> int:
        try:
            return self._put(data, 0.0)
        except OSError:
            return len(memoryview(data))


class _Output(_Stream):
    _lost = False

    def write(self, data: Any, /) -> int:
        if not self._lost:
            try:
                return self._put(data, PATIENCE)
            except OSError as error:
                self._lost = True
                if not self._is_gone(error):
                    raise Unwritable(f"cannot write to standard output: {cause(error)}") from None
        return len(memoryview(data))

    def _is_gone(self, error: OSError) -> bool:
        if isinstance(error, BrokenPipeError | TimeoutError):
            return True
        return error.errno == errno.EIO and not reader_stays()  # a terminal that was closed; a disk has no reader


def guard() -> None:
    """Make the standard streams of this process such streams; those that are closed lead nowhere."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _STANDARD:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 - a descriptor, for good
    sys.stdout = _text(_Output(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Notices(2, "w", closefd=False), sys.stderr)


def hurry() -> None:
    """Let notices wait for nobody from now on, and output not for long: the command is to end."""
    _Stream.hurried = True


def interrupt() -> None:
    """Hurry, and let a write of the main thread wait for its reader no longer. For signal handlers."""
    hurry()
    if _Stream.main_waits:
        raise _Interrupted


def relax() -> None:
    """Let both wait for their readers again."""
    _Stream.hurried = False


def settle() -> None:
    """Write what is left at the end of the process; a reader that does not read cannot keep it from ending."""
    hurry()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Unwritable, ValueError):  # a ValueError: it has been closed
            stream.flush()


def reader_stays() -> bool:
    """Tell whether somebody still reads standard output: a pipe and a terminal say so although nothing is written."""
    watched = select.poll()
    watched.register(1, 0)
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in watched.poll(0))


def _text(raw: _Stream, former: TextIO | None) -> TextIO:
    encoding = former.encoding if former is not None else "utf-8"
    lines = raw.isatty() or raw.fileno() == 2  # noqa: PLR2004 - standard error is written line by line
    # a terminal of another encoding is no reason to fail
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=lines)

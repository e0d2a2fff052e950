"""What a process writes: the journal of its steps, and prose, which is everything else, kept apart.

Steps go to a descriptor of their own, past `logging`, which belongs to whoever uses it. Must not know what
the process is for, nor gRPC.
"""

import atexit
import contextlib
import fcntl
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, NoReturn

from chitty import journal
from chitty.core.errors import cause
from chitty.core.steps import Step

CANNOT_WRITE = 74
"""How a process ends whose log is gone: EX_IOERR of sysexits.h."""

_PIPE = 65_536  # bytes that a pipe holds


class Log:
    """The log of this process, as a descriptor that no configuration of `logging` knows of.

    A line must be in the log before its message is sent, so a log that cannot be written ends the process.

    Args:
        descriptor: what nothing else in this process writes to.
        process: the name at the head of each line.
        lock: a file by which several processes that write to the same log take turns.
    """

    def __init__(self, descriptor: int, process: str, lock: int | None = None) -> None:
        self.process = process
        self._descriptor = descriptor
        self._turns = lock
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._waiting: list[bytes] = []
        self._writing = False

    def write(self, lines: str) -> None:
        """Write whole lines, given without a last newline; they are in the log when this returns."""
        data = f"{lines}\n".encode("utf-8", "backslashreplace")
        if os.getpid() != self._owner:
            # A fork that a bot made: its lines would get between ours, and the lock may be held there for good.
            with contextlib.suppress(OSError):
                os.write(2, data)
            return
        with self._lock:
            self._waiting.append(data)
            if self._writing:  # by a signal handler or a finalizer, amid another line
                return
            self._writing = True
            try:
                self._take_turn(fcntl.LOCK_EX)
                self._write_waiting()
            finally:
                self._writing = False
                self._take_turn(fcntl.LOCK_UN)

    def _take_turn(self, how: int) -> None:
        if self._turns is not None:
            try:
                fcntl.lockf(self._turns, how)
            except OSError as error:
                self._end(error)

    def _write_waiting(self) -> None:
        while self._waiting:
            data = self._waiting.pop(0)  # before it is written: an interrupt afterwards must not repeat it
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:  # somebody who shares the terminal wants it so
                self._waiting.insert(0, data)
                select.select([], [self._descriptor], [])
                continue
            except OSError as error:
                self._end(error)
            if written < len(data):
                self._waiting.insert(0, data[written:])

    def _end(self, error: OSError) -> NoReturn:
        """End the process, and say why where that can still be read."""
        why = f"{self.process}: cannot write the log: {cause(error)}: ending, as nothing may happen that is not in it\n"
        with contextlib.suppress(OSError):
            os.write(2, why.encode("utf-8", "backslashreplace"))
        os._exit(CANNOT_WRITE)


_log: Log | None = None
"""None in a process that is not ours: there the library reports through `logging`."""


class Entries:
    """Steps of one process on their way through `logging`: one record, however many they are."""

    __slots__ = ("written",)

    def __init__(self, written: list[str]) -> None:
        self.written = written

    def __str__(self) -> str:
        """Return them as lines without a head, for handlers of somebody else."""
        return "\n".join(self.written)


class Journal:
    """Numbers the steps of one life of a process and writes them to the process's log.

    What is written is in the log when `write` returns, so that a step whose message was seen by anybody has
    its line. In a process that has no log of ours, and for a second participant in one that has, steps go to
    the logger `chitty.PROCESS` of `logging`.
    """

    def __init__(self, process: str, epoch: str = "") -> None:
        self.process = process
        self.epoch = epoch
        self._written = 0

    @property
    def logger(self) -> logging.Logger:
        """For what the process has to say besides."""
        return logger(self.process)

    def write(self, taken: Iterable[Step], *, again: bool = False) -> None:
        """Write steps that happened together, in order, at once; `again` if an earlier life may have done so."""
        written = journal.entries(taken, self._written + 1, self.epoch, again=again)
        if not written:
            return
        self._written += len(written)
        if _log is not None and _log.process == self.process:
            _log.write(journal.lines(_head(time.time()), self.process, written))
        else:
            logging.getLogger(f"chitty.{self.process}").info(Entries(written))


class ProseHandler(logging.Handler):
    """Writes records of `logging` to a log as prose, a line for each of their lines."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter())  # or `basicConfig` would set one with the level
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; only its own formatting can fail."""
        try:
            lines = journal.prose(_head(record.created, _level(record)), self._log.process, self.format(record))
        except Exception:  # noqa: BLE001 - whatever somebody else's call holds
            self.handleError(record)
        else:
            self._log.write(lines)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Report a wrong call of `logging`."""
        where = f"{record.pathname}:{record.lineno}"
        logger("output").error("%s: bad call of logging: %s", where, type(sys.exc_info()[1]).__name__)


class _Logger(logging.Logger):
    """A logger that makes its records itself, whatever factory `logging` was given."""

    def makeRecord(self, *given: Any, **_named: Any) -> logging.LogRecord:  # noqa: N802 - logging's name
        """Return a record of what `Logger` passes on, in its order, without extra attributes."""
        name, level, path, line, message, args, error, function, _extra, stack = given
        return logging.LogRecord(name, level, path, line, message, args, error, function, stack)


_own = logging.Manager(logging.RootLogger(logging.INFO))
"""The loggers of a process of ours: a hierarchy that no configuration of `logging` reaches."""
_own.loggerClass = _Logger


def logger(name: str) -> logging.Logger:
    """Return the logger `chitty.NAME`; in a process with a log of ours, one that always leads there."""
    manager = logging.Logger.manager if _log is None else _own
    return manager.getLogger(f"chitty.{name}")


def _head(seconds: float, level: str = "INFO") -> str:
    return f"{journal.wall_time(seconds)} {level}"


def _level(record: logging.LogRecord) -> str:
    """Return the name of a record's level, unless it is one that could not stand in a head."""
    name = record.levelname
    return name if name.isascii() and name.isalpha() and name.isupper() else "INFO"


def log_to(descriptor: int, process: str) -> None:
    """Send the journal of this process to an open file, and as prose what goes through `logging`.

    A life begins with a newline of its own. Where a program configures `logging` in another way, its own
    records go where it says; the journal, and what we report ourselves, stay in the log.
    """
    _use(Log(descriptor, process))


def _use(log: Log) -> None:
    global _log  # noqa: PLW0603 - a process has one
    log.write("")
    logging.basicConfig(level=logging.INFO, handlers=[ProseHandler(log)], force=True)
    _own.root.handlers = [ProseHandler(log)]
    _log = log


def log_to_stdout(process: str) -> None:
    """Send the journal to standard output, and what anything else prints, there or to stderr, to standard error.

    What is printed leaves the process at once, so nothing of it is lost however the process ends. Whoever reads
    standard error makes prose of it: supervisord does, with our plugin. Where both lead to the same file,
    terminal or pipe, what is printed there passes through a process of its own, which does the same.
    """
    events = os.dup(1)
    lock = _mark_outside(events, process) if os.path.samestat(os.fstat(1), os.fstat(2)) else None
    os.dup2(2, 1)
    # New streams, because the old ones may believe that they write to a file.
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        for number in (1, 2)
    )
    _use(Log(events, process, lock))


def _mark_outside(descriptor: int, process: str) -> int:
    """Let standard error lead to a process that makes prose of it; return the lock by which it takes turns."""
    lock = os.memfd_create("log")
    reading, writing = os.pipe()
    ending, ended = os.pipe()
    if os.fork() == 0:
        os.close(writing)
        _mark(reading, Log(descriptor, process, lock))
    os.close(reading)
    os.close(ended)
    os.dup2(writing, 2)
    os.close(writing)
    atexit.register(_end_printing, ending)
    return lock


def _mark(reading: int, log: Log) -> NoReturn:
    """Make prose of what comes, until nobody is left who could write it: a signal to the group ends the others."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    printed = journal.Printed(log.process)
    try:
        data = b"begun"
        while data:
            data = os.read(reading, _PIPE)
            if lines := printed.take(data or b"\n", _head(time.time())):
                log.write(lines)
    finally:
        os._exit(0)


def _end_printing(ending: int) -> None:
    """Let the process that marks have all, and wait until it has written that; others may still print."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    select.select([ending], [], [], 1.0)

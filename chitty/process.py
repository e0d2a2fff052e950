"""What every process of a stack does at its edge: its journal, its ready file, its end with its parent.

Must not know what the process is for, nor gRPC: commands that only control import this too.
"""

import atexit
import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from chitty import journal
from chitty.core.steps import Step

MINIMUM_LIFE = 1.2
"""Seconds below which a process does not end on purpose: supervisord takes a quicker end for a failed start."""

_PR_SET_PDEATHSIG = 1
_CANNOT_WRITE = 74  # EX_IOERR of sysexits.h


class Entries:
    """Steps of one process on their way through `logging`: one record, however many they are."""

    __slots__ = ("written",)

    def __init__(self, written: list[str]) -> None:
        self.written = written

    def __str__(self) -> str:
        """Return them as lines without a head, for handlers of somebody else."""
        return "\n".join(self.written)


class Journal:
    """Numbers the steps of one life of a process and hands them to its logger, `chitty.PROCESS`.

    What is written has been flushed to the log when `write` returns, so that a step whose message was seen
    by anybody has its line.
    """

    def __init__(self, process: str, epoch: str = "") -> None:
        self.process = process
        self.epoch = epoch
        self.logger = logging.getLogger(f"chitty.{process}")
        self._written = 0

    def write(self, taken: Iterable[Step], *, again: bool = False) -> None:
        """Write steps that happened together, in order, as one record; `again` if an earlier life may have done so."""
        written = journal.entries(taken, self._written + 1, self.epoch, again=again)
        if written:
            self._written += len(written)
            self.logger.info(Entries(written))


class LineFormatter(logging.Formatter):
    """Formats a record as the lines of a log file: entries as events, everything else as prose."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record; a traceback becomes prose, a line each."""
        head = f"{journal.wall_time(record.created)} {record.levelname}"
        if isinstance(record.msg, Entries):
            return journal.lines(head, self.process, record.msg.written)
        return journal.prose(head, self.process, super().format(record))


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes and flushes each record; a log that cannot be written ends the process.

    A line must be in the log before its message is sent, so without a log nothing may go on.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """End the process at once: its log is gone. A call of somebody else's that was wrong is only complained of."""
        error = sys.exc_info()[1]
        if isinstance(record.msg, Entries) or isinstance(error, OSError) or self.stream.closed:
            os._exit(_CANNOT_WRITE)
        where = f"{record.pathname}:{record.lineno}"
        logging.getLogger("chitty.output").error("%s: bad call of logging: %s", where, type(error).__name__)


def log_to(stream: TextIO, process: str) -> None:
    """Send the journal and the prose of this process to `stream`, beginning a life with a newline of its own."""
    handler = LineHandler(stream)
    handler.setFormatter(LineFormatter(process))
    stream.write("\n")
    stream.flush()
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def log_to_stdout(process: str) -> None:
    """Send the journal to standard output, and make prose of what anything else writes there or to stderr.

    A user's prints and a library's complaints can then neither tear a line nor forge one.
    """
    own = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace", newline="\n")
    log_to(own, process)
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    # new streams, because the old ones may believe that they write to a file
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        for number in (1, 2)
    )
    foreign = logging.getLogger("chitty.output")
    reader = threading.Thread(target=_make_prose, args=(reading, foreign), name="output", daemon=True)
    reader.start()

    def finish() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        for descriptor in (1, 2):
            os.dup2(own.fileno(), descriptor)  # closes the pipe's last writers: the reader ends
        reader.join(1.0)

    atexit.register(finish)


def _make_prose(descriptor: int, logger: logging.Logger) -> None:
    with os.fdopen(descriptor, encoding="utf-8", errors="backslashreplace") as lines:
        for line in lines:
            if line := line.rstrip("\r\n"):
                logger.info("%s", line)


def end_with_parent(parent: int | None = None) -> None:
    """Let the kernel kill this process when its parent ends, so that no stack outlives its supervisord.

    SIGKILL, because the log ends with the parent as well: what happened later could not be written down. Whoever
    knows who the parent was tells it, so that one that has ended already is noticed.
    """
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_CANNOT_WRITE)


def linger() -> None:
    """Wait, blocking, until the process is old enough to end on purpose."""
    born = (started(os.getpid()) + 1) / os.sysconf("SC_CLK_TCK")  # a tick had begun already
    time.sleep(max(0.0, MINIMUM_LIFE - (time.clock_gettime(time.CLOCK_BOOTTIME) - born)))


def write_ready(path: Path, **facts: Any) -> None:
    """Publish facts about this process, whole or not at all: its pid, its start, and what it is given.

    That it could not is logged, and no reason to end.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    told = {"pid": os.getpid(), "started": started(os.getpid()), **facts}
    try:
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:  # the disk may be full: what the process is for goes on
        fresh.unlink(missing_ok=True)
        logging.getLogger("chitty.output").error("cannot write %s: %s", path, error.strerror)


def read_ready(path: Path) -> dict[str, Any]:
    """Return the facts that a process published, empty when there are none; whether it lives is not asked."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def located(ready: Path) -> str | None:
    """Return the address that a process published in its ready file, None while it does not live."""
    facts = read_ready(ready)
    address = facts.get("address")
    return str(address) if address and alive(int(facts.get("pid", 0))) else None


def alive(pid: int) -> bool:
    """Tell whether a process lives; a zombie does not."""
    return state_of(pid) not in {"", "Z", "X"}


def state_of(pid: int) -> str:
    """Return the kernel's letter for a process's state (proc(5)), empty when there is none."""
    return _stat(pid)[0]


def started(pid: int) -> int:
    """Return when a process started, in the kernel's ticks since the machine did; 0 when there is none.

    With its pid it names a process for good: a pid alone may be another's by now.
    """
    return int(_stat(pid)[19])


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: the name before them may have spaces."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ["", *["0"] * 49]
    return stat.rpartition(")")[2].split()

"""Processes that the bench starts: what is loaded, and what loads it. All end with the bench.

They are named by strings: this room speaks no gRPC.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chitty.core.errors import StackError, TimedOut

_START = 60.0  # seconds that a process has until it says that it is ready
_ANSWER = 120.0  # seconds that an order may take longer than it says
_END = 10.0

_living: "set[Child]" = set()


class Child:
    """A process in a folder of its own; its output goes into the file `NAME.log` there, or through `said`.

    Used as a context manager: it is gone afterwards.
    """

    def __init__(self, command: Sequence[str], folder: Path, name: str, *, spoken_to: bool = False) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                cwd=folder,
                stdin=subprocess.PIPE if spoken_to else subprocess.DEVNULL,
                stdout=subprocess.PIPE if spoken_to else log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is the bench's to answer
            )
        _living.add(self)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.end()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def end(self) -> None:
        """Ask it to end, and kill it when it does not, or when this is interrupted."""
        try:
            if self.process.poll() is None:
                self.signal(signal.SIGCONT)
                self.signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(_END)
        finally:
            self.signal(signal.SIGKILL)
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self.process.wait()
            _living.discard(self)

    def await_text(self, text: str, within: float = _START) -> str:
        """Wait until a line of its log has this text, and return the line.

        Raises:
            StackError: it ended instead.
            TimedOut: it did not say so in time.
        """
        deadline = time.monotonic() + within
        while True:
            ended = self.process.poll() is not None
            for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
                if text in line:
                    return line
            if ended:
                raise StackError(f"{self.name} ended instead of starting: {self.last_line()}")
            if time.monotonic() > deadline:
                raise TimedOut(f"{self.name} did not start within {within:g} s: {self.last_line()}")
            time.sleep(0.01)

    def last_line(self) -> str:
        """Return the last line of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


class Generator(Child):
    """A load process: it takes orders, and answers each."""

    def __init__(self, folder: Path, name: str, program: str, *arguments: str) -> None:
        super().__init__([sys.executable, "-P", "-m", program, *arguments], folder, name, spoken_to=True)

    def order(self, **order: Any) -> None:
        """Give an order; `answered` gives its answer."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise StackError(f"{self.name} ended: {self.last_line()}") from None

    def answered(self, within: float = _ANSWER) -> dict[str, Any]:
        """Wait for the answer to the oldest order that has none.

        Raises:
            StackError: the order could not be carried out.
            TimedOut: it took too long.
        """
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], within)  # answers come one at a time
        if not ready:
            raise TimedOut(f"{self.name} has not answered for {within:g} s")
        line = self.process.stdout.readline()
        if not line:
            raise StackError(f"{self.name} ended: {self.last_line()}")
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            raise StackError(f"{self.name}: {told['error']}")
        return told

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        self.order(**order)
        return self.answered()


def nats_program() -> str | None:
    """Return where a NATS server is: on the path, or beside this interpreter; None where it is not installed."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return shutil.which("nats-server", path=beside)


@contextlib.contextmanager
def all_of(children: Iterable[Child]) -> Iterator[list[Child]]:
    """Give started processes, and end all of them afterwards."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(child) for child in children]


def end_all() -> None:
    """End every process that lives: those, too, that nobody had taken charge of yet."""
    for child in list(_living):
        child.end()


def kill_all() -> None:
    """Kill every process that lives; whoever is ending one has less to wait for."""
    for child in list(_living):
        child.signal(signal.SIGKILL)

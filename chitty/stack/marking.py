"""One log of the two outputs of a process: the events as they come, and as prose what is printed.

Runs inside supervisord. A process writes events to its standard output, and nothing else leads there; what
anything prints comes through standard error. Both outlive the process: what was written is in the log
however it ended. No line that is printed can pass for an event, whatever it says, because it is told by
where it came from.
"""

import os
import time
from pathlib import Path
from typing import Any

from supervisor.dispatchers import PInputDispatcher, POutputDispatcher
from supervisor.events import ProcessCommunicationStderrEvent, ProcessCommunicationStdoutEvent

from chitty import journal
from chitty.stack.layout import PRINTED

_AT_ONCE = 2 << 16  # bytes; more than a pipe holds


def attend(process: Any, name: str) -> None:
    """Let the next life of a program have one log; `name` is that of the process in its lines.

    A program with another configuration than ours is left alone.
    """
    config = process.config
    if Path(config.stderr_logfile or "").suffix != PRINTED:
        return

    def make_dispatchers(process: Any) -> tuple[dict[int, Any], dict[str, int]]:
        pipes = config.options.make_pipes(True)  # noqa: FBT003 - supervisord's signature
        events = _Events(process, ProcessCommunicationStdoutEvent, pipes["stdout"])
        dispatchers = {
            events.fd: events,
            pipes["stderr"]: _Printed(process, pipes["stderr"], events, name),
            pipes["stdin"]: PInputDispatcher(process, "stdin", pipes["stdin"]),
        }
        return dispatchers, pipes

    config.make_dispatchers = make_dispatchers


def finish(process: Any) -> None:
    """Write what a process that has ended left without an end of its line."""
    for dispatcher in process.dispatchers.values():
        if isinstance(dispatcher, _Printed):
            dispatcher.finish()


class _Events(POutputDispatcher):  # type: ignore[misc] # supervisor is untyped
    """Standard output, written to the log line by line, so that prose never comes into the midst of one."""

    output_buffer: bytes

    def handle_read_event(self) -> None:
        """Take what has come: nothing, if it was taken together with what was printed."""
        try:
            data = os.read(self.fd, _AT_ONCE)
        except BlockingIOError:
            return
        self.output_buffer += data
        self.record_output()
        if not data:
            self.close()

    def record_output(self) -> None:
        """Write the lines that are whole."""
        end = self.output_buffer.rfind(b"\n") + 1
        data, self.output_buffer = self.output_buffer[:end], self.output_buffer[end:]
        self._log(data)


class _Printed(POutputDispatcher):  # type: ignore[misc] # supervisor is untyped
    """Standard error, written to the same log as prose."""

    output_buffer: bytes

    def __init__(self, process: Any, descriptor: int, events: _Events, name: str) -> None:
        self._events = events
        self._printed = journal.Printed(name)
        super().__init__(process, ProcessCommunicationStderrEvent, descriptor)

    def _init_normallog(self) -> None:
        self.normallog = self._events.normallog

    def record_output(self) -> None:
        """Write the lines that are whole, after the events that were written before: the times in a log rise."""
        data, self.output_buffer = self.output_buffer, b""
        if self._events.readable():
            self._events.handle_read_event()
        self._take(data)

    def finish(self) -> None:
        """Write the last words; an event that broke off was never sent, and is none of the history."""
        torn, self._events.output_buffer = self._events.output_buffer, b""
        self._take(b"\n" + torn + b"\n")

    def _take(self, data: bytes) -> None:
        if lines := self._printed.take(data, f"{journal.wall_time(time.time())} INFO"):
            self._log(f"{lines}\n".encode())

    def removelogs(self) -> None:
        """Leave that to the events, whose log it is."""

    def reopenlogs(self) -> None:
        """Leave that to the events, whose log it is."""

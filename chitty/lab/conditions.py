"""What can be seen of a running stack: its status and its logs, and whether a condition holds of them."""

from dataclasses import dataclass, field

from chitty.core.names import fold
from chitty.journal import Record
from chitty.lab.steps import Expect, Line
from chitty.lab.values import SERVER
from chitty.logfile import Growing
from chitty.stack import tail
from chitty.stack.control import Stack
from chitty.stack.layout import slug
from chitty.stack.members import Member, Members, Server

_STATE_WORDS = {"RUNNING": "running", "STARTING": "running", "PAUSED": "paused"}


@dataclass(slots=True)
class Logs:
    """The logs of a stack from their first line on, read once as they grow."""

    stack: Stack
    _open: dict[str, tuple[Growing, list[Record]]] = field(default_factory=dict)

    def of(self, process: str) -> list[Record]:
        """Return every line with a head that a process has written until now."""
        own = SERVER if process == SERVER else slug(process)
        if own not in self._open:
            self._open[own] = (Growing(self.stack.layout.log(own)), [])
        growing, found = self._open[own]
        while lines := growing.read():
            found += [record for line in lines if (record := tail.read(own, line)) is not None]
        return found

    def close(self) -> None:
        """Close the files."""
        for growing, _ in self._open.values():
            growing.close()


def missing(condition: Expect, now: Members, logs: Logs) -> str:
    """Return what does not hold of a condition, in words; empty when all of it holds."""
    joined = [one.name for one in now.present() if one.joined]
    if condition.participants not in {None, len(joined)}:
        return f"{len(joined)} joined: {', '.join(joined) or 'nobody'}"
    for who, wanted in condition.state.items():
        words = _server(now.server) if who == SERVER else _participant(now, who)
        if wanted not in words:
            return f"{who} is {' and '.join(words) or 'nobody here'}, not {wanted}"
    return next((lacking for line in condition.lines if (lacking := _lacking(line, logs))), "")


def _lacking(line: Line, logs: Logs) -> str:
    for process in line.process:
        count = sum(_matches(line, record) for record in logs.of(process))
        if count < line.times or (line.times == 0 and count):
            return f"the log of {process} has this {count} times, not {line.times}: {line.what}"
    return ""


def _matches(line: Line, record: Record) -> bool:
    if line.event and record.event != line.event:
        return False
    said = record.prose or record.text("text") or record.text("reason")
    return line.text in said and all(record.text(key) == str(value) for key, value in line.fields.items())


def _server(server: Server) -> list[str]:
    serving = ["serving"] if server.serving else []
    return [_STATE_WORDS.get(server.state, server.state), *serving]


def _participant(now: Members, name: str) -> list[str]:
    """Return the words for how a participant is; none for one that the stack has never had."""
    key = fold(name)
    found = [one for one in now.participants if fold(one.name) == key]
    return _words(min(found, key=lambda one: one.left)) if found else []


def _words(one: Member) -> list[str]:
    if one.left:
        return ["left"]
    if one.runs:
        joined = ["joined"] if one.joined else []
        refused = ["refused"] if one.refused else []
        return [_STATE_WORDS.get(one.state, one.state), *joined, *refused]
    # a reason begins with its word: `crashed (SIGSEGV)`, `refused: the name is taken`
    return [one.reason.partition(" ")[0].rstrip(":") or one.state]

"""What a person sees of a line: `HH:MM:SS.mmm NAME │ L  what happened`, and the same as JSON.

Everything that comes from outside is escaped before it reaches a terminal.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from chitty.journal import Record, escape
from chitty.stack.tail import Line
from chitty.terminal import colour_of, columns, pad, paint

_QUIET = "2"
_BOLD = "1"
_RED = "31"
_YELLOW = "33"
_LEVELS = {"WARNING": _YELLOW, "ERROR": _RED, "CRITICAL": _RED}
_TIME_WIDTH = 12
_LAMPORT_WIDTH = 5


@dataclass(slots=True)
class View:
    """How lines are shown; the column of names widens when a longer one comes."""

    colour: bool = False
    width: int = 4
    _minutes: dict[str, str] = field(default_factory=dict)

    def widen(self, names: Collection[str]) -> None:
        """Make room for names that are known beforehand."""
        self.width = max([self.width, *map(columns, names)])

    def render(self, line: Line) -> str:
        """Return a line as a person reads it."""
        record = line.record
        if record is None:
            return self._row("", line.file, "", escape(line.text), _QUIET)
        what, style = describe(record)
        lamport = str(record.fields.get("lamport", ""))
        return self._row(self._clock(record.wall), record.process, lamport, what, style)

    def _row(self, clock: str, name: str, lamport: str, what: str, style: str) -> str:
        name = escape(name)
        self.width = max(self.width, columns(name))
        padded = pad(name, self.width)
        if not self.colour:
            return f"{clock:{_TIME_WIDTH}} {padded} │ {lamport:>{_LAMPORT_WIDTH}}  {what}".rstrip()
        said = paint(what, style) if style else what
        return (
            f"{paint(f'{clock:{_TIME_WIDTH}}', _QUIET)} {paint(padded, colour_of(name))} │"
            f" {paint(f'{lamport:>{_LAMPORT_WIDTH}}', _BOLD)}  {said}"
        )

    def _clock(self, wall: str) -> str:
        """Return the local time of day; a minute is converted once."""
        minute = wall[:16]
        local = self._minutes.get(minute)
        if local is None:
            local = datetime.fromisoformat(f"{minute}:00+00:00").astimezone().strftime("%H:%M")
            self._minutes[minute] = local
        return local + wall[16:23]


def describe(record: Record) -> tuple[str, str]:
    """Return what happened, in words and safe for a terminal, and the style to say it in."""
    if not record.event:
        return escape(record.prose), _LEVELS.get(record.level, _QUIET)
    what, style = _WORDS[record.event](record)
    return escape(what), style


def as_json(line: Line) -> str:
    """Return a line as one JSON object: its head and fields, or what it is when it has none."""
    record = line.record
    if record is None:
        return _json({"file": line.file, "raw": line.text})
    head = {"wall": record.wall, "level": record.level, "process": record.process}
    if not record.event:
        return _json({**head, "prose": record.prose})
    return _json({**head, "event": record.event, **record.fields})


def _json(value: dict[str, object]) -> str:
    # ASCII only: what could trouble a terminal travels as an escape of JSON's own.
    return json.dumps(value)


def _said(record: Record) -> str:
    if record.text("op") == "publish":
        return f"{record.text('participant')}: {record.text('text')}"
    return record.text("text")


def _start(record: Record) -> tuple[str, str]:
    who = f"epoch {record.text('epoch')}" if "epoch" in record.fields else f"incarnation {record.text('incarnation')}"
    return f"starts: pid {record.text('pid')}, {who}, version {record.text('version')}", _QUIET


def _send(record: Record) -> tuple[str, str]:
    op = record.text("op")
    if op == "publish":
        return f"says: {record.text('text')}", _QUIET
    return f"asks to {op}", _QUIET


def _receive(record: Record) -> tuple[str, str]:
    op = record.text("op").capitalize()
    return f"{op} of {record.text('participant')}, sent at {record.text('stamped')}", _QUIET


def _detect(record: Record) -> tuple[str, str]:
    return f"{record.text('participant')} is gone: {record.text('reason')}", _YELLOW


def _broadcast(record: Record) -> tuple[str, str]:
    return f"Broadcast {record.text('seq')} to {record.text('members')}: {_said(record)}", _QUIET


def _deliver(record: Record) -> tuple[str, str]:
    return _said(record), "" if record.text("op") == "publish" else _BOLD


def _ack(record: Record) -> tuple[str, str]:
    return f"receipt of its {record.text('op')}: broadcast {record.text('seq')} at {record.text('stamped')}", _QUIET


def _refused(record: Record) -> tuple[str, str]:
    return f"{record.text('op')} refused: {record.text('reason')} ({record.text('status')})", _RED


def _end(record: Record) -> tuple[str, str]:
    return f"ends: {record.text('reason')}", _QUIET


_WORDS: dict[str, Callable[[Record], tuple[str, str]]] = {
    "start": _start,
    "send": _send,
    "receive": _receive,
    "detect": _detect,
    "broadcast": _broadcast,
    "deliver": _deliver,
    "ack": _ack,
    "refused": _refused,
    "end": _end,
}

r"""What a log line is: how a step is written as one, how one is read back, and what is escaped. Pure.

A line has a head: wall time in UTC with microseconds, level, process, event; then `key=value` in a fixed
order for each event, the value a bare token or a JSON string:

    2026-11-23T03:11:50.123456Z INFO alice send lamport=9 n=6 op=publish id=9f3ac1d27be04411.2 text="hello"

Prose has `-` for its event. Knows no file and no clock: the head's time is given.
"""

import codecs
import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chitty.core import steps
from chitty.core.event import Event
from chitty.core.steps import Step

FORMAT = 1
"""Version of the line format, written in every `start` line."""

FIELDS = {
    "start": ("format", "epoch?", "incarnation?", "pid", "version"),
    "send": ("op", "id", "text?"),
    "receive": ("op", "id", "stamped", "participant", "again?"),
    "detect": ("op", "participant", "incarnation", "reason", "again?"),
    "broadcast": ("op", "epoch", "seq", "cause?", "members", "participant", "reason?", "text", "again?"),
    "deliver": ("op", "epoch", "seq", "stamped", "participant", "reason?", "text"),
    "ack": ("op", "id", "epoch", "seq", "stamped"),
    "refused": ("op", "id", "status", "reason"),
    "end": ("reason",),
}
"""The fields of each event after its time and number, in the order in which they are written.

Those with a question mark are in some lines only.
"""

_NEEDED = {event: frozenset(key for key in keys if key[-1] != "?") for event, keys in FIELDS.items()}

EVENTS = frozenset(FIELDS)
"""The events of a history; what has another word in their place is prose."""

HUB = "hub"
"""The process name of the service in its log."""

PROSE = "-"

_NUMBERS = frozenset({"lamport", "n", "stamped", "seq", "members", "pid", "format", "again"})

LONGEST = 16_384
"""Characters of a line of prose made of what is printed: a longer one becomes several."""

_HEAD_PARTS = 6
_DIGITS = 20  # of 2^64; Python refuses to read a number of thousands
_NAMED = 200  # characters
_WALL = len("2026-11-23T03:11:50.123456Z")

# C0, DEL and C1; line and paragraph separators; marks, embeddings, overrides and isolates of direction;
# lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HEAD = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([A-Z]+) (\S+) (\S+)(?: (.*))?", re.DOTALL)
_FIELD = re.compile(r'([a-z]+)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?: |$)')


@dataclass(frozen=True, slots=True)
class Record:
    """One line, read back.

    Attributes:
        wall: the head's time, ISO 8601 in UTC with microseconds; such strings sort as times do.
        event: one of EVENTS, or empty for prose.
        fields: of an event, in the line's order; numbers as int.
        prose: of prose, else empty.
    """

    wall: str
    level: str
    process: str
    event: str = ""
    fields: dict[str, str | int] = field(default_factory=dict)
    prose: str = ""

    def text(self, key: str) -> str:
        """Return a field as text, empty when the line has none of that name."""
        return str(self.fields.get(key, ""))


def escape(text: str) -> str:
    r"""Return `text` with everything that could break a line or a terminal written as \uXXXX."""
    return text if text.isprintable() else _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def quote(text: str) -> str:
    """Return `text` as a JSON string that is safe in a line; `json.loads` gives the text back."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return escape(json.dumps(text, ensure_ascii=False))


def line_named(text: str) -> str:
    """Return a line of standard input as prose names it: quoted, and cut where it is longer than any message."""
    return quote(text if len(text) <= _NAMED else f"{text[:_NAMED]}…")


def not_said(text: str, turn: str) -> str:
    """Return how the prose begins that tells why a line was not said; `turn` is the wall time at which its turn came.

    So whoever waits for a line of its own takes no other line's refusal, and none of the same text from before.
    """
    return f"not said: {line_named(text)} (its turn came at {turn}): "


def why_not_said(prose: str, text: str, since: str) -> str:
    """Return why a line was not said, empty when the prose tells that of no line of this text since a wall time."""
    before, after = not_said(text, "\n").split("\n")  # which no prose has
    turn = prose.removeprefix(before)[:_WALL]
    whole = f"{before}{turn}{after}"
    return prose.removeprefix(whole) if prose.startswith(whole) and turn >= since else ""


def wall_time(seconds: float) -> str:
    """Return seconds since 1970 as the head of a line has them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entries(taken: Iterable[Step], first: int, epoch: str = "", *, again: bool = False) -> list[str]:
    """Return each step as what follows the process in its line, numbered from `first`.

    `epoch` is the hub's, for broadcasts. `again` marks what the process may have written in an earlier life.
    """
    mark = " again=1" if again else ""
    return [_WRITERS[type(step)](step, n, epoch) + mark for n, step in enumerate(taken, first)]


def lines(head: str, process: str, written: Sequence[str]) -> str:
    """Return entries of one process as lines that share a head (wall time and level), without a last newline."""
    start = f"{head} {process} "
    return start + f"\n{start}".join(written)


def prose(head: str, process: str, text: str) -> str:
    """Return prose as lines, one for each of its own; never part of a history."""
    return lines(head, process, [f"{PROSE} {escape(line)}" for line in text.split("\n")])


class Printed:
    r"""Turns what is printed in a process, piece by piece as it arrives, into lines of prose.

    A line ends with a newline, a carriage return or both; empty ones are left out, and one longer than LONGEST
    is cut. Bytes that are not UTF-8 are written as \\xff.
    """

    def __init__(self, process: str) -> None:
        self._process = process
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._rest = ""

    def take(self, data: bytes, head: str) -> str:
        """Return the lines that `data` completes, without a last newline; empty when there are none.

        A newline completes what was printed last, once nothing can follow.
        """
        text = self._rest + self._decoder.decode(data)
        *lines, self._rest = text.replace("\r", "\n").split("\n")
        pieces = [line[at : at + LONGEST] for line in lines for at in range(0, len(line), LONGEST)]
        while len(self._rest) > LONGEST:
            pieces.append(self._rest[:LONGEST])
            self._rest = self._rest[LONGEST:]
        return prose(head, self._process, "\n".join(pieces)) if pieces else ""


def parse(line: str) -> Record | None:
    """Read a line back; None when it has no head or was torn, and so is not to be believed.

    A line that was torn within a bare token at its very end cannot be told from a whole one: its newline can.
    """
    match = _HEAD.fullmatch(line.rstrip("\n"))
    if match is None:
        return None
    wall, level, process, event, rest = match.groups(default="")
    if event in EVENTS:
        found = fields(event, rest)
        whole = found is not None and "lamport" in found and "n" in found
        return Record(wall, level, process, event, found) if found is not None and whole else None
    return Record(wall, level, process, prose=rest if event == PROSE else f"{event} {rest}".rstrip())


def entry(line: str) -> tuple[str, str, str, str, int, int, str] | None:
    """Read the line of an event quickly: wall, level, process, event, lamport, n, and the rest as it is.

    None when it is not written as `entries` writes one: `parse` then tells whether it is prose or has no
    head. The rest is for `fields`. It exists because logs have millions of lines; `parse` is the reference.
    """
    parts = line.split(" ", 6)
    if len(parts) < _HEAD_PARTS or parts[3] not in EVENTS:
        return None
    wall, level, process, event, lamport, n = parts[:6]
    if lamport[:8] != "lamport=" or n[:2] != "n=" or not (_is_second(wall[:20]) and _are_words(level, process)):
        return None
    time, number, fraction = lamport[8:], n[2:], wall[20:26]
    if len(wall) != _WALL or wall[26] != "Z" or not (time.isdecimal() and number.isdecimal() and fraction.isdecimal()):
        return None
    if len(time) > _DIGITS or len(number) > _DIGITS:
        return None
    return wall, level, process, event, int(time), int(number), parts[6] if len(parts) > _HEAD_PARTS else ""


@functools.lru_cache(maxsize=64)
def _is_second(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.", text) is not None


@functools.lru_cache(maxsize=1024)
def _are_words(level: str, process: str) -> bool:
    return re.fullmatch(r"[A-Z]+ \S+", f"{level} {process}") is not None


def fields(event: str, rest: str) -> dict[str, str | int] | None:
    """Read the `key=value` pairs of an event, numbers as int; None when they are not written so, or were torn."""
    found: dict[str, str | int] = {}
    position = 0
    try:
        while position < len(rest):
            match = _FIELD.match(rest, position)
            if match is None:
                return None
            key, value = match.groups()
            if key in _NUMBERS:
                found[key] = int(value)
            else:
                found[key] = json.loads(value) if value[0] == '"' else value
            position = match.end()
    except ValueError:
        return None
    unsaid = event == "send" and found.get("op") == "publish" and "text" not in found
    return None if unsaid or not _NEEDED[event] <= found.keys() else found


def _event(event: Event) -> str:
    reason = f" reason={event.reason}" if event.reason else ""
    return f"participant={event.participant}{reason} text={quote(event.text)}"


def _deliver(step: steps.Deliver, n: int, _: str) -> str:
    event = step.event
    return (
        f"deliver lamport={step.lamport} n={n} op={event.kind} epoch={step.epoch} seq={event.sequence}"
        f" stamped={event.lamport} {_event(event)}"
    )


def _receive(step: steps.Receive, n: int, _: str) -> str:
    return (
        f"receive lamport={step.lamport} n={n} op={step.op} id={step.id} stamped={step.stamped}"
        f" participant={step.participant}"
    )


def _broadcast(step: steps.Broadcast, n: int, epoch: str) -> str:
    event = step.event
    cause = f" cause={event.cause}" if event.cause else ""
    return (
        f"broadcast lamport={event.lamport} n={n} op={event.kind} epoch={epoch} seq={event.sequence}{cause}"
        f" members={step.members} {_event(event)}"
    )


def _send(step: steps.Send, n: int, _: str) -> str:
    said = "" if step.text is None else f" text={quote(step.text)}"
    return f"send lamport={step.lamport} n={n} op={step.op} id={step.id}{said}"


def _ack(step: steps.Ack, n: int, _: str) -> str:
    return (
        f"ack lamport={step.lamport} n={n} op={step.op} id={step.id} epoch={step.epoch} seq={step.sequence}"
        f" stamped={step.stamped}"
    )


def _refused(step: steps.Refused, n: int, _: str) -> str:
    return (
        f"refused lamport={step.lamport} n={n} op={step.op} id={step.id} status={step.status} reason={quote(step.why)}"
    )


def _detect(step: steps.Detect, n: int, _: str) -> str:
    return (
        f"detect lamport={step.lamport} n={n} op=leave participant={step.participant}"
        f" incarnation={step.incarnation} reason={step.reason}"
    )


def _start(step: steps.Start, n: int, _: str) -> str:
    who = f"epoch={step.epoch}" if step.epoch else f"incarnation={step.incarnation}"
    return f"start lamport={step.lamport} n={n} format={FORMAT} {who} pid={step.pid} version={step.version}"


def _end(step: steps.End, n: int, _: str) -> str:
    return f"end lamport={step.lamport} n={n} reason={quote(step.reason)}"


_WRITERS: dict[type[Step], Callable[[Any, int, str], str]] = {
    steps.Deliver: _deliver,
    steps.Receive: _receive,
    steps.Broadcast: _broadcast,
    steps.Send: _send,
    steps.Ack: _ack,
    steps.Refused: _refused,
    steps.Detect: _detect,
    steps.Start: _start,
    steps.End: _end,
}
"""A table, because a `match` over nine classes takes half the time of a line."""

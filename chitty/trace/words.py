"""What an event is called: in a few words beside its dot, and in whole in its tooltip. Knows no format.

Names and messages are data from outside: what could break a line or turn the direction of a text around is
escaped here, as in logs; what a format gives a meaning to is escaped by its renderer.
"""

import re
import unicodedata

from chitty import journal
from chitty.trace.causality import Causality
from chitty.trace.history import Event

_ISOLATE, _POP = "\u2068", "\u2069"

# What XML 1.0 has no character for, and `journal.escape` lets through.
_NONCHARACTERS = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")
_WIDE = frozenset("WF")
_PICTOGRAPHS = "\U0001f000"  # from here on, whatever Unicode says of their width


def safe(text: str) -> str:
    r"""Return text from outside as one line that any format can carry, odd characters as \uXXXX."""
    return _NONCHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", journal.escape(text))


def isolated(text: str) -> str:
    """Return text of any direction so that what stands beside it keeps its place (UAX 9, first strong isolate)."""
    return text if text.isascii() else f"{_ISOLATE}{text}{_POP}"


def width(text: str, size: float) -> float:
    """Return about how wide a text is at a font size, in pixels: no font is asked."""
    return sum(_width(character) for character in text) * size


def shorten(text: str, room: float, size: float) -> str:
    """Return as much of a text as has room, with an ellipsis for the rest."""
    if width(text, size) <= room:
        return text
    room -= 0.8 * size
    kept = 0
    for character in text:
        room -= _width(character) * size
        if room < 0:
            break
        kept += 1
    while kept and (unicodedata.combining(text[kept]) or text[kept] == "\u200d"):
        kept -= 1
    return text[:kept].rstrip() + "…"


def wrap(name: str, room: float, size: float) -> list[str]:
    """Return a name as lines, none wider than `room`: nothing of it is cut."""
    lines = [""]
    for character in name:
        if lines[-1] and width(lines[-1] + character, size) > room:
            lines.append("")
        lines[-1] += character
    return lines


def paragraph(text: str, room: float, size: float) -> list[str]:
    """Return a text as lines that break between words where they can: nothing of it is cut."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [part for line in lines for part in wrap(line, room, size)]


def label(event: Event) -> str:
    """Return what an event is, in a few words."""
    says = event.says
    match event.kind:
        case "send":
            return safe(says.text) if says.op == "publish" else says.op
        case "detect":
            return f"{says.reason} {safe(says.participant)}"
        case "refused":
            return f"refused: {safe(says.reason)}"
        case "end":
            return safe(says.reason)
    return ""


def subject(event: Event) -> str:
    """Return what a broadcast is about, in a few words."""
    says = event.says
    who = safe(says.participant)
    return f"{who}: {safe(says.text)}" if says.op == "publish" else f"{who} {says.op}s"


def title(event: Event, causality: Causality) -> str:
    """Return all that is known of an event, as lines."""
    says = event.says
    lines = [f"{safe(event.life.name)}: {_deed(event)}, Lamport time {event.lamport}"]
    if says.text:
        lines.append(isolated(safe(says.text)))
    if event.kind == "refused":
        lines.append(f"{safe(says.status)}: {isolated(safe(says.reason))}")
    if says.stamped:
        cause = causality.cause(event)
        sender = f" by {safe(cause.life.name)}" if cause is not None else ""
        lines.append(f"received: stamped {says.stamped}{sender}")
    if says.seq:
        lines.append(f"number {says.seq} of epoch {safe(says.epoch)}")
    if event.kind == "broadcast":
        lines.append(f"members after it: {says.members}")
    if says.id:
        lines.append(f"message {safe(says.id)}")
    lines.append(f"{event.wall}, {safe(event.place)}")
    return "\n".join(lines)


def _deed(event: Event) -> str:
    says = event.says
    who, reason = isolated(safe(says.participant)), safe(says.reason)
    deeds = {
        "start": "starts",
        "send": f"sends {says.op}",
        "receive": f"receives {says.op} of {who}",
        "detect": f"notices that {who} is {reason}",
        "broadcast": f"broadcasts {says.op} of {who}" + (f" ({reason})" if reason else ""),
        "deliver": f"is delivered {says.op} of {who}",
        "ack": f"gets the receipt of its {says.op}",
        "refused": f"learns that its {says.op} was refused",
        "end": f"ends ({reason})",
    }
    return deeds[event.kind]


def _width(character: str) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Mn"}:
        return 0.0
    if unicodedata.east_asian_width(character) in _WIDE or character >= _PICTOGRAPHS:
        return 1.4
    if character in "ijl.,:;'|!ft ()[]":
        return 0.33
    return 0.85 if character in "mwMW@%" else 0.66 if character.isupper() else 0.57

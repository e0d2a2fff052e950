"""A diagram as Mermaid text, for READMEs: a sequence diagram, which GitHub and GitLab draw by themselves.

Mermaid knows rows only as the order of messages, and has limits: `warnings` tells when a run is beyond them.
"""

import re
from collections.abc import Iterator

from chitty.trace import words
from chitty.trace.history import Event, Fate, Life
from chitty.trace.lost import Lost, lost
from chitty.trace.selection import Selection

MOST_CHARACTERS = 50_000
"""Mermaid's `maxTextSize`, beyond which it draws nothing but an error."""
_READABLE = 150

_END = re.compile(r"\bend\b", re.IGNORECASE)

# What Mermaid gives a meaning to, as its entities; all of `journal.escape` is plain text already.
_MEANING = {ord(character): f"#{ord(character)};" for character in '#;:<>"%&\\{}[]()`*_~|'}


def render(selection: Selection) -> str:
    """Return a sequence diagram: each message where it is received, or where it was sent if it was lost."""
    hub = next((life for life in selection.lives if life.is_hub), None)
    others = [life for life in selection.lives if not life.is_hub]
    half = (len(others) + 1) // 2
    hubs = [life for life in selection.lives if life.is_hub]
    ids = {life: f"p{index}" for index, life in enumerate([*others[:half], *hubs, *others[half:]])}
    parts = ["sequenceDiagram"]
    parts += [f"    %% {note}" for note in selection.notes()]
    parts += [f"    participant {id_} as {_escaped(life.name)}" for life, id_ in ids.items()]
    missed: dict[Event, list[Lost]] = {}
    for one in lost(selection.history, selection.causality):
        missed.setdefault(one.sent, []).append(one)
    for event in selection.events:
        parts += [f"    {line}" for line in _lines(event, selection, ids)]
        parts += [f"    {line}" for one in missed.get(event, ()) for line in _lost(one, ids, hub)]
        if event is event.life.events[-1] and event.life.fate is Fate.CRASHED:
            parts.append(f"    Note over {ids[event.life]}: crashes")
    return "\n".join(parts) + "\n"


def warnings(selection: Selection, rendered: str) -> Iterator[str]:
    """Tell what Mermaid, or a reader, will not cope with."""
    if len(rendered) > MOST_CHARACTERS:
        yield (
            f"the Mermaid text has {len(rendered):,} characters, and Mermaid draws at most {MOST_CHARACTERS:,}: "
            "choose a part with --from, --to or --participant"
        )
    elif len(selection.events) > _READABLE:
        yield f"{len(selection.events):,} events make a long Mermaid diagram: SVG and HTML show more at a glance"


def _lines(event: Event, selection: Selection, ids: dict[Life, str]) -> Iterator[str]:
    own, says = ids[event.life], event.says
    sent = selection.causality.cause(event)
    if event.kind in {"receive", "deliver", "ack"}:
        if sent is None or sent.life not in ids:
            yield f"Note over {own}: {event.lamport} {event.kind} {says.op}"
            return
        arrow = "-->>" if event.life.is_hub else "->>"
        # The clock condition read from numbers: sent at, received at.
        times = f"{sent.lamport} → {event.lamport}"
        wrong = " VIOLATION" if event.lamport <= sent.lamport else ""
        yield f"{ids[sent.life]}{arrow}{own}: {times}{wrong} {_what(event, sent)}"
    elif event.kind in {"detect", "refused"}:
        yield f"Note over {own}: {event.lamport} {_escaped(words.label(event))}"
    elif event.kind == "end":
        yield f"Note over {own}: ends"


def _what(event: Event, sent: Event) -> str:
    says = event.says
    if event.kind == "ack":
        return f"receipt of {says.op}"
    if event.kind == "receive":
        return _escaped(sent.says.text) if says.op == "publish" else says.op
    return _escaped(words.subject(event))


def _lost(one: Lost, ids: dict[Life, str], hub: Life | None) -> Iterator[str]:
    to = one.to or hub
    if to is None or to not in ids or one.sent.life not in ids:
        return
    arrow = "--x" if to.is_hub else "-x"
    why = "refused" if one.refusal else "lost"
    what = f"receipt of {one.sent.says.op}" if one.op == "ack" else one.sent.says.op
    yield f"{ids[one.sent.life]}{arrow}{ids[to]}: {one.sent.lamport} {what}, {why}"


def _escaped(text: str) -> str:
    plain = words.safe(text).translate(_MEANING)
    # The word `end` would end a block, wherever it is: its first letter as an entity is a letter to the reader only.
    return _END.sub(lambda match: f"#{ord(match[0][0])};{match[0][1:]}", plain)

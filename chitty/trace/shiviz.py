r"""A history for ShiViz (bestchai.bitbucket.io/shiviz): two lines an event, with vector clocks.

It loads with ShiViz's default expression, `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})`. A host's own entry
counts 1, 2, 3 ... without holes, over what is shown; so clocks are made here for the selection, and pass
through what is left out (Mattern, "Virtual Time and Global States of Distributed Systems", 1989).
"""

import json
from collections.abc import Iterator

from chitty.trace import words
from chitty.trace.history import Event, Life
from chitty.trace.selection import Selection

# Names that every object of JavaScript has: ShiViz keeps hosts as keys of plain objects, and would find them there.
_TAKEN = frozenset(
    {"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf"}
)

LARGE = 10_000_000
"""Characters above which pasting takes a browser long."""


def render(selection: Selection) -> str:
    """Return the log that ShiViz reads; events of a causal cycle have no vector clock and are not in it."""
    hosts = {life: _host(life) for life in selection.history.lives}
    clocks: dict[Event, dict[str, int]] = {}
    running: dict[Life, dict[str, int]] = {}
    lines: list[str] = []
    for event in selection.causality.order:
        clock = running.get(event.life, {})
        cause = selection.causality.cause(event)
        if cause is not None:
            clock = _merged(clock, clocks[cause])
        if event in selection.shown:
            host = hosts[event.life]
            clock = {**clock, host: clock.get(host, 0) + 1}
            lines.append(_said(event, selection))
            lines.append(f"{host} {json.dumps(clock, ensure_ascii=False)}")
        clocks[event] = running[event.life] = clock
    return "\n".join(lines) + "\n"


def warnings(selection: Selection, rendered: str) -> Iterator[str]:
    """Tell what is not in it, and that it is long."""
    if len(rendered) > LARGE:
        yield (
            f"the text has {len(rendered) / 1e6:,.0f} MB, which is much to paste into ShiViz:"
            " choose a part with --from, --to or --participant"
        )
    left = sum(1 for event in selection.causality.order if event in selection.shown)
    if left < len(selection.events):
        yield f"{len(selection.events) - left:,} events of a causal cycle, or after one, have no vector clock: left out"


def _merged(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    merged = dict(one)
    for host, count in other.items():
        if merged.get(host, 0) < count:
            merged[host] = count
    return merged


def _host(life: Life) -> str:
    return f"{life.name}#1" if life.name in _TAKEN else life.name


def _said(event: Event, selection: Selection) -> str:
    """Return one line that cannot pass for a host with its clock: its second word is no `{`."""
    return " | ".join(words.title(event, selection.causality).split("\n"))

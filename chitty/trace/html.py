"""A diagram as one page of HTML, which loads nothing from anywhere.

Names stay in sight; there is zoom, search and a filter; an event lights its causal past and future and dims what
is concurrent with it.
The drawing is the SVG's. What the page adds is in page/, as CSS and JavaScript; here is its frame and its data.
"""

import json
from pathlib import Path
from typing import Any

from chitty.trace import svg, words
from chitty.trace.history import Event
from chitty.trace.shapes import DOT, Arrow, Diagram

_PAGE = Path(__file__).with_name("page")
_LATEST = 9_000_000_000_000_000
_WIDE = 2000.0
_DATA = 40  # bytes of data about a dot or an arrow, roughly

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_HINT = (
    "<p>Point at an event, or press <kbd>Tab</kbd> and go about with the arrow keys: up and down in a process, left to"
    " what caused it, right to what it caused. Its causal past and future light up; what is concurrent with it is"
    " dimmed. <kbd>/</kbd> searches, <kbd>+</kbd> and <kbd>-</kbd> zoom, <kbd>Esc</kbd> lets go.</p>"
)


def expected_size(diagram: Diagram) -> int:
    """Return about how many bytes the page will have; it is not rendered."""
    return svg.expected_size(diagram) + _DATA * (len(diagram.dots) + len(diagram.arrows))


def render(diagram: Diagram) -> str:
    """Return the page."""
    notes = "  ·  ".join(diagram.notes)
    legend, rows = svg.legend_of(diagram, _WIDE)
    data = json.dumps(_data(diagram), separators=(",", ":"))  # numbers only: nothing in it can end its script
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>Space-time diagram</title>",
            f"<style>{svg.STYLE}{_asset('page.css')}</style></head><body>",
            f'<header><h1>Space-time diagram</h1><p id="notes">{svg.text(notes)}</p>',
            _tools(diagram),
            f'<svg id="legend" class="chitty" width="1180" height="{rows * 24}">{svg.DEFS}{legend}</svg>',
            _violations(diagram),
            "</header>",
            '<main id="paper"><div id="heads"><svg class="chitty">',
            svg.head(diagram),
            '</svg></div><svg id="body" class="chitty" role="group" aria-label="events">',
            *svg.body(diagram),
            "</svg></main>",
            f'<aside id="told" aria-live="polite">{_HINT}</aside>',
            f'<script type="application/json" id="data">{data}</script>',
            f"<script>{_asset('page.js')}</script></body></html>\n",
        ]
    )


def _tools(diagram: Diagram) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" value="{lane.index}" checked> {svg.text(lane.name)}</label>'
        for lane in diagram.lanes
        if lane.side
    )
    return (
        '<div class="tools"><label>Search <input type="search" id="search" placeholder="text, name, id, file"></label>'
        '<span id="count" role="status"></span>'
        '<span><button id="out" aria-label="zoom out">&minus;</button> <button id="in" aria-label="zoom in">+</button>'
        ' <button id="fit">Fit width</button> <span id="zoomed"></span></span>'
        f'<details><summary>Participants</summary><div id="lanes">{boxes}<button id="all">All</button></div></details>'
        "</div>"
    )


def _violations(diagram: Diagram) -> str:
    if not diagram.breaches:
        return ""
    shown: dict[int, list[int]] = {}
    for dot in diagram.dots:
        for number in dot.breaches:
            shown.setdefault(number, []).append(dot.id)
    items = []
    for number, breach in enumerate(diagram.breaches, 1):
        ids = " ".join(map(str, shown.get(number, ())))
        where = svg.text(", ".join(words.safe(place) for place in breach.places))
        absent = "" if ids else ", not shown here"
        items.append(
            f'<li><button data-events="{ids}"><b>{svg.text(breach.property)}</b> {svg.text(words.safe(breach.message))}'
            f" ({where}{absent})</button></li>"
        )
    return f'<ul id="violations" aria-label="violations">{"".join(items)}</ul>'


def _data(diagram: Diagram) -> dict[str, Any]:
    ids = {dot.event: dot.id for dot in diagram.dots}
    lives = {life: index for index, life in enumerate(diagram.selection.lives)}
    return {
        "events": [
            [lives[dot.event.life], *_place(diagram, dot.event), _cause(diagram, dot.event, ids), dot.lane]
            for dot in diagram.dots
        ],
        "arrows": [[_or(arrow.source), _or(arrow.target), _path(arrow), int(arrow.local)] for arrow in diagram.arrows],
        "lanes": [{"x": lane.x} for lane in diagram.lanes],
        "spacing": diagram.spacing,
        "width": diagram.width,
        "height": diagram.height + 8,
        "head": diagram.head,
        "dot": DOT,
    }


def _place(diagram: Diagram, event: Event) -> tuple[int, list[int], list[int]]:
    """Return where an event is among the hubs' events; one in a causal cycle is nowhere."""
    causality = diagram.selection.causality
    try:
        future = [min(number, _LATEST) for number in causality.future(event)]
        return causality.position(event), list(causality.past(event)), future
    except KeyError:
        return event.n, [], []


def _cause(diagram: Diagram, event: Event, ids: dict[Event, int]) -> int:
    cause = diagram.selection.causality.cause(event)
    return -1 if cause is None else ids.get(cause, -1)


def _path(arrow: Arrow) -> list[list[float]]:
    return [[point.lane, point.dx, round(point.y, 1)] for point in arrow.path]


def _or(number: int | None) -> int:
    return -1 if number is None else number


def _asset(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")

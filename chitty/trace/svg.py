"""A diagram as SVG: one file without scripts or anything from elsewhere, for browsers, documents and print.

Join, publish and leave differ in hue, in luminance and in the shape of their dots, so that grey print and
colour blindness leave them apart; the hues are after Okabe and Ito, "Color Universal Design", 2008. Filled is
what speaks, hollow what hears. Only markup: what is drawn where is decided in `layout`.
"""

import math
from collections.abc import Iterable, Iterator
from html import escape

from chitty.trace import words
from chitty.trace.axis import ROW
from chitty.trace.shapes import DOT, NAME, TEXT, Arrow, Bar, Diagram, Dot, Mark

INK, PAPER = "#1d2129", "#ffffff"
JOIN, PUBLISH, LEAVE, WRONG = "#00805c", "#0a4a94", "#e09200", "#d4002a"

_OPS = {"join": JOIN, "publish": PUBLISH, "leave": LEAVE}
_FONT = "system-ui, 'Noto Sans', 'DejaVu Sans', 'Helvetica Neue', Arial, 'Noto Color Emoji', sans-serif"
_NAME_LINE = 16
_LINE = 17.0
_BOLD = 1.08
_LEGEND_LINE = 22.0
_MARGIN = 16.0
_LEAST_WIDTH = 520.0
_SAMPLE = 200

STYLE = f"""
.chitty {{ font-family: {_FONT}; font-size: {TEXT:g}px; fill: {INK}; }}
.chitty .join {{ fill: {JOIN}; stroke: {JOIN}; }}
.chitty .publish {{ fill: {PUBLISH}; stroke: {PUBLISH}; }}
.chitty .leave {{ fill: {LEAVE}; stroke: {LEAVE}; }}
.chitty .plain {{ fill: #6b7280; stroke: #6b7280; }}
.chitty-hollow {{ fill: {PAPER}; stroke-width: 1.7px; }}
.chitty-filled {{ stroke-width: 1px; }}
.chitty text {{ stroke: none; }}
.chitty .e text {{ fill: {INK}; paint-order: stroke; stroke: {PAPER}; stroke-width: 3.4px; stroke-linejoin: round; }}
.chitty .e .n {{ font-weight: 600; }}
.chitty .e .w {{ fill: #4b5563; }}
.chitty .a {{ fill: none; stroke-width: 1.25px; }}
.chitty .up {{ stroke-dasharray: 5 3.5; stroke-width: 1.5px; }}
.chitty .receipt {{ stroke-width: .8px; }}
.chitty .open {{ stroke-opacity: .55; }}
.chitty .wrong {{ stroke: {WRONG}; stroke-width: 2.8px; }}
.chitty .head .plate {{ fill: #f3f4f6; stroke: #c3c8d1; }}
.chitty .head .hub {{ fill: #e3e6ec; stroke: #8b93a1; }}
.chitty .head text {{ font-size: {NAME:g}px; font-weight: 600; fill: {INK}; text-anchor: middle; }}
.chitty .row {{ stroke: #eef0f3; }}
.chitty .ruler {{ fill: #8b93a1; font-size: 10px; text-anchor: end; }}
.chitty .life {{ stroke: #8b93a1; stroke-width: 1.2px; }}
.chitty .onward {{ stroke-dasharray: 1.5 3.5; }}
.chitty .member {{ fill: #dfe4ec; }}
.chitty .unnoticed {{ fill: none; stroke: #b3bac6; stroke-dasharray: 2.5 2.5; }}
.chitty .paused {{ fill: {PAPER}; stroke: #6b7280; stroke-dasharray: 1.5 2; }}
.chitty .mark {{ fill: none; stroke: {INK}; stroke-width: 2.6px; stroke-linecap: round; }}
.chitty .halo {{ fill: none; stroke: {PAPER}; stroke-width: 6px; stroke-linecap: round; }}
.chitty .cross {{ fill: none; stroke-width: 2px; stroke-dasharray: none; }}
.chitty .idle {{ fill: #f6f7f9; stroke: none; }}
.chitty .tear {{ fill: none; stroke: #b3bac6; stroke-dasharray: 2 3; }}
.chitty .quiet {{ fill: #6b7280; }}
.chitty .ring {{ fill: none; stroke: {WRONG}; stroke-width: 2px; }}
.chitty .breach, .chitty .e .broken {{ fill: {WRONG}; font-weight: 600; }}
.chitty .paper {{ fill: {PAPER}; stroke: none; }}
"""

# A `use` is a tree of its own: what is in it is styled by its own class alone, not by one above it.
DEFS = "".join(
    [
        "<defs>",
        *(
            f'<marker id="to-{kind}" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="8" markerHeight="8"'
            f' markerUnits="userSpaceOnUse" orient="auto"><path class="{kind} chitty-filled" d="M0 .8L8 4L0 7.2Z"'
            f' stroke="none"/></marker>'
            for kind in ("join", "publish", "leave", "plain")
        ),
        '<marker id="to-wrong" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="12" markerHeight="12"',
        ' markerUnits="userSpaceOnUse" orient="auto">',
        f'<path d="M0 .8L8 4L0 7.2Z" fill="{WRONG}" class="barb"/></marker>',
        *(
            f'<path id="{name}-{fill}" class="chitty-{fill}" d="{path}"/>'
            for fill in ("filled", "hollow")
            for name, path in (
                ("join", "M-5.6 4.4L0-5.8L5.6 4.4Z"),
                ("publish", f"M-{DOT:g} 0a{DOT:g} {DOT:g} 0 1 0 {2 * DOT:g} 0a{DOT:g} {DOT:g} 0 1 0-{2 * DOT:g} 0Z"),
                ("leave", "M-4.6-4.6H4.6V4.6H-4.6Z"),
                ("plain", "M0-6L6 0L0 6L-6 0Z"),
            )
        ),
        '<path id="start" d="M-7-1.5H7V1.5H-7Z"/>',
        '<path id="end" d="M-7-3H7V-1H-7ZM-7 1H7V3H-7Z"/>',
        "</defs>",
    ]
)

_LEGEND = (
    ('<use class="join" href="#join-filled"/>', "join"),
    ('<use class="publish" href="#publish-filled"/>', "publish"),
    ('<use class="leave" href="#leave-filled"/>', "leave"),
    (
        '<use class="plain" href="#publish-filled" x="-6"/><use class="plain" href="#publish-hollow" x="7"/>',
        "sent, received",
    ),
    ('<path class="a up plain" d="M-14 0H12" marker-end="url(#to-plain)"/>', "to the hub"),
    ('<path class="a plain" d="M-14 0H12" marker-end="url(#to-plain)"/>', "from it"),
    ('<path class="member" d="M-5-8H5V8H-5Z"/>', "member"),
    ('<path class="a plain" d="M-14 0H4"/><path class="cross plain" d="M1-4l8 8m0-8l-8 8"/>', "lost, or on its way"),
)
_RARE = {
    "crash": ('<path class="mark" d="M-5-5L5 5M5-5L-5 5"/>', "crash"),
    "pause": ('<path class="mark" d="M-3-5V5M3-5V5"/>', "paused"),
    "wrong": ('<path class="a wrong" d="M-14 4L11-4" marker-end="url(#to-wrong)"/>', "breaks the clock condition"),
}


def render(diagram: Diagram) -> str:
    """Return the whole diagram as one SVG document."""
    width = max(diagram.width, _LEAST_WIDTH)
    room = width - 2 * _MARGIN
    notes = words.paragraph("  ·  ".join(diagram.notes), room, TEXT)
    legend, rows = legend_of(diagram, width)
    above = 8 + len(notes) * _LINE
    top = above + rows * _LEGEND_LINE + 6
    breaches = [line for told in _breaches(diagram) for line in words.paragraph(told, room, TEXT * _BOLD)]
    below = top + diagram.head + diagram.height + 8
    height = below + len(breaches) * _LINE + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chitty" {_sized(width, height)}>',
        f"<title>Space-time diagram: {text(' '.join(notes))}</title><style>{STYLE}</style>{DEFS}",
        f'<path class="paper" d="M0 0H{width:g}V{height:g}H0Z"/>',
        *_lines(notes, "quiet", 0),
        f'<g transform="translate(0 {above:g})">{legend}</g>',
        f'<g transform="translate({(width - diagram.width) / 2:g} {top:g})">{head(diagram)}',
        f'<g transform="translate(0 {diagram.head:g})">',
        *body(diagram),
        "</g></g>",
        *_lines(breaches, "breach", below),
        "</svg>\n",
    ]
    return "\n".join(parts)


def expected_size(diagram: Diagram) -> int:
    """Return about how many bytes the document will have, from some of its arrows and dots: it is not rendered."""
    arrows = range(0, len(diagram.arrows), len(diagram.arrows) // _SAMPLE + 1)
    dots = diagram.dots[:: len(diagram.dots) // _SAMPLE + 1]
    drawn = [_arrow(diagram, number, diagram.arrows[number]) for number in arrows]
    signs = [_dot(diagram, dot) for dot in dots]
    return round(_mean_size(drawn) * len(diagram.arrows) + _mean_size(signs) * len(diagram.dots))


def _mean_size(parts: list[str]) -> float:
    return sum(len(part.encode()) + 1 for part in parts) / max(1, len(parts))


def head(diagram: Diagram) -> str:
    """Return the names of the lanes."""
    plate = diagram.spacing - 12
    parts = ['<g class="head">']
    for lane in diagram.lanes:
        kind = "plate" if lane.side else "plate hub"
        y = (diagram.head - 8 - len(lane.lines) * _NAME_LINE) / 2 + 12.5
        parts.append(
            f'<g class="lane" data-lane="{lane.index}" transform="translate({_n(lane.x)} 0)"><title>{text(lane.name)}'
            f'</title><rect class="{kind}" x="{-plate / 2:g}" width="{plate:g}" height="{diagram.head - 8:g}" rx="5"/>'
        )
        for number, line in enumerate(lane.lines):
            parts.append(f'<text y="{_n(y + number * _NAME_LINE)}">{text(line)}</text>')
        parts.append("</g>")
    parts.append("</g>")
    return "".join(parts)


def body(diagram: Diagram) -> Iterator[str]:
    """Yield all that lies below the heads, from the back to the front."""
    right = diagram.width - 8
    for tick in diagram.ticks:
        if tick.text:
            yield f'<path class="row" d="M{diagram.left:g} {_n(tick.y)}H{right:g}"/>'
            yield f'<text class="ruler" x="{diagram.left - 8:g}" y="{_n(tick.y + 3.5)}">{tick.text}</text>'
    for life in diagram.lifelines:
        yield (
            f'<path class="life" data-lane="{life.lane}" transform="translate({_x(diagram, life.lane)} 0)"'
            f' d="M0 {_n(life.top)}V{_n(life.bottom)}"/>'
        )
        if life.goes_on:
            yield (
                f'<path class="life onward" data-lane="{life.lane}" transform="translate({_x(diagram, life.lane)} 0)"'
                f' d="M0 {_n(life.bottom)}v{ROW * 0.6:g}"/>'
            )
    yield from (_bar(diagram, bar) for bar in diagram.bars)
    for idle in diagram.collapses:
        yield _idle(diagram, idle.y, idle.text, right)
    yield from (_arrow(diagram, number, arrow) for number, arrow in enumerate(diagram.arrows))
    yield from (_dot(diagram, dot) for dot in diagram.dots)
    yield from (_mark(diagram, mark) for mark in diagram.marks)


def legend_of(diagram: Diagram, width: float) -> tuple[str, int]:
    """Return what the signs mean, and in how many lines."""
    rare = {mark.kind for mark in diagram.marks} | {"wrong" for arrow in diagram.arrows if arrow.rises}
    items = [*_LEGEND, *(item for kind, item in _RARE.items() if kind in rare)]
    parts, x, rows = ['<g class="legend">'], _MARGIN, 1
    for sign, meaning in items:
        needed = 40 + words.width(meaning, TEXT) + 12
        if x + needed > width - _MARGIN / 2 and x > _MARGIN:
            x, rows = _MARGIN, rows + 1
        y = (rows - 0.5) * _LEGEND_LINE
        parts.append(
            f'<g transform="translate({_n(x + 14)} {_n(y)})">{sign}<text x="20" y="4">{text(meaning)}</text></g>'
        )
        x += needed
    parts.append("</g>")
    return "".join(parts), rows


def text(data: str) -> str:
    """Return data from outside as character data of XML."""
    return escape(data, quote=True)


def _sized(width: float, height: float) -> str:
    return f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'


def _lines(lines: Iterable[str], kind: str, top: float) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        yield f'<text class="{kind}" x="{_MARGIN:g}" y="{_n(top + number * _LINE)}">{text(line)}</text>'


def _breaches(diagram: Diagram) -> Iterator[str]:
    for breach in diagram.breaches:
        yield f"{breach.property} violated: {words.safe(breach.message)} ({', '.join(breach.places)})"


def _idle(diagram: Diagram, y: float, told: str, right: float) -> str:
    left, top, bottom = f"{diagram.left:g}", _n(y - ROW / 2), _n(y + ROW / 2)
    return (
        f'<g class="collapse"><path class="idle" d="M{left} {top}H{right:g}V{bottom}H{left}Z"/>'
        f'<path class="tear" d="M{left} {top}H{right:g}M{left} {bottom}H{right:g}"/>'
        f'<text class="quiet" x="{diagram.left + 8:g}" y="{_n(y + 4)}">⋮ {text(told)}</text></g>'
    )


def _mark(diagram: Diagram, mark: Mark) -> str:
    shape = "M-6-6L6 6M6-6L-6 6" if mark.kind == "crash" else "M-3-6V6M3-6V6"
    y = _n(mark.y)
    return (
        f'<g class="{mark.kind}" data-lane="{mark.lane}" data-y="{y}"'
        f' transform="translate({_x(diagram, mark.lane)} {y})"><title>{text(mark.title)}</title>'
        f'<path class="halo" d="{shape}"/><path class="mark" d="{shape}"/></g>'
    )


def _bar(diagram: Diagram, bar: Bar) -> str:
    half = 3.5 if bar.kind == "paused" else 5.5
    return (
        f'<rect class="bar {bar.kind}" data-lane="{bar.lane}" transform="translate({_x(diagram, bar.lane)} 0)"'
        f' x="{-half:g}" y="{_n(bar.top)}" width="{2 * half:g}"'
        f' height="{_n(max(bar.bottom - bar.top, 1))}" rx="2"><title>{text(bar.title)}</title></rect>'
    )


def _arrow(diagram: Diagram, number: int, arrow: Arrow) -> str:
    kind = arrow.op if arrow.op in _OPS else "plain"
    classes = ["a", kind]
    classes += ["up"] if arrow.to_hub else []
    classes += ["receipt"] if arrow.receipt else []
    classes += ["open"] if arrow.open else []
    classes += ["wrong"] if arrow.rises else []
    head_kind = "wrong" if arrow.rises else kind
    marker = "" if arrow.lost or (arrow.open and arrow.target is None) else f' marker-end="url(#to-{head_kind})"'
    ends = f' data-s="{"" if arrow.source is None else arrow.source}" data-t="{_target(arrow)}"'
    line = (
        f'<path id="a{number}" class="{" ".join(classes)}"{ends} d="{path_of(diagram, arrow)}"{marker}>'
        f"<title>{text(arrow.title)}</title></path>"
    )
    if not arrow.lost:
        return line
    end = arrow.path[-1]
    return line + (
        f'<path class="cross {kind}"{ends} data-lane="{end.lane}" data-dx="{_n(end.dx)}" data-y="{_n(end.y)}"'
        f' d="M-4-4L4 4M4-4L-4 4" transform="translate({_n(diagram.x(end))} {_n(end.y)})"/>'
    )


def _target(arrow: Arrow) -> str:
    return "" if arrow.target is None else str(arrow.target)


def path_of(diagram: Diagram, arrow: Arrow) -> str:
    """Return an arrow's path, which ends at the edge of the dot that it points at."""
    points = [(diagram.x(point), point.y) for point in arrow.path]
    if arrow.target is not None:
        points[-1] = _short(points[-2], points[-1])
    if arrow.local:
        (ax, ay), (bx, by), (cx, cy) = points
        return f"M{_n(ax)} {_n(ay)}Q{_n(bx)} {_n(by)} {_n(cx)} {_n(cy)}"
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _short(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    if length < 3 * DOT:
        return end
    share = (length - DOT - 1) / length
    return start[0] + dx * share, start[1] + dy * share


def _dot(diagram: Diagram, dot: Dot) -> str:
    lane = diagram.lanes[dot.lane]
    kind = dot.op if dot.op in _OPS and dot.shape != "detect" else "plain"
    colour = dot.op if dot.op in _OPS else "plain"
    if dot.shape in {"start", "end"}:
        sign = f"#{dot.shape}"
    else:
        sign = f"#{kind}-{'filled' if dot.shape in {'send', 'broadcast', 'detect'} else 'hollow'}"
    away = 14 if dot.breaches else 10
    x, anchor = (away, "start") if dot.side > 0 else (-away, "end")
    y = 1 if lane.side == 0 else 4
    ring = '<circle class="ring" r="9.5"/>' if dot.breaches else ""
    return (
        f'<g id="e{dot.id}" class="e {colour}" data-lane="{dot.lane}" data-y="{_n(dot.y)}"'
        f' transform="translate({_n(lane.x)} {_n(dot.y)})"><title>{text(dot.title)}</title>{ring}<use href="{sign}"/>'
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{_label(diagram, dot)}</text></g>'
    )


def _label(diagram: Diagram, dot: Dot) -> str:
    parts = [f'<tspan class="n">{dot.stamp}</tspan>']
    if dot.breaches:
        broken = dict.fromkeys(diagram.breaches[number - 1].property for number in dot.breaches)
        parts.append(f'<tspan class="broken">{text(" ".join(broken))}</tspan>')
    if dot.label:
        parts.append(f'<tspan class="w">{text(words.isolated(dot.label))}</tspan>')
    return "  ".join(parts if dot.side > 0 else reversed(parts))


def _x(diagram: Diagram, lane: int) -> str:
    return _n(diagram.lanes[lane].x)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")

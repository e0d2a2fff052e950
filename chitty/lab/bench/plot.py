"""A plot as SVG: lines over logarithmic axes, each point with the range of its runs. Pure; knows no bench.

One file without scripts or anything from elsewhere. It brings its own paper, and follows the reader's choice
of light or dark where the viewer tells it. The hues are after Okabe and Ito, "Color Universal Design", 2008;
each line also has a mark of its own, so that grey print leaves them apart.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from chitty.lab.bench.results import Figure
from chitty.lab.bench.words import short

WIDTH, HEIGHT = 800, 450
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 226, 96, 56
_FONT = "system-ui, 'Noto Sans', 'DejaVu Sans', 'Helvetica Neue', Arial, sans-serif"
_LIGHT = ("#0068b3", "#c24e00", "#00805c", "#a3477f", "#7a6a00", "#4b5563")
_DARK = ("#5cb8f2", "#f09a4a", "#3ccfa0", "#e39ac4", "#d8c84a", "#b6bfcc")
_LINE = 15.0  # between two labels
_ROOM = 1.12  # factor beyond the outermost points
_FEW_DECADES = 2.2

STYLE = (
    f".plot {{ font-family: {_FONT}; font-size: 12px; }}"
    ".plot .paper { fill: #ffffff; stroke: #d5d9e0; }"
    ".plot text { fill: #1d2129; } .plot .quiet { fill: #5b6472; }"
    ".plot .title { font-size: 15px; font-weight: 600; }"
    ".plot .grid { stroke: #e4e7ec; } .plot .axis { stroke: #8b93a1; }"
    ".plot .l { fill: none; stroke-width: 2px; stroke-linejoin: round; }"
    ".plot .r { stroke-width: 1.4px; stroke-opacity: .65; }"
    ".plot .hollow { fill: #ffffff; stroke-width: 1.8px; }"
    + "".join(
        f".plot .s{at} {{ stroke: {colour}; }} .plot .f{at} {{ fill: {colour}; stroke: {colour}; }}"
        f" .plot text.t{at} {{ fill: {colour}; }}"
        for at, colour in enumerate(_LIGHT)
    )
)

DARK_STYLE = (
    ".plot .paper { fill: #14181f; stroke: #353c48; }"
    ".plot text { fill: #e8eaee; } .plot .quiet { fill: #a3adbb; }"
    ".plot .grid { stroke: #2a313c; } .plot .axis { stroke: #7b8594; }"
    ".plot .hollow { fill: #14181f; }"
    + "".join(
        f".plot .s{at} {{ stroke: {colour}; }} .plot .f{at} {{ fill: {colour}; stroke: {colour}; }}"
        f" .plot text.t{at} {{ fill: {colour}; }}"
        for at, colour in enumerate(_DARK)
    )
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its points by x, rising."""

    name: str
    points: Sequence[tuple[float, Figure]]


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn. Values must be above zero: both axes are logarithmic."""

    title: str
    about: str
    x: str
    y: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return self.start + share * (self.end - self.start)


def render(plot: Plot) -> str:
    """Return the plot as SVG; one without points says so."""
    lines = [line for line in plot.lines if line.points]
    assert len(lines) <= len(_LIGHT), "each line has a colour of its own"
    body = (
        list(_drawn(plot, lines))
        if lines
        else [_text(WIDTH / 2, HEIGHT / 2, "nothing was measured", "quiet", "middle")]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' class="plot" role="img"><title>{escape(plot.title)}</title>\n'
        f"<style>{STYLE}@media (prefers-color-scheme: dark) {{{DARK_STYLE}}}</style>\n"
        f'<rect class="paper" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>\n'
        + _text(20, 29, plot.title, "title")
        + _text(20, 48, plot.about, "quiet")
        + "".join(body)
        + "</svg>\n"
    )


def _drawn(plot: Plot, lines: Sequence[Line]) -> Iterator[str]:
    xs = sorted({x for line in lines for x, _ in line.points})
    lows = [found.low for line in lines for _, found in line.points]
    highs = [found.high for line in lines for _, found in line.points]
    across = _scale(xs[0], xs[-1], _LEFT, WIDTH - _RIGHT)
    up = _scale(min(lows), max(highs), HEIGHT - _BOTTOM, _TOP)
    yield from _axes(plot, xs, across, up)
    for at, line in enumerate(lines):
        yield from _line(at, line, across, up)
    yield from _labels(lines, up)


def _scale(low: float, high: float, start: float, end: float) -> _Scale:
    room = _ROOM if high > low else 3.0
    return _Scale(low / room, high * room, start, end)


def _axes(plot: Plot, xs: Sequence[float], across: _Scale, up: _Scale) -> Iterator[str]:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for value in _ticks(up.low, up.high):
        y = up.at(value)
        yield f'<path class="grid" d="M{left} {y:.1f}H{right}"/>'
        yield _text(left - 8, y + 4, short(value), "quiet", "end")
    last = -math.inf
    for value in xs:
        x = across.at(value)
        yield f'<path class="axis" d="M{x:.1f} {bottom}v5"/>'
        if x - last > 26:  # noqa: PLR2004 - the width of a label
            yield _text(x, bottom + 19, f"{value:,g}", "quiet", "middle")
            last = x
    yield f'<path class="axis" d="M{left} {bottom}H{right}"/>'
    yield _text((left + right) / 2, HEIGHT - 14, plot.x, "quiet", "middle")
    yield _text(left - 54, _TOP - 14, plot.y, "quiet")


def _line(at: int, line: Line, across: _Scale, up: _Scale) -> Iterator[str]:
    places = [(across.at(x), up.at(found.median), found) for x, found in line.points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in places)
    yield f'\n<g><title>{escape(line.name)}</title><path class="l s{at}" d="M{path}"/>'
    for x, y, found in places:
        low, high = up.at(found.low), up.at(found.high)
        if low - high > 1:
            yield f'<path class="r s{at}" d="M{x:.1f} {low:.1f}V{high:.1f}m-3 0h6M{x - 3:.1f} {low:.1f}h6"/>'
        yield _mark(at, x, y)
    yield "</g>"


def _mark(at: int, x: float, y: float) -> str:
    kind, hollow = at % 3, at >= 3  # noqa: PLR2004 - three shapes, filled and then hollow
    style = f"hollow s{at}" if hollow else f"f{at}"
    if kind == 0:
        return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    if kind == 1:
        return f'<rect class="{style}" x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2"/>'
    return f'<path class="{style}" d="M{x:.1f} {y - 5:.1f}l4.8 8.4h-9.6Z"/>'


def _labels(lines: Sequence[Line], up: _Scale) -> Iterator[str]:
    """Name each line at its end, none over another."""
    wanted = sorted((up.at(line.points[-1][1].median), at, line.name) for at, line in enumerate(lines))
    places = [y for y, _, _ in wanted]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1] + _LINE)
    over = max(0.0, places[-1] - (HEIGHT - _BOTTOM))
    for place, (_, at, name) in zip(places, wanted, strict=True):
        y = place - over
        x = WIDTH - _RIGHT + 12
        yield _mark(at, x + 4, y)
        yield _text(x + 14, y + 4, name, f"t{at}")


def _ticks(low: float, high: float) -> Iterator[float]:
    few = math.log10(high / low) < _FEW_DECADES
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for factor in (1, 2, 5) if few else (1,):
            if low <= factor * 10.0**power <= high:
                yield factor * 10.0**power


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>\n'

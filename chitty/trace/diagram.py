"""A directory of logs in, a drawing out: reads, selects, lays out and renders. The only one that knows all formats.

    made = draw(Path(".chitty"), Format.SVG)
    Path("diagram.svg").write_bytes(made.data)

Knows no geometry: that is `layout`, and what a format makes of it is its renderer's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from chitty.core.errors import SettingsError, StackError, cause
from chitty.trace import faults, html, mermaid, perfetto, png, reading, shiviz, svg
from chitty.trace.axis import Axis
from chitty.trace.causality import Causality
from chitty.trace.check import check
from chitty.trace.layout import lay_out
from chitty.trace.selection import Breach, Wish, select
from chitty.trace.shapes import Diagram


class Format(StrEnum):
    """What a drawing may be."""

    SVG = "svg"
    HTML = "html"
    MERMAID = "mermaid"
    SHIVIZ = "shiviz"
    PERFETTO = "perfetto"
    PNG = "png"


LARGE = 10_000_000
"""Bytes of an SVG or a page above which browsers become slow."""

ENDINGS = {
    ".svg": Format.SVG,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".mmd": Format.MERMAID,
    ".mermaid": Format.MERMAID,
    ".shiviz": Format.SHIVIZ,
    ".json": Format.PERFETTO,
    ".png": Format.PNG,
}
"""Formats by the ending of a file's name."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What was made, and what is to be said about it."""

    data: bytes
    warnings: tuple[str, ...] = ()


def format_of(path: Path) -> Format:
    """Return the format that a file's ending asks for.

    Raises:
        SettingsError: it asks for none.
    """
    found = ENDINGS.get(path.suffix.lower())
    if found is None:
        known = ", ".join(ENDINGS)
        raise SettingsError(f"the ending of {str(path)!r} tells no format: give --format, or one of {known}")
    return found


def ending_of(wanted: Format) -> str:
    """Return the usual ending of a file in a format."""
    return next(ending for ending, known in ENDINGS.items() if known is wanted)


def draw(
    directory: Path,
    wanted: Format = Format.SVG,
    axis: Axis = Axis.LAMPORT,
    wish: Wish | None = None,
    alive: Callable[[int], bool] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Drawing:
    """Return a run as a drawing.

    Args:
        directory: a stack's, or a folder of logs.
        wanted: which format.
        axis: what runs down.
        wish: which part of the run.
        alive: tells of a pid whether it runs, see `reading.read`.
        warn: called before a drawing is made that few programs will open, with how large it is to be.

    Raises:
        NotRunning: there are no events.
        NoSuchParticipant: a participant of the wish is unknown.
        SettingsError: nothing happened at the Lamport times of the wish.
        StackError: the format needs something that is missing.
    """
    history = reading.read(directory, alive=alive)
    selection = select(history, Causality(history), wish or Wish())
    match wanted:
        case Format.MERMAID:
            return _text(mermaid.render(selection), lambda text: mermaid.warnings(selection, text))
        case Format.SHIVIZ:
            return _text(shiviz.render(selection), lambda text: shiviz.warnings(selection, text))
        case Format.PERFETTO:
            return _text(perfetto.render(selection, axis))
    diagram = lay_out(selection, axis, faults.read(directory), _breaches(directory))
    match wanted:
        case Format.HTML:
            _warn_of_size(warn, html.expected_size(diagram), diagram)
            return _text(html.render(diagram))
        case Format.PNG:
            picture, amiss = png.render(diagram)
            return Drawing(picture, tuple(amiss))
    _warn_of_size(warn, svg.expected_size(diagram), diagram)
    return _text(svg.render(diagram))


def write(directory: Path, output: Path, axis: Axis = Axis.LAMPORT, wish: Wish | None = None) -> Drawing:
    """Write a run as the drawing that the file's ending asks for, and return it.

    Raises:
        StackError: it cannot be written; and what `draw` and `format_of` raise.
    """
    made = draw(directory, format_of(output), axis, wish)
    save(made, output)
    return made


def save(made: Drawing, output: Path) -> None:
    """Write a drawing to a file.

    Raises:
        StackError: it cannot be written.
    """
    try:
        output.write_bytes(made.data)
    except OSError as error:
        raise StackError(f"cannot write {output}: {cause(error)}") from None


def _warn_of_size(warn: Callable[[str], None], size: int, diagram: Diagram) -> None:
    if size > LARGE:
        warn(
            f"the drawing will have about {size / 1e6:,.0f} MB, for {len(diagram.dots):,} events and"
            f" {len(diagram.arrows):,} arrows: few programs open that; draw a part with --from, --to or --participant,"
            " or all of it with --format perfetto"
        )


def _text(text: str, warnings: Callable[[str], Iterable[str]] = lambda _: ()) -> Drawing:
    return Drawing(text.encode(), tuple(warnings(text)))


def _breaches(directory: Path) -> list[Breach]:
    """Return what a check finds wrong."""
    return [
        Breach(found.property, f"expected {found.expected}; found {found.found}", found.places)
        for found in check(directory).violations
    ]

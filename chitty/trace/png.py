"""A diagram as PNG: the SVG, drawn by resvg (extra `chitty-chat[png]`)."""

from chitty import hints
from chitty.core.errors import StackError
from chitty.trace import svg
from chitty.trace.shapes import Diagram

SCALE = 2.0
"""Pixels of the picture for one of the drawing."""

MOST_PIXELS = 16_000
"""Of a side: what browsers and viewers still show."""


def render(diagram: Diagram) -> bytes:
    """Return the picture, at twice the drawing's size where that is not too large.

    Raises:
        StackError: the library is missing, or even a small picture would be too large.
    """
    try:
        import resvg_py  # noqa: PLC0415 - an extra that only this format needs
    except ImportError:
        raise StackError(
            f"PNG needs resvg, which is missing: `{hints.install('png')}`, or write SVG and convert that"
        ) from None
    longest = max(diagram.width, diagram.height + diagram.head + 100)
    if longest > MOST_PIXELS:
        raise StackError(
            f"the picture would be {longest:,.0f} pixels long: choose a part with --from, --to or --participant, "
            "or write SVG or HTML"
        )
    drawn = svg.render(diagram)
    return resvg_py.svg_to_bytes(svg_string=drawn, zoom=min(SCALE, MOST_PIXELS / longest))

"""A diagram as PNG: the SVG, drawn by resvg (extra `chitty-chat[png]`)."""

import html
import re
from collections.abc import Callable, Iterator

from chitty import hints
from chitty.core.errors import StackError
from chitty.trace import glyphs, svg
from chitty.trace.glyphs import Print
from chitty.trace.shapes import Diagram

SCALE = 2.0
"""Pixels of the picture for one of the drawing."""

MOST_PIXELS = 16_000
"""Of a side: what browsers and viewers still show."""


_WRITTEN = re.compile(r"<text\b[^>]*>(.*?)</text>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_PROBE = f"""<svg xmlns="http://www.w3.org/2000/svg" class="chitty" width="40" height="40"><style>{svg.STYLE}</style>"""
_NOBODYS = "\U0010ffff"  # a character that no font has


def render(diagram: Diagram) -> tuple[bytes, list[str]]:
    """Return the picture, at twice the drawing's size where that is not too large, and what is amiss with it.

    Raises:
        StackError: the library is missing, or even a small picture would be too large.
    """
    draw = _resvg()
    longest = max(diagram.width, diagram.height + diagram.head + 100)
    if longest > MOST_PIXELS:
        raise StackError(
            f"the picture would be {longest:,.0f} pixels long: choose a part with --from, --to or --participant, "
            "or write SVG or HTML"
        )
    drawn = svg.render(diagram)
    picture = draw(svg_string=drawn, zoom=min(SCALE, MOST_PIXELS / longest))
    return picture, list(_warnings(drawn, draw))


def _resvg() -> Callable[..., bytes]:
    try:
        import resvg_py  # noqa: PLC0415 - an extra that only this format needs
    except ImportError:
        raise StackError(f"PNG needs resvg: `{hints.install('png')}`, or write SVG and convert that") from None
    return resvg_py.svg_to_bytes


def _warnings(drawn: str, draw: Callable[..., bytes]) -> Iterator[str]:
    """Tell which characters no font of this machine has: of one that is lacking a box is drawn, or nothing."""

    def looks(character: str) -> bytes:
        return draw(svg_string=f'{_PROBE}<text x="10" y="25">{svg.text(character)}</text></svg>')

    if looks("a") == looks(" "):
        yield "no font was found: nothing is written in the picture; install one, or write SVG or HTML"
        return
    texts = [html.unescape(_TAG.sub("", text)) for text in _WRITTEN.findall(drawn)]
    unusual = glyphs.unusual(texts)
    if unusual:
        box, blank = looks(_NOBODYS), looks(" ")
        lacking = Print(one for one in unusual if looks(one) == box != blank).lacking
        if lacking:
            yield f"no font has {glyphs.named(lacking)}: drawn as a box; install a font, or write SVG or HTML"

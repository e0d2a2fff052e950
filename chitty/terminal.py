"""How text looks on a terminal: its styles, its width, and the colour of a name. Knows no stream. Pure."""

import zlib

_COLOURS = (36, 32, 33, 34, 96, 92, 93, 95, 94)
_START = 67  # of the checksum: with it, alice and the first seven of the roster differ, the first five in hue too
_OF_THE_SERVICE = "35"
_SERVICE = frozenset({"hub", "server"})


def paint(text: str, style: str) -> str:
    """Return text in a style of SGR (ECMA-48), such as `1` for bold or `36;1` for bold cyan."""
    return f"\x1b[{style}m{text}\x1b[0m"


def columns(text: str) -> int:
    """Return how many columns a terminal needs for `text`, which must have no control characters.

    A character of Chinese, Japanese or Korean, or an emoji, takes two; a combining mark takes none.
    """
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415 - takes as long to import as a short command to run

    width = wcswidth(text)
    return width if width >= 0 else len(text)


def pad(text: str, width: int) -> str:
    """Return `text` with spaces after it, so that it takes at least `width` columns."""
    return text + " " * (width - columns(text))


def colour_of(name: str) -> str:
    """Return the colour that belongs to a name, the same in every command and every run; the hub has its own."""
    return _OF_THE_SERVICE if name in _SERVICE else str(_COLOURS[zlib.crc32(name.encode(), _START) % len(_COLOURS)])

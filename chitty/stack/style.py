"""Colours on a terminal. Knows no line and no table."""

import zlib

_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)


def paint(text: str, style: str) -> str:
    """Return text in a style of SGR (ECMA-48)."""
    return f"\x1b[{style}m{text}\x1b[0m"


def colour_of(name: str) -> str:
    """Return the colour that belongs to a name, the same in every command and every run."""
    return str(_COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)])

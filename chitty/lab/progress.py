"""One calm line a step: a tick, its number, what happens, and how long it took. Knows nothing of a stack."""

import shutil
import unicodedata
from typing import TextIO

from chitty.journal import escape
from chitty.lab.steps import Step

_GREEN, _RED, _FAINT = "32", "31", "2"
_TIME_WIDTH = 8
_NARROWEST = 40


class Lines:
    """Writes the lines to a stream; on a terminal the step that is being played is seen too."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._stream = stream
        self._colour = colour

    def begins(self, number: int, step: Step) -> None:
        """Show that a step begins, where that line can be written over."""
        if self._stream.isatty():
            self._write(f"{self._line('·', number, step)}\r")

    def ended(self, number: int, step: Step, seconds: float, *, well: bool) -> None:
        """Write the line of a step that has ended."""
        mark = self._paint("✓", _GREEN) if well else self._paint("✗", _RED)
        took = self._paint(f"{seconds:{_TIME_WIDTH - 2}.1f} s", _FAINT)
        self._write(f"{self._line(mark, number, step)}{took}\n")

    def _line(self, mark: str, number: int, step: Step) -> str:
        room = max(_NARROWEST, shutil.get_terminal_size().columns) - _TIME_WIDTH - 8
        what = _fitting(escape(str(step)), room)
        return f"{mark} {number:4}  {what}{' ' * (room - _columns(what))}"

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters (UAX 11), emoji too, take two."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def _fitting(text: str, room: int) -> str:
    if _columns(text) <= room:
        return text
    while _columns(text) > room - 3:
        text = text[:-1]
    return f"{text}..."


class Silence:
    """Writes nothing."""

    def begins(self, number: int, step: Step) -> None:
        """Show nothing."""

    def ended(self, number: int, step: Step, seconds: float, *, well: bool) -> None:
        """Show nothing."""

"""What of a text a page can show: odd characters are escaped, and so are those that no font has.

An escape is the one that logs have: in a quoted text of a log line it stands for the character, as JSON says.
Knows no font: what is lacking is asked of whoever has them.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chitty import journal

_BREAK = "\u200b"
_STEP = 8  # characters between two places where a long run may be broken
_MOST = 4 * _STEP  # with a width of their own, between two such places, even where it breaks what belongs together
_NAMED = 8  # characters of a warning
_RUN = re.compile(r"[^ ]{60,}")  # no-break spaces are in it
_UNIT = re.compile(r"\\u[0-9a-f]{4}|.", re.DOTALL)
_JOINER = "\u200d"


@dataclass(frozen=True, slots=True)
class Lacking:
    """A character that no font has: its code point, its name, and what is printed in its place."""

    code: str
    name: str
    printed: str


class Print:
    """Makes texts fit to be printed with fonts that lack some characters."""

    def __init__(self, lacking: Iterable[str] = ()) -> None:
        self._lacking = sorted(lacking)
        self._table = {ord(character): _escaped(character) for character in self._lacking}

    @property
    def lacking(self) -> list[Lacking]:
        """What is not printed as it is, by code point."""
        return [
            Lacking(f"U+{ord(one):04X}", unicodedata.name(one, "without a name").lower(), _escaped(one))
            for one in self._lacking
        ]

    def text(self, text: str) -> str:
        """Return a text from outside in one line, nothing of it lost; long runs may break."""
        return _RUN.sub(lambda run: _breakable(run[0]), self.plain(journal.escape(text)))

    def plain(self, text: str) -> str:
        """Return a text that is safe already with what no font has escaped."""
        return text if text.isascii() else text.translate(self._table)

    def all(self, value: Any) -> Any:
        """Return a value of lists and dicts with all its texts made fit; not its keys."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {key: self.all(one) for key, one in value.items()}
            case list() | tuple():
                return [self.all(one) for one in value]
        return value


def named(lacking: Sequence[Lacking]) -> str:
    """Return the code points of what is lacking, as a warning names them."""
    rest = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    return " ".join(one.code for one in lacking[:_NAMED]) + rest


def unusual(texts: Iterable[str]) -> set[str]:
    """Return the characters of texts of which it is not certain that every font has them."""
    return {character for text in texts if not text.isascii() for character in set(text) if not character.isascii()}


def texts(value: Any) -> Iterator[str]:
    """Yield all texts of a value of lists and dicts, not its keys."""
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from texts(one)
        case list() | tuple():
            for one in value:
                yield from texts(one)


def _escaped(character: str) -> str:
    return json.dumps(character).strip('"')


def _breakable(run: str) -> str:
    """Return a long run with places where it may break: not before a mark, nor beside what joins, if it can."""
    parts: list[str] = []
    since, wide, joined = 0, 0, False
    for unit in _UNIT.findall(run):
        category = unicodedata.category(unit[0])
        narrow = category in {"Mn", "Me"} or unit == _JOINER
        clings = joined or category[0] in "MC"
        if not narrow and ((since >= _STEP and not clings) or wide >= _MOST):
            parts.append(_BREAK)
            since = wide = 0
        parts.append(unit)
        since += 1
        wide += not narrow
        joined = unit == _JOINER
    return "".join(parts)

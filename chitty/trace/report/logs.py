"""The logs as they are, line by line with their numbers. Knows no meaning of a line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chitty import logfile


@dataclass(frozen=True, slots=True)
class File:
    """One file of a log: a generation.

    Attributes:
        name: such as `bob.log`, or `bob.log.1` for an older one.
        lines: the whole of it; a line that a rotation cut in two is where it begins.
    """

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """One log, over all its generations, oldest first."""

    name: str
    files: tuple[File, ...]


def read(folder: Path, until: str) -> list[Log]:
    """Return all logs of a folder, the service's first; lines later than wall time `until` are left out."""
    paths = sorted(logfile.logs(folder), key=lambda path: (not path.stem.startswith("server"), path.stem))
    return [Log(path.stem, tuple(_files(path, until))) for path in paths]


def lines(logs: list[Log]) -> dict[str, str]:
    """Return every line by its place, `file:line`."""
    return {
        f"{file.name}:{number}": line for log in logs for file in log.files for number, line in enumerate(file.lines, 1)
    }


def _files(path: Path, until: str) -> Iterator[File]:
    found: dict[str, list[str]] = {}
    for piece in logfile.pieces(path):
        due = _due(piece.lines, until)
        found.setdefault(piece.file, []).extend(due)
        if len(due) < len(piece.lines):
            break
    return (File(name, tuple(written)) for name, written in found.items())


def _due(lines: list[str], until: str) -> list[str]:
    return next((lines[:at] for at, line in enumerate(lines) if line[:1].isdigit() and line > until), lines)

"""Log files as lines: one log read across its rotations, forwards, backwards or as it grows.

Supervisord renames `NAME.log` to `NAME.log.1` and so on, and may cut a line in two where it does. A log that was
copied from elsewhere may have the line ends of Windows; they are read as ours are. Knows no meaning of a line.
"""

import codecs
import os
import re
import shlex
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chitty.core.errors import SettingsError

_BLOCK = 65536
_PIECE = 1 << 20
_SUPERVISOR = "supervisord"
_BACKUP = re.compile(r"\.log\.(\d+)")
_BEGINNING = 64
_UTF_8 = "UTF-8"
_MARKS = {
    codecs.BOM_UTF8: _UTF_8,
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def logs(folder: Path, only: frozenset[str] | None = None) -> list[Path]:
    """Return the logs of a stack's programs, or of some by their slugs; supervisord's own is none."""
    files = (path for path in folder.glob("[!.]*.log*") if path.is_file())
    found = {path.parent / path.name[: path.name.index(".log")] for path in files}
    return [
        path.with_name(f"{path.name}.log")
        for path in sorted(found)
        if path.name != _SUPERVISOR and (only is None or path.name in only)
    ]


def generations(log: Path) -> list[Path]:
    """Return the files of a log, oldest first; the last is the log itself, which need not exist."""
    backups = []
    for path in log.parent.glob(f"{log.stem}.log.*"):
        match = _BACKUP.fullmatch(path.name[len(log.stem) :])
        if match:
            backups.append((int(match[1]), path))
    return [path for _, path in sorted(backups, reverse=True)] + [log]


def check_encoding(log: Path) -> None:
    """Do nothing if a log is UTF-8 without a byte order mark, as processes write it.

    Raises:
        SettingsError: one of its files is not, as after a copy by way of an editor or a shell of Windows.
    """
    for path in generations(log):
        try:
            with path.open("rb") as file:
                found = _encoding(file.read(_BEGINNING))
        except FileNotFoundError:
            continue
        if found == _UTF_8:
            raise SettingsError(
                f"{path} begins with a byte order mark, and logs have none: remove it, with"
                f" `sed -i '1s/^\\xEF\\xBB\\xBF//' {shlex.quote(str(path))}`"
            )
        if found:
            utf_8 = shlex.quote(f"{path}.utf-8")
            here = shlex.quote(str(path))
            raise SettingsError(
                f"{path} is encoded as {found}, and logs are UTF-8: convert it, with"
                f" `iconv -f {found} -t UTF-8 {here} > {utf_8} && mv {utf_8} {here}`"
            )


def _encoding(beginning: bytes) -> str:
    """Return which other encoding a file has by its first bytes, empty if it may be UTF-8."""
    for mark, name in _MARKS.items():
        if beginning.startswith(mark):
            return name
    pairs = beginning[: len(beginning) // 2 * 2]
    first, second = pairs[::2], pairs[1::2]
    if first and all(first) and not any(second):
        return "UTF-16LE"
    return "UTF-16BE" if first and all(second) and not any(first) else ""


def lines(log: Path) -> Generator[str, None, None]:
    """Yield every line that a log has now, oldest first; a last one without an end too."""
    rest = b""
    with ExitStack() as stack:
        for file in [stack.enter_context(file) for file in _opened(log)]:
            # Not what is written meanwhile: a busy log grows as fast as it is read.
            left = os.fstat(file.fileno()).st_size
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                *whole, rest = (rest + block).split(b"\n")
                yield from map(_text, whole)
    if rest:
        yield _text(rest)


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of a log that follow one another.

    Attributes:
        file: name of the generation in which the first of them begins.
        lines: without their ends.
        whole: False for a last line that has no end; it is alone in its piece.
    """

    file: str
    lines: list[str]
    whole: bool = True


def pieces(log: Path) -> Iterator[Piece]:
    """Yield a log in pieces of bounded size, oldest first; each is of one generation."""
    rest, began = b"", log.name
    with ExitStack() as stack:
        for file in [stack.enter_context(file) for file in _opened(log)]:
            name = Path(file.name).name
            while block := file.read(_PIECE):
                began = began if rest else name
                end = block.find(b"\n") + 1
                if rest and end and began != name:
                    # A line that was cut in two by a rotation belongs to where it begins.
                    yield Piece(began, [_text(rest + block[: end - 1])])
                    rest, block, began = b"", block[end:], name
                whole, newline, last = block.rpartition(b"\n")
                if newline:
                    yield Piece(name, _texts(rest + whole))
                    rest = b""
                rest += last
    if rest:
        yield Piece(began, [_text(rest)], whole=False)


def last_lines(log: Path) -> Iterator[str]:
    """Yield every line of a log, newest first, without those that are empty."""
    rest = b""
    with ExitStack() as stack:
        for file in reversed([stack.enter_context(file) for file in _opened(log)]):
            for block in _backwards(file):
                rest, *others = (block + rest).split(b"\n")
                yield from filter(None, map(_text, reversed(others)))
    if rest:
        yield _text(rest)


class Growing:
    """A log that is being written: each `read` returns the lines that came since the last one.

    Lines are whole ones only, across rotations, truncation, removal and a new beginning. It begins with the oldest
    generation, or `at_end` of the newest one that exists: a program writes on into a log that was renamed, until
    it is told to open it again.

    Attributes:
        turns: how many lines had been read where each later file began.
    """

    def __init__(self, log: Path, *, at_end: bool = False) -> None:
        self._log = log
        self._file: BinaryIO | None = None
        self._rest = b""
        self._lines = 0
        self.turns: list[int] = []
        if at_end:
            files = _opened(log)
            for file in files[:-1]:
                file.close()
            if files:
                self._file = files[-1]
                _seek_last_line(self._file)

    def read(self) -> list[str]:
        """Return what has been written since, line by line."""
        written = self._available()
        if self._is_behind():
            # Once more: supervisord wrote to the old file until it renamed it.
            written += self._available()
            for file in self._following():
                if self._file is not None:
                    self.turns.append(self._lines + self._rest.count(b"\n") + written.count(b"\n"))
                self.close()
                self._file = file
                written += self._available()
        if not written:
            return []
        *whole, self._rest = (self._rest + written).split(b"\n")
        self._lines += len(whole)
        return [_text(line) for line in whole]

    def move(self, log: Path) -> None:
        """Go on with the same log at another path: it was moved there."""
        self._log = log

    def close(self) -> None:
        """Close the file; the next `read` would begin anew."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _available(self) -> bytes:
        if self._file is None:
            return b""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)  # truncated in place
        return self._file.read()

    def _is_behind(self) -> bool:
        newest = _stat(self._log) or next(filter(None, map(_stat, reversed(generations(self._log)))), None)
        if newest is None:
            return False
        return self._file is None or not os.path.samestat(os.fstat(self._file.fileno()), newest)

    def _following(self) -> list[BinaryIO]:
        """Return the files after the open one, oldest first; all of them when it is none of them any more."""
        files = _opened(self._log)
        if self._file is not None:
            here = os.fstat(self._file.fileno())
            same = [os.path.samestat(here, os.fstat(file.fileno())) for file in files]
            if any(same):
                passed = same.index(True) + 1
                for file in files[:passed]:
                    file.close()
                return files[passed:]
        return files


def _opened(log: Path) -> list[BinaryIO]:
    """Open the files of a log, oldest first, as they are between two rotations."""
    while True:
        files: list[BinaryIO] = []
        for path in generations(log):
            try:
                files.append(path.open("rb"))
            except FileNotFoundError:
                continue
        if not _rotated(log, files):
            return files
        for file in files:
            file.close()


def _rotated(log: Path, files: list[BinaryIO]) -> bool:
    seen = {(found.st_dev, found.st_ino) for found in (os.fstat(file.fileno()) for file in files)}
    now = set()
    for found in filter(None, map(_stat, generations(log))):
        now.add((found.st_dev, found.st_ino))
    return seen != now or len(seen) != len(files)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _seek_last_line(file: BinaryIO) -> None:
    """Go to the end of the last whole line, so that one half written is read whole."""
    end = file.seek(0, os.SEEK_END)
    for block in _backwards(file):
        newline = block.rfind(b"\n")
        if newline >= 0:
            file.seek(end - (len(block) - newline - 1))
            return
        end -= len(block)
    file.seek(0)


def _backwards(file: BinaryIO) -> Iterator[bytes]:
    position = file.seek(0, os.SEEK_END)
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        yield file.read(size)


def _texts(lines: bytes) -> list[str]:
    if b"\r" in lines:
        return [_text(line) for line in lines.split(b"\n")]
    return lines.decode("utf-8", "backslashreplace").split("\n")


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "backslashreplace")

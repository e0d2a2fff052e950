"""What is left of a database after a power loss: made anew from what powerloss.c wrote down.

A file is what was synced of it, and whatever of the rest a disk may have kept: nothing, all of it, or any part
of it, down to a sector of a write.
"""

import random
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

CREATE, WRITE, TRUNCATE, SYNC, SYNC_FOLDER, UNLINK = range(1, 7)
SUFFIXES = {1: "", 2: "-wal", 3: "-journal"}
SECTOR = 512

COMPILER = shutil.which("cc") or shutil.which("gcc")

_ENTRY = struct.Struct("=IIqqq")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing done to a file; `at` is seconds of the monotonic clock."""

    what: int
    file: int
    offset: int
    data: bytes
    at: float


def compile_library(folder: Path) -> Path:
    """Compile powerloss.c."""
    assert COMPILER is not None
    made = folder / "powerloss.so"
    source = Path(__file__).with_name("powerloss.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O2", "-o", made, source, "-ldl"], check=True, capture_output=True)
    return made


def read(journal: Path) -> list[Entry]:
    """Return what was written down; an entry that a kill tore is left out, for it was not done."""
    data, at, found = journal.read_bytes(), 0, []
    while at + _ENTRY.size <= len(data):
        what, file, offset, length, nanoseconds = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        if at + length > len(data):
            break
        found.append(Entry(what, file, offset, data[at : at + length], nanoseconds / 1e9))
        at += length
    return found


Keep = Callable[[list[Entry]], Iterable[Entry]]
"""Which of the entries that were not synced a disk kept, in their order."""


def nothing(_: list[Entry]) -> list[Entry]:
    return []


def everything(pending: list[Entry]) -> list[Entry]:
    return pending


def some_of(chance: random.Random) -> Keep:
    """Keep writes by chance, and of some of them only the first sectors."""

    def keep(pending: list[Entry]) -> list[Entry]:
        kept = []
        for entry in pending:
            if chance.random() < 0.5:
                continue
            if entry.what == WRITE and chance.random() < 0.3:
                torn = entry.data[: SECTOR * chance.randint(0, len(entry.data) // SECTOR)]
                entry = Entry(WRITE, entry.file, entry.offset, torn, entry.at)  # noqa: PLW2901
            kept.append(entry)
        return kept

    return keep


def first_of(chance: random.Random) -> Keep:
    """Keep what was done first, and a part of what was done next."""

    def keep(pending: list[Entry]) -> list[Entry]:
        count = chance.randint(0, len(pending))
        kept = pending[:count]
        if count < len(pending) and pending[count].what == WRITE:
            next_one = pending[count]
            torn = next_one.data[: chance.randint(0, len(next_one.data))]
            kept.append(Entry(WRITE, next_one.file, next_one.offset, torn, next_one.at))
        return kept

    return keep


def rebuild(before: dict[int, bytes], entries: Iterable[Entry], keep: Keep) -> dict[int, bytes]:
    """Return the files after a power loss, by their numbers.

    Args:
        before: the files as they were when the writing down began, durable.
        entries: what was done until the power was lost.
        keep: called with what was not synced of one file, or of the folder.
    """
    content = {file: bytearray(data) for file, data in before.items()}
    names = set(before)
    pending: dict[int, list[Entry]] = {file: [] for file in SUFFIXES}
    in_folder: list[Entry] = []
    for entry in entries:
        if entry.what == SYNC:
            _apply(content.setdefault(entry.file, bytearray()), pending[entry.file])
            pending[entry.file] = []
        elif entry.what == SYNC_FOLDER:
            _rename(names, in_folder)
            in_folder = []
        elif entry.what in {CREATE, UNLINK}:
            in_folder.append(entry)
            if entry.what == CREATE:  # another file of the same name
                content[entry.file], pending[entry.file] = bytearray(), []
        else:
            pending[entry.file].append(entry)
    _rename(names, keep(in_folder))
    for file, rest in pending.items():
        _apply(content.setdefault(file, bytearray()), keep(rest))
    return {file: bytes(data) for file, data in content.items() if file in names}


def _rename(names: set[int], entries: Iterable[Entry]) -> None:
    for entry in entries:
        (names.add if entry.what == CREATE else names.discard)(entry.file)


def _apply(content: bytearray, entries: Iterable[Entry]) -> None:
    for entry in entries:
        if entry.what == TRUNCATE:
            del content[entry.offset :]
            content.extend(bytes(entry.offset - len(content)))
        else:
            content.extend(bytes(max(0, entry.offset - len(content))))
            content[entry.offset : entry.offset + len(entry.data)] = entry.data


def files_of(database: Path) -> dict[int, bytes]:
    """Return the files of a database as they are."""
    paths = {file: database.with_name(database.name + suffix) for file, suffix in SUFFIXES.items()}
    return {file: path.read_bytes() for file, path in paths.items() if path.exists()}


def put(files: dict[int, bytes], database: Path) -> None:
    """Make these the files of a database, and no others."""
    for suffix in (*SUFFIXES.values(), "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    for file, data in files.items():
        database.with_name(database.name + SUFFIXES[file]).write_bytes(data)

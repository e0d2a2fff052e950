"""Lines of a log to events: whom to believe, where a life begins, what is torn.

Written for speed where lines are many: a delivery to a hundred participants is parsed once.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from chitty import journal, logfile
from chitty.journal import HUB
from chitty.logfile import Piece
from chitty.trace.history import Event, History, Life, Log, Process, Prose, Says, folder_of

ALWAYS = "9999"
"""Later than every wall time."""

Passage = tuple[Life, list[Event]]
"""Events of one life that follow one another."""

_SERVER = "server"
_CACHE = 200_000
_NAMES = 100  # of strangers in a log
_KINDS = {kind: kind for kind in journal.EVENTS}
_EDGES = frozenset({"start", "end"})
_WORD = r'([^\s"]+)'
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_PATTERNS = {
    "send": rf"op={_WORD} id={_WORD}(?: text={_QUOTED})?",
    "receive": rf"op={_WORD} id={_WORD} stamped=(\d+) participant={_WORD}",
    "broadcast": (
        rf"op={_WORD} epoch={_WORD} seq=(\d+)(?: cause={_WORD})? members=(\d+)"
        rf" participant={_WORD}(?: reason={_WORD})? text={_QUOTED}"
    ),
    "deliver": (
        rf"op={_WORD} epoch={_WORD} seq=(\d+) stamped=(\d+)"
        rf" participant={_WORD}(?: reason={_WORD})? text={_QUOTED}"
    ),
    "ack": rf"op={_WORD} id={_WORD} epoch={_WORD} seq=(\d+) stamped=(\d+)",
}
_MATCH: dict[str, Callable[[str], re.Match[str] | None]] = {
    kind: re.compile(pattern).fullmatch for kind, pattern in _PATTERNS.items()
}
_KNOWN = frozenset(Says.__slots__) - {"sent"}


def read(directory: Path, *, until: str = ALWAYS, alive: Callable[[int], bool] | None = None) -> History:
    """Return the history of a stack, or of any folder of logs, with all its events.

    Args:
        directory: the stack's, or one that holds `NAME.log` files with or without rotated generations.
        until: lines with a later wall time are left out. For logs that grow: all processes of a stack have
            one wall clock, so what is left is a consistent cut.
        alive: tells of a pid whether it runs. Without it nobody does, and the same logs give the same
            history anywhere.

    Raises:
        NotRunning: there is no such directory.
        SettingsError: a log is not UTF-8.
    """
    folder = folder_of(directory)
    cache: dict[str, Says] = {}
    readers = [Reader(path, cache) for path in logfile.logs(folder)]
    for reader in readers:
        reader.keep_prose = True
        for life, events in reader.passages(until):
            life.events += events
    processes = [reader.process for reader in readers if reader.process is not None]
    processes.sort(key=lambda process: (not process.is_hub, _began(process), process.log.name))
    _set_again_apart(processes)
    if alive is not None:
        for life in (process.lives[-1] for process in processes):
            life.runs = life.start is not None and alive(life.start.says.pid)
    return History(folder, processes, [reader.log for reader in readers])


def _began(process: Process) -> str:
    return next((life.events[0].wall for life in process.lives if life.events), "")


def _set_again_apart(processes: list[Process]) -> None:
    """Merge what a hub says again, or a second server says too, with what was said first."""
    first: dict[object, Life] = {}
    for life in (life for process in processes if process.is_hub for life in process.lives):
        own: list[Event] = []
        again: list[Event] = []
        epoch = next((event.says.epoch for event in life.events if event.says.epoch), "")  # its start may be missing
        for event in life.events:
            known = first.setdefault(key_of(event, epoch), life) is not life
            (again if known else own).append(event)
        life.events, life.again = own, again


def key_of(event: Event, epoch: str) -> object:
    """Return what makes an event of a hub of an epoch the same event in the log of another life or another server."""
    says = event.says
    match event.kind:
        case "broadcast":
            return says.epoch, says.seq
        case "receive":
            return epoch, says.id
        case "detect":
            return epoch, event.lamport, says.incarnation
    return event


class Reader:
    """Reads one log, from its beginning, in whatever pieces it comes.

    Readers that share a `cache` share what deliveries say.

    Raises:
        SettingsError: the log is not UTF-8.

    Attributes:
        log: what is known of the file.
        process: whose log it is: that of its first event; None before that.
        keep_prose: whether prose is kept.
    """

    def __init__(self, path: Path, cache: dict[str, Says] | None = None) -> None:
        logfile.check_encoding(path)
        self.path = path
        self.log = Log(path.stem)
        self.process: Process | None = None
        self.keep_prose = False
        self._cache = cache if cache is not None else {}
        self._name = ""
        self._torn = 0
        self._held: list[str] = []

    def passages(self, until: str = ALWAYS) -> Iterator[Passage]:
        """Read the log as it is now, to its end."""
        for piece in logfile.pieces(self.path):
            yield from self.take(piece, until)

    def take(self, piece: Piece, until: str = ALWAYS) -> list[Passage]:
        """Return what the next lines of the log tell; lines after wall time `until` wait for the next call."""
        if not self.log.files or self.log.files[-1][1] != piece.file:
            self.log.files.append((self.log.lines + len(self._held), piece.file))
        passages = self._events(self._due(self._held + piece.lines, until))
        if not piece.whole and passages:
            self._tear_last(passages, self.log.lines)
        return [passage for passage in passages if passage[1]]

    def _due(self, lines: list[str], until: str) -> list[str]:
        """Return the lines up to the last event at or before wall time `until`, and hold the others back.

        Up to the last one, not to the first that is later: the clock may have been set back since that one.
        """
        self._held = []
        if until != ALWAYS:
            due = len(lines)
            for index in range(len(lines) - 1, -1, -1):
                text = lines[index]
                if text[:1].isdigit() and text > until:
                    due = index
                elif journal.entry(text):
                    break
            lines, self._held = lines[:due], lines[due:]
        return lines

    def _events(self, lines: list[str]) -> list[Passage]:
        """Turn lines into events, split where a life begins."""
        life = self.process.lives[-1] if self.process else None
        events: list[Event] = []
        passages: list[Passage] = [(life, events)] if life else []
        cache, parse = self._cache, journal.entry
        for number, text in enumerate(lines, self.log.lines + 1):
            found = parse(text)
            if found is None:
                self._take_other(text, number)
                continue
            wall, level, process, kind, lamport, n, rest = found
            says = (cache.get(rest) if kind == "deliver" else None) or self._says(kind, rest)
            if says is None:
                self._note_torn(number)
                continue
            if process != self._name and not self._belongs(process):
                self._note_stranger(process)
                continue
            if kind == "start" or life is None:
                self._tear_last(passages, number - 1)
                life, events = self._begin(), []
                passages.append((life, events))
            event = Event(life, _KINDS[kind], n, lamport, says, wall, level, number)
            if self._torn or kind in _EDGES:
                self._note_edge(life, event)
            events.append(event)
        self.log.lines += len(lines)
        return passages

    def _note_stranger(self, process: str) -> None:
        self.log.strangers += 1
        if len(self.log.names) < _NAMES:
            self.log.names.add(process)

    def _belongs(self, process: str) -> bool:
        """Tell whether the log is that of `process`: it is that of the first one which has an event in it."""
        if self.process is not None or (self.log.name == _SERVER and process != HUB):
            return False
        self.process, self._name = Process(process, self.log), process
        return True

    def _note_edge(self, life: Life, event: Event) -> None:
        """Note the start or end of a life, and that it goes on behind a line which broke off."""
        if self._torn:
            life.broken.append(self._torn)
            self._torn = life.torn = 0
        if event.kind == "start":
            life.start = event
        elif event.kind == "end":
            life.end = life.end or event

    def _says(self, kind: str, rest: str) -> Says | None:
        """Parse the rest of a line; None when something is missing of what such a line must say."""
        says = _parse_quickly(kind, rest) or _parse(kind, rest)
        if kind == "deliver" and says is not None:
            if len(self._cache) >= _CACHE:
                self._cache.clear()
            self._cache[rest] = says
        return says

    def _begin(self) -> Life:
        assert self.process is not None
        lives = self.process.lives
        if lives:
            lives[-1].followed = True
        lives.append(Life(self.process, len(lives) + 1))
        self._torn = 0
        return lives[-1]

    def _take_other(self, text: str, number: int) -> None:
        """Take a line that is no event: empty, prose, torn, or without a head."""
        if not text:
            return
        record = journal.parse(text)
        if record is not None and not record.event:
            if self.keep_prose and self.process is not None:
                prose = Prose(record.wall, record.level, record.process, record.prose, self.log.place(number))
                self.process.prose.append(prose)
            return
        self.log.headless += 1
        if text[:4].isdigit() and text[4:5] in {"-", ""}:
            self._note_torn(number)

    def _note_torn(self, number: int) -> None:
        """Note a line that breaks off: allowed only as the last of a life that has no `end`."""
        self._torn = number
        if self.process is not None and self.process.lives:
            life = self.process.lives[-1]
            life.torn = number
            if life.end is not None:
                life.broken.append(number)

    def _tear_last(self, passages: list[Passage], line: int) -> None:
        """Disbelieve an event in `line`, if there is one, unless its life ended with it.

        A life begins with an empty line of its own. So what a `start` follows at once broke off, even when it
        reads well, and so did what the end of the file follows at once.
        """
        if passages and passages[-1][1]:
            life, events = passages[-1]
            if events[-1].line == line and life.end is None:
                life.torn = events.pop().line
                self.log.headless += 1


def _parse_quickly(kind: str, rest: str) -> Says | None:
    """Parse what is written as `journal` writes it, in its order; None for anything else."""
    match = _MATCH.get(kind, _never)(rest)
    try:
        return _MAKE[kind](*match.groups()) if match is not None else None
    except ValueError:
        return None


def _send(op: str, id_: str, text: str | None) -> Says:
    if text is None and op == "publish":
        raise ValueError
    return Says(op, id_, _text(text))


def _receive(op: str, id_: str, stamped: str, who: str) -> Says:
    return Says(op, id_, stamped=int(stamped), participant=who)


def _broadcast(
    op: str, epoch: str, seq: str, cause: str | None, members: str, who: str, reason: str | None, text: str
) -> Says:
    return Says(op, "", _text(text), epoch, int(seq), 0, cause or "", who, int(members), reason=reason or "")


def _deliver(op: str, epoch: str, seq: str, stamped: str, who: str, reason: str | None, text: str) -> Says:
    return Says(op, "", _text(text), epoch, int(seq), int(stamped), "", who, reason=reason or "")


def _ack(op: str, id_: str, epoch: str, seq: str, stamped: str) -> Says:
    return Says(op, id_, "", epoch, int(seq), int(stamped))


_MAKE: dict[str, Callable[..., Says]] = {
    "send": _send,
    "receive": _receive,
    "broadcast": _broadcast,
    "deliver": _deliver,
    "ack": _ack,
}


def _text(quoted: str | None) -> str:
    if not quoted:
        return ""
    return str(json.loads(f'"{quoted}"')) if "\\" in quoted else quoted


def _parse(kind: str, rest: str) -> Says | None:
    found = journal.fields(kind, rest)
    if found is None:
        return None
    return Says(**{key: value for key, value in found.items() if key in _KNOWN})  # type: ignore[arg-type]


def _never(_rest: str) -> None:
    return None

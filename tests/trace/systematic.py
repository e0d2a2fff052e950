"""Mutants made systematically: every field of every event is changed, every line dropped, doubled and swapped.

What fields there are is the journal's knowledge, so that none is forgotten; what each must agree with, and why a
mutant may survive, is written in `agreements`. The lines are those of a real run and of a simulated one, which has
what the real one has not: lines written again, strangers without a log, and refused joins and leaves.
"""

import copy
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chitty import journal
from chitty.core.errors import Refusal
from chitty.core.event import Kind, Reason, announcement
from chitty.trace.check import check
from chitty.trace.verdict import Judgement, Status, Verdict
from tests.trace import simulating
from tests.trace.mutants import RUN, Item, Run, Value

SEEDS = (291, 23, 322)
"""Of the simulated runs: together they have every kind of line; a test says when they no longer do."""

HEAD = ("wall", "level", "process", "event")
CLOCK = ("lamport", "n")

_OTHER = {"id": "0123456789abcdef.2", "cause": "0123456789abcdef.2", "incarnation": "0123456789abcdef"}
_CHOICES: dict[str, tuple[str, ...]] = {
    "op": tuple(Kind),
    "status": tuple(sorted({refusal.status for refusal in Refusal.__subclasses__()})),
}
_REASONS = tuple(Reason)
_PLAUSIBLE: dict[str, Value] = {
    "again": 1,
    "cause": "0123456789abcdef.2",
    "epoch": "deadbeef",
    "incarnation": "0123456789abcdef",
    "reason": Reason.ASKED,
    "text": "said",
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one line.

    Attributes:
        kind: what kind of line it is, such as `deliver leave`.
        what: the field, or `line`.
        how: what is done to it.
        apply: does it to a copy of the run, given the line's log and index.
    """

    log: str
    index: int
    kind: str
    what: str
    how: str
    apply: Callable[[Run, str, int], None]

    @property
    def key(self) -> str:
        return f"{self.kind}: {self.what} {self.how}"


@dataclass(frozen=True, slots=True)
class Outcome:
    mutant: Mutant
    judgement: Judgement
    properties: tuple[str, ...]


def fields_of(event: str) -> tuple[str, ...]:
    """Return every field of an event's line, its head's too."""
    return (*HEAD, *CLOCK, *(field.rstrip("?") for field in journal.FIELDS[event]))


def runs(folder: Path) -> list[Run]:
    """Return the runs whose lines are mutated."""
    made = [Run(RUN)]
    for seed in SEEDS:
        simulated = simulating.Run(seed, ["alice", "bob", "carol"])
        for _ in range(90):
            simulated.go_on()
        simulated.settle()
        simulated.write(folder / str(seed))
        made.append(Run(folder / str(seed)))
    return made


def outcomes(event: str, folder: Path, most: int) -> Iterator[Outcome]:
    """Yield what a check says of the mutants of an event's lines: of each kind of line at most so many lines."""
    seen: Counter[str] = Counter()
    for number, run in enumerate(runs(folder)):
        chosen = []
        for log, items in run.logs.items():
            for index, item in enumerate(items):
                kind = kind_of(run, log, index) if item.event == event else ""
                if kind and seen[kind] < most:
                    seen[kind] += 1
                    chosen.append((log, index, kind))
        yield from judged(
            run, itertools.chain.from_iterable(mutants(run, *line) for line in chosen), folder / f"{number}"
        )


def mutants(run: Run, log: str, index: int, kind: str) -> Iterator[Mutant]:
    """Yield every mutant of a line."""
    items = run.logs[log]
    item = items[index]
    for field in fields_of(item.event):
        for how, change in _changes(run, item, field):
            yield Mutant(log, index, kind, field, how, change)
    changes = {"dropped": _drop, "doubled": _double}
    after = _next_event(items, index)
    if after is not None:
        changes[f"swapped with {items[after].event}"] = _swap
    for how, change in changes.items():
        yield Mutant(log, index, kind, "line", how, change)
        yield Mutant(log, index, kind, "line", f"{how}, clocks put right", _retimed(change))


def kind_of(run: Run, log: str, index: int) -> str:
    """Return what kind of line this is, with what is special about its place."""
    items = run.logs[log]
    item = items[index]
    if item.event in {"start", "end"}:
        return f"{item.event} of {'a hub' if item.process == journal.HUB else 'a participant'}"
    words = [item.event, str(item["op"])]
    if item["again"]:
        words.append("again")
    about = str(item["cause"] or item["id"]).rpartition(".")[0] or str(item["incarnation"])
    if item.process == journal.HUB and about and about not in _observed(run):
        words.append("of a stranger")
    if item.event == "send" and not any(other.is_("receive", id=item["id"]) for other in _all(run)):
        words.append("never received")
    return " ".join([*words, *_place(items, index)])


def _place(items: list[Item], index: int) -> Iterator[str]:
    """Yield what is special about the place of a line in its life."""
    item = items[index]
    later = list(itertools.takewhile(lambda other: other.event != "start", items[index + 1 :]))
    if not any(other.event for other in later):
        yield "last before a crash"
    elif item.event == "ack":
        if not any(other.is_("ack", epoch=item["epoch"]) for other in later):
            yield "last of its epoch"
    elif item.event == "deliver":
        stay = itertools.takewhile(lambda other: not other.is_("send", op=Kind.JOINED), later)
        if not any(other.event == "deliver" for other in stay):
            yield "last of its stay"


def _all(run: Run) -> Iterator[Item]:
    return (item for items in run.logs.values() for item in items)


def judged(base: Run, mutants_: Iterator[Mutant], folder: Path) -> Iterator[Outcome]:
    """Yield what a check says of each mutant."""
    base.write(folder)
    written = {name: _text(items) for name, items in base.logs.items()}
    for mutant in mutants_:
        run = base.copy()
        mutant.apply(run, mutant.log, mutant.index)
        changed = {name: text for name, items in run.logs.items() if (text := _text(items)) != written[name]}
        if not changed:
            continue  # nothing to swap, or to put right
        for name, text in changed.items():
            (folder / f"{name}.log").write_text(text, encoding="utf-8")
        yield Outcome(mutant, (verdict := check(folder)).judgement, _violated(verdict))
        for name in changed:
            (folder / f"{name}.log").write_text(written[name], encoding="utf-8")


def _violated(verdict: Verdict) -> tuple[str, ...]:
    return tuple(finding.id for finding in verdict.findings if finding.status is Status.VIOLATED)


def _text(items: list[Item]) -> str:
    return "\n".join(item.write() for item in items)


def _observed(run: Run) -> set[Value]:
    return {item["incarnation"] for items in run.logs.values() for item in items if item.event == "start"}


# Fields.


def _changes(run: Run, item: Item, field: str) -> Iterator[tuple[str, Callable[[Run, str, int], None]]]:
    """Yield how a field of a line can be changed."""
    if field in HEAD:
        for how, key, value in _head_changes(run, item, field):
            yield how, _setting_attribute(key, value)
        return
    value = item.fields.get(field)
    if value is None:
        yield "added", _setting(field, _PLAUSIBLE[field])
        return
    for how, other in _others(run, item, field, value):
        yield how, _setting(field, other)
    yield "left out", _removing(field)


def _head_changes(run: Run, item: Item, field: str) -> Iterator[tuple[str, str, str]]:
    match field:
        case "wall":
            yield "of another day", "wall", f"2027{item.wall[4:]}"
        case "level":
            yield "another", "level", "WARNING"
        case "process":
            names = sorted({other.process for items in run.logs.values() for other in items if other.event})
            yield "another", "process", names[(names.index(item.process) + 1) % len(names)]
            yield "unknown", "process", "mallory"
        case "event":
            for event in journal.FIELDS.keys() - {item.event}:
                yield event, "event", event


def _others(run: Run, item: Item, field: str, value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, int):
        yield "one more", value + 1
        if value:
            yield "one less", value - 1
        return
    choices = _CHOICES.get(field, ())
    if field == "reason" and item.event in {"detect", "broadcast", "deliver"}:
        choices = _REASONS
    if choices:
        yield from (("another", choice) for choice in choices if choice != value)
        return
    if field in {"text", "reason", "version"}:
        yield "another", f"{value}!"
        return
    known = sorted({str(other[field]) for items in run.logs.values() for other in items if field in other.fields})
    if len(known) > 1:
        yield "another", known[(known.index(value) + 1) % len(known)]
    yield "unknown", _OTHER.get(field, "deadbeef")


def _setting(field: str, value: Value) -> Callable[[Run, str, int], None]:
    def apply(run: Run, log: str, index: int) -> None:
        run[log][index][field] = value

    return apply


def _removing(field: str) -> Callable[[Run, str, int], None]:
    def apply(run: Run, log: str, index: int) -> None:
        del run[log][index].fields[field]

    return apply


def _setting_attribute(name: str, value: str) -> Callable[[Run, str, int], None]:
    def apply(run: Run, log: str, index: int) -> None:
        setattr(run[log][index], name, value)

    return apply


# Lines.


def _drop(run: Run, log: str, index: int) -> None:
    run[log][index] = Item(".")  # a line without a head: those behind it keep their places
    run.renumber(log)


def _double(run: Run, log: str, index: int) -> None:
    run[log].insert(index + 1, copy.deepcopy(run[log][index]))
    run.renumber(log)


def _swap(run: Run, log: str, index: int) -> None:
    other = _next_event(run[log], index)
    assert other is not None
    run.swap(log, run[log][index], run[log][other])


def _next_event(items: list[Item], index: int) -> int | None:
    return next((at for at in range(index + 1, len(items)) if items[at].event), None)


def _retimed(change: Callable[[Run, str, int], None]) -> Callable[[Run, str, int], None]:
    def apply(run: Run, log: str, index: int) -> None:
        change(run, log, index)
        retime(run)

    return apply


def retime(run: Run) -> None:
    """Compute all clocks, timestamps and announcements of a run anew, as far as everything has its cause.

    What is left to be found wrong is then not a matter of time.
    """
    sends = {item["id"]: item for items in run.logs.values() for item in items if item.event == "send"}
    broadcasts: dict[tuple[Value, Value], Item] = {}
    for item in (item for items in run.logs.values() for item in items if item.event == "broadcast"):
        broadcasts.setdefault((item["epoch"], item["seq"]), item)
    timed: set[int] = set()
    waiting: dict[int, list[str]] = defaultdict(list)
    position = dict.fromkeys(run.logs, 0)
    clock = dict.fromkeys(run.logs, 0)
    starts: dict[str, Item] = {}
    ready = deque(run.logs)
    while ready:
        name = ready.popleft()
        items = run.logs[name]
        while position[name] < len(items):
            item = items[position[name]]
            cause: Item | None = None
            if item.event == "receive":
                cause = sends.get(item["id"])
            elif item.event in {"deliver", "ack"}:
                cause = broadcasts.get((item["epoch"], item["seq"]))
            if cause is not None and id(cause) not in timed:
                waiting[id(cause)].append(name)
                break
            position[name] += 1
            if not item.event:
                continue
            _time(run, item, cause, clock, name, starts)
            timed.add(id(item))
            ready.extend(waiting.pop(id(item), ()))


def _time(run: Run, item: Item, cause: Item | None, clock: dict[str, int], name: str, starts: dict[str, Item]) -> None:
    if cause is not None:
        item["stamped"] = cause["lamport"]
    if item.event == "start":
        clock[name] = _restart(run, name, item)
        starts[name] = item
    elif item.event in {"receive", "deliver", "ack"}:
        clock[name] = max(clock[name], item.number("stamped")) + 1
    elif item.event != "end":
        clock[name] += 1
    item["lamport"] = clock[name]
    if item.event in {"broadcast", "deliver"} and item["op"] != Kind.PUBLISHED:
        at = item.number("lamport" if item.event == "broadcast" else "stamped")
        item["text"] = announcement(Kind(str(item["op"])), str(item["participant"]), at)


def _restart(run: Run, name: str, start: Item) -> int:
    """Return where a clock starts: a restarted hub's after the broadcast before the first that it writes again."""
    items = run.logs[name]
    index = next(at for at, item in enumerate(items) if item is start)
    if start.process != journal.HUB or not start.number("lamport"):
        return 0
    again = next((item for item in items[index:] if item.event == "broadcast"), None)
    told = [item for item in items[:index] if item.is_("broadcast", epoch=start["epoch"])]
    if again is not None:
        told = [item for item in told if item.number("seq") < again.number("seq")]
    return told[-1].number("lamport") if told else 0

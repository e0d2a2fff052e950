"""What was said, receipted and heard, by the records of bots.py; and what of it was lost, doubled or out of order."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Stay:
    """What one heard from one own join on, in the order of hearing."""

    who: str
    epoch: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    last: bool = True

    @property
    def sequences(self) -> list[int]:
        return [note["heard"] for note in self.heard]


@dataclass
class Tally:
    """Counts of one run.

    Attributes:
        lost: messages with a receipt that somebody who was there did not hear, and gaps in what was heard.
        duplicated: sequences or texts that somebody heard twice in a stay, or that have two places in the order.
        reordered: sequences that fall within a stay, and sequences under which two heard different events.
    """

    said: int
    acknowledged: int
    delivered: int
    lost: int
    duplicated: int
    reordered: int
    refused: int
    open: int
    notes: list[str]

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicated or self.reordered)


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the notes of each; a line that a kill tore is left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((folder / "records").glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").split("\n")
        found[path.stem] = [json.loads(line) for line in lines if line.endswith("}")]
    return found


def stays(who: str, notes: list[dict[str, Any]]) -> list[Stay]:
    found: list[Stay] = []
    for note in notes:
        if "heard" not in note:
            continue
        if note["kind"] == "join" and note["who"] == who:
            if found:
                found[-1].last = False
            found.append(Stay(who, note["epoch"]))
        if found:
            found[-1].heard.append(note)
    return found


def tally(folder: Path, present: set[str]) -> Tally:
    """Count a run that is over; those `present` were there at its end, and must have heard everything."""
    records = read(folder)
    everything = [note for notes in records.values() for note in notes]
    acked = [note for note in everything if "acked" in note]
    ears = [stay for who, notes in records.items() for stay in stays(who, notes)]
    why: list[str] = []
    order: dict[tuple[str, int], tuple[str, str, str]] = {}
    lost = doubled = reordered = 0
    for stay in ears:
        last = 0
        for note in stay.heard:
            sequence, event = note["heard"], (note["kind"], note["who"], note["text"])
            if order.setdefault((stay.epoch, sequence), event) != event:
                reordered += 1
                why.append(f"{stay.who} heard {event} as {sequence}, others {order[stay.epoch, sequence]}")
            if last and sequence > last + 1:
                lost += sequence - last - 1
                why.append(f"{stay.who} heard {sequence} after {last}")
            elif sequence == last:
                doubled += 1
                why.append(f"{stay.who} heard {sequence} twice")
            elif sequence < last:
                reordered += 1
                why.append(f"{stay.who} heard {sequence} after {last}")
            last = sequence
    places = Counter((epoch, text) for (epoch, _), (kind, _, text) in order.items() if kind == "publish")
    for (epoch, text), count in places.items():
        if count > 1:
            doubled += count - 1
            why.append(f"{text!r} has {count} places in the order of {epoch}")
    for stay in ears:
        heard = set(stay.sequences)
        low, high = min(heard), max(heard)
        whole = stay.last and stay.who in present
        for note in acked:
            if note["epoch"] == stay.epoch and low <= note["seq"] and (whole or note["seq"] <= high):
                place = order.get((stay.epoch, note["seq"]))
                if note["seq"] not in heard or place is None or place[2] != note["acked"]:
                    lost += 1
                    why.append(f"{stay.who} did not hear {note['acked']!r}, acknowledged as {note['seq']}")
    return Tally(
        said=sum("said" in note for note in everything),
        acknowledged=len(acked),
        delivered=sum(len(stay.heard) for stay in ears),
        lost=lost,
        duplicated=doubled,
        reordered=reordered,
        refused=sum("refused" in note for note in everything),
        open=sum("open" in note for note in everything),
        notes=why[:20],
    )


def settled(folder: Path, present: set[str]) -> bool:
    """Tell whether those who are present have heard the same, and wait for no receipt."""
    records = read(folder)
    heads = set()
    for who in present:
        notes = records.get(who, [])
        begin = max((index for index, note in enumerate(notes) if "life" in note), default=0)
        life = notes[begin:]
        said = sum("said" in note for note in life)
        answered = sum("acked" in note or "refused" in note or "open" in note for note in life)
        if said != answered:
            return False
        heads.add(max((note["heard"] for note in life if "heard" in note), default=0))
    acked = max((note["seq"] for notes in records.values() for note in notes if "acked" in note), default=0)
    return len(heads) == 1 and heads.pop() >= acked

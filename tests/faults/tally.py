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


class _Count:
    """What is wrong in a run, found stay by stay."""

    def __init__(self) -> None:
        self.order: dict[tuple[str, int], tuple[str, str, str]] = {}
        self.lost = self.duplicated = self.reordered = 0
        self.why: list[str] = []

    def hear(self, stay: Stay) -> None:
        """Compare what one heard in a stay with what others heard: the same, in the same order, without a gap."""
        last = 0
        for note in stay.heard:
            sequence, event = note["heard"], (note["kind"], note["who"], note["text"])
            if self.order.setdefault((stay.epoch, sequence), event) != event:
                self.reordered += 1
                self.why.append(f"{stay.who} heard {event} as {sequence}, others another event")
            if last and sequence != last + 1:
                self.lost += max(0, sequence - last - 1)
                self.duplicated += sequence == last
                self.reordered += sequence < last
                self.why.append(f"{stay.who} heard {sequence} after {last}")
            last = sequence

    def place(self) -> None:
        """Look for texts that have two places: each was said once."""
        texts = Counter((epoch, event[2]) for (epoch, _), event in self.order.items() if event[0] == "publish")
        for (epoch, text), count in texts.items():
            if count > 1:
                self.duplicated += count - 1
                self.why.append(f"{text!r} has {count} places in the order of {epoch}")

    def owe(self, stay: Stay, acked: list[dict[str, Any]], *, whole: bool) -> None:
        """Look for messages with a receipt that one did not hear: to the end of the run if it was there then."""
        heard = {note["heard"]: note["text"] for note in stay.heard}
        low, high = min(heard), max(heard)
        owed = [note for note in acked if note["epoch"] == stay.epoch and low <= note["seq"]]
        for note in owed:
            if (whole or note["seq"] <= high) and heard.get(note["seq"]) != note["acked"]:
                self.lost += 1
                self.why.append(f"{stay.who} did not hear {note['acked']!r}, acknowledged as {note['seq']}")


def tally(folder: Path, present: set[str]) -> Tally:
    """Count a run that is over; those `present` were there at its end, and must have heard everything."""
    records = read(folder)
    everything = [note for notes in records.values() for note in notes]
    acked = [note for note in everything if "acked" in note]
    ears = [stay for who, notes in records.items() for stay in stays(who, notes)]
    count = _Count()
    for stay in ears:
        count.hear(stay)
        count.owe(stay, acked, whole=stay.last and stay.who in present)
    count.place()
    return Tally(
        said=sum("said" in note for note in everything),
        acknowledged=len(acked),
        delivered=sum(len(stay.heard) for stay in ears),
        lost=count.lost,
        duplicated=count.duplicated,
        reordered=count.reordered,
        refused=sum("refused" in note for note in everything),
        open=sum("open" in note for note in everything),
        notes=count.why[:20],
    )


def settled(folder: Path, present: set[str]) -> bool:
    """Tell whether those who are present have heard the same of the newest order, and wait for no receipt."""
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
        last = next((note for note in reversed(life) if "heard" in note), {"epoch": "", "heard": 0})
        heads.add((last["epoch"], last["heard"]))
    acked = [note for notes in records.values() for note in notes if "acked" in note]
    newest = max(acked, key=lambda note: note["at"], default=None)
    if len(heads) != 1:
        return False
    # A sequence tells nothing without its epoch: each order begins at 1, and an older one may have been longer.
    ((epoch, head),) = heads
    return newest is None or (newest["epoch"] == epoch and head >= max(_sequences(acked, epoch)))


def _sequences(acked: list[dict[str, Any]], epoch: str) -> list[int]:
    return [note["seq"] for note in acked if note["epoch"] == epoch]


def size(folder: Path) -> int:
    """Return how many bytes of notes there are: while they grow, something happens."""
    return sum(path.stat().st_size for path in (folder / "records").glob("*.jsonl"))
